"""The posterior of a fit: its density in unconstrained coordinates, its mode, its curvature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpyro import handlers
from numpyro.infer.util import constrain_fn, log_density, potential_energy

from ..em import Fit
from ..em.expectation import Soft, e_step
from ..em.information import inside
from ..em.numeric import lbfgs
from ..em.program import Params, Program
from ..em.rows import Rows
from .marginal import SumOut, read

_NEWTON_LIMIT = 300
_NEWTON_STEPS = 100
_HALVINGS = 2.0 ** -np.arange(20)
# Curvatures, scaled to a unit diagonal, below which a direction counts as flat.
_FLAT = 1e-6

_posteriors: WeakKeyDictionary[Fit, Posterior] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Posterior:
    """The posterior of a fitted model given its data, z summed out.

    ``u`` stands for {site: unconstrained value}, by NumPyro's bijections.

    Attributes:
        fit: the fit.
        start: u of the fit, moved off the edges of the supports.
        mode: u of the posterior mode that Newton's method reaches from there (the mode of the
            density of u).
        covariance: (m, m) the inverse Hessian of minus the log density there, in the order of
            sorted site names.
        regular: whether that Hessian was positive definite; otherwise directions without
            curvature were given some, and those with the wrong sign its absolute value.
    """

    fit: Fit
    start: Params
    mode: Params
    covariance: np.ndarray
    regular: bool

    def energy(self, u: Params) -> jax.Array:
        """Minus the log posterior density of u, without the evidence: NumPyro's potential."""
        return _energy(self.fit.program)(u, self.fit.rows, self.fit.call.arrays)

    def constrain(self, u: Params) -> Params:
        """Parameters and deterministic sites, of u with any leading axes."""
        return _batched(_constrained(self.fit.program), self.start, u, self.fit)

    def log_prior(self, params: Params) -> jax.Array:
        """The log prior density of parameters, on their own scale."""
        return _log_prior(self.fit.program)(params, self.fit.call.arrays)

    def deterministics(self, params: Params) -> Params:
        """The deterministic sites at parameters with any leading axes; none that depend on z."""
        if not self._has_deterministics:
            return {}
        like = {n: self.fit.params[n] for n in self.start}
        return _batched(_deterministic(self.fit.program), like, params, self.fit)

    @cached_property
    def _has_deterministics(self) -> bool:
        return set(self.constrain(self.start)) != set(self.start)

    @cached_property
    def spread(self) -> dict[str, np.ndarray]:
        """{site: standard deviation} of the normal approximation, on the parameters' own scale."""
        draws = self.constrain(self.unravel(self.normal(jax.random.key(0), (500,))))
        return {n: np.asarray(draws[n]).std(0) for n in self.start}

    def unravel(self, vectors: Any) -> Params:
        """(..., m) to u."""
        flat, back = ravel_pytree(self.start)
        vectors = jnp.asarray(vectors, flat.dtype)
        found = jax.vmap(back)(vectors.reshape(-1, flat.size))
        shape = vectors.shape[:-1]
        return {n: v.reshape(*shape, *v.shape[1:]) for n, v in found.items()}

    def normal(self, rng_key: jax.Array, shape: tuple[int, ...], scale: float = 1.0) -> jax.Array:
        """(..., m) draws around the mode, of the covariance times ``scale``^2."""
        centre = ravel_pytree(self.mode)[0]
        root = jnp.asarray(np.linalg.cholesky(self.covariance), centre.dtype)
        return centre + scale * jax.random.normal(rng_key, (*shape, centre.size)) @ root.T


def posterior_of(fit: Fit) -> Posterior:
    """The posterior of a fit, worked out once.

    Raises:
        ValueError: a parameter without a prior.
    """
    found = _posteriors.get(fit)
    if found is None:
        found = _posteriors[fit] = _find(fit)
    return found


def _find(fit: Fit) -> Posterior:
    program, free = fit.program, inside(fit.program, fit.params)
    kinds: dict[str, str] = {}

    def unconstrained(params: Params, arrays: tuple) -> Params:
        kinds.update({n: s["type"] for n, s in program.run(params, arrays, 0).items()})
        return program.unconstrain(params, arrays, tuple(sorted(free)))

    if not free:
        raise ValueError("every parameter is held fixed; there is nothing to sample")
    start = jax.jit(unconstrained)(free, fit.call.arrays)
    bare = [n for n in free if kinds[n] == "param"]
    if bare:
        raise ValueError(
            f"{', '.join(map(repr, bare))}: numpyro.param declares no prior, so there is no "
            "posterior; use numpyro.sample with a prior, or hold it fixed with handlers.condition"
        )
    vector, unravel = ravel_pytree(start)
    centre, hessian = _mode(fit, vector, unravel)
    covariance, regular = invert(hessian)
    return Posterior(fit, start, unravel(jnp.asarray(centre, vector.dtype)), covariance, regular)


def _scored(program: Program, arrays: tuple, score: Callable[[Params], jax.Array]) -> Callable:
    """The model with z hidden, and one term for the likelihood."""
    call = program.template_call(arrays)
    reading: Any = _kept(program, "reading", lambda: read(program, call))

    def model(*args: Any, **kwargs: Any) -> None:
        with SumOut(reading, score, call):
            program.model(*args, **kwargs)

    return model


def _model(program: Program, rows: Rows, arrays: tuple) -> Callable:
    """The model with z summed out, its likelihood from the E-step's own statistics."""
    return _scored(program, arrays, lambda p: e_step(program, Soft(), p, rows).objective)


def _kept(program: Program, name: str, make: Callable[[], Any]) -> Any:
    if name not in program.compiled:
        program.compiled[name] = make()
    return program.compiled[name]


