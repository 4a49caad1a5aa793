"""Counts of successes out of a known number of trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, check_per_row, vector_rows
from ._catalogue import example
from ._gaps import observe
from ._priors import weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int


@example(
    params={"weights": [0.3, 0.4, 0.3], "probs": [0.1, 0.5, 0.9]},
    num_components=3,
    total_count=20,
    num_rows=500,
)
@example(
    params={"weights": [0.35, 0.65], "probs": [0.2, 0.7]},
    num_components=2,
    total_count=np.resize([10, 20, 30], 400),
    num_rows=400,
)
def binomial_mixture(
    x: Int[ArrayLike, " n"] | None = None,
    *,
    num_components: int,
    total_count: int | Int[ArrayLike, " n"],
    num_rows: int | None = None,
    weights_concentration: float = 1.0,
    probs_concentration: tuple[float, float] = (1.0, 1.0),
) -> Any:
    r"""A mixture of binomial distributions.

    ::

        p(x_n) = sum_k weights_k Binomial(x_n | total_count_n, probs_k)

    It is identified only if k components have 2k - 1 trials or more (Blischke, 1964, "Estimating
    the parameters of mixtures of binomial distributions", JASA 59:510).

    Sites: ``weights`` (k,); ``probs`` (k,); ``z`` (n,); ``x`` (n,).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration; each of probs ~
    Beta(*probs_concentration). All are uniform by default, with which the posterior mode is the ML
    fit.

    Args:
        x: numbers of successes, (n,), NaN where missing, or None to simulate.
        num_components: k.
        total_count: trials, one number for all rows or (n,).
        num_rows: n, read only without x.
        weights_concentration: of the Dirichlet prior of the weights.
        probs_concentration: of the Beta prior of probs, (success, failure).

    Returns:
        x, (n,).

    Raises:
        ValueError: num_components below 1; x or total_count of another shape; neither x nor
            num_rows given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.binomial_mixture, jax.random.key(0))
        >>> simulate(num_components=2, total_count=20, num_rows=5).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n = vector_rows(x, num_rows)
    check_per_row("total_count", total_count, n)
    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        probs = numpyro.sample("probs", dist.Beta(*probs_concentration))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return observe("x", dist.Binomial(total_count, probs[z]), x)
