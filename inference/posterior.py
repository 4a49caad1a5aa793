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
from ..em.information import derivatives, inside
from ..em.program import Params, Program
from ..em.rows import Rows
from .marginal import SumOut, read

_NEWTON_STEPS = 100
_LENGTHS = np.array([0.0, *2.0 ** -np.arange(19)])
# Programs that do less than this are run a few times only, and compiled without much ado.
_SMALL = 1e6
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
        program = self.fit.program
        compiled = _kept(program, "log prior", lambda: quick_jit(program, _log_prior(program)))
        return compiled(params, self.fit.call.arrays)

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
        """{site: standard deviation} of the normal approximation, by the delta method."""
        shapes = {n: np.shape(v) for n, v in self.fit.params.items()}
        return {
            n: np.linalg.norm(j @ self.root, axis=1).reshape(shapes[n])
            for n, j in self.jacobian.items()
        }

    @cached_property
    def jacobian(self) -> dict[str, np.ndarray]:
        """{site: (entries, m)} d parameters / du at the mode."""
        params = {n: v for n, v in self.constrain(self.mode).items() if n in self.mode}
        found = derivatives(self.fit.program, params, self.fit.rows)[2]
        return {n: np.asarray(j, float) for n, j in found.items()}

    def prior_slope(self) -> np.ndarray:
        """(m,) d log p(parameters) / du at the start, the prior on the parameters' own scale."""
        program = self.fit.program

        def slope(u: Params, arrays: tuple) -> jax.Array:
            vector, unravel = ravel_pytree(u)

            def log_prior(vector: jax.Array) -> jax.Array:
                args, kwargs = program.template_call(arrays).rebuild()
                model = _scored(program, arrays, lambda _: jnp.zeros(()))
                params = constrain_fn(model, args, kwargs, unravel(vector))
                return _log_prior(program)(params, arrays)

            return jax.grad(log_prior)(vector)

        compiled = _kept(program, "prior slope", lambda: quick_jit(program, slope))
        return np.asarray(compiled(self.start, self.fit.call.arrays), float)

    def energies(self, u: Params) -> np.ndarray:
        """The energies of u with one leading axis; infinite where the density is not finite."""
        number, size = len(next(iter(u.values()))), len(_LENGTHS)
        index = np.arange(-(-number // size) * size).clip(max=number - 1).reshape(-1, size)
        found = [energies_at(self.fit, {n: v[i] for n, v in u.items()}) for i in index]
        return np.concatenate(found)[:number]

    def unravel(self, vectors: Any) -> Params:
        """(..., m) to u."""
        flat, back = ravel_pytree(self.start)
        vectors = jnp.asarray(vectors, flat.dtype)
        found = jax.vmap(back)(vectors.reshape(-1, flat.size))
        shape = vectors.shape[:-1]
        return {n: v.reshape(*shape, *v.shape[1:]) for n, v in found.items()}

    @property
    def size(self) -> int:
        """m, the number of unconstrained coordinates."""
        return len(self.covariance)

    @cached_property
    def root(self) -> np.ndarray:
        """(m, m) the Cholesky factor of the covariance."""
        return np.linalg.cholesky(self.covariance)

    def from_white(self, v: jax.Array) -> jax.Array:
        """(..., m) the mode plus the covariance's root times v (..., m)."""
        centre = ravel_pytree(self.mode)[0]
        return centre + v @ jnp.asarray(self.root.T, centre.dtype)


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
    start = quick_jit(program, unconstrained)(free, fit.call.arrays)
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


def quick_jit(program: Program, function: Callable) -> Callable:
    """Compile fast rather than well, where a run is nothing beside the compilation."""
    options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    small = program.work < _SMALL and jax.default_backend() == "cpu"
    return jax.jit(function, compiler_options=options if small else None)


def _prior_derivatives(program: Program) -> Callable:
    """Parameters at u; gradient and Hessian of the log prior density of u."""

    def local(u: Params, arrays: tuple) -> tuple[Params, jax.Array, jax.Array]:
        args, kwargs = program.template_call(arrays).rebuild()
        model = _scored(program, arrays, lambda _: jnp.zeros(()))
        vector, unravel = ravel_pytree(u)

        def log_prior(vector: jax.Array) -> jax.Array:
            return -potential_energy(model, args, kwargs, unravel(vector))

        params = constrain_fn(model, args, kwargs, u)
        return params, jax.grad(log_prior)(vector), jax.hessian(log_prior)(vector)

    return _kept(program, "prior derivatives", lambda: quick_jit(program, local))


def _energy(program: Program) -> Callable:
    def energy(u: Params, rows: Rows, arrays: tuple) -> jax.Array:
        args, kwargs = program.template_call(arrays).rebuild()
        return potential_energy(_model(program, rows, arrays), args, kwargs, u)

    return energy


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

    return log_prior


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

    compiled = _kept(
        fit.program, f"every {function.__name__}", lambda: quick_jit(fit.program, every)
    )
    found = compiled(flat, fit.rows, fit.call.arrays)
    return {n: v.reshape(*shape, *v.shape[1:]) for n, v in found.items()}


def _mode(fit: Fit, start: jax.Array, unravel: Callable) -> tuple[np.ndarray, np.ndarray]:
    """The mode and the Hessian of the energy there, by Newton's method from ``start``.

    Where the energy is not convex the step follows ``|H|`` (Nocedal & Wright 2006, Numerical
    Optimization, section 3.4) and so always descends; it is halved until it does.
    """
    program, dtype = fit.program, start.dtype
    point = np.asarray(start, float)
    enough = 1e-8 if dtype == np.float64 else 1e-4
    for _ in range(_NEWTON_STEPS):
        here = jnp.asarray(point, dtype)
        params, *prior = _prior_derivatives(program)(unravel(here), fit.call.arrays)
        slope, hessian = (
            -np.asarray(a + b, float)
            for a, b in zip(prior, derivatives(program, params, fit.rows)[:2], strict=True)
        )
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
        path = jnp.asarray(point + _LENGTHS[:, None] * step, dtype)
        energies = energies_at(fit, jax.vmap(unravel)(path))
        lowest = int(np.nanargmin(energies))
        if lowest == 0:
            break
        point = np.asarray(path[lowest], float)
    return point, hessian


def energies_at(fit: Fit, u: Params) -> np.ndarray:
    """Energies at ``len(_LENGTHS)`` points; not finite where the density is not."""
    program = fit.program

    def every(u: Params, rows: Rows, arrays: tuple) -> jax.Array:
        return jax.lax.map(lambda one: _energy(program)(one, rows, arrays), u)

    compiled = _kept(program, "energies", lambda: quick_jit(program, every))
    found = np.asarray(compiled(u, fit.rows, fit.call.arrays), float)
    return np.where(np.isfinite(found), found, np.inf)


def invert(hessian: np.ndarray) -> tuple[np.ndarray, bool]:
    """The inverse of ``|H|`` with its flat directions bent up, and whether H needed none of it."""
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diagonal(hessian)), 1e-12))
    values, vectors = np.linalg.eigh(hessian * scale[:, None] * scale)
    inverse = 1 / np.maximum(np.abs(values), _FLAT)
    covariance = (vectors * inverse) @ vectors.T * scale[:, None] * scale
    return (covariance + covariance.T) / 2, bool(values.min() > _FLAT)
