"""Successes of those that had one."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln
from jax.typing import ArrayLike
from numpyro.distributions import Binomial, Distribution, constraints
from numpyro.distributions.util import promote_shapes, validate_sample


class PositiveBinomial(Distribution):
    r"""A binomial count that is not zero: ``Binomial(x | t, p) / (1 - (1 - p)^t)`` for x >= 1.

    The number of times an animal was caught, of those caught at all (Johnson, Kemp and Kotz, 2005,
    *Univariate Discrete Distributions*, section 3.11).

    Args:
        probs: (...), strictly between 0 and 1.
        total_count: (...), t, at least 1.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "probs": constraints.unit_interval,
        "total_count": constraints.positive_integer,
    }
    pytree_data_fields = ("probs", "total_count")

    def __init__(
        self, probs: ArrayLike, total_count: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self.probs, self.total_count = promote_shapes(probs, total_count)
        batch = jnp.broadcast_shapes(jnp.shape(probs), jnp.shape(total_count))
        super().__init__(batch, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> constraints.Constraint:
        """1 to t."""
        return constraints.integer_interval(1, self.total_count)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draws (*sample_shape, ...): when the first success comes, and how many come later."""
        first, later = jax.random.split(key)
        shape = self.shape(sample_shape)
        log_miss = jnp.log1p(-self.probs)
        missed = -jnp.expm1(self.total_count * log_miss) * jax.random.uniform(first, shape)
        trial = jnp.floor(jnp.log1p(-missed) / log_miss)  # from 0
        trial = jnp.clip(trial, 0, self.total_count - 1)
        left = self.total_count - 1 - trial
        probs = jnp.broadcast_to(self.probs, shape)
        return 1 + Binomial(left.astype(int), probs).sample(later).astype(int)

    @validate_sample
    def log_prob(self, value: jax.Array) -> jax.Array:
        """The log probability (...)."""
        t = self.total_count
        log_miss = jnp.log1p(-self.probs)
        ways = gammaln(t + 1.0) - gammaln(value + 1.0) - gammaln(t - value + 1.0)
        likely = value * jnp.log(self.probs) + (t - value) * log_miss
        return ways + likely - jnp.log(-jnp.expm1(t * log_miss))
