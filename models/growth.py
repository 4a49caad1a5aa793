"""Curves of people, of whom some take another course."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, check_group
from ._catalogue import example
from ._designs import check_design, check_offset, example_design, linear_predictor
from ._items import Categories, Vector, columns, count_of, labels
from ._priors import center_and_spread, coefficient_prior, scale_prior, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float, Int


@example(
    params={
        "weights": [0.4, 0.6],
        "coefficients": [[0.0, 1.0], [2.0, -0.5]],
        "scale": [1.0, 1.5],
    },
    num_components=2,
    num_groups=100,
    group=np.arange(500) % 100,
    covariates=example_design(500, 2),
)
@labels(lambda given: [Vector("group", "group", given=given.get("num_groups"), units=True)])
@columns(coefficients=("covariates",))
def growth_mixture(
    y: Float[ArrayLike, " n"] | None = None,
    *,
    covariates: Float[ArrayLike, "n p"],
    group: Int[ArrayLike, " n"],
    num_groups: int | None = None,
    categories: Categories | None = None,
    num_components: int,
    offset: float | Float[ArrayLike, " n"] = 0.0,
    weights_concentration: float = 1.0,
    center: float | None = None,
    spread: float | None = None,
) -> Any:
    r"""Latent classes of people by the curves of their repeated measurements.

    One row is one measurement, of person ``group_n``, whose class is that of all their rows. With
    z_i the class of person i and covariates x_n, (p,), powers of time say::

        p(y_i) = sum_k weights_k prod_{n of i} Normal(y_n | mu_nk, scale_k)
        mu_nk = offset_n + x_n . coefficients_k

    People may be measured at different times and differently often. Within a class they differ by
    independent errors only: if they have levels and slopes of their own, more classes will be
    found than there are. No intercept is added: for one, the covariates have a column of ones. See
    Nagin (1999), "Analyzing developmental trajectories: a semiparametric, group-based approach",
    Psychological Methods 4:139, and for repeated measures in general DeSarbo and Cron (1988),
    Journal of Classification 5:249.

    Sites: ``weights`` (k,); ``coefficients`` (k, p); ``scale`` (k,); ``z`` (num_groups,) in the
    plate "groups"; ``y`` (n,).

    Priors: those of `linear_regression_mixture`.

    Args:
        y: measurements, (n,), NaN where missing, or None to simulate.
        covariates: (n, p), as they enter the curves: no intercept is added.
        group: the person of each row, (n,), integers from 0 to num_groups - 1, in any order;
            `mixpyro.em` takes names and other numbers too.
        num_groups: how many people there are; a fit finds it in the data.
        categories: the names of the people; a fit finds them.
        num_components: k.
        offset: a known part of the mean, one number or (n,).
        weights_concentration: of the Dirichlet prior of the weights.
        center: m in the priors.
        spread: R in the priors, positive.

    Returns:
        y, (n,).

    Raises:
        ValueError: num_components or num_groups below 1; y, covariates, group or offset of
            another shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> design = jnp.stack([jnp.ones(6), jnp.arange(6.0)], axis=1)
        >>> person = jnp.array([0, 0, 1, 1, 2, 2])
        >>> simulate = handlers.seed(models.growth_mixture, jax.random.key(0))
        >>> simulate(covariates=design, group=person, num_groups=3, num_components=2).shape
        (6,)
    """
    k = check_count("num_components", num_components)
    n, _ = check_design("covariates", covariates, y)
    num_groups = count_of("num_groups", num_groups, "group", categories)
    groups = check_group("group", group, n, "num_groups", num_groups)
    check_offset(offset, n)
    column = None if y is None else jnp.reshape(jnp.asarray(y) - offset, (n, 1))
    middle, extent = center_and_spread(column, 1, center, spread)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        prior = coefficient_prior(covariates, middle[0], extent[0])
        coefficients = numpyro.sample("coefficients", prior)
        scale = numpyro.sample("scale", scale_prior(extent[0]))
    with numpyro.plate("groups", groups):
        z = numpyro.sample("z", dist.Categorical(weights))
    with numpyro.plate("rows", n):
        own = z[jnp.asarray(group)]
        mean = offset + linear_predictor(covariates, coefficients[own])
        return numpyro.sample("y", dist.Normal(mean, scale[own]), obs=y)
