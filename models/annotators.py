"""Items that several people have labelled, each in their own way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, check_group, check_shape
from ._catalogue import example
from ._gaps import observe
from ._items import Categories, Vector, count_of, labels
from ._priors import weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int

_LABELS = np.arange(1000)


def _vectors(arguments: Mapping[str, Any]) -> list[Vector]:
    given = arguments.get("num_categories") or arguments.get("num_components")
    return [
        Vector("y", "y", given=given),
        Vector("annotator", "annotator", given=arguments.get("num_annotators")),
        Vector("group", "group", given=arguments.get("num_groups"), units=True),
    ]


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
@labels(_vectors, lambda _: {"confusion": ("component", "annotator", "y")})
def dawid_skene(
    y: Int[ArrayLike, " n"] | None = None,
    *,
    num_components: int,
    group: Int[ArrayLike, " n"],
    num_groups: int | None = None,
    annotator: Int[ArrayLike, " n"],
    num_annotators: int | None = None,
    num_categories: int | None = None,
    categories: Categories | None = None,
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
        y: labels, (n,), or None to simulate. `mixpyro.em` takes them as they come: text, pandas
            categories, with gaps (None, NaN, NA), which say nothing. Called by itself, the model
            takes integers from 0, or floats with NaN for a gap; so it is for group and annotator.
        num_components: k.
        group: the item of each label, (n,), integers from 0 to num_groups - 1, or names,
            which are put in order: `fit.predict()` has that of numpy.unique(group).
        num_groups: how many items there are; a fit finds it in the data.
        annotator: who gave each label, (n,), integers from 0 to num_annotators - 1, or names.
        num_annotators: how many annotators there are; a fit finds it in the data.
        num_categories: C, how many labels there are; unless given, k, or more if there are more.
        categories: the names of labels, annotators and items; a fit finds them.
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
    num_groups = count_of("num_groups", num_groups, "group", categories)
    num_annotators = count_of("num_annotators", num_annotators, "annotator", categories)
    groups = check_group("group", group, n, "num_groups", num_groups)
    people = check_group("annotator", annotator, n, "num_annotators", num_annotators)
    if y is not None and check_shape("y", y, "n") != (n,):
        raise ValueError(f"y has {jnp.shape(y)[0]} rows, but group has {n}; give one item a label")
    seen = len(dict(categories or ()).get("y", ()))
    c = max(k, seen) if num_categories is None else check_count("num_categories", num_categories)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        rows = dist.Dirichlet(confusion_concentration * jnp.ones(c))
        confusion = numpyro.sample("confusion", rows.expand([people]).to_event(1))
    with numpyro.plate("groups", groups):
        z = numpyro.sample("z", dist.Categorical(weights))
    with numpyro.plate("rows", n):
        probs = confusion[z[jnp.asarray(group)], jnp.asarray(annotator)]
        return observe("y", dist.Categorical(probs), y)
