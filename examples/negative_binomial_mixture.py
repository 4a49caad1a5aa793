"""Are mites spread evenly over the leaves of an apple tree? Counts on 150 leaves.

Bliss, C. I. and Fisher, R. A. (1953), Fitting the negative binomial distribution to biological
data, Biometrics 9:176.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from mixpyro import em, models
from mixpyro.data import load_red_mites

table = load_red_mites()
mites = np.repeat(table["mites"].to_numpy(), table["leaves"])
print(f"{len(mites)} leaves, {mites.sum()} mites, variance / mean {mites.var() / mites.mean():.2f}")

key = jax.random.key(0)
poisson = em.EM(models.poisson_mixture).run(key, mites, num_components=1)
pair = em.EM(models.poisson_mixture).run(key, mites, num_components=2)
fit = em.EM(models.negative_binomial_mixture).run(key, mites, num_components=1)
print(fit.summary())
for name, other in [("Poisson", poisson), ("two Poissons", pair), ("negative binomial", fit)]:
    print(f"{name}: log-likelihood {other.log_likelihood:.2f}, BIC {other.bic:.1f}")

values = np.arange(8)
size, mean = float(fit.params["concentration"][0]), float(fit.params["mean"][0])
plt.bar(values, table["leaves"], color="0.85", label="leaves")
laws = {"o-k": stats.nbinom(size, size / (size + mean)), "s--k": stats.poisson(mites.mean())}
for (style, law), name in zip(laws.items(), ("negative binomial", "Poisson"), strict=True):
    plt.plot(values, 150 * law.pmf(values), style, mfc="white", label=name)
plt.xlabel("mites on a leaf")
plt.ylabel("leaves")
plt.legend()
plt.show()

# Mites sit together: a concentration of 1 is a geometric distribution. One negative binomial and
# two kinds of leaf say the same with a parameter less.
# To doubt: what makes a leaf good for mites is not told apart from mites that multiply there.
