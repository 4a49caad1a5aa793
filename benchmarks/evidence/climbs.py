"""Whether climbs rise and where they end: the section "Climbs" of docs/evidence.md.

python benchmarks/evidence/climbs.py [16] [MODEL ...]   # so many problems an example and precision

Every example of the catalogue gives problems: its parameters are moved at random (their logarithms,
log odds and the like by a standard deviation of 0.3), data drawn from them, and fitted by defaults.
No step may lower the objective by more than rounding. Where a fit says CONVERGED, Newton's method
could gain no more than GAIN: half the squared gradient of NumPyro's own density (z summed out by
enumeration, of parameters made unconstrained by NumPyro's bijections), measured by its Hessian.
Directions that end at the boundary of a support are left out.
"""

import collections
import sys
import time
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpyro import handlers
from numpyro.distributions import biject_to

from mixpyro import em, models

# What may be left, in log units; what rounding may take in a step, relatively.
GAIN, ROUNDING = {64: 1e-3, 32: 5e-2}, {64: 16, 32: 64}
MOVED = 0.3


def supports(example):
    """{parameter: its support}."""
    trace = handlers.trace(handlers.seed(example.model, 0)).get_trace(**example.kwargs)
    return {name: trace[name]["fn"].support for name in example.params}


def judge(example, kwargs):
    """f(params, data): gradient and Hessian of the log likelihood, by NumPyro alone.

    Densities of every class are summed for every unit; parameters are unconstrained.
    """
    units, k, own = example.num_units, example.num_classes, supports(example)
    groups = None if example.group is None else jnp.asarray(example.group)

    def of_class(c, params, data):
        model = handlers.substitute(example.model, {**params, "z": jnp.full(units, c)})
        sites = handlers.trace(model).get_trace(data, **kwargs)
        rows = sum(sites[s]["fn"].log_prob(sites[s]["value"]) for s in example.columns)
        if groups is not None:
            rows = jnp.zeros(units, rows.dtype).at[groups].add(rows)
        return sites["z"]["fn"].log_prob(sites["z"]["value"]) + rows

    @jax.jit
    def slopes(params, data):
        start, unravel = ravel_pytree({n: biject_to(own[n]).inv(params[n]) for n in own})

        def objective(vector):
            params = {n: biject_to(own[n])(v) for n, v in unravel(vector).items()}
            joint = jax.vmap(of_class, (0, None, None))(jnp.arange(k), params, data)
            return jax.nn.logsumexp(joint, 0).sum()

        return start, jax.grad(objective)(start), jax.hessian(objective)(start)

    return slopes


def left_to_gain(slopes, fit, data):
    """What a step of Newton's method could gain; None where the maximum is at a boundary."""
    with jax.enable_x64(True):
        params = {n: jnp.asarray(np.asarray(v, float)) for n, v in fit.params.items()}
        data = jax.tree.map(lambda v: jnp.asarray(np.asarray(v, float)), data)
        start, gradient, hessian = map(np.asarray, slopes(params, data))
    if not np.isfinite(start).all():
        return None
    values, vectors = np.linalg.eigh(-hessian)
    along = vectors.T @ gradient
    steep = values > 1e-6 * values.max()
    return float(0.5 * (along[steep] ** 2 / values[steep]).sum())


def problem(example, seed):
    """Data of parameters that are the example's moved, and the keyword arguments of a fit."""
    rng = np.random.default_rng(seed)
    known = {k: v for k, v in example.kwargs.items() if k not in ("num_rows", "num_features")}
    moved = {}
    for name, support in supports(example).items():
        value = jnp.asarray(np.asarray(example.params[name], float))
        try:
            free = biject_to(support).inv(value)
        except NotImplementedError:  # rotations have no coordinates: they stay
            moved[name] = value
            continue
        moved[name] = biject_to(support)(free + MOVED * rng.normal(size=free.shape))
    drawn = replace(example, params=moved).simulate(jax.random.key(seed))[example.data]
    return jax.tree.map(np.asarray, drawn), known


def main(number, names):
    found = collections.Counter()
    for example in models.EXAMPLES:
        if names and example.model.__name__ not in names:
            continue
        began, own, worst = time.perf_counter(), collections.Counter(), 0.0
        slopes = None
        for bits in (64, 32):
            for seed in range(number):
                with jax.enable_x64(True):  # of both precisions the same
                    data, kwargs = problem(example, seed)
                with jax.enable_x64(bits == 64):
                    fit = em.EM(example.model).run(jax.random.key(seed), data, **kwargs)
                    status = fit.status
                    own[status.name] += 1
                    size = max(np.abs(fit.trace).max(), example.num_rows)
                    eps = np.finfo(f"float{bits}").eps
                    if (np.diff(fit.trace) < -ROUNDING[bits] * eps * size).any():
                        own["FELL"] += 1
                        print("  fell:", example, bits, seed, np.diff(fit.trace).min())
                    if status is not em.Status.CONVERGED or example.chain or example.nested:
                        continue
                    slopes = slopes or judge(example, kwargs)
                    gain = left_to_gain(slopes, fit, data)
                    if gain is None:
                        continue
                    own["measured"] += 1
                    worst = max(worst, gain)
                    if not gain <= GAIN[bits]:
                        own["SHORT"] += 1
                        print("  short:", example, bits, seed, gain)
        spent = time.perf_counter() - began
        print(f"{example}: {dict(own)}, at most {worst:.1e} left ({spent:.0f} s)", flush=True)
        found.update(own)
    print(dict(found))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 16, sys.argv[2:])
