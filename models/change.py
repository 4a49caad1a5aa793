"""A series that changes once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ._arguments import vector_rows
from ._catalogue import example
from ._priors import mean_of

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int


@example(params={"rate": [2.0, 8.0]}, num_rows=60, every_class=False, one_unit=True)
def changepoint(
    x: Int[ArrayLike, " n"] | None = None,
    *,
    num_rows: int | None = None,
    mean_rate: float | None = None,
) -> Any:
    r"""A series of Poisson counts whose rate changes once, nobody knows when.

    There is one z for the whole series, uniform on 0, ..., n - 2: the last time before the
    change. ::

        p(x) = sum_{z=0}^{n-2} 1 / (n - 1) prod_{t<=z} Poisson(x_t | rate_0)
               prod_{t>z} Poisson(x_t | rate_1)

    The responsibilities of a fit are how probable each time is, given the rates. All rows hang
    together, so that the number of rows is no measure of how much was seen of z: standard errors
    of the rates count what is not known of the change. See Raftery and Akman (1986), "Bayesian
    analysis of a Poisson process with a change-point", Biometrika 73:85.

    Sites: ``rate`` (2,), before and after; ``z`` (1,) in the plate "series"; ``x`` (n,).

    Priors: each rate is Exponential with mean mean_rate, by default the mean of x, or 1 without x.

    Args:
        x: counts in their order, (n,), or None to simulate.
        num_rows: n, read only without x.
        mean_rate: mean of the prior of the rates.

    Returns:
        x, (n,).

    Raises:
        ValueError: x of another shape, or with one row; neither x nor num_rows given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.changepoint, jax.random.key(0))
        >>> simulate(num_rows=9).shape
        (9,)
    """
    n = vector_rows(x, num_rows)
    if n < 2:
        raise ValueError(f"x has {n} rows, but a change needs at least 2; give a longer series")
    prior = dist.Exponential(1 / mean_of(x, (), mean_rate=mean_rate)).expand([2]).to_event(1)
    rate = numpyro.sample("rate", prior)
    with numpyro.plate("series", 1):
        z = numpyro.sample("z", dist.Categorical(logits=jnp.zeros(n - 1)))
    with numpyro.plate("rows", n):
        later = (jnp.arange(n) > z).astype(int)
        return numpyro.sample("x", dist.Poisson(rate[later]), obs=x)
