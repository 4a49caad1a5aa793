"""Items with several categories, independent within a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, matrix_shape
from ._catalogue import example
from ._gaps import observe
from ._items import Categories, items, num_categories_of
from ._priors import weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int


@example(
    params={
        "weights": [0.6, 0.4],
        "probs": [
            [[0.8, 0.15, 0.05], [0.75, 0.15, 0.1], [0.1, 0.1, 0.8]],
            [[0.05, 0.1, 0.85], [0.1, 0.1, 0.8], [0.85, 0.1, 0.05]],
        ],
    },
    num_components=2,
    num_categories=3,
    num_rows=600,
    num_features=3,
)
@items("x", probs=("component", "item", "category"))
def latent_class(
    x: Int[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    num_categories: int | None = None,
    categories: Categories | None = None,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
    probs_concentration: float = 1.0,
) -> Any:
    r"""Latent class analysis of polytomous items.

    With C = num_categories, the categories being numbered 0, ..., C - 1::

        p(x_n) = sum_k weights_k prod_d probs_kdc,    c = x_nd

    See Goodman (1974), "Exploratory latent structure analysis using both identifiable and
    unidentifiable models", Biometrika 61:215. Items may differ in their categories: an item
    with fewer than C has probability 0 for the others, which are no parameters of a fit. (Samplers
    know only the prior there, and give them a share as for one or two rows more.)

    Sites: ``weights`` (k,); ``probs`` (k, d, C), each row of the last axis summing to 1; ``z``
    (n,); ``x`` (n, d).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration; each row of probs is
    Dirichlet with probs_concentration. All are uniform by default, with which the posterior mode
    is the ML fit.

    Args:
        x: categories, (n, d), or None to simulate. `mixpyro.em` takes frames and arrays as they
            come: text, pandas categories, numbers, with gaps (None, NaN, NA), which are left out of
            the row's likelihood. Called by itself, the model takes integers from 0, or floats with
            NaN for a gap.
        num_components: k.
        num_categories: C; unless given, the largest number of categories of an item.
        categories: their names, ``((item, (category, ...)), ...)``; a fit finds them in the data.
        num_rows: n, read only without x.
        num_features: d, needed only without x.
        weights_concentration: of the Dirichlet prior of the weights.
        probs_concentration: of the Dirichlet prior of probs.

    Returns:
        x, (n, d).

    Raises:
        ValueError: num_components or num_categories below 1; x of another shape; neither x nor its
            shape given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.latent_class, jax.random.key(0))
        >>> simulate(num_components=2, num_categories=4, num_rows=5, num_features=3).shape
        (5, 3)
    """
    k = check_count("num_components", num_components)
    n, d = matrix_shape(x, num_rows, num_features)
    concentration = probs_concentration * jnp.ones(num_categories_of(x, num_categories, categories))
    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        probs = numpyro.sample("probs", dist.Dirichlet(concentration).expand([d]).to_event(1))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return observe("x", dist.Categorical(probs[z]), x, 1)
