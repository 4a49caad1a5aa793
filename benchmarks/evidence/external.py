"""Steps two and three, by simulation: the section "External variables" of docs/evidence.md.

python benchmarks/evidence/external.py [200]   # bias and coverage of so many data sets a separation
"""

import sys
import time

import jax
import numpy as np
from scipy.special import expit

from mixpyro import em, models

# Six binary items, each answered as its class does with this probability, for a relative entropy
# of about 0.5, 0.7 and 0.9.
ITEMS = {0.5: 0.70, 0.7: 0.755, 0.9: 0.83}
ROWS, CONSTANT, SLOPE, MEANS = 1000, -0.4, 0.9, (0.0, 1.0)
TRUTH = {"coefficients[0, 1]": SLOPE, "mean[0]": MEANS[0], "mean[1]": MEANS[1]}
METHODS = ("none", "bch", "ml", "two-step")


def simulated(rng, prob):
    """Items (n, 6), a covariate of the class, and an outcome of it."""
    z = rng.normal(size=ROWS)
    classes = (rng.random(ROWS) < expit(CONSTANT + SLOPE * z)).astype(int)
    probs = np.array([[prob] * 6, [1 - prob] * 6])
    x = (rng.random((ROWS, 6)) < probs[classes]).astype(float)
    return x, z, rng.normal(np.array(MEANS)[classes], 1.0)


def main(number):
    """A line for each separation and method: bias and coverage of three parameters."""
    way = em.EM(models.bernoulli_mixture, num_restarts=3)
    for wanted, prob in ITEMS.items():
        rng, began = np.random.default_rng(1), time.perf_counter()
        found = {method: [] for method in METHODS}
        entropies = []
        for _ in range(number):
            x, z, y = simulated(rng, prob)
            fit = way.run(jax.random.key(0), x, num_components=2)
            # Class 0 is the one that says yes.
            yes = np.asarray(fit.params["probs"]).mean(1)
            fit = fit.sorted(np.argsort(-yes).tolist())
            entropies.append(fit.indices()["relative_entropy"])
            for method, own in found.items():
                table = em.external(fit, y, covariates=z, method=method).table.loc[list(TRUTH)]
                truth = np.array(list(TRUTH.values()))
                inside = (table["lower"] < truth) & (truth < table["upper"])
                own.append(np.stack([table["estimate"] - truth, inside]))
        seconds = time.perf_counter() - began
        print(f"separation {wanted}: relative entropy {np.mean(entropies):.2f}, {seconds:.0f} s")
        for method, own in found.items():
            bias, inside = np.mean(own, 0)
            print(
                f"  {method:8}",
                *(f"{b:6.3f} {100 * i:5.1f}%" for b, i in zip(bias, inside, strict=True)),
            )


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    print(*TRUTH)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
