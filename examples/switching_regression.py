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
ones = np.ones(len(rate))

# Two levels; and the rate on the one of the quarter before, in each of two states.
level = {"y": rate, "covariates": ones[:, None]}
lagged = {"y": rate[1:], "covariates": np.column_stack([ones[1:], rate[:-1]])}
fits = {}
for name, data in (("level", level), ("lagged", lagged)):
    fits[name] = em.EM(models.switching_regression).run(
        jax.random.key(0), **data, num_components=2, tied_scale=True, stationary=True
    )
    print(f"{name}: log-likelihood {fits[name].log_likelihood:.4f}, AIC {fits[name].aic:.1f}")
    print(fits[name].summary())

years = 1954.5 + np.arange(len(rate)) / 4
state = np.asarray(fits["level"].decode())
levels = np.asarray(fits["level"].params["coefficients"])[:, 0]
plt.plot(years, rate, color="0.6", label="rate")
plt.step(years, levels[state], where="mid", color="black", label="level, decoded")
plt.xlabel("year")
plt.ylabel("percent a year")
plt.legend()
plt.show()

# Rates were high from 1973 to 1991, with a gap. To doubt: errors around a level are not independent
# at all, which the lag shows: its states are not high and low rates, but calm and upward moves.
