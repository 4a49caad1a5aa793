"""Friendship or rules? Four conflicts between them, put to 216 students.

Stouffer, S. A. and Toby, J. (1951), Role conflict and personality, American Journal of Sociology
56:395; Goodman, L. A. (1974), Biometrika 61:215.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_role_conflict

table = load_role_conflict()
answers = np.repeat(table[["a", "b", "c", "d"]].to_numpy(), table["people"], axis=0)
fits = {
    k: em.EM(models.bernoulli_mixture).run(jax.random.key(0), answers, num_components=k)
    for k in (1, 2)
}
for k, fit in fits.items():
    print(f"{k} class(es): log-likelihood {fit.log_likelihood:.4f}, BIC {fit.bic:.1f}")
print(fits[2].summary())

# How well do two classes fit? G squared against the sixteen patterns, on 15 - 9 = 6 degrees.
patterns = table[["a", "b", "c", "d"]].to_numpy()
people = table["people"].to_numpy()
expected = 216 * np.exp(np.asarray(fits[2].log_prob(patterns)))
deviance = 2 * np.sum(people * np.log(people / expected))
print(f"G squared {deviance:.2f} on 6 degrees of freedom")

for j, style in enumerate(("o-", "s--")):
    probs, weight = fits[2].params["probs"][j], fits[2].params["weights"][j]
    plt.plot(list("ABCD"), probs, style, color="black", label=f"{weight:.0%} of the students")
plt.ylim(0, 1)
plt.xlabel("conflict")
plt.ylabel("answers by the rules")
plt.legend()
plt.show()

# To doubt: a class of people who never bend and one who may is a story told after the fit.
