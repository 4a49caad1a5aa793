"""The posterior density of a fit's model, z summed out, as pure functions kept compiled.

``u`` (m,) stands for the unconstrained values of the free parameters, by NumPyro's bijections, one
after the other by sorted site names. It is taken apart within compiled functions only: outside,
JAX would compile every slice. The likelihood is EM's own: from the statistics of the E-step, row
weights and labels in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.infer.util import constrain_fn, log_density, potential_energy

from ..em import Fit
from ..em.machine.jit import quick_jit
from ..em.plan.chunks import Rows
from ..em.plan.program import Params, Program
from ..em.step.objective import log_likelihood
from .marginal import read
from .sum_out import SumOut

# Energies are computed at this many points at once.
POINTS = 20


class Coordinates(NamedTuple):
    """Where each site's unconstrained value lies in u: (site, shape), in order."""

    sites: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def size(self) -> int:
        """m."""
        return sum(math.prod(shape) for _, shape in self.sites)

    def split(self, u: Any) -> dict[str, Any]:
        """(..., m) to {site: (..., shape)}."""
        found, first = {}, 0
        for name, shape in self.sites:
            last = first + math.prod(shape)
            found[name] = u[..., first:last].reshape((*u.shape[:-1], *shape))
            first = last
        return found

    def join(self, values: Params) -> jax.Array:
        """{site: value} to (m,)."""
        return jnp.concatenate([values[name].ravel() for name, _ in self.sites])


def coordinates(fit: Fit) -> Coordinates:
    """The coordinates of a fit's free parameters.

    Raises:
        ValueError: a parameter without a prior, or no free parameter.
    """
    program = fit.program
    names = tuple(sorted(p.name for p in program.structure.free))
    kinds: dict[str, str] = {}

    def unconstrained(params: Params, arrays: tuple) -> Params:
        kinds.update({n: s["type"] for n, s in program.run(params, arrays, 0).items()})
        return program.unconstrain(params, arrays, names)

    def make() -> Coordinates:
        if not names:
            raise ValueError("every parameter is held fixed; there is nothing to sample")
        shapes = jax.eval_shape(unconstrained, fit.leaves, fit.call.arrays)
        bare = [n for n in names if kinds[n] == "param"]
        if bare:
            raise ValueError(
                f"{', '.join(map(repr, bare))}: numpyro.param declares no prior, so there is no "
                "posterior; use numpyro.sample with a prior, or hold it fixed with "
                "handlers.condition"
            )
        return Coordinates(tuple((n, shapes[n].shape) for n in names))

    return program.compiled("coordinates", make)


def energy(fit: Fit, u: jax.Array) -> jax.Array:
    """Minus the log posterior density of u, without the evidence: NumPyro's potential."""
    return energy_of(fit.program, coordinates(fit), u, fit.rows, fit.call.arrays)


