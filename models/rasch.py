"""Tests that people of different kinds find hard in different places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ..distributions import ConditionalRasch
from ._arguments import check_count, matrix_shape
from ._catalogue import example
from ._items import Categories, items
from ._priors import weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int


@example(
    params={
        "weights": [0.4, 0.6],
        "difficulty": [
            [-3.0, -2.0, -1.0, 1.0, 2.0, 3.0],
            [3.0, 2.0, 1.0, -1.0, -2.0, -3.0],
        ],
        "score_probs": [[0.1, 0.2, 0.4, 0.2, 0.1], [0.2, 0.3, 0.2, 0.2, 0.1]],
    },
    num_components=2,
    num_rows=500,
    num_features=6,
)
@items("x", ordered=True, binary=True, difficulty=("component", "item"))
def mixed_rasch(
    x: Int[ArrayLike, "n d"] | None = None,
    *,
    num_components: int,
    num_rows: int | None = None,
    num_features: int | None = None,
    categories: Categories | None = None,
    weights_concentration: float = 1.0,
    scores_concentration: float = 1.0,
) -> Any:
    r"""A mixture of Rasch models: classes for which other items are hard.

    With s_n the score, the number of right answers of person n, 1 to d - 1::

        p(x_n) = sum_k weights_k score_probs_{k,s_n} exp(-x_n . difficulty_k) / gamma_{k,s_n}

    gamma_ks is the sum of exp(-x . difficulty_k) over all answers x of score s. Within a class
    answers are independent given a person's ability, whatever the abilities are: the score stands
    for it. Whoever has all or none right says nothing of the classes: leave these rows out. See
    Rost (1990), "Rasch models in latent classes: an integration of two approaches to item
    analysis", Applied Psychological Measurement 14:271.

    Sites: ``weights`` (k,); ``difficulty`` (k, d), each row summing to 0; ``score_probs``
    (k, d - 1), each row summing to 1; ``z`` (n,); ``x`` (n, d).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, and each row of score_probs
    Dirichlet with scores_concentration, both uniform by default; each row of difficulty is a
    zero-sum normal of scale 3.

    Args:
        x: ones where the answer is right and zeros, (n, d), or None to simulate. `mixpyro.em` takes
            frames with names, booleans and ordered pandas categories (wrong before right). All
            items must be answered: the model is of the number of right answers.
        num_components: k.
        num_rows: n, read only without x.
        num_features: d, needed only without x, at least 3.
        categories: their names, ``((item, (wrong, right)), ...)``; a fit finds them in the data.
        weights_concentration: of the Dirichlet prior of the weights.
        scores_concentration: of the Dirichlet prior of score_probs.

    Returns:
        x, (n, d).

    Raises:
        ValueError: num_components below 1; x of another shape, or with fewer than 3 columns;
            neither x nor its shape given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.mixed_rasch, jax.random.key(0))
        >>> simulate(num_components=2, num_rows=5, num_features=4).shape
        (5, 4)
    """
    k = check_count("num_components", num_components)
    n, d = matrix_shape(x, num_rows, num_features)
    if d < 3:
        raise ValueError(f"x has {d} columns, but classes need 3 items or more to be told apart")
    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        difficulty = numpyro.sample("difficulty", dist.ZeroSumNormal(3.0, event_shape=(d,)))
        scores = dist.Dirichlet(scores_concentration * jnp.ones(d - 1))
        score_probs = numpyro.sample("score_probs", scores)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample("x", ConditionalRasch(difficulty[z], score_probs[z]), obs=x)
