"""On how many logs do salamanders live, if one may miss them? 39 sites, each visited five times.

MacKenzie, D. I. et al. (2006), Occupancy Estimation and Modeling, Elsevier, page 99 (blue ridge
two-lined salamanders of Great Smoky Mountains National Park).
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from scipy.stats import binom

from mixpyro import em, models
from mixpyro.data import load_salamanders

seen = load_salamanders().to_numpy()
ones = np.ones((39, 5, 1))
fit = em.EM(models.occupancy).run(
    jax.random.key(0), seen, covariates=ones[:, 0], detection_covariates=ones
)
print(fit.summary())
lives = float(expit(fit.params["coefficients"][0]))
found = float(expit(fit.params["detection_coefficients"][0]))
print(f"seen at {np.mean(seen.any(1)):.1%} of the sites; they live at {lives:.1%},")
print(f"where a visit finds them with probability {found:.4f}")

visits = np.arange(6)
expected = 39 * (lives * binom.pmf(visits, 5, found) + (1 - lives) * (visits == 0))
plt.bar(visits, np.bincount(seen.sum(1), minlength=6), color="0.85", label="sites")
plt.plot(visits, expected, "o-", color="black", label="expected")
plt.bar(0, 39 * (1 - lives), color="0.6", label="where none live, estimated")
plt.xlabel("visits that found salamanders")
plt.ylabel("sites")
plt.legend()
plt.show()

# Half the sites looked empty, a fifth was not. To doubt: logs with many salamanders are found
# sooner, and if that varies, more sites are occupied than this says.
