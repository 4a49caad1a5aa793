"""Is one ability enough for five questions of the Law School Admission Test? A thousand answers.

Bock, R. D. and Lieberman, M. (1970), Fitting a response model for n dichotomously scored items,
Psychometrika 35:179; Rizopoulos, D. (2006), ltm, Journal of Statistical Software 17:5.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_law_school

table = load_law_school()
items = [f"item_{j}" for j in range(1, 6)]
answers = np.repeat(table[items].to_numpy(), table["people"], axis=0)
score = answers.sum(1)
told = answers[(score > 0) & (score < 5)]  # all right or all wrong says nothing of the items
fits = {}
for k in (1, 2):
    fits[k] = em.EM(models.mixed_rasch).run(jax.random.key(0), told, num_components=k)
    print(f"{k} class(es): log-likelihood {fits[k].log_likelihood:.2f}, BIC {fits[k].bic:.1f}")
print(fits[1].summary().round(3))

difficulty = np.asarray(fits[1].params["difficulty"])[0]
error = np.asarray(fits[1].standard_errors()["difficulty"])[0]
plt.errorbar(range(1, 6), difficulty, 1.96 * error, fmt="o", color="black", label="Rasch, 95 %")
share = answers.mean(0)
plt.plot(range(1, 6), np.log(1 / share - 1) - np.mean(np.log(1 / share - 1)), "x", color="0.5")
plt.xticks(range(1, 6))
plt.xlabel("item (crosses: log odds of a wrong answer)")
plt.ylabel("difficulty")
plt.legend()
plt.show()

# One class will do: whoever is able is so for all five. To doubt: five items say little of more.
