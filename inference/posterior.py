"""The posterior of a fit: its mode, and the curvature there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from ..em import Fit
from ..em.information import derivatives, inside
from ..em.program import Params
from ..em.quick import quick_jit
from . import density

_NEWTON_STEPS = 100
# No step, and steps of 1, 1/2, 1/4, ...
_LENGTHS = np.array([0.0, *2.0 ** -np.arange(density.POINTS - 1)])
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

    def constrain(self, u: Params) -> dict[str, np.ndarray]:
        """Parameters at u with any leading axes."""
        name = next(iter(self.start))
        lead = jnp.shape(u[name])[: jnp.ndim(u[name]) - jnp.ndim(self.start[name])]
        # Not -1: one component has a simplex of no coordinates.
        size = math.prod(lead)
        flat = {n: jnp.reshape(v, (size, *jnp.shape(self.start[n]))) for n, v in u.items()}
        found = {n: np.asarray(v) for n, v in density.constrain(self.fit, flat).items()}
        return {n: found[n].reshape((*lead, *found[n].shape[1:])) for n in self.start}

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
        params = {n: jnp.asarray(v) for n, v in self.constrain(self.mode).items()}
        found = derivatives(self.fit.program, params, self.fit.rows)[2]
        return {n: np.asarray(j, float) for n, j in found.items()}

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
        params, *prior = density.prior_derivatives(fit, unravel(here))
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
        lowest = int(density.energies(fit, jax.vmap(unravel)(path)).argmin())
        if lowest == 0:
            break
        point = np.asarray(path[lowest], float)
    return point, hessian


def invert(hessian: np.ndarray) -> tuple[np.ndarray, bool]:
    """The inverse of ``|H|`` with its flat directions bent up, and whether H needed none of it."""
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diagonal(hessian)), 1e-12))
    values, vectors = np.linalg.eigh(hessian * scale[:, None] * scale)
    inverse = 1 / np.maximum(np.abs(values), _FLAT)
    covariance = (vectors * inverse) @ vectors.T * scale[:, None] * scale
    return (covariance + covariance.T) / 2, bool(values.min() > _FLAT)
