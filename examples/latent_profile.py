"""Are there kinds of nesting horseshoe crabs? 173 females by size, colour, spines and satellites.

Brockmann, H. J. (1996), Satellite male groups in horseshoe crabs, Limulus polyphemus, Ethology
102:1; Agresti, A. (2002), Categorical Data Analysis, table 4.3.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from mixpyro import em, models
from mixpyro.data import load_horseshoe_crabs

table = load_horseshoe_crabs()
shades = ["medium light", "medium", "medium dark", "dark"]
table["colour"] = pd.Categorical(table["colour"], shades, ordered=True)
kinds = {
    "width": "normal",
    "weight": "positive",
    "satellites": "count",
    "colour": "ordinal",
    "spines": "categorical",
}
sweep = em.sweep(
    em.EM(models.latent_profile, num_restarts=2),
    jax.random.key(0),
    table,
    num_components=(1, 2, 3),
    kinds=kinds,
)
print(sweep)
two = sweep.fits[1].sorted("width_loc")
print(two.summary())

kind = np.asarray(two.predict())
for j, mark in enumerate("os"):
    own = table[kind == j]
    spread = np.random.default_rng(0).uniform(-0.3, 0.3, len(own))
    label = f"kind {j}: {len(own)} females"
    face = "white" if j else "black"
    plt.scatter(
        own["width"], own["satellites"] + spread, c=face, marker=mark, ec="black", label=label
    )
plt.xlabel("width, cm")
plt.ylabel("satellites (moved a little)")
plt.legend()
plt.show()

# Small dark females without males, and larger ones with some: that is all that two kinds say. To
# doubt: BIC would have more kinds, since size varies by degrees and counts of males vary more than
# Poisson's. What draws males is the question of `hurdle_regression`, without kinds.
