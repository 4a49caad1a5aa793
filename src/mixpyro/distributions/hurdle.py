"""Counts that are zero by a decision of their own."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.typing import ArrayLike
from numpyro.distributions import constraints
from numpyro.distributions.util import promote_shapes, validate_sample


class HurdlePoisson(dist.Distribution):
    r"""0 with probability ``gate``, else a Poisson count that is not zero.

    ``P(0) = gate`` and ``P(x) = (1 - gate) e^-rate rate^x / (x! (1 - e^-rate))`` for x > 0
    (Mullahy, 1986, "Specification and testing of some modified count data models", Journal of
    Econometrics 33:341). Unlike a zero-inflated count, a zero says nothing of the rate.

    Args:
        gate: (...), between 0 and 1.
        rate: (...), positive: the mean of the Poisson distribution before zeros were left out.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "gate": constraints.unit_interval,
        "rate": constraints.positive,
    }
    support = constraints.nonnegative_integer
    pytree_data_fields = ("gate", "rate")

    def __init__(
        self, gate: ArrayLike, rate: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self.gate, self.rate = promote_shapes(gate, rate)
        batch = jnp.broadcast_shapes(jnp.shape(gate), jnp.shape(rate))
        super().__init__(batch, validate_args=validate_args)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draws (*sample_shape, ...): one event surely, and a Poisson number of later ones."""
        closed, first, later = jax.random.split(key, 3)
        shape = self.shape(sample_shape)
        # When the first event comes, given that it comes within the rate: the inverse of its CDF.
        uniform = jax.random.uniform(first, shape)
        arrival = -jnp.log1p(uniform * jnp.expm1(-self.rate))
        others = jax.random.poisson(later, jnp.maximum(self.rate - arrival, 0.0), shape)
        return jnp.where(jax.random.bernoulli(closed, self.gate, shape), 0, 1 + others)

    @validate_sample
    def log_prob(self, value: jax.Array) -> jax.Array:
        """The log probability (...)."""
        count = jnp.maximum(value, 1)
        truncated = dist.Poisson(self.rate).log_prob(count) - jnp.log(-jnp.expm1(-self.rate))
        return jnp.where(value == 0, jnp.log(self.gate), jnp.log1p(-self.gate) + truncated)

    @property
    def mean(self) -> jax.Array:
        """(...)."""
        return (1 - self.gate) * self.rate / -jnp.expm1(-self.rate)

    @property
    def variance(self) -> jax.Array:
        """(...)."""
        return self.mean * (1 + self.rate) - self.mean**2
