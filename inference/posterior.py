"""The posterior of a fit: its mode, and the curvature there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, ref

import jax
import jax.numpy as jnp
import numpy as np

from ..em import Fit
from ..em.climb.boundary import inside
from ..em.machine.jit import quick_jit
from ..em.plan.program import Params
from ..em.report.information import derivatives
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

    ``u`` (m,) stands for the unconstrained values (see `mixpyro.inference.density`).

    Attributes:
        start: (m,) u of the fit, moved off the edges of the supports.
        mode: (m,) u of the posterior mode that Newton's method reaches from there (the mode of the
            density of u).
        covariance: (m, m) the inverse Hessian of minus the log density there.
        regular: whether that Hessian was positive definite; otherwise directions without
            curvature were given some, and those with the wrong sign its absolute value.
    """

    _fit: ref[Fit]  # what is kept by a fit must not keep it
    start: np.ndarray
    mode: np.ndarray
    covariance: np.ndarray
    regular: bool

    @property
    def fit(self) -> Fit:
        """The fit, which its caller holds."""
        fit = self._fit()
        assert fit is not None
        return fit

    def constrain(self, u: Any) -> dict[str, np.ndarray]:
        """Parameters at u (..., m)."""
        return density.constrain(self.fit, u)

    @cached_property
    def spread(self) -> dict[str, np.ndarray]:
        """{site: standard deviation} of the normal approximation, by the delta method."""
        shapes = {n: np.shape(v) for n, v in self.fit.leaves.items()}
        return {
            n: np.linalg.norm(j @ self.root, axis=1).reshape(shapes[n])
            for n, j in self.jacobian.items()
        }

    @cached_property
    def jacobian(self) -> dict[str, np.ndarray]:
        """{site: (entries, m)} d parameters / du at the mode."""
        params = {n: jnp.asarray(v) for n, v in self.constrain(self.mode).items()}
        found = derivatives(self.fit.program, params, self.fit.rows).jacobian
        return {n: np.asarray(j, float) for n, j in found.items()}

    @property
    def size(self) -> int:
        """m, the number of unconstrained coordinates."""
        return len(self.covariance)

    @cached_property
    def root(self) -> np.ndarray:
        """(m, m) the Cholesky factor of the covariance."""
        return np.linalg.cholesky(self.covariance)

    def from_white(self, v: Any) -> Any:
        """(..., m) the mode plus the covariance's root times v (..., m)."""
        return self.mode.astype(v.dtype) + v @ self.root.T.astype(v.dtype)


def posterior_of(fit: Fit) -> Posterior:
    """The posterior of a fit, worked out once.

    Raises:
        ValueError: a parameter without a prior, or a fit without a finite log density.
    """
    found = _posteriors.get(fit)
    if found is None:
        found = _posteriors[fit] = _find(fit)
    return found


def _find(fit: Fit) -> Posterior:
    if not np.isfinite(fit.log_likelihood):
        raise ValueError(
            f"the fit has no finite log density ({fit.log_likelihood}), so no run can start from "
            f"it; it ended with status {fit.status.name}: {fit.message}"
        )
    program, where = fit.program, density.coordinates(fit)

    def unconstrained(params: Params, arrays: tuple) -> jax.Array:
        return where.join(program.unconstrain(params, arrays, tuple(params)))

    free = inside(program, jax.device_get(fit.leaves))
    start = np.asarray(quick_jit(program, unconstrained)(free, fit.call.arrays), float)
    mode, hessian = _mode(fit, start)
    covariance, regular = invert(hessian)
    return Posterior(ref(fit), start, mode, covariance, regular)


class _Local(NamedTuple):
    """Newton's step from a point, and what it promises to gain; the energy's Hessian there."""

    hessian: np.ndarray
    step: np.ndarray
    gain: float
    regular: bool


def _mode(fit: Fit, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mode and the Hessian of the energy there, by Newton's method from ``point``.

    A step between points where the energy is convex stands if it leaves a quarter to gain. Others
    follow ``|H|`` (Nocedal & Wright 2006, Numerical Optimization, section 3.4), so that they always
    descend, and are halved until they do.
    """
    enough = 1e-8 if fit.rows.weights.dtype == np.float64 else 1e-4
    here = _local(fit, point)
    if here is None:
        raise ValueError(
            "the posterior density, or a derivative of it, is not finite at the fit; give priors "
            "whose support holds the estimates, and look at fit.status"
        )
    for _ in range(_NEWTON_STEPS):
        if here.gain < enough:
            break
        ahead = _local(fit, point + here.step) if here.regular else None
        if ahead is not None and ahead.regular and ahead.gain < here.gain / 4:
            point, here = point + here.step, ahead
            continue
        path = point + _LENGTHS[:, None] * here.step
        lowest = int(density.energies(fit, path).argmin())
        ahead = _local(fit, path[lowest]) if lowest else None
        if ahead is None:
            break
        point, here = path[lowest], ahead
    return point, here.hessian


def _local(fit: Fit, point: np.ndarray) -> _Local | None:
    """What Newton's method knows at a point; None where derivatives are not finite."""
    energy, slope, hessian = derivatives_at(fit, point)
    if not (np.isfinite(energy) and np.isfinite(slope).all() and np.isfinite(hessian).all()):
        return None
    inverse, regular = invert(hessian)
    step = -inverse @ slope
    step *= min(1.0, 10.0 / max(np.abs(step).max(), 1e-300))
    return _Local(hessian, step, float(-slope @ step) / 2, regular)


def derivatives_at(fit: Fit, point: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The energy of u (m,), its gradient (m,) and its Hessian (m, m)."""
    params, *prior = density.prior_derivatives(fit, point)
    likelihood = derivatives(fit.program, params, fit.rows)[:3]
    energy, slope, hessian = (
        -(np.asarray(a, float) + np.asarray(b, float))
        for a, b in zip(prior, likelihood, strict=True)
    )
    return energy, slope, (hessian + hessian.T) / 2


def invert(hessian: np.ndarray) -> tuple[np.ndarray, bool]:
    """The inverse of ``|H|`` with its flat directions bent up, and whether H needed none of it."""
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diagonal(hessian)), 1e-12))
    values, vectors = np.linalg.eigh(hessian * scale[:, None] * scale)
    inverse = 1 / np.maximum(np.abs(values), _FLAT)
    covariance = (vectors * inverse) @ vectors.T * scale[:, None] * scale
    return (covariance + covariance.T) / 2, bool(values.min() > _FLAT)
