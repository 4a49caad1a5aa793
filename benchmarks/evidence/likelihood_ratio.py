"""Size and power of `em.bootstrap_lrt`: "Tests of the number of components" in docs/evidence.md.

python benchmarks/evidence/likelihood_ratio.py [200]

So many data sets of 100 rows of each law; the test of one component fewer against the law's number
or one more, with 39 replicates (of which the test at 5% is exact: 2 of 40 ranks). Where the smaller
number is right, 5% are to be rejected.
"""

import sys
import time

import jax
import numpy as np

from mixpyro import em, models

ROWS, REPLICATES, LEVEL = 100, 39, 0.05


def of(draw, *shares):
    """Rows of classes, drawn by ``draw(rng, class)``."""
    return lambda rng: draw(rng, rng.choice(len(shares), ROWS, p=shares))


def normals(gap):
    return of(lambda rng, z: (rng.normal(size=ROWS) + gap * z)[:, None], 0.5, 0.5)


def counts(*rates):
    return of(lambda rng, z: rng.poisson(np.array(rates)[z]), *[1 / len(rates)] * len(rates))


TIED = (models.gaussian_mixture, {"covariance": "tied"})
COUNTS = (models.poisson_mixture, {})
# {law: (model, how it is drawn, the smaller number of components, which of the two is right)}
LAWS = {
    "one normal, 1 against 2": (*TIED, normals(0), 1, 1),
    "one Poisson, 1 against 2": (*COUNTS, counts(5), 1, 1),
    "two Poissons (2, 9), 2 against 3": (*COUNTS, counts(2, 9), 2, 2),
    "two normals 2 apart, 1 against 2": (*TIED, normals(2), 1, 2),
    "two normals 3 apart, 1 against 2": (*TIED, normals(3), 1, 2),
    "two Poissons (3, 6), 1 against 2": (*COUNTS, counts(3, 6), 1, 2),
}


def pvalues(model, kwargs, draw, small, number):
    """Of so many data sets."""
    found = []
    for replicate in range(number):
        x = draw(np.random.default_rng(replicate))
        one, two = (
            em.EM(model).run(jax.random.key(replicate), x, num_components=k, **kwargs)
            for k in (small, small + 1)
        )
        test = em.bootstrap_lrt(one, two, jax.random.key(replicate), REPLICATES)
        found.append(test.pvalue)
    return np.array(found)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for law, (model, kwargs, draw, small, right) in LAWS.items():
        began = time.perf_counter()
        share = 100 * (pvalues(model, kwargs, draw, small, count) <= LEVEL).mean()
        what = "power" if right > small else "size"
        print(f"{law}: {what} {share:.1f}% ({time.perf_counter() - began:.0f} s)", flush=True)
