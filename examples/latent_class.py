"""What do seven pathologists see? 118 slides, each judged carcinoma or not by all of them.

Agresti, A. (2002), Categorical Data Analysis, table 13.1 (Landis, J. R. and Koch, G. G., 1977,
Biometrics 33:363); Linzer, D. A. and Lewis, J. B. (2011), poLCA, Journal of Statistical Software
42:10.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from mixpyro import em, models
from mixpyro.data import load_carcinoma

table = load_carcinoma()
slides = table.loc[table.index.repeat(table["slides"]), list("abcdefg")]
sweep = em.sweep(
    models.latent_class, jax.random.key(0), slides, num_components=(1, 2, 3, 4), num_categories=2
)
print(sweep)
three = sweep.best("bic").sorted("size")
print(three.classification_table().round(3))

# The share that each pathologist calls carcinoma, by class.
probs = np.asarray(three.params["probs"])[:, :, 1]
for j, (style, weight) in enumerate(zip(("o-", "s--", "^:"), three.params["weights"], strict=True)):
    plt.plot(list("ABCDEFG"), probs[j], style, color="black", label=f"{weight:.0%} of the slides")
plt.xlabel("pathologist")
plt.ylabel("calls it carcinoma")
plt.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=3)
plt.show()

# They agree on most slides. On a fifth A, B, E and G often see carcinoma, C, D and F hardly ever.
# To doubt: nobody knows the truth of any slide; a third class may as well be hard slides, on which
# the pathologists' thresholds differ.
