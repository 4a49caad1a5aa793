"""Are some strikes short by nature? How long 62 strikes in American industry lasted.

Kennan, J. (1985), The duration of contract strikes in U.S. manufacturing, Journal of Econometrics
28:5; Kiefer, N. M. (1988), Economic duration data and hazard functions, Journal of Economic
Literature 26:646.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_strikes

table = load_strikes()
days = table["days"].to_numpy()

# A strike that ends on each day with the same chance lasts a geometric number of days. The model
# counts the days that it goes on after the first.
fits = {}
for k in (1, 2):
    fits[k] = em.EM(models.geometric_mixture).run(jax.random.key(0), days - 1, num_components=k)
    print(f"{k} kind(s): log-likelihood {fits[k].log_likelihood:.2f}, BIC {fits[k].bic:.1f}")
print(fits[1].summary())
print(fits[2].summary())
busy = table["output"] > 0
print(f"mean days: {days[busy].mean():.1f} where output was above its trend,")
print(f"{days[~busy].mean():.1f} where it was below")

grid = np.arange(220)
plt.step(np.sort(days), 1 - np.arange(1, 63) / 62, where="post", color="0.6", label="strikes")
for k, style in ((1, "--"), (2, "-")):
    weights, probs = (np.asarray(fits[k].params[name]) for name in ("weights", "probs"))
    goes_on = (1 - probs) ** grid[:, None] @ weights
    plt.plot(grid, goes_on, style, color="black", label=f"{k} kind(s)")
plt.yscale("log")
plt.ylim(0.01, 1.1)
plt.xlabel("days")
plt.ylabel("share of the strikes still on")
plt.legend()
plt.show()

# One chance of 2.3% a day does for all: a tenth of short strikes adds too little for BIC.
# To doubt: strikes are shorter in good times, and a mixture that does not know the times would
# take them for kinds of strike.
