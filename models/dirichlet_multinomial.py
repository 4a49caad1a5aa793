"""Documents and communities whose make-up varies within a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, count_matrix
from ._catalogue import example
from ._items import columns
from ._priors import positive_prior, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int


@example(
    params={"weights": [0.4, 0.6], "concentration": [[6.0, 3.0, 1.0], [1.0, 2.0, 5.0]]},
    num_components=2,
    total_count=40,
    num_rows=500,
    num_features=3,
)
@columns(concentration=("x",))
def dirichlet_multinomial_mixture(
    x: Int[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    total_count: int | Int[ArrayLike, " n"] | None = None,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
) -> Any:
    r"""A mixture of Dirichlet multinomial distributions: rows of counts of d categories.

    With t_n the sum of row n, a_k = concentration_k and A_k its sum::

        p(x_n) = sum_k weights_k B_n(t_n, A_k) prod_d Gamma(x_nd + a_kd) / Gamma(a_kd) x_nd!
        B_n(t, A) = t! Gamma(A) / Gamma(t + A)

    Each row draws its own probabilities from the Dirichlet of its class, and its counts from
    them. a_k / A_k are the mean probabilities; 1 / (1 + A_k) says how much rows of one class
    differ. See Holmes, Harris and Quince (2012), "Dirichlet multinomial mixtures: generative
    models for microbial metagenomics", PLoS ONE 7:e30126.

    Sites: ``weights`` (k,); ``concentration`` (k, d); ``z`` (n,); ``x`` (n, d).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default; every
    concentration is LogNormal with median 2 and sigma 2.

    Args:
        x: counts, (n, d), or None to simulate.
        num_components: k.
        total_count: t, one number or (n,), needed only without x.
        num_rows: n, read only without x.
        num_features: d, needed only without x.
        weights_concentration: of the Dirichlet prior of the weights.

    Returns:
        x, (n, d).

    Raises:
        ValueError: num_components below 1; x or total_count of another shape; neither x nor its
            shape and total_count given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.dirichlet_multinomial_mixture, jax.random.key(0))
        >>> simulate(num_components=2, total_count=20, num_rows=5, num_features=3).shape
        (5, 3)
    """
    k = check_count("num_components", num_components)
    n, d, totals = count_matrix(x, total_count, num_rows, num_features)
    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        prior = positive_prior(2.0).expand([d]).to_event(1)
        concentration = numpyro.sample("concentration", prior)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample("x", dist.DirichletMultinomial(concentration[z], totals), obs=x)
