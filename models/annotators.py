"""Items that several people have labelled, each in their own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, check_group, check_shape
from ._catalogue import example
from ._priors import weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int

_LABELS = np.arange(1000)


@example(
    params={
        "weights": [0.4, 0.6],
        "confusion": [
            [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.95, 0.05], [0.85, 0.15]],
            [[0.1, 0.9], [0.3, 0.7], [0.2, 0.8], [0.15, 0.85], [0.1, 0.9]],
        ],
    },
    num_components=2,
    group=_LABELS // 5,
    num_groups=200,
    annotator=_LABELS % 5,
    num_annotators=5,
)
def dawid_skene(
    y: Int[ArrayLike, " n"] | None = None,
    *,
    num_components: int,
    group: Int[ArrayLike, " n"],
    num_groups: int,
    annotator: Int[ArrayLike, " n"],
    num_annotators: int,
    num_categories: int | None = None,
    weights_concentration: float = 1.0,
    confusion_concentration: float = 1.0,
) -> Any:
    r"""The true classes of items from labels by annotators who err.

    One row is one label: annotator a_n gives the item ``group_n`` the label y_n. Items need not be
    labelled by all, and may be labelled more than once by one. With z_i the class of item i::

        p(y_i) = sum_k weights_k prod_{n of i} confusion_{k, a_n, y_n}

    Each annotator has a confusion matrix: how they label items of each class. The labels have the
    names of the classes, but the likelihood does not know that: a fit may number the classes in
    another order. To begin where most labels point, give the run ``init_responsibilities``, the
    share of each label among those of an item. See Dawid and Skene (1979), "Maximum likelihood
    estimation of observer error-rates using the EM algorithm", Applied Statistics 28:20.

    Sites: ``weights`` (k,); ``confusion`` (k, num_annotators, C), each row of the last axis summing
    to 1; ``z`` (num_groups,) in the plate "groups"; ``y`` (n,).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration; each row of confusion is
    Dirichlet with confusion_concentration. All are uniform by default, with which the posterior
    mode is the ML fit.

    Args:
        y: labels, (n,), integers from 0, or None to simulate.
        num_components: k.
        group: the item of each label, (n,), integers from 0 to num_groups - 1.
        num_groups: how many items there are.
        annotator: who gave each label, (n,), integers from 0 to num_annotators - 1.
        num_annotators: how many annotators there are.
        num_categories: C, how many labels there are; k unless given.
        weights_concentration: of the Dirichlet prior of the weights.
        confusion_concentration: of the Dirichlet prior of the rows of confusion.

    Returns:
        y, (n,).

    Raises:
        ValueError: a number below 1; y, group or annotator of another shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> items, people = jnp.array([0, 0, 1, 1, 1]), jnp.array([0, 1, 0, 1, 2])
        >>> sizes = {"num_components": 2, "num_groups": 2, "num_annotators": 3}
        >>> simulate = handlers.seed(models.dawid_skene, jax.random.key(0))
        >>> simulate(group=items, annotator=people, **sizes).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    (n,) = check_shape("group", group, "n")
    groups = check_group("group", group, n, "num_groups", num_groups)
    people = check_group("annotator", annotator, n, "num_annotators", num_annotators)
    if y is not None and check_shape("y", y, "n") != (n,):
        raise ValueError(f"y has {jnp.shape(y)[0]} rows, but group has {n}; give one item a label")
    c = k if num_categories is None else check_count("num_categories", num_categories)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        rows = dist.Dirichlet(confusion_concentration * jnp.ones(c))
        confusion = numpyro.sample("confusion", rows.expand([people]).to_event(1))
    with numpyro.plate("groups", groups):
        z = numpyro.sample("z", dist.Categorical(weights))
    with numpyro.plate("rows", n):
        probs = confusion[z[jnp.asarray(group)], jnp.asarray(annotator)]
        return numpyro.sample("y", dist.Categorical(probs), obs=y)
