"""Wildlife that is there or not, and seen or not, and how much of it there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array

from ._arguments import check_count
from ._catalogue import example
from ._designs import check_visits, example_design, example_visits, linear_predictor
from ._gaps import observe
from ._items import Categories, columns, items
from ._priors import coefficient_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Bool, Float, Int

# The logit of what never happens. Minus infinity has no derivative.
NEVER = -70.0
_COVARIATES: dict[str, Any] = {
    "covariates": example_design(500, 2),
    "detection_covariates": example_visits(500, 4, 2),
}


@example(
    params={"coefficients": [0.5, 1.0], "detection_coefficients": [1.0, 0.5]},
    **_COVARIATES,
)
@columns(coefficients=("covariates",))
@items("y", ordered=True, binary=True)
def occupancy(
    y: Int[ArrayLike, "n t"] | None = None,
    *,
    covariates: Float[ArrayLike, "n p"],
    detection_covariates: Float[ArrayLike, "n t q"],
    visited: Bool[ArrayLike, "n t"] | None = None,
    categories: Categories | None = None,
) -> Any:
    r"""Site occupancy where a species that is there may go unseen.

    Site n, visited t times, has covariates x_n, (p,), and v_nj, (q,), at visit j::

        p(y_n) = psi_n prod_j d_nj^y_nj (1 - d_nj)^(1 - y_nj) + (1 - psi_n) [y_n = 0]
        logit psi_n = x_n . coefficients
        logit d_nj = v_nj . detection_coefficients

    z_n = 1 where the species is there; its responsibility is 1 wherever it was seen. No intercept
    is added: for one, both covariates have a column of ones. A site must not change between its
    visits, nobody sees what is not there, and at least two visits are needed. See MacKenzie,
    Nichols, Lachman, Droege, Royle and Langtimm (2002), "Estimating site occupancy rates when
    detection probabilities are less than one", Ecology 83:2248.

    Sites: ``coefficients`` (p,); ``detection_coefficients`` (q,); ``z`` (n,), 0 or 1; ``y``
    (n, t).

    Priors: the coefficient of a covariate whose range is R_j ~ Normal(0, 10 / R_j), so that one
    standard deviation moves the logit by 10 over the whole range, and that of a constant column
    as wide as these lines need to meet 0 (see ``_priors.py``).

    Args:
        y: 1 where the species was seen, 0 where not, (n, t), or None to simulate; NaN, None or NA
            where a visit did not take place. `mixpyro.em` takes booleans and ordered categories.
        covariates: (n, p), as they enter the occupancy: no intercept is added.
        detection_covariates: (n, t, q), as they enter the detection; a column of ones alone is one
            probability for all visits.
        visited: (n, t), False where a visit did not take place; y is not read there.
        categories: the names of the visits and of what was seen; a fit finds them in the data.

    Returns:
        y, (n, t).

    Raises:
        ValueError: y, covariates or visited of another shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.occupancy, jax.random.key(0))
        >>> ones = jnp.ones((5, 3, 1))
        >>> simulate(covariates=ones[:, 0], detection_covariates=ones).shape
        (5, 3)
    """
    n, t, q = check_visits(covariates, detection_covariates, y, visited)
    there = numpyro.sample("coefficients", coefficient_prior(covariates))
    flat = jnp.reshape(jnp.asarray(detection_covariates), (n * t, q))
    seen = numpyro.sample("detection_coefficients", coefficient_prior(flat))
    with numpyro.plate("rows", n):
        logits = linear_predictor(covariates, there)
        z = numpyro.sample("z", dist.Bernoulli(logits=logits))
        detection = linear_predictor(detection_covariates, seen)
        detection = jnp.where(z[..., None] == 1, detection, NEVER)
        return _of_visits(dist.Bernoulli(logits=detection), y, visited)


@example(
    params={"coefficients": [0.6, 0.4], "detection_coefficients": [1.5, 0.5]},
    max_count=12,
    every_class=False,
    **_COVARIATES,
)
@columns(coefficients=("covariates",))
def n_mixture(
    y: Int[ArrayLike, "n t"] | None = None,
    *,
    covariates: Float[ArrayLike, "n p"],
    detection_covariates: Float[ArrayLike, "n t q"],
    max_count: int,
    visited: Bool[ArrayLike, "n t"] | None = None,
) -> Any:
    r"""Abundance at sites from repeated counts that miss individuals.

    At site n, with covariates x_n, (p,), there are z_n individuals, and visit j, with covariates
    v_nj, (q,), counts each of them with probability d_nj. With C = max_count::

        p(y_n) = sum_{z=0}^C Poisson(z | mu_n) / S_n prod_j Binomial(y_nj | z, d_nj)
        log mu_n = x_n . coefficients
        logit d_nj = v_nj . detection_coefficients

    where S_n is the sum of the Poisson probabilities up to C. Choose C so large that a larger one
    changes nothing; where no C is large enough, abundance and detection are not told apart
    (Dennis, Morgan and Ridout, 2015, Biometrics 71:237). No intercept is added: for one, both
    covariates have a column of ones. See Royle (2004), "N-mixture models for estimating population
    size from spatially replicated counts", Biometrics 60:108.

    Sites: ``coefficients`` (p,); ``detection_coefficients`` (q,); ``z`` (n,), 0 to C; ``y`` (n, t).

    Priors: the coefficient of a covariate whose range is R_j ~ Normal(0, 10 / R_j), so that one
    standard deviation moves the log mean or the logit by 10 over the whole range, and that of a
    constant column as wide as these lines need to meet 0 (see ``_priors.py``).

    Args:
        y: counts, (n, t), or None to simulate; NaN where a visit did not take place.
        covariates: (n, p), as they enter the abundance: no intercept is added.
        detection_covariates: (n, t, q), as they enter the detection.
        max_count: C, at least the largest count.
        visited: (n, t), False where a visit did not take place; y is not read there.

    Returns:
        y, (n, t).

    Raises:
        ValueError: max_count below 1; y, covariates or visited of another shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.n_mixture, jax.random.key(0))
        >>> ones = jnp.ones((5, 3, 1))
        >>> simulate(covariates=ones[:, 0], detection_covariates=ones, max_count=20).shape
        (5, 3)
    """
    n, t, q = check_visits(covariates, detection_covariates, y, visited)
    sizes = jnp.arange(check_count("max_count", max_count) + 1)
    abundance = numpyro.sample("coefficients", coefficient_prior(covariates))
    flat = jnp.reshape(jnp.asarray(detection_covariates), (n * t, q))
    seen = numpyro.sample("detection_coefficients", coefficient_prior(flat))
    with numpyro.plate("rows", n):
        rate = jnp.exp(linear_predictor(covariates, abundance))[..., None]
        z = numpyro.sample("z", dist.Categorical(logits=dist.Poisson(rate).log_prob(sizes)))
        detection = linear_predictor(detection_covariates, seen)
        counts = dist.Binomial(z[..., None], logits=detection)
        return _of_visits(counts, y, visited)


def _of_visits(law: dist.Distribution, y: ArrayLike | None, visited: ArrayLike | None) -> Any:
    """The visits of a site are one event; those that did not take place count nothing."""
    if visited is not None:
        held: Array = jnp.asarray(visited, dtype=bool)
        if y is None:
            law = law.mask(held)
        else:
            y = jnp.where(held, jnp.asarray(y, float), jnp.nan)
    return observe("y", law, y, 1)
