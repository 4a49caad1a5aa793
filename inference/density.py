"""The posterior density of a fit's model, z summed out, as pure functions kept compiled.

``u`` stands for {site: unconstrained value} of the free parameters, by NumPyro's bijections. The
likelihood is EM's own: from the statistics of the E-step, row weights and labels in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpyro import handlers
from numpyro.infer.util import constrain_fn, log_density, potential_energy

from ..em import Fit
from ..em.assign import Soft
from ..em.expectation import e_step
from ..em.program import Params, Program
from ..em.quick import quick_jit
from ..em.rows import Rows
from .marginal import SumOut, read

# Energies are computed at this many points at once.
POINTS = 20


def energy(fit: Fit, u: Params) -> jax.Array:
    """Minus the log posterior density of u, without the evidence: NumPyro's potential."""
    return energy_of(fit.program, u, fit.rows, fit.call.arrays)


def energies(fit: Fit, u: Params) -> np.ndarray:
    """(b,) the energies of u with one leading axis; infinite where the density is not finite."""
    program = fit.program

    def every(u: Params, rows: Rows, arrays: tuple) -> jax.Array:
        return jax.lax.map(lambda one: energy_of(program, one, rows, arrays), u)

    compiled = program.compiled("energies", lambda: quick_jit(program, every))
    number = len(next(iter(u.values())))
    index = np.arange(-(-number // POINTS) * POINTS).clip(max=number - 1).reshape(-1, POINTS)
    parts = [compiled({n: v[i] for n, v in u.items()}, fit.rows, fit.call.arrays) for i in index]
    found = np.concatenate([np.asarray(part, float) for part in parts])[:number]
    return np.where(np.isfinite(found), found, np.inf)


def constrain(fit: Fit, u: Params) -> Params:
    """Parameters at u, which has one leading axis."""
    program = fit.program

    def every(u: Params, arrays: tuple) -> Params:
        return jax.vmap(lambda one: constrain_fn(*_prior(program, arrays), one))(u)

    compiled = program.compiled("constrain", lambda: quick_jit(program, every))
    return compiled(u, fit.call.arrays)


def log_prior(fit: Fit, params: Params) -> jax.Array:
    """The log prior density of parameters, on their own scale."""
    program = fit.program

    def density(params: Params, arrays: tuple) -> jax.Array:
        return log_density(*_prior(program, arrays), params)[0]

    compiled = program.compiled("log prior", lambda: quick_jit(program, density))
    return compiled(params, fit.call.arrays)


def prior_slope(fit: Fit, u: Params) -> np.ndarray:
    """(m,) d log p(parameters) / du, the prior on the parameters' own scale."""
    program = fit.program

    def slope(u: Params, arrays: tuple) -> jax.Array:
        model = _prior(program, arrays)
        vector, unravel = ravel_pytree(u)
        return jax.grad(lambda v: log_density(*model, constrain_fn(*model, unravel(v)))[0])(vector)

    compiled = program.compiled("prior slope", lambda: quick_jit(program, slope))
    return np.asarray(compiled(u, fit.call.arrays), float)


def prior_derivatives(fit: Fit, u: Params) -> tuple[Params, jax.Array, jax.Array]:
    """Parameters at u; gradient (m,) and Hessian (m, m) of the log prior density of u."""
    program = fit.program

    def local(u: Params, arrays: tuple) -> tuple[Params, jax.Array, jax.Array]:
        model = _prior(program, arrays)
        vector, unravel = ravel_pytree(u)

        def density(vector: jax.Array) -> jax.Array:
            return -potential_energy(*model, unravel(vector))

        params = constrain_fn(*model, u)
        return params, jax.grad(density)(vector), jax.hessian(density)(vector)

    compiled = program.compiled("prior derivatives", lambda: quick_jit(program, local))
    return compiled(u, fit.call.arrays)


def deterministics(fit: Fit, draws: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The deterministic sites at draws {site: (c, s, ...)}; none that depend on z."""
    program = fit.program

    def one(params: Params, arrays: tuple) -> Params:
        model, args, kwargs = _prior(program, arrays)
        trace = handlers.trace(handlers.substitute(model, params)).get_trace(*args, **kwargs)
        return {n: s["value"] for n, s in trace.items() if s["type"] == "deterministic"}

    params = {p.name: fit.params[p.name] for p in program.structure.free}
    if not jax.eval_shape(one, params, fit.call.arrays):
        return {}
    every = jax.vmap(jax.vmap(one, (0, None)), (0, None))
    compiled = program.compiled("deterministics", lambda: quick_jit(program, every))
    found = compiled({n: jnp.asarray(v) for n, v in draws.items()}, fit.call.arrays)
    return {n: np.asarray(v) for n, v in found.items()}


def energy_of(program: Program, u: Params, rows: Rows, arrays: tuple) -> jax.Array:
    """`energy`, for any data of the program's shapes."""

    def likelihood(params: Params) -> jax.Array:
        return e_step(program, Soft(), params, rows).objective

    return potential_energy(*_scored(program, arrays, likelihood), u)


def _prior(program: Program, arrays: tuple) -> tuple[Callable, tuple, dict]:
    return _scored(program, arrays, lambda _: jnp.zeros(()))


def _scored(
    program: Program, arrays: tuple, score: Callable[[Params], jax.Array]
) -> tuple[Callable, tuple, dict]:
    """The model with z hidden and one term for the likelihood, and its arguments."""
    call = program.template_call(arrays)
    reading = program.compiled("reading", lambda: read(program, call))

    def model(*args: Any, **kwargs: Any) -> None:
        with SumOut(reading, score, call):
            program.model(*args, **kwargs)

    return model, *call.rebuild()
