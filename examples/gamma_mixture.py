"""Do air-conditioning units fail at a steady rate? One aircraft, twelve times between failures.

Proschan, F. (1963), Theoretical explanation of observed decreasing failure rate, Technometrics
5:375; Davison, A. C. and Hinkley, D. V. (1997), Bootstrap Methods and their Application, example
1.1.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import gamma

from mixpyro import em, models
from mixpyro.data import load_air_conditioning

hours = load_air_conditioning()["hours"].to_numpy(float)
key = jax.random.key(0)
steady = em.EM(models.exponential_mixture).run(key, hours, num_components=1)
fit = em.EM(models.gamma_mixture).run(key, hours, num_components=1)
shape, rate = float(fit.params["concentration"][0]), float(fit.params["rate"][0])
print(fit.summary())
print(f"mean {shape / rate:.3f} hours, shape {shape:.4f}")

# Steady is a shape of 1, which is a gamma distribution too: a test on one degree of freedom.
print(em.likelihood_ratio_test(steady, fit))

grid = np.linspace(0, 600, 300)
plt.step(np.sort(hours), 1 - np.arange(1, 13) / 12, where="post", color="0.6", label="observed")
plt.plot(grid, gamma.sf(grid, shape, scale=1 / rate), color="black", label="gamma")
plt.plot(grid, np.exp(-grid / hours.mean()), "--", color="black", label="exponential")
plt.xlabel("hours to the next failure")
plt.ylabel("share still running")
plt.legend()
plt.show()

# A shape below 1 says that a unit just repaired fails soonest. To doubt: it says so weakly, and
# Proschan's point was that aircraft differ: a mixture of steady rates has a falling one.
