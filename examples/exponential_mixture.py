"""Is a strike that goes on likelier to go on? How long 62 strikes lasted, 1968 to 1976.

Kennan, J. (1985), The duration of contract strikes in U.S. manufacturing, Journal of Econometrics
28:5.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_strikes

days = load_strikes()["days"].to_numpy(float)
fits = {}
for k in (1, 2):
    fits[k] = em.EM(models.exponential_mixture).run(jax.random.key(0), days, num_components=k)
    print(f"{k} kind(s): log-likelihood {fits[k].log_likelihood:.3f}, BIC {fits[k].bic:.1f}")
print(fits[2].summary())

# Were all alike, points would be on a line; a curve above it means that long strikes drag on.
lasting = 1 - np.arange(len(days)) / len(days)
grid = np.linspace(0, days.max(), 200)
plt.plot(np.sort(days), lasting, "o", color="0.6", ms=4, label="strikes")
for (k, fit), style in zip(fits.items(), ("--", "-"), strict=True):
    weights, rate = (np.asarray(fit.params[name]) for name in ("weights", "rate"))
    share = np.exp(-grid[:, None] * rate) @ weights
    plt.plot(grid, share, style, color="black", label=f"{k} kind(s)")
plt.yscale("log")
plt.xlabel("days")
plt.ylabel("share still on")
plt.legend()
plt.show()

# One exponential does: strikes end at the same rate however long they have lasted; what two kinds
# add, chance would. To doubt: days are whole numbers (`geometric_mixture` counts them), and the
# rate may depend on the year's industry, which the table has too.
