"""Do great earthquakes come in calm and in restless times? 107 years of the whole world.

Zucchini, W. and MacDonald, I. L. (2009), Hidden Markov Models for Time Series, Chapman & Hall,
table 1.1 and chapter 4.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_earthquakes

table = load_earthquakes()
years, counts = table["year"].to_numpy(), table["earthquakes"].to_numpy()
print(f"mean {counts.mean():.2f} a year, variance {counts.var(ddof=1):.2f}")

fits = {}
for k in (1, 2, 3):
    fits[k] = em.EM(models.hidden_markov).run(jax.random.key(0), counts, num_components=k)
    print(f"{k} state(s): log-likelihood {fits[k].log_likelihood:.4f}, BIC {fits[k].bic:.1f}")
two = fits[2]
print(two.summary())

# The most probable path, as steps through the counts.
rate = np.asarray(two.params["rate"])
plt.plot(years, counts, ".-", color="0.6", label="earthquakes")
plt.step(years, rate[np.asarray(two.decode())], where="mid", color="black", label="rate, decoded")
plt.xlabel("year")
plt.ylabel("earthquakes of magnitude 7 or more")
plt.legend()
plt.show()

# Two states stay for about ten years each. To doubt: how earthquakes are measured and found has
# changed over the century, and states that follow years of better instruments look the same.