def energies(fit: Fit, u: Any) -> np.ndarray:
    """(b,) the energies of u (b, m); infinite where the density is not finite."""
    program, where = fit.program, coordinates(fit)

    def every(u: jax.Array, rows: Rows, arrays: tuple) -> jax.Array:
        return jax.lax.map(lambda one: energy_of(program, where, one, rows, arrays), u)

    compiled = program.compiled("energies", lambda: quick_jit(program, every, 4 * POINTS))
    u = np.asarray(u)
    index = np.arange(-(-len(u) // POINTS) * POINTS).clip(max=len(u) - 1).reshape(-1, POINTS)
    parts = [compiled(jnp.asarray(u[i], float), fit.rows, fit.call.arrays) for i in index]
    found = np.concatenate([np.asarray(part, float) for part in parts])[: len(u)]
    return np.where(np.isfinite(found), found, np.inf)


def constrain(fit: Fit, u: Any) -> dict[str, np.ndarray]:
    """Parameters at u, which may have leading axes."""
    program, where = fit.program, coordinates(fit)

    def every(u: jax.Array, arrays: tuple) -> Params:
        model = _prior(program, arrays)
        return jax.vmap(lambda one: constrain_fn(*model, where.split(one)))(u)

    compiled = program.compiled("constrain", lambda: quick_jit(program, every))
    u = np.asarray(u)
    # Not -1: one component has a simplex of no coordinates.
    flat = u.reshape(math.prod(u.shape[:-1]), u.shape[-1])
    found = jax.device_get(compiled(jnp.asarray(flat, float), fit.call.arrays))
    return {n: np.reshape(v, (*u.shape[:-1], *v.shape[1:])) for n, v in found.items()}


def log_prior(fit: Fit, params: Params) -> jax.Array:
    """The log prior density of parameters, on their own scale."""
    program = fit.program

    def density(params: Params, arrays: tuple) -> jax.Array:
        return log_density(*_prior(program, arrays), params)[0]

    compiled = program.compiled("log prior", lambda: quick_jit(program, density))
    return compiled(params, fit.call.arrays)


def prior_slope(fit: Fit, u: Any) -> np.ndarray:
    """(m,) d log p(parameters) / du, the prior on the parameters' own scale."""
    program, where = fit.program, coordinates(fit)

    def slope(u: jax.Array, arrays: tuple) -> jax.Array:
        model = _prior(program, arrays)
        return jax.grad(lambda u: log_density(*model, constrain_fn(*model, where.split(u)))[0])(u)

    compiled = program.compiled("prior slope", lambda: quick_jit(program, slope))
    return np.asarray(compiled(jnp.asarray(u, float), fit.call.arrays), float)


def prior_derivatives(fit: Fit, u: Any) -> tuple[Params, jax.Array, jax.Array, jax.Array]:
    """Parameters at u; the log prior density of u, its gradient (m,) and Hessian (m, m)."""
    program, where = fit.program, coordinates(fit)

    def local(u: jax.Array, arrays: tuple) -> tuple[Params, jax.Array, jax.Array, jax.Array]:
        model = _prior(program, arrays)

        def value_and_slope(u: jax.Array) -> tuple[jax.Array, jax.Array]:
            return jax.value_and_grad(lambda u: -potential_energy(*model, where.split(u)))(u)

        (value, slope), along = jax.linearize(value_and_slope, u)
        hessian = jax.lax.map(lambda e: along(e)[1], jnp.eye(u.size, dtype=u.dtype))
        return constrain_fn(*model, where.split(u)), value, slope, hessian

    compiled = program.compiled("prior derivatives", lambda: quick_jit(program, local))
    return compiled(jnp.asarray(u, float), fit.call.arrays)


def deterministics(fit: Fit, draws: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The deterministic sites at draws {site: (c, s, ...)}; none that depend on z."""
    program = fit.program

    def one(params: Params, arrays: tuple) -> Params:
        model, args, kwargs = _prior(program, arrays)
        trace = handlers.trace(handlers.substitute(model, params)).get_trace(*args, **kwargs)
        return {n: s["value"] for n, s in trace.items() if s["type"] == "deterministic"}

    params = {p.name: fit.leaves[p.name] for p in program.structure.free}
    if not jax.eval_shape(one, params, fit.call.arrays):
        return {}
    every = jax.vmap(jax.vmap(one, (0, None)), (0, None))
    compiled = program.compiled("deterministics", lambda: quick_jit(program, every))
    found = compiled({n: jnp.asarray(v) for n, v in draws.items()}, fit.call.arrays)
    return {n: np.asarray(v) for n, v in found.items()}


def energy_of(
    program: Program, where: Coordinates, u: jax.Array, rows: Rows, arrays: tuple
) -> jax.Array:
    """`energy`, for any data of the program's shapes."""

    def likelihood(params: Params) -> jax.Array:
        return log_likelihood(program, params, rows)

    return potential_energy(*_scored(program, arrays, likelihood), where.split(u))


def _prior(program: Program, arrays: tuple) -> tuple[Callable, tuple, dict]:
    return _scored(program, arrays, lambda _: jnp.zeros(()))


def _scored(
    program: Program, arrays: tuple, score: Callable[[Params], jax.Array]
) -> tuple[Callable, tuple, dict]:
    """The model with z hidden and one term for the likelihood, and its arguments."""
    call = program.template_call(arrays)
    reading = program.compiled("reading", lambda: read(program, call))

    def model(*args: Any, **kwargs: Any) -> None:
        with SumOut(reading, score, call, whole=True):
            program.model(*args, **kwargs)

    return model, *call.rebuild()
