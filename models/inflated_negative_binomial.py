"""Counts that vary more than Poisson ones, with more zeros still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ._arguments import vector_rows
from ._catalogue import example
from ._gaps import observe
from ._priors import mean_of, positive_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int

# The mean of a count that is zero for certain: NumPyro's density at a mean of 0 is no number.
ALWAYS_ZERO = 1e-30


@example(params={"gate": 0.4, "mean": 8.0, "concentration": 4.0}, num_rows=500, density_rtol=1e-6)
def zero_inflated_negative_binomial(
    x: Int[ArrayLike, " n"] | None = None,
    *,
    num_rows: int | None = None,
    gate_concentration: float = 1.0,
    mean_count: float | None = None,
) -> Any:
    r"""Negative binomial counts, and rows that are always zero.

    ::

        p(x_n) = gate [x_n = 0] + (1 - gate) NegativeBinomial2(x_n | mean, concentration)

    The variance of a count that is no structural zero is mean + mean^2 / concentration. z_n = 1
    marks a structural zero. A small concentration makes many zeros too: gate and concentration are
    told apart by the counts beside zero, and rows in the hundreds may not do. See Greene (1994),
    "Accounting for excess zeros and sample selection in Poisson and negative binomial regression
    models", NYU Working Paper EC-94-10.

    Sites: ``gate``, ``mean`` and ``concentration``, scalars; ``z`` (n,), 0 or 1; ``x`` (n,).

    Priors: gate ~ Beta(c, c), c = gate_concentration, uniform by default; mean is LogNormal with
    sigma 2 and mean_count for a median, by default the mean of x, or 1 without x; concentration is
    LogNormal with median 2 and sigma 2.

    Args:
        x: counts, (n,), NaN where missing, or None to simulate.
        num_rows: n, read only without x.
        gate_concentration: of the Beta prior of the gate.
        mean_count: the size of the counts in the prior of the mean.

    Returns:
        x, (n,).

    Raises:
        ValueError: x of another shape; neither x nor num_rows given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.zero_inflated_negative_binomial, jax.random.key(0))
        >>> simulate(num_rows=5).shape
        (5,)
    """
    n = vector_rows(x, num_rows)
    gate = numpyro.sample("gate", dist.Beta(gate_concentration, gate_concentration))
    mean = numpyro.sample("mean", positive_prior(mean_of(x, (), mean_count=mean_count)))
    concentration = numpyro.sample("concentration", positive_prior(2.0))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Bernoulli(gate))
        size = jnp.where(z == 1, ALWAYS_ZERO, mean)
        return observe("x", dist.NegativeBinomial2(size, concentration), x)
