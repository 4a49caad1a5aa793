"""Items with ordered answers, which a class shifts up or down."""

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
        "weights": [0.4, 0.6],
        "loc": [[-2.0, -1.0, -2.5, -1.5], [2.5, 3.0, 2.0, 3.5]],
        "gaps": [[1.5, 1.0], [1.0, 2.0], [1.5, 1.5], [2.0, 1.0]],
    },
    num_components=2,
    num_categories=4,
    num_rows=500,
    num_features=4,
)
@items("x", ordered=True, loc=("component", "item"), gaps=("item", ""))
def ordinal_latent_class(
    x: Int[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    num_categories: int | None = None,
    categories: Categories | None = None,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
) -> Any:
    r"""Latent classes of ordinal items by cumulative logits.

    With C = num_categories, the categories being numbered 0, ..., C - 1 in their order::

        p(x_n) = sum_k weights_k prod_d (F_kd(x_nd) - F_kd(x_nd - 1))
        logit F_kd(c) = cutpoints_dc - loc_kd,    c = 0, ..., C - 2

    The first cutpoint of each item is 0 and the next lie ``gaps`` further, so that loc is the log
    odds of not being in the lowest category. Classes shift an item's answers as a whole, which
    takes k + C - 2 parameters an item where `latent_class` takes k (C - 1): fewer for C > 3, more
    classes, or rare categories. See Agresti and Lang (1993), "Quasi-symmetric latent class models,
    with application to rater agreement", Biometrics 49:131, and McCullagh (1980), "Regression
    models for ordinal data", JRSS-B 42:109.

    Sites: ``weights`` (k,); ``loc`` (k, d); ``gaps`` (d, C - 2), positive, absent for C = 2; ``z``
    (n,); ``x`` (n, d).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default; loc ~
    Normal(0, 5); each gap is LogNormal with median 1 and sigma 1.

    Args:
        x: categories, (n, d), or None to simulate: numbers or ordered pandas categories, with gaps
            (see `latent_class`).
        num_components: k.
        num_categories: C, the same for all items, at least 2; unless given, as found in the data. A
            category that never occurs makes a gap go to 0.
        categories: their names, ``((item, (category, ...)), ...)``; a fit finds them in the data.
        num_rows: n, read only without x.
        num_features: d, needed only without x.
        weights_concentration: of the Dirichlet prior of the weights.

    Returns:
        x, (n, d).

    Raises:
        ValueError: num_components below 1 or num_categories below 2; x of another shape; neither x
            nor its shape given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.ordinal_latent_class, jax.random.key(0))
        >>> simulate(num_components=2, num_categories=4, num_rows=5, num_features=3).shape
        (5, 3)
    """
    k = check_count("num_components", num_components)
    n, d = matrix_shape(x, num_rows, num_features)
    c = num_categories_of(x, num_categories, categories)
    sizes = {name: len(values) for name, values in categories or () if len(values) != c}
    if sizes:
        raise ValueError(
            f"ordinal items need the same number of categories, {c}, but these have others: {sizes}"
        )
    if c < 2:
        raise ValueError("num_categories must be 2 or more, but it is 1; leave such items out")
    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        loc = numpyro.sample("loc", dist.Normal(0.0, 5.0).expand([d]).to_event(1))
    cutpoints = jnp.zeros((d, 1))
    if c > 2:
        gaps = numpyro.sample("gaps", dist.LogNormal(0.0, 1.0).expand([d, c - 2]).to_event(2))
        cutpoints = jnp.concatenate([cutpoints, jnp.cumsum(gaps, axis=-1)], axis=-1)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return observe("x", dist.OrderedLogistic(loc[z], cutpoints), x, 1)
