"""Do more women of eighty die in winter? Death notices in The Times, 1910 to 1912.

Hasselblad, V. (1969), Estimation of finite mixtures of distributions from the exponential family,
Journal of the American Statistical Association 64:1459.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_death_notices

table = load_death_notices()
deaths = np.repeat(table["deaths"].to_numpy(), table["days"])
print(f"{len(deaths)} days, {deaths.mean():.3f} deaths a day, variance {deaths.var():.3f}")

# Poisson counts have a variance of the size of their mean: these vary more. Two kinds of day?
key = jax.random.key(0)
one = em.EM(models.poisson_mixture).run(key, deaths, num_components=1)
fit = em.EM(models.poisson_mixture).run(key, deaths, num_components=2)
print(fit.summary())
print(f"log-likelihood {one.log_likelihood:.3f} with one rate, {fit.log_likelihood:.3f} with two")
print(f"BIC {one.bic:.1f} and {fit.bic:.1f}: two")

values = np.arange(10)
plt.bar(values, table["days"], color="0.85", label="days")
for found, style, name in ((one, "s--", "one rate"), (fit, "o-", "two rates")):
    density = np.exp(np.asarray(found.log_prob(values)))
    plt.plot(values, len(deaths) * density, style, color="black", mfc="white", label=name)
plt.xlabel("deaths on a day")
plt.ylabel("days")
plt.legend()
plt.show()

# A third of the days have 1.26 deaths, the others 2.66: summer and winter, it has been said since.
# To doubt: days follow each other, and a rate that goes up and down over the year fits as well.
# Nothing here knows the date of a day.
