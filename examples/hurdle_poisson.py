"""Which households had cholera, and how many cases then? Two questions, one village.

McKendrick, A. G. (1926), Proceedings of the Edinburgh Mathematical Society 44:98; Mullahy, J.
(1986), Specification and testing of some modified count data models, Journal of Econometrics
33:341.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_cholera
from mixpyro.distributions import HurdlePoisson

table = load_cholera()
cases = np.repeat(table["cases"].to_numpy(), table["households"])
key = jax.random.key(0)
fit = em.EM(models.hurdle_poisson).run(key, cases)
print(fit.summary())
print(f"without cases: {np.mean(cases == 0):.3f}, which is the gate")

# The rate is that of the zero-inflated model, which asks how many of the zeros were luck; here
# nothing is said of that. Without covariates the two cannot be told apart by their likelihood.
inflated = em.EM(models.zero_inflated_poisson).run(key, cases)
print(f"log-likelihood {fit.log_likelihood:.3f}, zero-inflated {inflated.log_likelihood:.3f}")

values = np.arange(5)
law = HurdlePoisson(fit.params["gate"], fit.params["rate"][0])
plt.bar(values, table["households"], color="0.85", label="households")
plt.plot(values, 223 * np.exp(law.log_prob(values)), "o", color="black", label="expected")
plt.xlabel("cases")
plt.ylabel("households")
plt.legend()
plt.show()

# To doubt: which of the two stories is true is not in these five numbers.
