"""Are there kinds of boys, or only moods? What 3398 schoolboys said of the leading crowd, twice.

Coleman, J. S. (1964), Introduction to Mathematical Sociology, Free Press, page 171; Vermunt, J. K.
(2003), Multilevel latent class models, Sociological Methodology 33:213.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_leading_crowd

table = load_leading_crowd()
boys = table["boys"].to_numpy(float)
# Interviews are rows, the boys who answered alike are groups: 16 patterns, two interviews each.
interviews = table.rename_axis("pattern").reset_index().melt(["pattern", "boys"])
interviews[["item", "time"]] = interviews["variable"].str.split("_", expand=True)
rows = interviews.pivot(index=["pattern", "time"], columns="item", values="value")
answers, pattern = rows[["member", "attitude"]], rows.index.get_level_values("pattern").to_numpy()

fits = {}
for kinds in (1, 2, 3):
    fits[kinds] = em.EM(models.multilevel_latent_class, num_restarts=20).run(
        jax.random.key(0),
        answers,
        group=pattern,
        num_components=2,
        num_group_classes=kinds,
        weights=boys,
    )
    print(f"kinds of boys: {kinds}, log-likelihood {fits[kinds].log_likelihood:.2f}")
two = fits[2]
print(two.summary())

shares, moods = (np.asarray(two.params[name]) for name in ("group_weights", "weights"))
favourable = np.asarray(two.params["probs"])[..., 1]
figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3))
for k, color in enumerate(("0.3", "0.8")):
    left.bar(np.arange(2) + 0.4 * k, favourable[k], 0.4, color=color, label=f"interview class {k}")
    right.bar(range(2), moods[:, k], bottom=moods[:, :k].sum(1), color=color)
left.set(xticks=[0.2, 1.2], xticklabels=answers.columns, ylim=(0, 1.35), xlabel="answer")
left.set_ylabel("probability of yes")
left.legend(frameon=False)
right.set_xticks(range(2), [f"kind {h}\n({share:.0%} of boys)" for h, share in enumerate(shares)])
right.set(ylabel="share of interview classes")
figure.tight_layout()
plt.show()

# What a boy is in one interview he is in the other, nearly always: kinds of boys, not moods. To
# doubt: two classes make member and attitude one thing; and the second interview may be a habit.
