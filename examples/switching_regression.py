"""When was money dear? The interest rate of federal funds, 226 quarters from 1954 to 2010.

StataCorp, Stata Time-Series Reference Manual, mswitch; Hamilton, J. D. (1994), Time Series
Analysis, Princeton University Press, chapter 22.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_fed_funds

rate = load_fed_funds()["percent"].to_numpy()
level = np.ones((len(rate), 1))

# The mean alone switches. The first state has the chain's stationary distribution, as Stata has it.
fit = em.EM(models.switching_regression, num_restarts=3).run(
    jax.random.key(0), rate, covariates=level, num_components=2, tied_scale=True, stationary=True
)
print(f"log-likelihood {fit.log_likelihood:.4f}, AIC {fit.aic:.1f}")
print(fit.summary())
stay = np.diag(np.asarray(fit.params["transition"]))
print("quarters that a state lasts:", (1 / (1 - stay)).round(1))

years = 1954.5 + np.arange(len(rate)) / 4
state = np.asarray(fit.decode())
levels = np.asarray(fit.params["coefficients"])[:, 0]
plt.plot(years, rate, color="0.6", label="rate")
plt.step(years, levels[state], where="mid", color="black", label="level, decoded")
plt.xlabel("year")
plt.ylabel("percent a year")
plt.legend()
plt.show()

# Rates were high from 1973 to 1991, with a gap. To doubt: errors around a level are far from
# independent from quarter to quarter; with the rate before as a covariate the states are others.
