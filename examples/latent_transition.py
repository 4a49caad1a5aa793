"""Do boys change their minds about the leading crowd, or their answers? Two interviews.

Coleman, J. S. (1964), Introduction to Mathematical Sociology, Free Press, page 171; Goodman, L. A.
(1974), American Journal of Sociology 79:1179; Collins, L. M. and Lanza, S. T. (2010), Latent Class
and Latent Transition Analysis, Wiley.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_leading_crowd

table = load_leading_crowd()
boys = table["boys"].to_numpy(float)
patterns = table.to_numpy()[:, :4].reshape(-1, 2, 2)
answers = patterns.swapaxes(0, 1)  # interview, pattern, item: a member; favourable
same = (answers[0] == answers[1]).all(1)
print("the same answers twice:", (same @ boys / boys.sum()).round(3))

# Each pattern counts as often as there are boys.
fits = {}
for k in (1, 2, 3):
    fits[k] = em.EM(models.latent_transition).run(
        jax.random.key(0), answers, num_components=k, num_categories=2, weights=boys
    )
    print(f"classes: {k}, log-likelihood {fits[k].log_likelihood:.2f}, BIC {fits[k].bic:.1f}")
two = fits[2]
print(two.summary())

probs, moves = np.asarray(two.params["probs"])[..., 1], np.asarray(two.params["transition"])
figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3))
for j, color in enumerate(("0.3", "0.8")):
    left.bar(np.arange(2) + 0.4 * j, probs[j], 0.4, color=color, label=f"class {j}")
left.set(xticks=[0.2, 1.2], xticklabels=["a member", "favourable"], ylim=(0, 1.15))
left.set(xlabel="answer", ylabel="probability")
left.legend(ncols=2, frameon=False)
right.imshow(moves, cmap="Greys", vmin=0, vmax=1)
for (i, j), share in np.ndenumerate(moves):
    right.text(j, i, f"{share:.2f}", ha="center", color="white" if share > 0.5 else "black")
right.set(xticks=[0, 1], yticks=[0, 1], xlabel="class in the second interview")
right.set_ylabel("class in the first")
figure.tight_layout()
plt.show()

# Far fewer boys change class than answers. To doubt: with two classes member and attitude are one
# thing. More classes fit far better: Goodman finds two things that belong together, each twofold.
