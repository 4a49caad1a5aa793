"""Clusters in many dimensions whose columns hang together by few factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, matrix_shape
from ._catalogue import example
from ._items import columns
from ._priors import RELATIVE_VARIANCE, center_and_spread, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float


@example(
    params={
        "weights": [0.4, 0.6],
        "loc": [[0.0, 0.0, 0.0, 0.0], [4.0, 4.0, -4.0, 2.0]],
        "lead": [[1.5], [1.0]],
        "loadings": [[1.0, -1.0, 0.5], [0.8, 1.2, 1.0]],
        "noise": [[0.5, 0.4, 0.6, 0.5], [0.8, 0.5, 0.5, 0.7]],
    },
    num_components=2,
    num_factors=1,
    num_rows=500,
    num_features=4,
)
@columns(loc=("x",), noise=("x",))
def factor_analysers(
    x: Float[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    num_factors: int,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
    center: float | Float[ArrayLike, " d"] | None = None,
    spread: float | Float[ArrayLike, " d"] | None = None,
) -> Any:
    r"""A mixture of factor analysers: normal clusters with q = num_factors common factors each.

    ::

        p(x_n) = sum_k weights_k Normal(x_n | loc_k, L_k L_k^T + diag(noise_k))

    L_k is (d, q). Its factors can be turned without changing anything, which is settled by a lower
    triangle with a positive diagonal: ``lead`` is that diagonal and ``loadings`` what lies below
    it, row by row. A cluster has d (q + 2) parameters or fewer, where a full covariance matrix has
    d (d + 3) / 2. A noise may go to 0 in a fit, as in factor analysis (a Heywood case). See
    Ghahramani and Hinton (1997), "The EM algorithm for mixtures of factor analyzers", technical
    report CRG-TR-96-1, Toronto, and for the triangle Geweke and Zhou (1996), "Measuring the pricing
    error of the arbitrage pricing theory", Review of Financial Studies 9:557.

    Sites: ``weights`` (k,); ``loc`` (k, d); ``lead`` (k, q), positive; ``loadings`` (k, m) with m
    = d q - q (q + 1) / 2; ``noise`` (k, d), positive variances; ``z`` (n,); ``x`` (n, d).

    Priors, with m and R the midrange and range of each column of x: weights ~ Dirichlet(c, ...,
    c), c = weights_concentration, uniform by default; loc ~ Normal(m, R); loadings ~ Normal(0,
    sqrt(0.02) R) of their row, lead ~ HalfNormal of the same; noise is LogNormal with median
    0.02 R^2 and sigma 2. Without x, m = 0 and R = 1.

    Args:
        x: data, (n, d), or None to simulate.
        num_components: k.
        num_factors: q, at least 1 and below d.
        num_rows: n, read only without x.
        num_features: d, needed only without x.
        weights_concentration: of the Dirichlet prior of the weights.
        center: m in the priors, one number or (d,).
        spread: R in the priors, one number or (d,), positive.

    Returns:
        x, (n, d).

    Raises:
        ValueError: num_components below 1; num_factors below 1 or not below d; x of another shape;
            neither x nor its shape given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.factor_analysers, jax.random.key(0))
        >>> simulate(num_components=2, num_factors=2, num_rows=5, num_features=6).shape
        (5, 6)
    """
    k = check_count("num_components", num_components)
    n, d = matrix_shape(x, num_rows, num_features)
    q = check_count("num_factors", num_factors)
    if q >= d:
        raise ValueError(f"num_factors is {q}, but x has {d} columns; give fewer factors")
    middle, extent = center_and_spread(x, d, center, spread)
    size = jnp.sqrt(RELATIVE_VARIANCE) * extent
    rows, columns = np.tril_indices(d, -1, q)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        loc = numpyro.sample("loc", dist.Normal(middle, extent).to_event(1))
        lead = numpyro.sample("lead", dist.HalfNormal(size[:q]).to_event(1))
        loadings = numpyro.sample("loadings", dist.Normal(0.0, size[rows]).to_event(1))
        noise = numpyro.sample("noise", dist.LogNormal(2 * jnp.log(size), 2.0).to_event(1))
    factors = jnp.zeros((k, d, q)).at[:, np.arange(q), np.arange(q)].set(lead)
    factors = factors.at[:, rows, columns].set(loadings)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        normal = dist.LowRankMultivariateNormal(loc[z], factors[z], noise[z])
        return numpyro.sample("x", normal, obs=x)
