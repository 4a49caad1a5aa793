"""Documents and communities: counts of categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, count_matrix
from ._catalogue import example
from ._items import columns
from ._priors import weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int


@example(
    params={"weights": [0.4, 0.6], "probs": [[0.6, 0.3, 0.1], [0.15, 0.25, 0.6]]},
    num_components=2,
    total_count=12,
    num_rows=500,
    num_features=3,
)
@columns(probs=("x",))
def multinomial_mixture(
    x: Int[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    total_count: int | Int[ArrayLike, " n"] | None = None,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
    probs_concentration: float = 1.0,
) -> Any:
    r"""A mixture of multinomial distributions: rows of counts of d categories.

    With t_n the sum of row n::

        p(x_n) = sum_k weights_k t_n! prod_d probs_kd^x_nd / x_nd!

    A row is a document and x_nd how often word d stands in it, or a site and the individuals of
    species d: each row is of one class, its total taken as given. See Nigam, McCallum, Thrun and
    Mitchell (2000), "Text classification from labeled and unlabeled documents using EM", Machine
    Learning 39:103. Where rows of one class differ more than multinomial counts do,
    `dirichlet_multinomial_mixture` is the model.

    Sites: ``weights`` (k,); ``probs`` (k, d), each row summing to 1; ``z`` (n,); ``x`` (n, d).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration; each row of probs is
    Dirichlet with probs_concentration. All are uniform by default, with which the posterior mode
    is the ML fit; for many rare words a concentration above 1 keeps their probabilities off 0.

    Args:
        x: counts, (n, d), or None to simulate.
        num_components: k.
        total_count: t, one number or (n,), needed only without x.
        num_rows: n, read only without x.
        num_features: d, needed only without x.
        weights_concentration: of the Dirichlet prior of the weights.
        probs_concentration: of the Dirichlet prior of probs.

    Returns:
        x, (n, d).

    Raises:
        ValueError: num_components below 1; x or total_count of another shape; neither x nor its
            shape and total_count given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.multinomial_mixture, jax.random.key(0))
        >>> simulate(num_components=2, total_count=20, num_rows=5, num_features=3).shape
        (5, 3)
    """
    k = check_count("num_components", num_components)
    n, d, totals = count_matrix(x, total_count, num_rows, num_features)
    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        probs = numpyro.sample("probs", dist.Dirichlet(probs_concentration * jnp.ones(d)))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample("x", dist.Multinomial(totals, probs[z]), obs=x)
