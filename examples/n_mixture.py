"""How many butterflies are there, if a count misses some? 95 sites, each counted twice a day.

Kery, M. and Schaub, M. (2012), Bayesian Population Analysis using WinBUGS, section 12.3; Royle, J.
A. (2004), N-mixture models for estimating population size from spatially replicated counts,
Biometrics 60:108.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import expit

from mixpyro import em, models
from mixpyro.data import load_fritillaries

table = load_fritillaries()
table = table[table["day"] >= 3]  # the season begins
counts = table[["first", "second"]].to_numpy()
sites = table["sites"].astype(float)
design = pd.get_dummies("day " + table["day"].astype(str), dtype=float)

# How far the two counts agree tells how many butterflies each of them misses, on all days alike.
fit = em.EM(models.n_mixture, num_restarts=4).run(
    jax.random.key(0),
    counts,
    covariates=design,
    detection_covariates=np.ones((len(counts), 2, 1)),
    max_count=40,
    weights=sites,
)
print(fit.summary())
found = float(expit(fit.params["detection_coefficients"][0]))
there = np.exp(np.asarray(fit.params["coefficients"], float))
print(f"a count finds {found:.0%} of the butterflies")

# A site looks empty if both counts miss all of its butterflies.
days, most = table["day"], counts.max(1)
visited = table["sites"].groupby(days).sum()
seen = (most * sites).groupby(days).sum() / visited
empty = (sites * (most == 0)).groupby(days).sum()
expected = visited * np.exp(-there * (1 - (1 - found) ** 2))
print(pd.DataFrame({"looked empty": empty, "expected": expected.round(1)}))

errors = np.asarray(fit.standard_errors()["coefficients"])
bars = [there - there * np.exp(-errors), there * np.exp(errors) - there]
plt.errorbar(seen.index, there, bars, fmt="o-", color="black", label="estimated")
plt.plot(seen, "s--", color="0.5", label="the larger count of two")
plt.xticks(seen.index)
plt.ylim(0, 1.6)
plt.xlabel("day of the survey")
plt.ylabel("butterflies a site")
plt.legend()
plt.show()

# Each count misses two butterflies of five, both together one of six. To doubt: on days 5 and 6
# nearly twice as many sites looked empty as a Poisson law expects. Some sites may have none ever,
# and the others more; how many were missed is then another number too.
