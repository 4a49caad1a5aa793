"""How long do ball bearings last, and do they wear out? Twenty-three, run until they failed.

Lieblein, J. and Zelen, M. (1956), Statistical investigation of the fatigue life of deep-groove
ball bearings, Journal of Research of the National Bureau of Standards 57:273; Dekking, F. M. et
al. (2005), A Modern Introduction to Probability and Statistics, Springer.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import weibull_min

from mixpyro import em, models
from mixpyro.data import load_ball_bearings

times = load_ball_bearings()["revolutions"].to_numpy()
key = jax.random.key(0)
exponential = em.EM(models.exponential_mixture).run(key, times, num_components=1)
lognormal = em.EM(models.lognormal_mixture).run(key, times, num_components=1)
fit = em.EM(models.weibull_mixture).run(key, times, num_components=1)
print(fit.summary())
for name, other in [("exponential", exponential), ("lognormal", lognormal), ("Weibull", fit)]:
    print(f"{name}: log-likelihood {other.log_likelihood:.2f}, AIC {other.aic:.1f}")

shape, scale = float(fit.params["concentration"][0]), float(fit.params["scale"][0])
grid = np.linspace(0, 200, 200)
plt.step(np.sort(times), 1 - np.arange(1, 24) / 23, where="post", color="0.6", label="bearings")
plt.plot(grid, weibull_min.sf(grid, shape, scale=scale), color="black", label="Weibull")
plt.plot(grid, np.exp(-grid / times.mean()), "--", color="black", label="exponential")
plt.xlabel("million revolutions")
plt.ylabel("share still running")
plt.legend()
plt.show()

# A shape of 2: the older a bearing, the sooner it fails, so an exponential law is refused.
# To doubt: 23 bearings do not tell a Weibull from a lognormal distribution.
