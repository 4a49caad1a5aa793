"""Which apple shoots never root? 270 cuttings, under short days and long, at four hormone doses.

Ridout, M., Demetrio, C. G. B. and Hinde, J. (1998), Models for count data with many zeros,
International Biometric Conference, Cape Town.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import expit

from mixpyro import em, models
from mixpyro.data import load_apple_shoots

table = load_apple_shoots()
shoots = table.loc[table.index.repeat(table["shoots"])].reset_index(drop=True)
light = shoots["hours"].astype(str) + " h"
treatment = light + ", BAP " + shoots["bap"].astype(str)

# Whether a shoot can root depends on the light, how many roots it then has on all eight treatments.
# A column for each instead of an intercept: coefficients are logits, and logs of means.
data = {
    "covariates": pd.get_dummies(treatment, dtype=float)[treatment.unique()],
    "inflation_covariates": pd.get_dummies(light, dtype=float)[light.unique()],
}
fits = {}
for law, overdispersed in (("Poisson", False), ("negative binomial", True)):
    fits[law] = em.EM(models.zero_inflated_regression, num_restarts=4).run(
        jax.random.key(0), shoots["roots"].to_numpy(), overdispersed=overdispersed, **data
    )
    print(f"{law}: log-likelihood {fits[law].log_likelihood:.2f}, BIC {fits[law].bic:.1f}")
fit = fits["negative binomial"]
print(fit.summary())
never = expit(np.asarray(fit.params["inflation_coefficients"]))
doses, means = table["bap"].unique(), np.exp(fit.params["coefficients"]).reshape(2, 4)

errors = np.asarray(fit.standard_errors()["coefficients"]).reshape(2, 4)
for j, (hours, style) in enumerate(((8, "o-"), (16, "s--"))):
    print(f"{hours} hours: {never[j]:.1%} never root")
    bars = [means[j] - means[j] * np.exp(-errors[j]), means[j] * np.exp(errors[j]) - means[j]]
    label = f"{hours} hours of light; {never[j]:.0%} never root"
    plt.errorbar(doses, means[j], bars, fmt=style, color="black", mfc="white", label=label)
plt.xscale("log")
plt.xticks(doses, doses)
plt.minorticks_off()
plt.ylim(0, 10)
plt.xlabel("BAP, micromoles a litre")
plt.ylabel("roots, of those that can root")
plt.legend()
plt.show()

# Long days keep half of the shoots from rooting, and the others have fewer roots the more hormone.
# To doubt: two shoots without roots are all that is known of zeros under short days.
