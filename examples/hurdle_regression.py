"""Which female draws males, and how many? 173 nesting horseshoe crabs and their satellites.

Brockmann, H. J. (1996), Satellite male groups in horseshoe crabs, Limulus polyphemus, Ethology
102:1; Agresti, A. (2002), Categorical Data Analysis, table 4.3.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import expit

from mixpyro import em, models
from mixpyro.data import load_horseshoe_crabs

table = load_horseshoe_crabs()
colours = ["medium light", "medium", "medium dark", "dark"]
design = pd.get_dummies(table["colour"], dtype=float)[colours]
design.insert(0, "width", table["width"] - 26)
satellites = table["satellites"].to_numpy()

fits = {}
for k in (1, 2):
    fits[k] = em.EM(models.hurdle_regression).run(
        jax.random.key(0), satellites, covariates=design, num_components=k
    )
    print(f"{k} kind(s): log-likelihood {fits[k].log_likelihood:.2f}, BIC {fits[k].bic:.1f}")
print(fits[1].summary())

# Left: how many females have any. Right: how many males stay with those who have.
_, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
middles = np.arange(23, 32)
near = [np.abs(table["width"] - middle) <= 0.5 for middle in middles]
left.plot(middles, [np.mean(satellites[n] > 0) for n in near], "o", color="0.6")
right.plot(middles, [satellites[n & (satellites > 0)].mean() for n in near], "o", color="0.6")
grid = np.linspace(22, 32, 100)
gate = np.asarray(fits[1].params["gate_coefficients"])
slope, *levels = np.asarray(fits[1].params["coefficients"])[0]
for colour, style in (("medium", "-"), ("dark", "--")):
    j = colours.index(colour)
    rate = np.exp(levels[j] + slope * (grid - 26))
    left.plot(grid, expit(-gate[0] * (grid - 26) - gate[1 + j]), style, color="black", label=colour)
    right.plot(grid, rate / (1 - np.exp(-rate)), style, color="black", label=colour)
left.set(xlabel="width, cm (points: all colours)", ylabel="share with satellites")
right.set(xlabel="width, cm", ylabel="satellites, of those with any", ylim=(0, 9))
left.legend()
plt.show()

# A wider female has satellites more often, but how many hardly depends on her width; dark ones, the
# old, have them less often, and more if any. Two kinds of females fit better, yet BIC does not want
# six more parameters. To doubt: males come to males, so that their number is no Poisson count.
