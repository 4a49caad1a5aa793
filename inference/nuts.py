"""NUTS from a fit: NumPyro's sampler, started and scaled by what EM found."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer import MCMC, NUTS

from ..em import Fit
from ..em.program import Params, Program
from ..em.rows import Rows
from .arviz import STATISTICS, tree
from .density import energies, energy, energy_of
from .posterior import Posterior, posterior_of

if TYPE_CHECKING:
    from xarray import DataTree


def run_nuts(
    fit: Fit,
    rng_key: jax.Array,
    *,
    num_warmup: int = 500,
    num_samples: int = 1000,
    num_chains: int = 4,
    progress_bar: bool = False,
    kernel: Mapping[str, Any] | None = None,
    mcmc: Mapping[str, Any] | None = None,
    **output: Any,
) -> DataTree:
    """Sample the posterior of a fitted model, z summed out, by NumPyro's NUTS.

    From the fit, Newton's method leads to the posterior mode beside it. Each chain starts at a
    draw of its own from the normal approximation there, whose covariance (the inverse of the
    observed information, priors included) is the inverse mass matrix. It stays fixed if the
    information is positive definite, so that warm-up only has to find the step size; otherwise
    directions without curvature are given some and NUTS adapts the matrix. Chains advance together
    in one compiled call, which later runs of the same shapes use again. The draws are relabelled
    to match the fit's components.

    Args:
        fit: the fit; every free parameter needs a prior.
        rng_key: a JAX key.
        num_warmup: steps of each chain that are thrown away.
        num_samples: draws of each chain that are kept.
        num_chains: c.
        progress_bar: show NumPyro's; the steps are then taken by its ``MCMC``.
        kernel: further arguments of ``numpyro.infer.NUTS``, such as ``target_accept_prob``.
        mcmc: further arguments of ``numpyro.infer.MCMC``, such as ``chain_method`` or
            ``thinning``; the steps are then taken by it.
        output: what goes into the tree, as in `to_arviz`.

    Returns:
        A DataTree, see `to_arviz`.

    Raises:
        ValueError: a parameter without a prior, nothing to sample, no steps or chains, or a
            density without finite derivatives at the fit.
    """
    for name, value, least in (
        ("num_warmup", num_warmup, 0),
        ("num_samples", num_samples, 1),
        ("num_chains", num_chains, 1),
    ):
        if value < least:
            raise ValueError(f"{name} must be a whole number >= {least}, not {value!r}")
    posterior = posterior_of(fit)
    key_start, key_run = jax.random.split(rng_key)
    start = starts(posterior, key_start, num_chains)
    options = {"dense_mass": True, "adapt_mass_matrix": not posterior.regular, **(kernel or {})}
    began = time.perf_counter()
    if progress_bar or mcmc:
        more = {"chain_method": "vectorized", "progress_bar": progress_bar, **(mcmc or {})}
        steps = partial(_by_numpyro, posterior, {"num_chains": num_chains, **more})
    else:
        steps = partial(_compiled, posterior)
    u, noted = steps(key_run, start, num_warmup, num_samples, options)
    statistics = {STATISTICS[n]: np.asarray(v) for n, v in noted.items()}
    statistics["lp"] = -statistics["lp"]
    draws = posterior.constrain(u)
    attrs = {"num_warmup": num_warmup, "sampling_time": time.perf_counter() - began}
    return tree(draws, fit, "NUTS", statistics, attrs=attrs, **output)


def starts(posterior: Posterior, rng_key: jax.Array, num_chains: int) -> Params:
    """u of each chain's start, (c, ...): the mode, jittered by the posterior's scale.

    A start without a finite density is drawn in towards the mode.
    """
    away = jax.random.normal(rng_key, (num_chains, posterior.size))
    for _ in range(20):
        found = posterior.unravel(posterior.from_white(away))
        bad = ~np.isfinite(energies(posterior.fit, found))
        if not bad.any():
            break
        away = jnp.where(jnp.asarray(bad)[:, None], away / 4, away)
    return found


def _compiled(
    posterior: Posterior,
    rng_key: jax.Array,
    start: Params,
    num_warmup: int,
    num_samples: int,
    options: Mapping[str, Any],
) -> tuple[Params, dict[str, jax.Array]]:
    """All chains in one compiled call, kept for the next data of the same shapes."""
    fit, program = posterior.fit, posterior.fit.program
    key = ("nuts", num_warmup, num_samples, tuple(sorted(options.items())))
    make = partial(_chains, program, num_warmup, num_samples, options)
    hashable = all(isinstance(value, Hashable) for value in options.values())
    run = program.compiled(key, make) if hashable else make()
    number = len(next(iter(start.values())))
    keys = jax.random.split(rng_key, number)
    matrix = jnp.asarray(posterior.covariance, float)
    return jax.block_until_ready(run(keys, start, matrix, fit.rows, fit.call.arrays))


def _chains(
    program: Program, num_warmup: int, num_samples: int, options: Mapping[str, Any]
) -> Callable:
    def run(
        keys: jax.Array, start: Params, matrix: jax.Array, rows: Rows, arrays: tuple
    ) -> tuple[Params, dict[str, jax.Array]]:
        chosen = {"inverse_mass_matrix": matrix, **options}
        sampler = NUTS(potential_fn=lambda u: energy_of(program, u, rows, arrays), **chosen)

        def chain(key: jax.Array, start: Params) -> tuple[Params, dict[str, jax.Array]]:
            def step(state: Any, _: None) -> tuple[Any, tuple]:
                state = sampler.sample(state, (), {})
                noted = {name: _field(state, name) for name in STATISTICS}
                return state, (state.z, noted)

            first = sampler.init(key, num_warmup, start, (), {})
            _, found = jax.lax.scan(step, first, length=num_warmup + num_samples)
            return jax.tree.map(lambda v: v[num_warmup:], found)

        return jax.vmap(chain)(keys, start)

    return jax.jit(run)


def _by_numpyro(
    posterior: Posterior,
    mcmc: Mapping[str, Any],
    rng_key: jax.Array,
    start: Params,
    num_warmup: int,
    num_samples: int,
    options: Mapping[str, Any],
) -> tuple[Params, dict[str, jax.Array]]:
    matrix = jnp.asarray(posterior.covariance, float)
    chosen = {"inverse_mass_matrix": matrix, **options}
    sampler = NUTS(potential_fn=partial(energy, posterior.fit), **chosen)
    run = MCMC(sampler, num_warmup=num_warmup, num_samples=num_samples, **mcmc)
    if mcmc["num_chains"] == 1:
        start = {n: v[0] for n, v in start.items()}
    run.run(rng_key, init_params=start, extra_fields=tuple(STATISTICS))
    noted = run.get_extra_fields(group_by_chain=True)
    return run.get_samples(group_by_chain=True), {n: noted[n] for n in STATISTICS}


def _field(state: Any, name: str) -> jax.Array:
    for part in name.split("."):
        state = getattr(state, part)
    return state
