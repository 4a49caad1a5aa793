"""A normal of standard deviation 1."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import distributions as dist
from numpyro.distributions import constraints
from numpyro.distributions.util import validate_sample


class UnitNormal(dist.Distribution):
    """``log f = -(x - loc)^2 / 2 - log(2 pi) / 2``: ``Normal(loc, 1)``, its scale plain to see.

    With it EM need not look at the squares of rows, which count alike in all components. K-means is
    hard EM of these.

    Args:
        loc: the mean; any shape.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"loc": constraints.real}
    support = constraints.real
    pytree_data_fields = ("loc",)
    reparametrized_params: ClassVar[list[str]] = ["loc"]

    def __init__(self, loc: Any = 0.0, *, validate_args: bool | None = None) -> None:
        self.loc = jnp.asarray(loc, jnp.result_type(float, loc))
        super().__init__(jnp.shape(self.loc), validate_args=validate_args)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draws (sample_shape + batch_shape)."""
        shape = sample_shape + self.batch_shape
        return self.loc + jax.random.normal(key, shape, self.loc.dtype)

    @validate_sample
    def log_prob(self, value: jax.Array) -> jax.Array:
        """The log density of each value."""
        return -((value - self.loc) ** 2) / 2 - np.log(2 * np.pi) / 2

    def cdf(self, value: jax.Array) -> jax.Array:
        """P(x <= value)."""
        return jax.scipy.stats.norm.cdf(value - self.loc)

    def icdf(self, q: jax.Array) -> jax.Array:
        """The value that x is below with probability q."""
        return self.loc + jax.scipy.special.ndtri(q)

    @property
    def mean(self) -> jax.Array:
        """``loc``."""
        return jnp.broadcast_to(self.loc, self.batch_shape)

    @property
    def variance(self) -> jax.Array:
        """1."""
        return jnp.ones(self.batch_shape, self.loc.dtype)
