"""Counts with more zeros than Poisson counts have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ._arguments import vector_rows
from ._catalogue import example
from ._gaps import observe
from ._priors import mean_of

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int


@example(params={"gate": 0.4, "rate": 5.0}, num_rows=500)
def zero_inflated_poisson(
    x: Int[ArrayLike, " n"] | None = None,
    *,
    num_rows: int | None = None,
    gate_concentration: float = 1.0,
    mean_rate: float | None = None,
) -> Any:
    r"""Poisson counts, and rows that are always zero.

    ::

        p(x_n) = gate [x_n = 0] + (1 - gate) Poisson(x_n | rate)

    z_n = 1 marks a structural zero (nobody fished), z_n = 0 a count, which may be zero as well
    (they fished in vain); of a zero, p(z_n = 1 | x_n = 0) is the same for all rows. See Lambert
    (1992), "Zero-inflated Poisson regression, with an application to defects in manufacturing",
    Technometrics 34:1. For covariates there is `zero_inflated_regression`.

    Sites: ``gate`` and ``rate``, scalars; ``z`` (n,), 0 or 1; ``x`` (n,).

    Priors: gate ~ Beta(c, c), c = gate_concentration, uniform by default; rate is Exponential with
    mean mean_rate, by default the mean of x, or 1 without x.

    Args:
        x: counts, (n,), NaN where missing, or None to simulate.
        num_rows: n, read only without x.
        gate_concentration: of the Beta prior of the gate.
        mean_rate: mean of the prior of the rate.

    Returns:
        x, (n,).

    Raises:
        ValueError: x of another shape; neither x nor num_rows given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.zero_inflated_poisson, jax.random.key(0))
        >>> simulate(num_rows=5).shape
        (5,)
    """
    n = vector_rows(x, num_rows)
    gate = numpyro.sample("gate", dist.Beta(gate_concentration, gate_concentration))
    rate = numpyro.sample("rate", dist.Exponential(1 / mean_of(x, (), mean_rate=mean_rate)))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Bernoulli(gate))
        # A Poisson of rate 0 is 0 for certain.
        return observe("x", dist.Poisson(jnp.where(z == 1, 0.0, rate)), x)
