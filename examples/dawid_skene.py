"""Which patients are fit for an anaesthetic, when five anaesthetists disagree?

Dawid, A. P. and Skene, A. M. (1979), Maximum likelihood estimation of observer error-rates using
the EM algorithm, Applied Statistics 28:20.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_anaesthetists

table = load_anaesthetists() - 1  # patients, observers and grades from 0
patient, observer, grade = table[["patient", "observer", "grade"]].to_numpy().T

# Begin where the votes point, so that class 0 is grade 1 and so on.
votes = np.zeros((45, 4))
np.add.at(votes, (patient, grade), 1)
fit = em.EM(models.dawid_skene).run(
    jax.random.key(0),
    grade,
    num_components=4,
    group=patient,
    num_groups=45,
    annotator=observer,
    num_annotators=5,
    init_responsibilities=votes / votes.sum(1, keepdims=True),
)
print("share of each grade:", np.round(np.asarray(fit.params["weights"]), 2))
print("the first observer, by true grade:")
print(np.round(np.asarray(fit.params["confusion"])[:, 0], 2))
sure = np.asarray(fit.responsibilities()).max(1)
print(f"{np.sum(sure > 0.99)} of 45 patients are graded beyond doubt")
print("in doubt:", [int(i) + 1 for i in np.flatnonzero(sure < 0.99)])

picture = plt.imshow(np.asarray(fit.params["confusion"])[:, 0], cmap="Greys", vmin=0, vmax=1)
plt.xticks(range(4), range(1, 5))
plt.yticks(range(4), range(1, 5))
plt.xlabel("grade that the first observer gives")
plt.ylabel("true grade")
plt.colorbar(picture, label="probability")
plt.show()

# To doubt: few patients have grade 4, so its row of the error rates is known from three of them;
# and an error that all observers make is the truth here.
