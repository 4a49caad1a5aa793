"""How many species of iris show in the length of a petal alone? 150 flowers of two.

Fisher, R. A. (1936), The use of multiple measurements in taxonomic problems, Annals of Eugenics
7:179 (measured by E. Anderson).
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import lognorm

from mixpyro import em, models
from mixpyro.data import load_iris

table = load_iris()
x = table["petal_length"].to_numpy()
sweep = em.sweep(models.lognormal_mixture, jax.random.key(0), x, num_components=(1, 2, 3))
print(sweep)
two = sweep.best("bic").sorted("loc")
print(pd.crosstab(table["species"], np.asarray(two.predict())))

weights, loc, scale = (np.asarray(two.params[name]) for name in ("weights", "loc", "scale"))
grid = np.linspace(0.5, 7.5, 400)
parts = weights * lognorm.pdf(grid[:, None], scale, scale=np.exp(loc))
plt.hist(x, np.arange(0.95, 7.2, 0.2), density=True, color="0.85", label="flowers")
plt.plot(grid, parts, ":", color="black")
plt.plot(grid, parts.sum(1), color="black", label="two lognormals")
plt.xlabel("length of a petal, cm")
plt.ylabel("density")
plt.legend()
plt.show()

# Two kinds show, not three: setosa, and the two larger species as one. To doubt: a single
# measurement; with all four, and covariances, the third species is found (`gaussian_mixture`).
