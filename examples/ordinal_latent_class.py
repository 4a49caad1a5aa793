"""How fit are patients for an anaesthetic? Seven gradings, from 1 to 4, of each of 45.

Dawid, A. P. and Skene, A. M. (1979), Maximum likelihood estimation of observer error-rates using
the EM algorithm, Applied Statistics 28:20.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit

from mixpyro import em, models
from mixpyro.data import load_anaesthetists

table = load_anaesthetists()
# The first anaesthetist graded three times, the other four once.
times = table.groupby(["patient", "observer"]).cumcount() + 1
name = table["observer"].astype(str) + np.where(table["observer"] == 1, times.map(".{}".format), "")
grades = table.assign(grading=name).pivot(index="patient", columns="grading", values="grade")
fits = {}
for k in (1, 2, 3, 4):
    fits[k] = em.EM(models.ordinal_latent_class, num_restarts=4).run(
        jax.random.key(0), grades - 1, num_components=k, num_categories=4
    )
    print(f"{k} grade(s) of patients: {fits[k].num_free_params} parameters, BIC {fits[k].bic:.1f}")
free = em.EM(models.latent_class).run(jax.random.key(0), grades - 1, num_components=3)
print(f"3, categories without an order: {free.num_free_params} parameters, BIC {free.bic:.1f}")
fit = fits[3].sorted(by="loc[1.1]")
print(fit.message)
print("shares:", np.round(np.asarray(fit.params["weights"]), 2))

# The mean of a grade is 1 and the probabilities of being above 1, 2 and 3.
loc, gaps = np.asarray(fit.params["loc"]), np.asarray(fit.params["gaps"])
cuts = np.concatenate([np.zeros((7, 1)), np.cumsum(gaps, 1)], 1)
means = 1 + expit(loc[..., None] - cuts).sum(-1)
for j, style in enumerate(("o-", "s--", "^:")):
    share = float(fit.params["weights"][j])
    plt.plot(grades.columns, means[j], style, c="black", mfc="white", label=f"{share:.0%}")
plt.xlabel("anaesthetist and time")
plt.ylabel("mean grade")
plt.ylim(0.9, 4.6)
plt.legend(title="of the patients", ncols=3, loc="upper center")
plt.show()

# Three grades of patients, told alike by all; the order of the categories saves 28 parameters and
# 100 of BIC. To doubt: steps and levels of gradings that always, or never, are of some category, as
# the status says; and that three gradings by the same one are independent given the patient's.
