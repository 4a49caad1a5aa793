"""Intervals and posteriors of chains, by simulation: the section "Chains" of docs/evidence.md.

python benchmarks/evidence/chains.py coverage [200]   # 95% intervals of so many data sets
python benchmarks/evidence/chains.py sbc [200]        # simulation-based calibration of run_nuts
"""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from _ranks import tenths
from numpyro.contrib.control_flow import scan

from mixpyro import em, inference


def two_states(x):
    """Sequences (t, s) side by side; state by state a normal of scale 1."""
    initial = numpyro.sample("initial", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("states", 2):
        transition = numpyro.sample("transition", dist.Dirichlet(jnp.ones(2)))
        loc = numpyro.sample("loc", dist.Normal(0, 3))

    def step(carry, x):
        z, t = carry
        with numpyro.plate("sequences", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.where(t == 0, initial, transition[z])))
            numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)
        return (z, t + 1), None

    scan(step, (jnp.zeros(x.shape[1], int), 0), x)


def simulate(rng, length, number, initial, transition, loc):
    """Data (t, s), by NumPy alone."""
    z = np.zeros((length, number), int)
    z[0] = rng.random(number) < initial[1]
    for t in range(1, length):
        z[t] = rng.random(number) < transition[z[t - 1], 1]
    return rng.normal(loc[z])


def coverage(number):
    """Shares of 95% intervals that have the true value, entry by entry."""
    truth = {
        "initial": np.array([0.7, 0.3]),
        "transition": np.array([[0.8, 0.2], [0.3, 0.7]]),
        "loc": np.array([-1.0, 1.0]),
    }
    rng = np.random.default_rng(1)
    inside = {}
    for _ in range(number):
        x = simulate(rng, 20, 40, *truth.values())
        fit = em.EM(two_states).run(jax.random.key(0), x, init_params=truth)
        assert fit.status.ok, fit.message
        for name, error in fit.standard_errors().items():
            near = np.abs(np.asarray(fit.params[name]) - truth[name]) <= 1.96 * error
            inside.setdefault(name, []).append(np.ma.filled(near, False))
    for name, near in inside.items():
        print(name, np.mean(near, 0).tolist())


def in_order(loc, initial, transition):
    """The parameters (..., 2 or 2 x 2), states by their location: what no renaming changes."""
    order = np.argsort(loc, -1)
    rows = np.take_along_axis(transition, order[..., None], -2)
    found = np.take_along_axis(rows, order[..., None, :], -1)
    first = np.take_along_axis(initial, order, -1)[..., 0]
    return {
        "loc[0]": np.min(loc, -1),
        "loc[1]": np.max(loc, -1),
        "initial[0]": first,
        "transition[0, 0]": found[..., 0, 0],
        "transition[1, 1]": found[..., 1, 1],
    }


def calibration(number):
    """Ranks of what data were drawn from among 99 posterior draws (Talts et al. 2018)."""
    rng = np.random.default_rng(2)
    ranks, poor, began = {}, 0, time.perf_counter()
    for replicate in range(number):
        loc, initial = rng.normal(0, 3, 2), rng.dirichlet(np.ones(2))
        transition = rng.dirichlet(np.ones(2), 2)
        x = simulate(rng, 15, 4, initial, transition, loc)
        fit = em.EM(two_states).run(jax.random.key(replicate), x)
        tree = inference.run_nuts(
            fit, jax.random.key(replicate), num_warmup=400, num_samples=990, num_chains=1
        )
        draws = {n: tree["posterior"][n].values[0, ::10] for n in ("loc", "initial", "transition")}
        poor += int(tree["sample_stats"]["diverging"].values.sum() > 0)
        found, true = in_order(**draws), in_order(loc, initial, transition)
        for name, value in true.items():
            ranks.setdefault(name, []).append(int((found[name] < value).sum()))
        if replicate % 20 == 19:
            print(replicate + 1, f"{time.perf_counter() - began:.0f} s", flush=True)
    print(f"{poor} of {number} runs had a divergent transition")
    for name, own in ranks.items():
        counts, p = tenths(own)
        print(f"{name}: ranks by tenths {counts}, p = {p:.2f}, mean {np.mean(own):.1f}")


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    {"coverage": coverage, "sbc": calibration}[sys.argv[1]](int((*sys.argv, 200)[2]))
