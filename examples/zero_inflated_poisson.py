"""How many households did cholera reach? An Indian village, and the first EM in medicine.

McKendrick, A. G. (1926), Applications of mathematics to medical problems, Proceedings of the
Edinburgh Mathematical Society 44:98; Meng, X.-L. (1997), The EM algorithm and medical studies: a
historical link, Statistical Methods in Medical Research 6:3.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_cholera

table = load_cholera()
cases = np.repeat(table["cases"].to_numpy(), table["households"])
print(f"{len(cases)} households, {cases.sum()} cases, {np.sum(cases == 0)} households without")

# Some had no case since the infection never came, others by luck. The first are z = 1.
fit = em.EM(models.zero_inflated_poisson).run(jax.random.key(0), cases)
rate, gate = float(fit.params["rate"]), float(fit.params["gate"])
reached = len(cases) * (1 - gate)
print(fit.summary())
print(
    f"{reached:.0f} households were reached, {reached - np.sum(cases > 0):.0f} of them by luck free"
)

# McKendrick's own number, by moments, was 93. A Poisson count alone would have many more
# households with one case, and fewer with three or four.
poisson = em.EM(models.poisson_mixture).run(jax.random.key(0), cases, num_components=1)
print(f"AIC {fit.aic:.1f}, and {poisson.aic:.1f} of a Poisson distribution")

values = np.arange(5)
plt.bar(values, table["households"], color="0.85", label="households")
for found, style, name in ((poisson, "s--", "Poisson"), (fit, "o-", "zero-inflated")):
    expected = len(cases) * np.exp(np.asarray(found.log_prob(values)))
    plt.plot(values, expected, style, color="black", mfc="white", label=name)
plt.xlabel("cases")
plt.ylabel("households")
plt.legend()
plt.show()

# To doubt: cases of one household infect each other, so their number is hardly Poisson.
