"""Classes of people, in groups that are of classes themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from ._arguments import check_count, check_group, check_shape, matrix_shape
from ._catalogue import example
from ._gaps import observe
from ._items import Categories, Vector, count_of, items, labels, num_categories_of
from ._priors import weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int


def _vectors(arguments: Mapping[str, Any]) -> list[Vector]:
    return [Vector("group", "group", given=arguments.get("num_groups"), units=True)]


@example(
    params={
        "group_weights": [0.4, 0.6],
        "weights": [[0.85, 0.15], [0.2, 0.8]],
        "probs": [
            [[0.9, 0.1], [0.85, 0.15], [0.8, 0.2], [0.9, 0.1]],
            [[0.1, 0.9], [0.2, 0.8], [0.15, 0.85], [0.2, 0.8]],
        ],
    },
    nested=True,
    num_components=2,
    num_group_classes=2,
    num_categories=2,
    num_features=4,
    group=np.arange(600) % 60,
    num_groups=60,
)
@items("x", probs=("component", "item", "category"))
@labels(_vectors)
def multilevel_latent_class(
    x: Int[ArrayLike, "n d"] | None = None,
    *,
    group: Int[ArrayLike, " n"],
    num_groups: int | None = None,
    num_components: int,
    num_group_classes: int,
    num_categories: int | None = None,
    categories: Categories | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
    probs_concentration: float = 1.0,
) -> Any:
    r"""Latent classes of people, whose shares differ by the latent class of their group.

    Pupils in schools, patients in hospitals: group i has the class u_i, one of H =
    num_group_classes, and its people n the classes z_n, one of k, which answer d items::

        p(x_i) = sum_h group_weights_h prod_{n of i} p(x_n | u_i = h)
        p(x_n | u_i = h) = sum_k weights_hk prod_d probs_kdc,    c = x_nd

    Items are answered by one's own class, whatever the group's. With H = 1 this is `latent_class`.
    Group classes are told apart by how people mix within groups, so that it is groups that must be
    many. See Vermunt (2003), "Multilevel latent class models", Sociological Methodology 33:213.

    Sites: ``group_weights`` (H,); ``weights`` (H, k) and ``probs`` (k, d, C), each row of the last
    axis summing to 1; ``u`` (num_groups,) in the plate "groups"; ``z`` (n,); ``x`` (n, d).

    Priors: group_weights and each row of weights ~ Dirichlet(c, ..., c), c = weights_concentration;
    each row of probs is Dirichlet with probs_concentration. All are uniform by default, with which
    the posterior mode is the ML fit.

    Args:
        x: categories, (n, d), or None to simulate, as in `latent_class`.
        group: the group of each row, (n,), integers from 0 to num_groups - 1, in any order, or
            names, which are put in order: numpy.unique(group) is that of what is known of groups.
        num_groups: how many groups there are; a fit finds it in the data.
        num_components: k, classes of people.
        num_group_classes: H, classes of groups.
        num_categories: C; unless given, the largest number of categories of an item.
        categories: the names of items and their categories, ``((item, (category, ...)), ...)``,
            and of groups, ``("group", (...))``; a fit finds them in the data.
        num_features: d, needed only without x.
        weights_concentration: of the Dirichlet priors of group_weights and weights.
        probs_concentration: of the Dirichlet prior of probs.

    Returns:
        x, (n, d).

    Raises:
        ValueError: a number below 1; x or group of another shape; neither x nor num_features given.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> school = jnp.array([0, 0, 0, 1, 1, 1])
        >>> sizes = {"num_components": 2, "num_group_classes": 2, "num_categories": 3}
        >>> simulate = handlers.seed(models.multilevel_latent_class, jax.random.key(0))
        >>> simulate(group=school, num_groups=2, num_features=4, **sizes).shape
        (6, 4)
    """
    k = check_count("num_components", num_components)
    h = check_count("num_group_classes", num_group_classes)
    (rows,) = check_shape("group", group, "n")
    n, d = matrix_shape(x, rows, num_features)
    num_groups = count_of("num_groups", num_groups, "group", categories)
    groups = check_group("group", group, n, "num_groups", num_groups)
    answers_of = tuple(entry for entry in categories or () if entry[0] != "group")
    c = num_categories_of(x, num_categories, answers_of or None)

    group_weights = numpyro.sample("group_weights", weights_prior(h, weights_concentration))
    with numpyro.plate("group_classes", h):
        weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    with numpyro.plate("components", k):
        answers = dist.Dirichlet(probs_concentration * jnp.ones(c))
        probs = numpyro.sample("probs", answers.expand([d]).to_event(1))
    with numpyro.plate("groups", groups):
        u = numpyro.sample("u", dist.Categorical(group_weights))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights[u[jnp.asarray(group)]]))
        return observe("x", dist.Categorical(probs[z]), x, 1)
