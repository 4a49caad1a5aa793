"""Lifetimes that are followed for a limited time."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from numpyro.distributions import Distribution, Weibull, constraints
from numpyro.distributions.util import promote_shapes, validate_sample


class CensoredWeibull(Distribution):
    r"""min(T, limit) of a Weibull lifetime T: right censored where it reaches the limit.

    A value below ``limit`` has Weibull's density; the limit itself has the probability of living
    that long, ``exp(-(limit / scale)^concentration)`` (Lawless, 2003, *Statistical Models and
    Methods for Lifetime Data*, section 2.2). An infinite limit censors nothing.

    Args:
        scale: (...), positive.
        concentration: (...), positive.
        limit: (...), how long each is followed, positive.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "scale": constraints.positive,
        "concentration": constraints.positive,
        "limit": constraints.positive,
    }
    support = constraints.positive
    reparametrized_params: ClassVar[list[str]] = ["scale", "concentration"]
    pytree_data_fields = ("scale", "concentration", "limit")

    def __init__(
        self,
        scale: ArrayLike,
        concentration: ArrayLike,
        limit: ArrayLike,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self.scale, self.concentration, self.limit = promote_shapes(scale, concentration, limit)
        shapes = map(jnp.shape, (scale, concentration, limit))
        super().__init__(jnp.broadcast_shapes(*shapes), validate_args=validate_args)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draws (*sample_shape, ...)."""
        life = Weibull(self.scale, self.concentration).expand(self.batch_shape)
        return jnp.minimum(life.sample(key, sample_shape), self.limit)

    @validate_sample
    def log_prob(self, value: jax.Array) -> jax.Array:
        """The log density (...) below the limit, the log probability of reaching it there."""
        # In logs: a scale as large as numbers go is a life without end.
        log_ratio = jnp.log(value) - jnp.log(self.scale)
        survival = -jnp.exp(self.concentration * log_ratio)
        log_hazard = jnp.log(self.concentration) + self.concentration * log_ratio - jnp.log(value)
        return survival + jnp.where(value < self.limit, log_hazard, 0.0)
