"""Which of two coins was it? Five times ten tosses, the example that most people learn EM from.

Do, C. B. and Batzoglou, S. (2008), What is the expectation maximization algorithm?, Nature
Biotechnology 26:897.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
from numpyro import handlers

from mixpyro import em, models

heads = np.array([5, 9, 8, 4, 7])

# Each coin is as likely: pi is held fixed. Their start is given, so that every step is theirs.
model = handlers.condition(models.two_coins, {"pi": 0.5})
start = {"p": 0.6, "q": 0.5}
data = {"num_tosses": 10, "init_params": start}
first = em.EM(model, accelerate=None, max_steps=1).run(jax.random.key(0), heads, **data)
fit = em.EM(model, accelerate=None).run(jax.random.key(0), heads, **data)
for name, found in [("after one step", first), ("in the end", fit)]:
    print(f"{name}: p = {float(found.params['p']):.2f}, q = {float(found.params['q']):.2f}")
print("coin p, by set:", np.round(np.asarray(fit.responsibilities())[:, 1], 2))

plt.bar(range(1, 6), np.asarray(fit.responsibilities())[:, 1], color="0.6")
for j, number in enumerate(heads):
    plt.text(j + 1, 0.02, f"{number} heads", ha="center")
plt.xlabel("set of ten tosses")
plt.ylabel("probability of coin p")
plt.show()

# To doubt: the other start gives the coins the other way round, and five sets are few.
print(fit.summary())
