"""When did British coal mines become safer? Disasters from 1851 to 1961.

Jarrett, R. G. (1979), A note on the intervals between coal-mining disasters, Biometrika 66:191;
Carlin, B. P., Gelfand, A. E. and Smith, A. F. M. (1992), Hierarchical Bayesian analysis of
changepoint problems, Applied Statistics 41:389.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_coal_disasters

table = load_coal_disasters()
disasters = table["disasters"].to_numpy()
fit = em.EM(models.changepoint).run(jax.random.key(0), disasters)
print(fit.summary())

# One z for the whole series: its responsibilities are how probable each last year is.
probable = np.asarray(fit.responsibilities())[0]
years = table["year"].to_numpy()[:-1]
last = years[probable.argmax()]
print(f"{disasters.sum()} disasters; the most probable last year of the old rate is {last}")
for year in range(last - 3, last + 4):
    print(year, f"{probable[years == year][0]:.3f}", "#" * round(100 * probable[years == year][0]))

plt.bar(table["year"], disasters, width=1, color="0.8", label="disasters")
plt.plot(years, 10 * probable, color="black", label="last year of the old rate (probability, x 10)")
plt.xlabel("year")
plt.ylabel("disasters")
plt.legend()
plt.show()

# From three disasters a year to one, about 1891: after the Coal Mines Regulation Act of 1887.
# To doubt: the model allows no gradual decline, and no second change.
