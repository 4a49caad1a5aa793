"""Does every family have the same chance of a boy? 6115 families of twelve children in Saxony.

Geissler, A. (1889), Zeitschrift des königlich sächsischen statistischen Bureaus 35:1; Lindsey,
J. K. and Altham, P. M. E. (1998), Analysis of the human sex ratio by using overdispersion models,
Applied Statistics 47:149.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import binom

from mixpyro import em, models
from mixpyro.data import load_sex_ratio

table = load_sex_ratio()
boys = np.repeat(table["boys"].to_numpy(), table["families"])
fits = {}
for k in (1, 2):
    fits[k] = em.EM(models.binomial_mixture).run(
        jax.random.key(0), boys, num_components=k, total_count=12
    )
    print(f"{k} kind(s) of family: AIC {fits[k].aic:.2f}, a boy with {fits[k].params['probs']}")

bars = np.arange(13)
plt.bar(bars, table["families"], color="0.85", label="families")
for k, style in ((1, "o--"), (2, "s-")):
    weights, probs = (np.asarray(fits[k].params[name]) for name in ("weights", "probs"))
    expected = len(boys) * binom.pmf(bars[:, None], 12, probs) @ weights
    plt.plot(bars, expected, style, color="black", mfc="white", label=f"{k} kind(s), expected")
plt.xlabel("boys among twelve children")
plt.ylabel("families")
plt.legend()
plt.show()

# One chance for all leaves too few families with hardly any boys or girls. Two kinds of family do
# as well as a chance that varies by a beta distribution (AIC 24989.7): not told apart here.
# To doubt: parents who stop when they have a girl make such tables as well.
