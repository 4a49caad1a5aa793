"""Are there two kinds of crab in the bay of Naples? A thousand foreheads, the first mixture.

Pearson, K. (1894), Contributions to the mathematical theory of evolution, Philosophical
Transactions of the Royal Society A 185:71; measured by W. F. R. Weldon.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm

from mixpyro import em, models
from mixpyro.data import load_crabs

table = load_crabs()
ratio = np.repeat(table["ratio"].to_numpy(), table["crabs"])[:, None]
print(f"{len(ratio)} crabs, mean {ratio.mean():.4f}, standard deviation {ratio.std():.4f}")

key = jax.random.key(0)
for k in (1, 2, 3):
    fit = em.EM(models.gaussian_mixture).run(key, ratio, num_components=k, covariance="diagonal")
    print(f"{k} kind(s): log-likelihood {fit.log_likelihood:.2f}, BIC {fit.bic:.1f}")
    if k == 2:
        two = fit
print(two.summary())
print("Pearson, by moments: 41 % about 0.6326 (0.0179), the others about 0.6566 (0.0125)")

grid = np.linspace(0.57, 0.7, 200)
weights, loc, scale = (np.asarray(two.params[n]).ravel() for n in ("weights", "loc", "scale"))
plt.bar(table["ratio"], table["crabs"], width=0.004, color="0.85", label="crabs")
density = 1000 * 0.004 * weights * norm.pdf(grid[:, None], loc, scale)
plt.plot(grid, density, "--", color="black", label=["one kind", "the other"])
plt.plot(grid, density.sum(1), color="black", label="both")
plt.xlabel("forehead / length of the body")
plt.ylabel("crabs")
plt.legend()
plt.show()

# To doubt: the ratios come in classes 0.004 wide, which is taken for exact here; and one skew
# distribution would do as well: two components are not two species.
