"""NUTS from an EM fit against NumPyro alone, same model, same draws, each in a fresh process.

For every model three ways to the same posterior, with the same number of warm-up steps, draws and
vectorised chains:

* mixpyro: ``EM(model).run`` and ``inference.run_nuts``;
* enumerated: ``NUTS(model)`` with z enumerated by NumPyro (needs funsor; left out without it);
* mixture: ``NUTS`` on the same model with z summed out by hand, as a ``MixtureSameFamily``.

Counted is the time from the start of the process, imports and compilation included, to the last
draw, and the smallest bulk effective sample size of any parameter per second of that time. What
mixpyro does with the draws then, relabelling them for one, is counted by itself: "to tree" is the
time to the finished tree. NumPyro alone may switch labels between chains: components are ordered
within each draw before its effective sample size is taken, of all methods alike.

    python benchmarks/nuts.py [--models normal latent_class ...] [--pairs 1] [--draws 1000]
        [--methods mixpyro ...] [--limit 900]

A run that takes longer than the limit, in seconds, is stopped. Its time counts as the limit, which
bounds the ratio from below; for the effective sample size it does not count.
"""

import argparse
import json
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np

METHODS = ("mixpyro", "enumerated", "mixture")
CHAINS, WARMUP = 4, 500


def data(name):
    rng = np.random.default_rng(7)
    n = 2000
    if name == "chain":  # of 20 sequences of 200 steps
        z = np.zeros((200, 20), int)
        for t in range(200):
            anew = rng.integers(5, size=20)
            z[t] = np.where(rng.random(20) < 0.8, z[t - 1], anew) if t else anew
        return (rng.normal(np.linspace(-4, 4, 5)[z], 1.0),)
    if name == "normal":
        z = rng.random(n) < 0.4
        return (np.where(z, -2.0, 2.0) + rng.normal(size=n) * np.where(z, 1.0, 1.5),)
    if name == "latent_class":
        z = rng.choice(3, n, p=[0.5, 0.3, 0.2])
        probs = rng.uniform(0.1, 0.9, (3, 12))
        return ((rng.random((n, 12)) < probs[z]).astype(int),)
    if name == "poisson_regression":
        z = (rng.random(n) < 0.4).astype(int)
        covariates = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
        beta = np.array([[0.5, 0.6, -0.3], [2.0, -0.4, 0.3]])
        return covariates, rng.poisson(np.exp((covariates * beta[z]).sum(1)))
    z = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    root = rng.normal(size=(3, 5, 5)) * 0.4 + np.eye(5)
    loc = np.array([[0.0] * 5, [4.0] * 5, [-4.0, 4.0, -4.0, 4.0, -4.0]])
    return (loc[z] + np.einsum("nij,nj->ni", root[z], rng.normal(size=(n, 5))),)


def models(name):
    """The model with z in sight, and with ``MixtureSameFamily`` in its place."""
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist

    def parameters(k, *sites):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(k)))
        with numpyro.plate("components", k):
            return weights, *(numpyro.sample(site, prior) for site, prior in sites)

    def declare(*args):
        """Weights, the rows' distribution given z (with axes after the rows), observations."""
        if name == "normal":
            (x,) = args
            w, loc, scale = parameters(
                2, ("loc", dist.Normal(0.0, 5.0)), ("scale", dist.HalfNormal(3.0))
            )
            return w, lambda z, axes=0: dist.Normal(loc[z], scale[z]), x
        if name == "latent_class":
            (x,) = args
            w, probs = parameters(3, ("probs", dist.Beta(1.0, 1.0).expand([12]).to_event(1)))
            return w, lambda z, axes=0: dist.Bernoulli(probs[z]).to_event(1), x
        if name == "poisson_regression":
            covariates, y = args
            w, beta = parameters(2, ("beta", dist.Normal(0.0, 2.0).expand([3]).to_event(1)))

            def rate(z, axes=0):
                given = covariates.reshape(-1, *[1] * axes, 3)
                return dist.Poisson(jnp.exp((given * beta[z]).sum(-1)))

            return w, rate, y
        (x,) = args
        w, loc, covariance = parameters(
            3,
            ("loc", dist.Normal(0.0, 5.0).expand([5]).to_event(1)),
            ("covariance", dist.InverseWishart(8.0, scale_matrix=2 * jnp.eye(5))),
        )

        def normals(z, axes=0):
            return dist.MultivariateNormal(loc[z], covariance_matrix=covariance[z])

        return w, normals, x

    def chain(x):
        from numpyro.contrib.control_flow import scan

        initial = numpyro.sample("initial", dist.Dirichlet(jnp.ones(5)))
        with numpyro.plate("states", 5):
            transition = numpyro.sample("transition", dist.Dirichlet(jnp.ones(5)))
            loc = numpyro.sample("loc", dist.Normal(0.0, 5.0))
            scale = numpyro.sample("scale", dist.HalfNormal(2.0))

        def step(carry, x):
            z, t = carry
            with numpyro.plate("sequences", x.shape[0]):
                probs = jnp.where(t == 0, initial, transition[z])
                z = numpyro.sample("z", dist.Categorical(probs))
                numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)
            return (z, t + 1), None

        scan(step, (jnp.zeros(x.shape[1], int), 0), x)

    def explicit(*args):
        weights, given, x = declare(*args)
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", given(z), obs=x)

    def mixture(*args):
        weights, given, x = declare(*args)
        every = given(jnp.broadcast_to(jnp.arange(len(weights)), (len(x), len(weights))), 1)
        with numpyro.plate("rows", len(x)):
            each = dist.MixtureSameFamily(dist.Categorical(weights), every)
            numpyro.sample("x", each, obs=x)

    return (chain, None) if name == "chain" else (explicit, mixture)


