"""Whether a process that fits many different models is bounded: "Running" in docs/evidence.md.

python benchmarks/evidence/many_models.py [500]

So many models, no two of them the same function, family, number of components, of columns and rows
and constant, are fitted, summarised and scored, one after the other in one process (Linux). Prints
what the process holds after every fifty: memory, and memory maps, of which Linux allows 65,530
(`vm.max_map_count`) and of which each function that XLA compiles takes some.
"""

import gc
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from mixpyro import em

PAGE = 4096


def normals(k, d, shift):
    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(k)))
        with numpyro.plate("components", k):
            loc = numpyro.sample("loc", dist.Normal(shift, 10).expand([d]).to_event(1))
            scale = numpyro.sample("scale", dist.LogNormal(0, 1).expand([d]).to_event(1))
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[z], scale[z]).to_event(1), obs=x)

    return model, lambda rng, n: rng.normal(4.0 * rng.integers(k, size=(n, 1)), 1, (n, d))


def counts(k, d, shift):
    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(k)))
        with numpyro.plate("components", k):
            rate = numpyro.sample("rate", dist.Gamma(1 + shift, 0.1).expand([d]).to_event(1))
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Poisson(rate[z]).to_event(1), obs=x)

    return model, lambda rng, n: rng.poisson(2 + 9.0 * rng.integers(k, size=(n, 1)), (n, d))


def regressions(k, d, shift):
    """Fitted by Newton's method on the rows."""

    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(k)))
        with numpyro.plate("components", k):
            b = numpyro.sample("b", dist.Normal(0, 10).expand([2]).to_event(1))
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(weights))
            logit = b[z, 0] + b[z, 1] * (x[:, 0] + shift)
            numpyro.sample("y", dist.Binomial(10, logits=logit), obs=x[:, 1])

    def draw(rng, n):
        x, z = rng.normal(size=n), rng.integers(k, size=n)
        return np.stack([x, rng.binomial(10, 1 / (1 + np.exp(2 * x - 3 * z)))], 1)

    return model, draw


def held():
    """Megabytes of this process, and its memory maps."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * PAGE / 1e6, len(Path("/proc/self/maps").read_text().splitlines())


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    rng, began, statuses = np.random.default_rng(0), time.perf_counter(), {}
    for i in range(1, number + 1):
        kind = (normals, counts, regressions)[i % 3]
        model, draw = kind(2 + i % 2, 1 + i % 5, i / 1000)
        x = draw(rng, 60 + i % 97)
        fit = em.EM(model, num_restarts=2).run(i, x)
        fit.summary()
        fit.log_prob(x[:40])
        statuses[fit.status.name] = statuses.get(fit.status.name, 0) + 1
        if i % 50 == 0 or i == number:
            memory, maps = held()
            spent = time.perf_counter() - began
            print(
                f"{i} models, {spent:.0f} s: {memory:.0f} MB, {maps} maps; {statuses}", flush=True
            )
