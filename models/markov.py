"""Classes of observed sequences by how their categories follow one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from ..distributions.markov import MarkovChain
from ._arguments import check_count, check_per_row, matrix_shape
from ._catalogue import example
from ._items import Categories, Vector, count_of, labels
from ._priors import weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int

_TRUTH = {
    "weights": [0.6, 0.4],
    "initial": [[0.7, 0.2, 0.1], [0.2, 0.2, 0.6]],
    "transition": [
        [[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6]],
        [[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.7, 0.1, 0.2]],
    ],
}


def _vectors(arguments: Mapping[str, Any]) -> list[Vector]:
    return [Vector("x", "x", given=arguments.get("num_categories"), table=True)]


@example(params=_TRUTH, num_components=2, num_categories=3, num_rows=300, num_features=8)
@example(
    params=_TRUTH,
    again=True,
    num_components=2,
    num_categories=3,
    num_rows=300,
    num_features=10,
    length=10 - np.arange(300) % 4,
)
@labels(
    _vectors,
    lambda _: {"initial": ("component", "x"), "transition": ("component", "x", "x")},
)
def markov_chain_mixture(
    x: Int[ArrayLike, "n t"] | None = None,
    *,
    num_components: int,
    num_categories: int | None = None,
    categories: Categories | None = None,
    num_rows: int | None = None,
    num_features: int | None = None,
    length: Int[ArrayLike, " n"] | None = None,
    weights_concentration: float = 1.0,
    concentration: float = 1.0,
) -> Any:
    r"""A mixture of Markov chains: classes of sequences by their transitions.

    Each row is one sequence of categories 0, ..., C - 1, all of which are seen::

        p(x_n) = sum_k weights_k initial_kc prod_t transition_kij,  c = x_n1, i = x_n,t-1, j = x_nt

    See Poulsen (1990), "Mixed Markov and latent Markov modelling applied to brand choice
    behaviour", International Journal of Research in Marketing 7:5, and Cadez, Heckerman, Meek,
    Smyth and White (2003), Data Mining and Knowledge Discovery 7:399. Where the states are not
    seen, it is ``hidden_markov`` or ``latent_transition``.

    Sites: ``weights`` (k,); ``initial`` (k, C); ``transition`` (k, C, C), whose rows sum to 1;
    ``z`` (n,); ``x`` (n, t).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration; initial and the rows of
    transition are Dirichlet with concentration. All are uniform by default.

    Args:
        x: categories, (n, t), a sequence a row; None to simulate. `mixpyro.em` takes text and
            pandas categories. NaN, None or NA at the end of a row are steps that it does not have;
            a gap inside has no place in an observed chain. Called by itself, the model takes
            integers from 0, or floats with NaN.
        num_components: k.
        num_categories: C; a fit finds it in the data.
        categories: their names, ``(("x", (category, ...)),)``; a fit finds them.
        num_rows: n, read only without x.
        num_features: t, the number of steps, needed only without x.
        length: (n,) how many steps of each row there are, at least 1; all unless given. What
            stands in x after them does not matter.
        weights_concentration: of the Dirichlet prior of the weights.
        concentration: of the Dirichlet priors of initial and transition.

    Returns:
        x, (n, t).

    Raises:
        ValueError: num_components or num_categories below 1; x or length of another shape; neither
            x nor its shape given; a gap inside a sequence, or one without steps.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.markov_chain_mixture, jax.random.key(0))
        >>> simulate(num_components=2, num_categories=3, num_rows=5, num_features=4).shape
        (5, 4)
    """
    k = check_count("num_components", num_components)
    n, t = matrix_shape(x, num_rows, num_features)
    c = count_of("num_categories", num_categories, "x", categories)
    if x is not None and length is None and jnp.issubdtype(jnp.result_type(x), jnp.floating):
        x, length = _ended(x)
    elif length is not None:
        check_per_row("length", length, n)
        x = None if x is None else jnp.where(jnp.arange(t) < jnp.asarray(length)[:, None], x, 0)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        initial = numpyro.sample("initial", weights_prior(c, concentration))
        rows = dist.Dirichlet(concentration * jnp.ones(c)).expand([c]).to_event(1)
        transition = numpyro.sample("transition", rows)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return numpyro.sample("x", MarkovChain(initial[z], transition[z], t, length), obs=x)


def _ended(x: ArrayLike) -> tuple[Any, Any]:
    """Sequences with zeros for the gaps at their ends, and how many steps each has.

    Where a gap is inside, or all there is, it stays what no category is, and so is refused.
    """
    there = ~jnp.isnan(jnp.asarray(x))
    length = jnp.sum(there, 1)
    steps = jnp.arange(there.shape[1]) < length[:, None]
    return jnp.where(there, x, jnp.where(steps | (length == 0)[:, None], -1, 0)), length
