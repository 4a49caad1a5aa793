"""Items with several categories, and covariates that say which class is likely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, matrix_shape
from ._catalogue import example
from ._designs import check_design, class_logits, example_design
from ._gaps import observe
from ._items import Categories, columns, items, num_categories_of
from ._priors import class_coefficients_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float, Int


@example(
    params={
        "class_coefficients": [[0.3, 1.0]],
        "probs": [
            [[0.8, 0.15, 0.05], [0.75, 0.15, 0.1], [0.1, 0.1, 0.8]],
            [[0.05, 0.1, 0.85], [0.1, 0.1, 0.8], [0.85, 0.1, 0.05]],
        ],
    },
    num_components=2,
    num_categories=3,
    num_features=3,
    covariates=example_design(600, 2),
    again=True,
)
@items("y", probs=("component", "item", "category"))
@columns(class_coefficients=("covariates",))
def latent_class_regression(
    y: Int[ArrayLike, "n d"] | None = None,
    *,
    covariates: Float[ArrayLike, "n p"],
    num_components: int,
    num_categories: int | None = None,
    categories: Categories | None = None,
    num_features: int | None = None,
    probs_concentration: float = 1.0,
) -> Any:
    r"""Latent classes of polytomous items, their probabilities a multinomial logit of covariates.

    With covariates x_n, (p,), and C = num_categories, numbered 0, ..., C - 1::

        p(y_n) = sum_k p(z_n = k) prod_d probs_kdc,    c = y_nd
        p(z_n = k) = exp(x_n . b_k) / sum_l exp(x_n . b_l),    b_1 = 0

    Logits are identified up to a constant only, so that the first class is the reference and the
    ``class_coefficients`` are b_2, ..., b_k: log odds against it. No intercept is added: for one,
    the covariates have a column of ones. See Dayton and Macready (1988), "Concomitant-variable
    latent-class models", JASA 83:173; it is the latent class regression of poLCA (Linzer and
    Lewis, 2011, Journal of Statistical Software 42:10).

    Sites: ``class_coefficients`` (k - 1, p), absent for k = 1; ``probs`` (k, d, C), each row of
    the last axis summing to 1; ``z`` (n,); ``y`` (n, d).

    Priors: the class coefficient of a covariate whose range is R_j ~ Normal(0, 10 / R_j), so that
    one standard deviation moves the log odds by 10 over the whole range, and that of a constant
    column as wide as these lines need to meet 0 (see ``_priors.py``); each row of probs is
    Dirichlet with probs_concentration, uniform by default.

    Args:
        y: categories, (n, d), as they come (see `latent_class`), or None to simulate.
        covariates: (n, p), as they enter the logits: no intercept is added.
        num_components: k.
        num_categories: C; unless given, the largest number of categories of an item.
        categories: their names, ``((item, (category, ...)), ...)``; a fit finds them in the data.
        num_features: d, needed only without y.
        probs_concentration: of the Dirichlet prior of probs.

    Returns:
        y, (n, d).

    Raises:
        ValueError: num_components or num_categories below 1; y or covariates of another shape;
            neither y nor num_features given.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> design = jnp.stack([jnp.ones(5), jnp.arange(5.0)], axis=1)
        >>> simulate = handlers.seed(models.latent_class_regression, jax.random.key(0))
        >>> simulate(covariates=design, num_components=2, num_categories=3, num_features=4).shape
        (5, 4)
    """
    k = check_count("num_components", num_components)
    n, _ = check_design("covariates", covariates, y, num_axes=2)
    _, d = matrix_shape(y, n, num_features, name="y")
    concentration = probs_concentration * jnp.ones(num_categories_of(y, num_categories, categories))

    prior = class_coefficients_prior(covariates, k)
    weights = None if prior is None else numpyro.sample("class_coefficients", prior)
    with numpyro.plate("components", k):
        probs = numpyro.sample("probs", dist.Dirichlet(concentration).expand([d]).to_event(1))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(logits=class_logits(covariates, weights)))
        return observe("y", dist.Categorical(probs[z]), y, 1)
