"""Do the jaws of all children grow alike? Sixteen boys and eleven girls, at 8, 10, 12 and 14 years.

Potthoff, R. F. and Roy, S. N. (1964), A generalized multivariate analysis of variance model useful
especially for growth curve problems, Biometrika 51:313; Pinheiro, J. C. and Bates, D. M. (2000),
Mixed-Effects Models in S and S-PLUS, section 4.1.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_dental_growth

table = load_dental_growth()
age, child = table["age"].to_numpy(float), table["child"].to_numpy() - 1
data = {"covariates": np.column_stack([np.ones(len(age)), age]), "group": child, "num_groups": 27}
fits = {}
for k in (1, 2, 3):
    fits[k] = em.EM(models.growth_mixture).run(
        jax.random.key(0), table["millimetres"].to_numpy(), num_components=k, **data
    )
    print(f"{k} curve(s): log-likelihood {fits[k].log_likelihood:.2f}, BIC {fits[k].bic:.1f}")
two = fits[2].sorted("size")
sex = table.groupby("child")["sex"].first().to_numpy()
chosen = np.asarray(two.predict())
for name in ("girl", "boy"):
    print(f"{name}s by curve:", np.bincount(chosen[sex == name], minlength=2))

for i, rows in table.groupby("child"):
    style = "-" if chosen[i - 1] == 0 else "--"
    plt.plot(rows["age"], rows["millimetres"], style, color="0.75", lw=0.8)
grid = np.array([8.0, 14.0])
for j, style in enumerate(("-", "--")):
    level, slope = np.asarray(two.params["coefficients"])[j]
    plt.plot(grid, level + slope * grid, style, color="black", label=f"{level:.1f} + {slope:.2f} a")
plt.xlabel("age a, years")
plt.ylabel("pituitary to pterygomaxillary fissure, mm")
plt.legend()
plt.show()

# The classes are small and large jaws. To doubt: children differ by levels of their own, gradually;
# classes without such levels cut that into steps, and more classes will always look better.