def _energy(program: Program) -> Callable:
    def energy(u: Params, rows: Rows, arrays: tuple) -> jax.Array:
        args, kwargs = program.template_call(arrays).rebuild()
        return potential_energy(_model(program, rows, arrays), args, kwargs, u)

    return _kept(program, "energy", lambda: jax.jit(energy))


def _constrained(program: Program) -> Callable:
    def constrained(u: Params, rows: Rows, arrays: tuple) -> Params:
        del rows
        args, kwargs = program.template_call(arrays).rebuild()
        model = _scored(program, arrays, lambda _: jnp.zeros(()))
        return constrain_fn(model, args, kwargs, u, return_deterministic=True)

    return constrained


def _log_prior(program: Program) -> Callable:
    def log_prior(params: Params, arrays: tuple) -> jax.Array:
        args, kwargs = program.template_call(arrays).rebuild()
        model = _scored(program, arrays, lambda _: jnp.zeros(()))
        return log_density(model, args, kwargs, params)[0]

    return _kept(program, "log_prior", lambda: jax.jit(log_prior))


def _deterministic(program: Program) -> Callable:
    def deterministics(params: Params, rows: Rows, arrays: tuple) -> Params:
        del rows
        args, kwargs = program.template_call(arrays).rebuild()
        model = handlers.substitute(_scored(program, arrays, lambda _: jnp.zeros(())), params)
        trace = handlers.trace(model).get_trace(*args, **kwargs)
        return {n: s["value"] for n, s in trace.items() if s["type"] == "deterministic"}

    return deterministics


def _batched(function: Callable, like: Params, u: Params, fit: Fit) -> Params:
    name = next(iter(like))
    shape = jnp.shape(u[name])[: jnp.ndim(u[name]) - jnp.ndim(like[name])]
    flat = {n: jnp.reshape(v, (-1, *jnp.shape(like[n]))) for n, v in u.items()}

    def every(flat: Params, rows: Rows, arrays: tuple) -> Params:
        return jax.vmap(lambda one: function(one, rows, arrays))(flat)

    compiled = _kept(fit.program, f"every {function.__name__}", lambda: jax.jit(every))
    found = compiled(flat, fit.rows, fit.call.arrays)
    return {n: v.reshape(*shape, *v.shape[1:]) for n, v in found.items()}


def _mode(fit: Fit, start: jax.Array, unravel: Callable) -> tuple[np.ndarray, np.ndarray]:
    """The mode and the Hessian of the energy there, by Newton's method from ``start``.

    Where the energy is not convex the step follows ``|H|`` (Nocedal & Wright 2006, Numerical
    Optimization, section 3.4) and so always descends; it is halved until it does.
    """
    energy = _energy(fit.program)

    def value(vector: jax.Array, rows: Rows, arrays: tuple) -> jax.Array:
        return energy(unravel(vector), rows, arrays)

    def local(vector: jax.Array, *data: Any) -> tuple[jax.Array, jax.Array]:
        slope = jax.grad(value)
        eye = jnp.eye(vector.size, dtype=vector.dtype)
        column = lambda e: jax.jvp(lambda v: slope(v, *data), (vector,), (e,))[1]  # noqa: E731
        return slope(vector, *data), jax.lax.map(column, eye)

    def along(vector: jax.Array, step: jax.Array, *data: Any) -> jax.Array:
        lengths = jnp.asarray(_HALVINGS, vector.dtype)
        return jax.lax.map(lambda a: value(vector + a * step, *data), lengths)

    def uphill(vector: jax.Array, *data: Any) -> jax.Array:
        return lbfgs(lambda v: -value(v, *data), vector, 10 * _NEWTON_STEPS)

    program, data = fit.program, (fit.rows, fit.call.arrays)
    values = _kept(program, "energies along", lambda: jax.jit(along))
    derivatives = _kept(program, "energy derivatives", lambda: jax.jit(local))
    if start.size > _NEWTON_LIMIT:
        start = _kept(program, "uphill", lambda: jax.jit(uphill))(start, *data)
    point = np.asarray(start, float)
    enough = 1e-8 if start.dtype == np.float64 else 1e-4
    for _ in range(_NEWTON_STEPS):
        here = jnp.asarray(point, start.dtype)
        slope, hessian = (np.asarray(a, float) for a in derivatives(here, *data))
        hessian = (hessian + hessian.T) / 2
        if not (np.isfinite(slope).all() and np.isfinite(hessian).all()):
            raise ValueError(
                "the posterior density has no finite derivatives at the fit; give priors whose "
                "support holds the estimates, and look at fit.status"
            )
        step = -invert(hessian)[0] @ slope
        step *= min(1.0, 10.0 / max(np.abs(step).max(), 1e-300))
        if -slope @ step < 2 * enough:
            break
        energies = np.asarray(values(here, jnp.asarray(step, start.dtype), *data), float)
        lower = np.flatnonzero(energies < float(energy(unravel(here), *data)))
        if not lower.size:
            break
        point = point + _HALVINGS[lower[np.argmin(energies[lower])]] * step
    return point, hessian


def invert(hessian: np.ndarray) -> tuple[np.ndarray, bool]:
    """The inverse of ``|H|`` with its flat directions bent up, and whether H needed none of it."""
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diagonal(hessian)), 1e-12))
    values, vectors = np.linalg.eigh(hessian * scale[:, None] * scale)
    inverse = 1 / np.maximum(np.abs(values), _FLAT)
    covariance = (vectors * inverse) @ vectors.T * scale[:, None] * scale
    return (covariance + covariance.T) / 2, bool(values.min() > _FLAT)
