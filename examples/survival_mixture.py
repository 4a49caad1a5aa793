"""Are there two kinds of remission? Children with leukaemia, with 6-MP and without.

Freireich, E. J. et al. (1963), Blood 21:699; Gehan, E. A. (1965), Biometrika 52:203; as fitted in
Venables, W. N. and Ripley, B. D. (2002), Modern applied statistics with S, section 13.2.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_remissions

table = load_remissions()
weeks = table["weeks"].to_numpy(float)
relapse = table["relapse"].to_numpy(bool)
limit = np.where(relapse, np.inf, weeks)  # until when a child was followed

fits = {}
for k in (1, 2):
    fits[k] = em.EM(models.survival_mixture).run(
        jax.random.key(0), weeks, num_components=k, limit=limit
    )
    print(f"{k} kind(s): log-likelihood {fits[k].log_likelihood:.2f}, BIC {fits[k].bic:.1f}")
print(fits[1].summary())

# The treatment was left out: does the second kind find it?
late = np.asarray(fits[2].params["scale"]).argmax()
chance = np.asarray(fits[2].responsibilities())[:, late]
for treatment, rows in table.groupby("treatment").groups.items():
    print(f"{treatment}: mean probability of the long kind {chance[rows].mean():.2f}")

grid = np.linspace(0, 36, 200)
for k, style in ((1, "--"), (2, "-")):
    weights, scale, shape = (
        np.asarray(fits[k].params[name]) for name in ("weights", "scale", "concentration")
    )
    survivors = np.exp(-((grid[:, None] / scale) ** shape)) @ weights
    plt.plot(grid, survivors, style, color="black", label=f"{k} kind(s)")
for treatment, rows in table.groupby("treatment"):
    alive = np.cumprod([1 - r / n for r, n in zip(rows["relapse"], range(21, 0, -1), strict=True)])
    plt.step(rows["weeks"], alive, where="post", lw=0.8, label=f"{treatment}, Kaplan-Meier")
plt.xlabel("weeks")
plt.ylabel("share in remission")
plt.legend()
plt.show()

# BIC says that one kind is enough. To doubt: 42 children, 12 of them still in remission.
