"""Intervals of fourteen models, by simulation: the section "Intervals" of docs/evidence.md.

python benchmarks/evidence/coverage.py [200] [MODEL ...]

Data are drawn from the catalogue's examples, at their parameters and sizes, and fitted from there,
so that classes keep their names. 95% intervals are estimate and 1.96 standard errors, by the
observed information and by the sandwich, and the percentiles of 200 weighted replicates. Of each
model the smallest, the mean and the largest share over its parameters' entries is printed.
"""

import sys
import time

import jax
import numpy as np

from mixpyro import em, models

NAMES = (
    "bernoulli_mixture",
    "binomial_mixture",
    "exponential_mixture",
    "gamma_mixture",
    "gaussian_mixture",
    "growth_mixture",
    "latent_class",
    "linear_regression_mixture",
    "lognormal_mixture",
    "negative_binomial_mixture",
    "poisson_mixture",
    "poisson_regression_mixture",
    "weibull_mixture",
    "zero_inflated_poisson",
)


def inside(low, truth, high):
    """Whether the interval has the truth; entries without an interval have not."""
    return np.ma.filled((low <= truth) & (truth <= high), False)


def intervals(fit, replicate):
    """{method: {site: its two ends}}."""
    found = {}
    for kind in ("observed", "sandwich"):
        ends = {}
        for name, error in fit.standard_errors(kind).items():
            value = np.asarray(fit.params[name])
            ends[name] = value - 1.96 * error, value + 1.96 * error
        found[kind] = ends
    found["bootstrap"] = em.bootstrap(fit, jax.random.key(replicate)).interval()
    return found


def coverage(name, number):
    """A line of one model: how many fits were ok, and the shares of each kind of interval."""
    example = models.examples(getattr(models, name))[0]
    truth = {site: np.asarray(value) for site, value in example.params.items()}
    way = em.EM(example.model)
    began, shares, failed = time.perf_counter(), {}, 0
    for replicate in range(number):
        data = np.asarray(example.simulate(jax.random.key(replicate))[example.data])
        kwargs = {key: v for key, v in example.kwargs.items() if not key.startswith("num_rows")}
        fit = way.run(jax.random.key(0), data, init_params=truth, **kwargs)
        failed += not fit.status.ok
        for kind, ends in intervals(fit, replicate).items():
            near = [np.ravel(inside(ends[s][0], truth[s], ends[s][1])) for s in truth]
            shares.setdefault(kind, []).append(np.concatenate(near))
    lines = []
    for kind, near in shares.items():
        share = 100 * np.mean(near, 0)
        lines.append(f"{kind} {share.min():.1f} {share.mean():.1f} {share.max():.1f}")
    spent = time.perf_counter() - began
    print(f"{name}: {share.size} entries, {failed} not ok;", "; ".join(lines), f"({spent:.0f} s)")
    sys.stdout.flush()


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for model in sys.argv[2:] or NAMES:
        coverage(model, count)
