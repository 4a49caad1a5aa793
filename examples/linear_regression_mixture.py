"""Do rich countries emit more CO2? Twenty-eight countries in 1996.

Hurn, M., Justel, A. and Robert, C. P. (2003), Estimating mixtures of regressions, Journal of
Computational and Graphical Statistics 12:55; Benaglia, T., Chauveau, D., Hunter, D. R. and Young,
D. S. (2009), mixtools, Journal of Statistical Software 32:6.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_emissions

table = load_emissions()
design = np.column_stack([np.ones(len(table)), table["gnp"]])
key, co2 = jax.random.key(0), table["co2"].to_numpy()
for k in (1, 2):
    fit = em.EM(models.linear_regression_mixture).run(key, co2, covariates=design, num_components=k)
    print(f"{k} line(s): log-likelihood {fit.log_likelihood:.3f}, BIC {fit.bic:.1f}")
print(fit.summary())

# Most countries lie on a flat line, whatever their income; a few emit more as they grow.
steep = np.asarray(fit.params["coefficients"])[:, 1].argmax()
print("rows of the steep line:", np.flatnonzero(np.asarray(fit.predict()) == steep))

grid = np.array([0.0, 45.0])
for j, marker in enumerate("os"):
    rows = np.asarray(fit.predict()) == j
    level, slope = np.asarray(fit.params["coefficients"])[j]
    plt.plot(table["gnp"][rows], co2[rows], marker, color="black", mfc=f"{0.9 * j}")
    plt.plot(grid, level + slope * grid, "-", color="black", lw=0.8)
plt.xlabel("GNP a head, thousands of dollars")
plt.ylabel("CO2 a head")
plt.show()

# To doubt: 28 countries for seven numbers. Where the lines cross a country may be of either.
