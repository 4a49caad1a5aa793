"""How many animals there are, from those that were caught."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpyro
import numpyro.distributions as dist

from ..distributions import PositiveBinomial
from ._arguments import check_count, vector_rows
from ._catalogue import example
from ._priors import weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int


@example(
    params={"weights": [0.4, 0.6], "probs": [0.15, 0.7]},
    num_components=2,
    num_occasions=12,
    num_rows=500,
)
def capture_recapture(
    x: Int[ArrayLike, " n"] | None = None,
    *,
    num_components: int,
    num_occasions: int,
    num_rows: int | None = None,
    weights_concentration: float = 1.0,
    probs_concentration: tuple[float, float] = (1.0, 1.0),
) -> Any:
    r"""A closed population some of whose animals are easier to catch than others.

    With t = num_occasions, x_n, 1 to t, is how often animal n was caught, of those caught at all::

        p(x_n) = sum_k weights_k Binomial(x_n | t, probs_k) / (1 - (1 - probs_k)^t)

    The weights are those of the animals caught. Of the n animals, the expected number there are is
    ``n sum_k weights_k / (1 - (1 - probs_k)^t)`` (Horvitz and Thompson), and a class has the share
    of its term. This is the conditional likelihood of the heterogeneity model M_h: Pledger (2000),
    "Unified maximum likelihood estimates for closed capture-recapture models using mixtures",
    Biometrics 56:434. Different mixtures may fit alike and say very different numbers (Link, 2003,
    "Nonidentifiability of population size from capture-recapture data with heterogeneous detection
    probabilities", Biometrics 59:1123): the number of animals never caught is an extrapolation.

    Sites: ``weights`` (k,); ``probs`` (k,); ``z`` (n,); ``x`` (n,).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration; each of probs ~
    Beta(*probs_concentration). All are uniform by default, with which the posterior mode is the ML
    fit.

    Args:
        x: how often each animal was caught, (n,), at least once, or None to simulate.
        num_components: k.
        num_occasions: t, how often animals were caught, at least 2 k to tell k classes apart.
        num_rows: n, read only without x.
        weights_concentration: of the Dirichlet prior of the weights.
        probs_concentration: of the Beta prior of probs, (caught, missed).

    Returns:
        x, (n,).

    Raises:
        ValueError: num_components or num_occasions below 1; x of another shape; neither x nor
            num_rows given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.capture_recapture, jax.random.key(0))
        >>> simulate(num_components=2, num_occasions=6, num_rows=5).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    t = check_count("num_occasions", num_occasions)
    n = vector_rows(x, num_rows)
    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        probs = numpyro.sample("probs", dist.Beta(*probs_concentration))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample("x", PositiveBinomial(probs[z], t), obs=x)
