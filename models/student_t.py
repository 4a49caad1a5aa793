"""Clusters with heavy tails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, vector_or_matrix
from ._catalogue import example
from ._items import columns
from ._priors import RELATIVE_VARIANCE, center_and_spread, scale_prior, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float


@example(
    params={"weights": [0.4, 0.6], "df": [4.0, 6.0], "loc": [-6.0, 6.0], "scale": [1.0, 1.5]},
    num_components=2,
    num_rows=500,
)
@example(
    params={
        "weights": [0.4, 0.6],
        "df": [3.0, 6.0],
        "loc": [[-4.0, 0.0], [4.0, 2.0]],
        "scale_tril": [[[1.0, 0.0], [0.6, 0.8]], [[1.2, 0.0], [-0.4, 0.6]]],
    },
    num_components=2,
    num_rows=500,
    num_features=2,
    again=True,
)
@columns(loc=("x",), scale_tril=("x", "x"))
def student_t_mixture(
    x: Float[ArrayLike, " n"] | Float[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
    center: float | Float[ArrayLike, " d"] | None = None,
    spread: float | Float[ArrayLike, " d"] | None = None,
) -> Any:
    r"""A mixture of Student t distributions, of one or of several dimensions.

    ::

        p(x_n) = sum_k weights_k StudentT(x_n | df_k, loc_k, scale_k)        x (n,)
        p(x_n) = sum_k weights_k StudentT(x_n | df_k, loc_k, L_k L_k^T)      x (n, d)

    with L_k the lower triangular ``scale_tril``. The covariance matrix is df / (df - 2) L L^T, for
    df > 2. Rows in the tails weigh less than in a normal mixture, so that outliers neither widen a
    component nor make one of their own. As df grows the component becomes normal, and a fit says
    so. See Peel and McLachlan (2000), "Robust mixture modelling using the t distribution",
    Statistics and Computing 10:339.

    Sites: ``weights`` (k,); ``df`` (k,); for x (n,) ``loc``, ``scale`` (k,); for x (n, d) ``loc``
    (k, d), ``scale_tril`` (k, d, d); ``z`` (n,); ``x``.

    Priors, with m and R the midrange and range of each column of x: weights ~ Dirichlet(c, ...,
    c), c = weights_concentration, uniform by default; df ~ Gamma(2, 0.1) (Juarez and Steel, 2010,
    Journal of Business & Economic Statistics 28:52); loc ~ Normal(m, R); scale ~ LogNormal with
    median sqrt(0.02) R and sigma 1; L L^T ~ InverseWishart(d + 3, 0.04 diag(R^2)). Without x,
    m = 0 and R = 1. Give center and spread where x is a part of the data only.

    Args:
        x: data, (n,) with NaN where missing or (n, d) without, or None to simulate.
        num_components: k.
        num_rows: n, read only without x.
        num_features: d, read only without x: None simulates x (n,).
        weights_concentration: of the Dirichlet prior of the weights.
        center: m in the priors, one number or (d,).
        spread: R in the priors, one number or (d,), positive.

    Returns:
        x, (n,) or (n, d).

    Raises:
        ValueError: num_components below 1; x of another shape; neither x nor num_rows given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.student_t_mixture, jax.random.key(0))
        >>> simulate(num_components=2, num_rows=5).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, features = vector_or_matrix(x, num_rows, num_features)
    columns = None if x is None else jnp.reshape(jnp.asarray(x), (n, -1))
    middle, extent = center_and_spread(columns, features[0] if features else 1, center, spread)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    if features:
        with numpyro.plate("components", k):
            df = numpyro.sample("df", dist.Gamma(2.0, 0.1))
            loc = numpyro.sample("loc", dist.Normal(middle, extent).to_event(1))
            size = jnp.sqrt(2 * RELATIVE_VARIANCE) * jnp.diag(extent)
            prior = dist.InverseWishartCholesky(features[0] + 3.0, scale_tril=size)
            scale = numpyro.sample("scale_tril", prior)
        kind = dist.MultivariateStudentT
    else:
        with numpyro.plate("components", k):
            df = numpyro.sample("df", dist.Gamma(2.0, 0.1))
            loc = numpyro.sample("loc", dist.Normal(middle[0], extent[0]))
            scale = numpyro.sample("scale", scale_prior(extent[0]))
        kind = dist.StudentT
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample("x", kind(df[z], loc[z], scale[z]), obs=x)
