"""Counts that vary more than Poisson ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, vector_or_matrix
from ._catalogue import example
from ._gaps import observe
from ._items import columns
from ._priors import mean_of, positive_prior, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int


@example(
    params={"weights": [0.4, 0.6], "mean": [2.0, 30.0], "concentration": [3.0, 5.0]},
    num_components=2,
    density_rtol=1e-6,
    num_rows=500,
)
@example(
    params={
        "weights": [0.4, 0.6],
        "mean": [[2.0, 20.0], [30.0, 4.0]],
        "concentration": [[3.0, 4.0], [5.0, 2.0]],
    },
    num_components=2,
    density_rtol=1e-6,
    num_rows=500,
    num_features=2,
    again=True,
)
@columns(mean=("x",), concentration=("x",))
def negative_binomial_mixture(
    x: Int[ArrayLike, " n"] | Int[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
    mean_count: float | None = None,
) -> Any:
    r"""A mixture of negative binomial distributions, or of products of them.

    ::

        p(x_n) = sum_k weights_k NegBinomial(x_n | mean_k, concentration_k)             x (n,)
        p(x_n) = sum_k weights_k prod_d NegBinomial(x_nd | mean_kd, concentration_kd)   x (n, d)

    The variance of a component is mean + mean^2 / concentration; where the concentration grows
    without bound it is Poisson, and the fit says so. See Si, Liu, Li and Brutnell (2014),
    "Model-based clustering for RNA-seq data", Bioinformatics 30:197.

    Sites: ``weights`` (k,); ``mean``, ``concentration`` (k,) for x (n,) and (k, d) for x (n, d);
    ``z`` (n,); ``x``.

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default;
    each mean is LogNormal with sigma 2 and mean_count for a median, by default the mean of its
    column of x, or 1 without x; each concentration is LogNormal with median 2 and sigma 2.

    Args:
        x: counts, (n,) or (n, d), NaN where missing, or None to simulate.
        num_components: k.
        num_rows: n, read only without x.
        num_features: d, read only without x: None simulates x (n,).
        weights_concentration: of the Dirichlet prior of the weights.
        mean_count: the size of the counts in the prior of the means.

    Returns:
        x, (n,) or (n, d).

    Raises:
        ValueError: num_components below 1; x of another shape; neither x nor num_rows given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.negative_binomial_mixture, jax.random.key(0))
        >>> simulate(num_components=2, num_rows=5).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, features = vector_or_matrix(x, num_rows, num_features)
    event_rank = len(features)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        size = positive_prior(mean_of(x, features, mean_count=mean_count)).to_event(event_rank)
        mean = numpyro.sample("mean", size)
        prior = positive_prior(2.0).expand(features).to_event(event_rank)
        concentration = numpyro.sample("concentration", prior)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return observe("x", dist.NegativeBinomial2(mean[z], concentration[z]), x, event_rank)