def run(method, name, draws):
    """{site: (chains, draws, ...)} in this process, and when the last draw was there."""
    import jax
    from numpyro.infer import MCMC, NUTS

    explicit, mixture = models(name)
    args = data(name)
    if method == "mixpyro":
        from mixpyro import em, inference
        from mixpyro.inference import nuts

        ended, make_tree = [], nuts.tree

        def tree_of(*args, **kwargs):
            ended.append(time.time())
            return make_tree(*args, **kwargs)

        nuts.tree = tree_of
        fit = em.EM(explicit).run(jax.random.key(0), *args)
        tree = inference.run_nuts(
            fit,
            jax.random.key(1),
            num_warmup=WARMUP,
            num_samples=draws,
            num_chains=CHAINS,
            log_likelihood=False,
        )
        return {n: tree["posterior"][n].values for n in fit.params}, ended[0]
    model = mixture
    if method == "enumerated":
        from numpyro.contrib.funsor import config_enumerate

        model = config_enumerate(explicit)
    sampler = MCMC(
        NUTS(model),
        num_warmup=WARMUP,
        num_samples=draws,
        num_chains=CHAINS,
        chain_method="vectorized",
        progress_bar=False,
    )
    sampler.run(jax.random.key(1), *args)
    found = {n: np.asarray(v) for n, v in sampler.get_samples(group_by_chain=True).items()}
    return found, time.time()


def ordered(draws):
    """Components in the order of one of their parameters, within each draw."""
    name = next(n for n in ("loc", "probs", "beta") if n in draws)
    first = draws[name].reshape(*draws[name].shape[:3], -1)[..., 0]
    order = first.argsort(-1)
    found = {
        n: np.take_along_axis(v, order.reshape(*order.shape, *[1] * (v.ndim - 3)), 2)
        for n, v in draws.items()
    }
    if "transition" in found:  # to states in order as well as from them
        found["transition"] = np.take_along_axis(found["transition"], order[:, :, None], 3)
    return found


def child(method, name, draws, began):
    found, ended = run(method, name, draws)
    whole, cpu = time.time() - began, time.process_time()
    import arviz as az

    values = [v.reshape(*v.shape[:2], -1) for v in ordered(found).values()]
    flat = np.concatenate(values, -1)
    flat = flat[..., np.ptp(flat, axis=(0, 1)) > 0]
    smallest = float(np.min(az.ess(flat, chain_axis=0, draw_axis=1)))
    rhat = float(np.max(az.rhat(flat, chain_axis=0, draw_axis=1)))
    mean = flat.mean((0, 1)).tolist()
    times = {"seconds": ended - began, "whole": whole, "cpu": cpu}
    result = {**times, "ess": smallest, "rhat": rhat, "mean": mean}
    print(json.dumps(result))


def main():
    names = ("normal", "latent_class", "poisson_regression", "gaussian_5d", "chain")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=names, choices=names)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--limit", type=float)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        method, name, began = options.child
        child(method, name, options.draws, float(began))
        return
    methods = [m for m in options.methods if m != "enumerated" or find_spec("funsor")]
    if methods != list(options.methods):
        print("funsor is not installed, so NumPyro's enumeration is left out")
    heads = ("seconds", "to tree", "CPU s", "min ESS", "ESS/s", "R-hat")
    print(f"{'model':<20}{'method':<12}" + "".join(f"{head:>9}" for head in heads))
    ratios = {m: ([], [], []) for m in methods if m != "mixpyro" and "mixpyro" in methods}
    for name in [n for n in options.models for _ in range(options.pairs)]:
        ours = None
        own = [m for m in methods if name != "chain" or m != "mixture"]
        for method in sorted(own, key="mixpyro".__ne__):
            result = measure(method, name, options.draws, options.limit)
            print(f"{name:<20}{method:<12}" + line(method, result), flush=True)
            if method == "mixpyro":
                ours = result
            elif ours:
                ratios[method][0].append(result["seconds"] / ours["seconds"])
                ratios[method][2].append(result["seconds"] / ours["whole"])
                if "ess" in result:
                    theirs = result["ess"] / result["seconds"]
                    ratios[method][1].append(ours["ess"] / ours["seconds"] / theirs)
    for method, (seconds, rates, whole) in ratios.items():
        if not seconds:
            continue
        print(
            f"against {method}: {geometric(seconds):.2f} times as fast to the last draw, "
            f"{geometric(rates):.2f} times the smallest ESS per second; {geometric(whole):.2f} "
            "times as fast with our tree (geometric means)"
        )


def measure(method, name, draws, limit):
    command = [sys.executable, __file__, "--draws", str(draws), "--child", method, name]
    command.append(str(time.time()))
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"seconds": limit}
    return json.loads(done.stdout.splitlines()[-1])


def line(method, result):
    if "ess" not in result:
        return f"stopped after {result['seconds']:.0f} s"
    whole = f"{result['whole']:9.1f}" if method == "mixpyro" else f"{'':9}"
    return (
        f"{result['seconds']:9.1f}{whole}{result['cpu']:9.1f}{result['ess']:9.0f}"
        f"{result['ess'] / result['seconds']:9.1f}{result['rhat']:9.3f}"
    )


def geometric(values):
    return float(np.exp(np.mean(np.log(values)))) if values else np.nan


if __name__ == "__main__":
    main()
