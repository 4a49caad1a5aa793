"""Simulation-based calibration of `run_nuts`: the section "Posteriors" of docs/evidence.md.

python benchmarks/evidence/sbc.py [200] [MODEL ...]

So many times, parameters are drawn from a model's prior and data from the parameters. The ranks of
the true values among 99 posterior draws (every tenth of 990, one chain) are uniform if the
posterior is right (Talts et al. 2018, arXiv:1804.06788). What is ranked does not depend on how
components are named: the largest weight, and of each other site the sum weighted by the components'
probabilities and the largest entry of its first column. Starts are those of the defaults: nothing
knows the truth.
"""

import sys
import time

import jax
import numpy as np
from _ranks import tenths
from numpyro import handlers

from mixpyro import em, inference, models

X = np.stack([np.ones(100), np.linspace(-1, 1, 100)], 1)
CALLS = {
    "bernoulli_mixture": {"num_components": 2, "num_rows": 100, "num_features": 4},
    "binomial_mixture": {"num_components": 2, "total_count": 10, "num_rows": 60},
    "exponential_mixture": {"num_components": 2, "mean": 1.0, "num_rows": 100},
    "gaussian_mixture": {
        "num_components": 2,
        "center": 0.0,
        "spread": 1.0,
        "num_rows": 80,
        "num_features": 2,
    },
    "latent_class": {"num_components": 2, "num_categories": 3, "num_rows": 150, "num_features": 4},
    "linear_regression_mixture": {
        "num_components": 2,
        "covariates": X,
        "center": 0.0,
        "spread": 1.0,
    },
    "lognormal_mixture": {"num_components": 2, "center": 0.0, "spread": 1.0, "num_rows": 80},
    "poisson_mixture": {"num_components": 2, "mean_rate": 5.0, "num_rows": 60},
    "zero_inflated_poisson": {"mean_rate": 3.0, "num_rows": 50},
}


def unnamed(params, components):
    """{quantity: (...)} of params with leading axes of draws."""
    found = {}
    weights = params.get("weights")
    for name, value in params.items():
        if name == "weights":
            found["largest weight"] = value.max(-1)
        elif components:
            rank = weights.ndim - 1
            first = value.reshape(*value.shape[: rank + 1], -1)[..., 0]
            found[f"mean {name}"] = (weights * first).sum(-1)
            found[f"largest {name}"] = first.max(-1)
        else:
            found[name] = value
    return found


def calibration(name, number):
    """Lines of one model: of each quantity the ranks by tenths and their p value."""
    model, kwargs = getattr(models, name), CALLS[name]
    example = models.examples(model)[0]
    sites, components = tuple(example.params), "num_components" in kwargs

    @jax.jit
    def draw(key):
        trace = handlers.trace(handlers.seed(model, key)).get_trace(**kwargs)
        return {site: trace[site]["value"] for site in (*sites, example.data)}

    known = {key: v for key, v in kwargs.items() if key not in ("num_rows", "num_features")}
    way, began = em.EM(model), time.perf_counter()
    ranks, poor, statuses = {}, 0, {}
    for replicate in range(number):
        truth = {site: np.asarray(v) for site, v in draw(jax.random.key(replicate)).items()}
        data = truth.pop(example.data)
        fit = way.run(jax.random.key(replicate), data, **known)
        statuses[fit.status.name] = statuses.get(fit.status.name, 0) + 1
        tree = inference.run_nuts(
            fit,
            jax.random.key(replicate),
            num_warmup=400,
            num_samples=990,
            num_chains=1,
            log_likelihood=False,
        )
        draws = {site: tree["posterior"][site].values[0, ::10] for site in sites}
        poor += int(tree["sample_stats"]["diverging"].values.sum() > 0)
        true = unnamed(truth, components)
        for quantity, values in unnamed(draws, components).items():
            ranks.setdefault(quantity, []).append(int((values < true[quantity]).sum()))
    spent = time.perf_counter() - began
    print(f"{name} ({spent:.0f} s): {poor} of {number} with a divergent transition; {statuses}")
    for quantity, own in ranks.items():
        counts, p = tenths(own)
        print(f"  {quantity}: {' '.join(map(str, counts))} p = {p:.2f}", flush=True)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for chosen in sys.argv[2:] or CALLS:
        calibration(chosen, count)
