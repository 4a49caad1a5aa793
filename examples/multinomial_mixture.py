"""How many grades of risk do anaesthetists tell apart? Seven gradings of each of 45 patients.

Dawid, A. P. and Skene, A. M. (1979), Maximum likelihood estimation of observer error-rates using
the EM algorithm, Applied Statistics 28:20.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from mixpyro import em, models
from mixpyro.data import load_anaesthetists

table = load_anaesthetists()
counts = pd.crosstab(table["patient"], table["grade"])  # who gave a grade is left out
sweep = em.sweep(
    models.multinomial_mixture, jax.random.key(0), counts.to_numpy(), num_components=(1, 2, 3, 4)
)
print(sweep)
four = sweep.fits[3].sorted("size")
best = sweep.best("bic").sorted("size")
print("four classes, shares:", np.round(np.asarray(four.params["weights"]), 2))
print(best.classification_table().round(3))

probs, weights = np.asarray(best.params["probs"]), np.asarray(best.params["weights"])
for j, style in enumerate(("o-", "s--", "^:")):
    label = f"{weights[j]:.0%} of the patients"
    plt.plot(range(1, 5), probs[j], style, color="black", mfc="white", label=label)
plt.xticks(range(1, 5))
plt.xlabel("grade, from 1 (fit for an anaesthetic) to 4")
plt.ylabel("probability that an anaesthetist gives it")
plt.legend()
plt.show()

# Three grades are enough: fit, a slight risk, more than that; the fourth is that of one patient.
# To doubt: anaesthetists are taken for alike, who are not (`dawid_skene` has each by himself).
