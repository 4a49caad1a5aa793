"""Do longer rolls of fabric have more faults, and are all rolls alike? Thirty-two rolls.

Bissell, A. F. (1972), A negative binomial model with varying element sizes, Biometrika 59:435;
Aitkin, M. (1996), A general maximum likelihood analysis of overdispersion in generalized linear
models, Statistics and Computing 6:251.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_fabric

table = load_fabric()
design = np.column_stack([np.ones(32), np.log(table["length"])])
key, faults = jax.random.key(0), table["faults"].to_numpy()
data = {"covariates": design, "num_components": 1}
one = em.EM(models.poisson_regression_mixture).run(key, faults, **data)
print(one.summary())

# Twice as long, twice the faults: the slope is 1. But they vary more than Poisson counts do.
two = em.EM(models.poisson_regression_mixture).run(key, faults, **data | {"num_components": 2})
spread = em.EM(models.negative_binomial_regression_mixture).run(key, faults, **data)
for name, fit in [("Poisson", one), ("two Poissons", two), ("negative binomial", spread)]:
    print(f"{name}: log-likelihood {fit.log_likelihood:.2f}, BIC {fit.bic:.1f}")

grid = np.linspace(100, 950, 100)
a, b = np.asarray(one.params["coefficients"])[0]
plt.plot(table["length"], faults, "o", color="0.5", label="rolls")
plt.plot(grid, np.exp(a + b * np.log(grid)), color="black", label="one kind of roll")
for a, b in np.asarray(two.params["coefficients"]):
    plt.plot(grid, np.exp(a + b * np.log(grid)), "--", color="black", lw=0.8)
plt.xlabel("length of the roll, metres (dashed: two kinds)")
plt.ylabel("faults")
plt.legend()
plt.show()

# To doubt: 32 rolls do not tell two kinds of rolls from rolls that all differ a little.
