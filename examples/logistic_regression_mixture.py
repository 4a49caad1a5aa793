"""How much carbon disulphide kills a beetle? Eight doses, 481 beetles.

Bliss, C. I. (1935), The calculation of the dosage-mortality curve, Annals of Applied Biology
22:134; Dobson, A. J. (2002), An Introduction to Generalized Linear Models, section 7.3.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit

from mixpyro import em, models
from mixpyro.data import load_beetles

table = load_beetles()
dose = table["log_dose"].to_numpy()
killed, beetles = table["killed"].to_numpy(), table["beetles"].to_numpy()
design = np.column_stack([np.ones(8), dose])
data = {"covariates": design, "total_count": beetles}
fits = {}
for k in (1, 2):
    fits[k] = em.EM(models.logistic_regression_mixture).run(
        jax.random.key(0), killed, num_components=k, **data
    )
    print(f"{k} curve(s): log-likelihood {fits[k].log_likelihood:.3f}, BIC {fits[k].bic:.1f}")
print(fits[1].summary())

grid = np.linspace(1.67, 1.9, 100)
b = np.asarray(fits[1].params["coefficients"])[0]
plt.plot(dose, killed / beetles, "o", color="0.5", label="observed")
plt.plot(grid, expit(b[0] + b[1] * grid), color="black", label="logistic regression")
plt.xlabel("dose, log10 of CS2 in mg/l")
plt.ylabel("share killed")
plt.legend()
plt.show()

# Half of them die at a log dose of 1.77. To doubt: the curve is too low at the highest doses (a
# complementary log-log one fits better), and a second curve is no kind of beetle but that misfit.
