"""A normal, or where a flag says so, uniform noise: the background of a contaminated mixture."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.typing import ArrayLike
from numpyro.distributions import constraints
from numpyro.distributions.util import validate_sample

from .eigen import EigenNormal


class OrUniform(dist.Distribution):
    """``base`` where ``uniform`` is False; where it is True, uniform on a box.

    With ``uniform=(z == k)`` the last class of a mixture is Poisson noise in the sense of Banfield
    & Raftery (1993, "Model-based Gaussian and non-Gaussian clustering", Biometrics 49:803): rows
    that belong to no cluster, spread evenly over the region of the data. A value outside the box
    has density 0 there. Use `or_uniform`, which picks the class for its base.

    Args:
        base: the distribution otherwise, of batch shape (...) and event shape (d,) or ().
        uniform: (...), boolean.
        low: lower edges of the box, (..., d) or one number; (...) where an event is a number.
        high: upper edges, above the lower ones. EM takes one box: that of the uniform classes.

    Raises:
        ValueError: another type of base than the class is for.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    pytree_data_fields = ("base_dist", "uniform", "low", "high")
    of: ClassVar[type[dist.Distribution]] = dist.Distribution

    def __init__(
        self,
        base: dist.Distribution,
        uniform: ArrayLike,
        low: ArrayLike,
        high: ArrayLike,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if type(base) is not self.of:
            raise ValueError(
                f"{type(self).__name__} needs a {self.of.__name__} as its base, not a "
                f"{type(base).__name__}"
            )
        event = base.event_shape
        edges = jnp.broadcast_shapes(jnp.shape(low), jnp.shape(high), event)
        self.base_dist, self.uniform = base, jnp.asarray(uniform, bool)
        self.low, self.high = jnp.broadcast_to(low, edges), jnp.broadcast_to(high, edges)
        batch = edges[: len(edges) - len(event)]
        batch = jnp.broadcast_shapes(jnp.shape(uniform), base.batch_shape, batch)
        super().__init__(batch, event, validate_args=validate_args)

    @property
    def support(self) -> constraints.Constraint:
        """That of the base, of which the box is a part."""
        support: constraints.Constraint = self.base_dist.support
        return support

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draws (*sample_shape, ..., d)."""
        own, noise = jax.random.split(key)
        shape = self.shape(sample_shape)
        drawn = self.base_dist.expand(self.batch_shape).sample(own, sample_shape)
        scattered = self.low + (self.high - self.low) * jax.random.uniform(noise, shape)
        return jnp.where(self._wide(self.uniform), scattered, drawn)

    @validate_sample
    def log_prob(self, value: jax.Array) -> jax.Array:
        """The log density (...)."""
        axes = tuple(range(-len(self.event_shape), 0))
        inside = ((value >= self.low) & (value <= self.high)).all(axes)
        noise = jnp.where(inside, -jnp.log(self.high - self.low).sum(axes), -jnp.inf)
        return jnp.where(self.uniform, noise, self.base_dist.log_prob(value))

    @property
    def mean(self) -> jax.Array:
        """(..., d)."""
        return self._either(self.low + (self.high - self.low) / 2, self.base_dist.mean)

    @property
    def variance(self) -> jax.Array:
        """(..., d)."""
        return self._either((self.high - self.low) ** 2 / 12, self.base_dist.variance)

    def _wide(self, flag: jax.Array) -> jax.Array:
        return flag.reshape(flag.shape + (1,) * len(self.event_shape))

    def _either(self, noise: jax.Array, otherwise: ArrayLike) -> jax.Array:
        return jnp.broadcast_to(jnp.where(self._wide(self.uniform), noise, otherwise), self.shape())


class NormalOrUniform(OrUniform):
    """`OrUniform` of a Normal: numbers, or the independent entries of a vector."""

    of = dist.Normal


class MultivariateNormalOrUniform(OrUniform):
    """`OrUniform` of a MultivariateNormal."""

    of = dist.MultivariateNormal


class EigenNormalOrUniform(OrUniform):
    """`OrUniform` of an `EigenNormal`."""

    of = EigenNormal


_CLASSES: dict[type, type[OrUniform]] = {
    kind.of: kind for kind in (NormalOrUniform, MultivariateNormalOrUniform, EigenNormalOrUniform)
}


def or_uniform(
    base: dist.Distribution, uniform: ArrayLike, low: ArrayLike, high: ArrayLike
) -> dist.Distribution:
    """`OrUniform` for a Normal, MultivariateNormal or EigenNormal, also one with ``to_event``.

    Raises:
        ValueError: a base of another type.
    """
    if isinstance(base, dist.Independent):
        uniform = jnp.asarray(uniform)
        rank = base.reinterpreted_batch_ndims
        uniform = uniform.reshape(uniform.shape + (1,) * rank)
        return or_uniform(base.base_dist, uniform, low, high).to_event(rank)
    if isinstance(base, dist.ExpandedDistribution):
        return or_uniform(base.base_dist, uniform, low, high).expand(base.batch_shape)
    if type(base) not in _CLASSES:
        names = ", ".join(kind.__name__ for kind in _CLASSES)
        raise ValueError(f"no uniform noise beside a {type(base).__name__}; base is one of {names}")
    return _CLASSES[type(base)](base, uniform, low, high)
