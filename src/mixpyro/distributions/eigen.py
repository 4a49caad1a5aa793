"""A normal by volume, shape and orientation, and rotations as parameters: NumPyro distributions.

Celeux & Govaert (1995, "Gaussian parsimonious clustering models", Pattern Recognition 28:781) write
a covariance matrix as ``volume * orientation @ diag(shape) @ orientation.T``, the shape of
determinant 1. Which of the three are shared by the components of a mixture, free, or the identity
gives the fourteen models that mclust names EII to VVV.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.typing import ArrayLike
from numpyro.distributions import biject_to, constraints
from numpyro.distributions.transforms import ParameterFreeTransform
from numpyro.distributions.util import validate_sample

__all__ = ["CayleyTransform", "EigenNormal", "HaarRotation", "rotation"]


class _Rotation(constraints._SingletonConstraint):
    """Orthogonal matrices of determinant 1: SO(d)."""

    event_dim = 2

    def __call__(self, x: Any) -> jax.Array:
        x = jnp.asarray(x)
        gram = jnp.matmul(x.mT, x, precision="highest")
        tolerance = jnp.sqrt(jnp.finfo(gram.dtype).eps)
        orthogonal = jnp.all(jnp.abs(gram - jnp.eye(x.shape[-1])) < tolerance, axis=(-2, -1))
        return orthogonal & (jnp.linalg.det(x) > 0)

    def feasible_like(self, prototype: Any) -> jax.Array:
        return jnp.broadcast_to(jnp.eye(jnp.shape(prototype)[-1]), jnp.shape(prototype))


rotation = _Rotation()


class CayleyTransform(ParameterFreeTransform):
    r"""Real vectors of d (d - 1) / 2 entries to rotations (d, d).

    ``D = (I - A) (I + A)^-1`` with A the skew-symmetric matrix whose strict lower triangle, row by
    row, is the vector. It reaches every rotation without an eigenvalue of -1, each once (Cayley,
    1846). Up to a change of sign of its columns any orthogonal matrix is one with entries of A no
    greater than 1 (O'Dorney, 2014, Linear Algebra and its Applications 448:97).

    The Jacobian is with respect to the Haar measure of total mass 1, under which `HaarRotation`
    has density 1: ``log |dD / dA| = c - (d - 1) log det(I + A)`` (Leon, Massé & Rivest, 2006,
    Journal of Multivariate Analysis 97:412). For d = 2 that is a standard Cauchy density of the
    one coordinate.
    """

    domain = constraints.real_vector
    codomain = rotation

    def __call__(self, x: jax.Array) -> jax.Array:
        """Rotations (..., d, d) of vectors (..., d (d - 1) / 2)."""
        d = _dimension(x.shape[-1])
        skew, eye = _skew(x, d), jnp.eye(d, dtype=x.dtype)
        return jnp.linalg.solve(eye + skew, eye - skew)

    def _inverse(self, y: jax.Array) -> jax.Array:
        d = y.shape[-1]
        eye = jnp.eye(d, dtype=y.dtype)
        skew = jnp.linalg.solve(eye + y, eye - y)
        i, j = np.tril_indices(d, -1)
        return (skew[..., i, j] - skew[..., j, i]) / 2

    def log_abs_det_jacobian(
        self, x: jax.Array, y: jax.Array, intermediates: Any = None
    ) -> jax.Array:
        """``log |dD / dA|``, with D in the measure of `HaarRotation`."""
        d = y.shape[-1]
        log_det = jnp.linalg.slogdet(jnp.eye(d, dtype=x.dtype) + _skew(x, d))[1]
        return _log_density_at_identity(d) - (d - 1) * log_det

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """(..., d, d)."""
        d = _dimension(shape[-1])
        return (*shape[:-1], d, d)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """(..., d (d - 1) / 2)."""
        d = shape[-1]
        return (*shape[:-2], d * (d - 1) // 2)


@biject_to.register(rotation)
def _transform_to_rotation(constraint: constraints.Constraint) -> CayleyTransform:
    return CayleyTransform()


def _dimension(size: int) -> int:
    return (1 + math.isqrt(1 + 8 * size)) // 2


def _skew(x: jax.Array, d: int) -> jax.Array:
    lower = jnp.zeros((*x.shape[:-1], d, d), x.dtype)
    lower = lower.at[(..., *np.tril_indices(d, -1))].set(x)
    return lower - lower.mT


def _log_density_at_identity(d: int) -> float:
    """The log of 2^(d (d - 1) / 2) over the volume of SO(d), a product of spheres' areas."""
    spheres = [
        math.log(2) + j / 2 * math.log(math.pi) - math.lgamma(j / 2) for j in range(2, d + 1)
    ]
    return d * (d - 1) / 2 * math.log(2) - sum(spheres)


class HaarRotation(dist.Distribution):
    """The uniform distribution of rotations of ``dimension`` d: Haar measure on SO(d).

    Its density is 1 with respect to that measure (see `CayleyTransform`).

    Args:
        dimension: d, at least 1.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = rotation
    pytree_aux_fields = ("dimension",)

    def __init__(self, dimension: int, *, validate_args: bool | None = None) -> None:
        if dimension < 1:
            raise ValueError(f"dimension must be 1 or more, but it is {dimension!r}")
        self.dimension = dimension
        super().__init__((), (dimension, dimension), validate_args=validate_args)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draws (*sample_shape, d, d)."""
        draws = jax.random.orthogonal(key, self.dimension, sample_shape)
        turn = jnp.where(jnp.linalg.det(draws) < 0, -1, 1).astype(draws.dtype)
        return draws.at[..., 0].multiply(turn[..., None])

    @validate_sample
    def log_prob(self, value: jax.Array) -> jax.Array:
        """0, of the value's batch shape."""
        return jnp.zeros(jnp.shape(value)[:-2])


class EigenNormal(dist.Distribution):
    r"""The multivariate normal of covariance ``volume D diag(exp(log_shape)) D'``.

    ``volume`` is the geometric mean of the variances along the axes, ``|Sigma|^(1/d)``; ``shape =
    exp(log_shape)`` their ratios to it; the columns of ``orientation`` = D are the axes.

    Args:
        loc: mean, (..., d).
        volume: (...), positive, in squared units of the data.
        log_shape: (..., d), of sum 0; zeros for a sphere.
        orientation: (..., d, d), a rotation; the identity where the axes are the features.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "loc": constraints.real_vector,
        "volume": constraints.positive,
        "log_shape": constraints.zero_sum(1),
        "orientation": rotation,
    }
    support = constraints.real_vector
    reparametrized_params: ClassVar[list[str]] = ["loc", "volume", "log_shape", "orientation"]

    def __init__(
        self,
        loc: ArrayLike,
        volume: ArrayLike,
        log_shape: ArrayLike,
        orientation: ArrayLike,
        *,
        validate_args: bool | None = None,
    ) -> None:
        d = jnp.shape(orientation)[-1]
        shapes = jnp.shape(loc), jnp.shape(log_shape), jnp.shape(orientation)[:-1]
        if any(shape[-1:] != (d,) for shape in shapes):
            raise ValueError(
                "loc, log_shape and orientation must end in (d,), (d,) and (d, d), but their "
                f"shapes are {jnp.shape(loc)}, {jnp.shape(log_shape)} and {jnp.shape(orientation)}"
            )
        self.loc, self.volume = loc, volume
        self.log_shape, self.orientation = log_shape, orientation
        batch = jnp.broadcast_shapes(jnp.shape(volume), *(shape[:-1] for shape in shapes))
        super().__init__(batch, (d,), validate_args=validate_args)

    @property
    def _scales(self) -> jax.Array:
        """(..., d) standard deviations along the axes."""
        return jnp.sqrt(jnp.asarray(self.volume))[..., None] * jnp.exp(self.log_shape / 2)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draws (*sample_shape, ..., d)."""
        along = self._scales * jax.random.normal(key, self.shape(sample_shape))
        return jnp.einsum("...ij,...j->...i", self.orientation, along) + self.loc

    @validate_sample
    def log_prob(self, value: jax.Array) -> jax.Array:
        """The log density (...)."""
        d = self.event_shape[0]
        away = value - self.loc
        along = jnp.einsum("...ij,...i->...j", self.orientation, away, precision="highest")
        squares = ((along / self._scales) ** 2).sum(-1)
        log_det = d * jnp.log(self.volume) + jnp.sum(self.log_shape, -1)
        return -(squares + log_det + d * math.log(2 * math.pi)) / 2

    @property
    def covariance_matrix(self) -> jax.Array:
        """``volume D diag(exp(log_shape)) D'``, (..., d, d)."""
        half = self.orientation * self._scales[..., None, :]
        return jnp.matmul(half, half.mT, precision="highest")

    @property
    def mean(self) -> jax.Array:
        """(..., d)."""
        return jnp.broadcast_to(self.loc, self.shape())

    @property
    def variance(self) -> jax.Array:
        """Of each feature, (..., d)."""
        half = self.orientation * self._scales[..., None, :]
        return jnp.broadcast_to((half**2).sum(-1), self.shape())
