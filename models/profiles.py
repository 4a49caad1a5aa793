"""Columns of several kinds, independent within a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array

from ._arguments import check_count, vector_rows
from ._catalogue import example
from ._gaps import observe
from ._items import Categories, Vector, count_of, labels
from ._priors import center_and_spread, mean_of, scale_prior, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Shaped

    Column = Shaped[ArrayLike, " n"]


def _vectors(arguments: Mapping[str, Any]) -> list[Vector]:
    sizes = arguments.get("num_categories") or {}
    return [
        Vector(c, "x", c, kind == "ordinal", 2 if kind == "binary" else sizes.get(c))
        for c, kind in (arguments.get("kinds") or {}).items()
        if kind in ("binary", "categorical", "ordinal")
    ]


def _axes(arguments: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    kinds = arguments.get("kinds") or {}
    return {f"{c}_probs": ("component", c) for c, kind in kinds.items() if kind == "categorical"}


@example(
    params={
        "weights": [0.4, 0.6],
        "age_loc": [20.0, 50.0],
        "age_scale": [5.0, 10.0],
        "income_loc": [1.0, 2.0],
        "income_scale": [0.5, 0.4],
        "visits_rate": [1.0, 6.0],
        "smoker_probs": [0.2, 0.6],
        "town_probs": [[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]],
    },
    num_components=2,
    kinds={
        "age": "normal",
        "income": "positive",
        "visits": "count",
        "smoker": "binary",
        "town": "categorical",
    },
    num_categories={"town": 3},
    num_rows=500,
)
@example(
    params={
        "weights": [0.4, 0.6],
        "age_loc": [20.0, 50.0],
        "age_scale": [5.0, 10.0],
        "health_gaps": [1.5],
        "health_loc": [-1.5, 1.5],
    },
    num_components=2,
    kinds={"age": "normal", "health": "ordinal"},
    num_categories={"health": 3},
    num_rows=500,
    again=True,
)
@labels(_vectors, _axes, columns=("x", "kinds"))
def latent_profile(
    x: Mapping[str, Column] | None = None,
    *,
    num_components: int,
    kinds: Mapping[str, str],
    num_categories: Mapping[str, int] | None = None,
    categories: Categories | None = None,
    num_rows: int | None = None,
    weights_concentration: float = 1.0,
) -> Any:
    r"""Latent profiles: classes of rows by columns of different kinds.

    ::

        p(x_n) = sum_k weights_k prod_c f_c(x_nc | parameters of column c in class k)

    ``kinds`` says what each column is, and so its distribution and its sites, (k,) each, named by
    the column:

    - "normal": Normal, ``c_loc`` and ``c_scale``;
    - "positive": LogNormal, ``c_loc`` and ``c_scale`` of the logarithm;
    - "count": Poisson, ``c_rate``;
    - "binary": Bernoulli, ``c_probs``, of the second of two categories;
    - "categorical": Categorical, ``c_probs`` (k, C) of C categories;
    - "ordinal": OrderedLogistic, ``c_loc``, and ``c_gaps`` (C - 2,) between the cutpoints, those of
      all classes, as in `ordinal_latent_class`; C is at least 2.

    Columns are independent within a class. See Hennig and Liao (2013), "How to find an appropriate
    clustering for mixed-type variables", Applied Statistics 62:309, and Moustaki and Papageorgiou
    (2005), "Latent class models for mixed variables", Computational Statistics & Data Analysis
    48:659.

    Sites: ``weights`` (k,); those of the columns; ``z`` (n,); each column by its name, (n,).

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, uniform by default; with m
    and R the midrange and range of a column, or of its logarithm, loc ~ Normal(m, R) and scale ~
    LogNormal with median sqrt(0.02) R and sigma 1; rates are Exponential with the mean of their
    column; probs are uniform; of ordinal columns loc ~ Normal(0, 5) and gaps are LogNormal with
    median 1 and sigma 1. Without x, m = 0, R = 1 and the mean is 1.

    Args:
        x: columns by name, (n,) each, or None to simulate. `mixpyro.em` takes a frame as it comes:
            text and pandas categories, gaps (None, NaN, NA), which are left out of the row's
            likelihood. Called by itself, the model takes numbers, NaN for a gap.
        num_components: k.
        kinds: the kind of each column by its name. Other columns of x are not read.
        num_categories: C by the name of each categorical or ordinal column, numbered from 0; a fit
            finds it in the data.
        categories: their names, ``((column, (category, ...)), ...)``; a fit finds them too.
        num_rows: n, read only without x.
        weights_concentration: of the Dirichlet prior of the weights.

    Returns:
        x, the columns by name.

    Raises:
        ValueError: num_components below 1; an unknown kind; a column that is missing, or of
            another length; a categorical or ordinal one without num_categories; neither x nor
            num_rows given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.latent_profile, jax.random.key(0))
        >>> rows = simulate(num_components=2, kinds={"a": "normal", "b": "count"}, num_rows=5)
        >>> rows["b"].shape
        (5,)
    """
    k = check_count("num_components", num_components)
    columns = {name: None if x is None else _column(x, name) for name in kinds}
    if not columns:
        raise ValueError("kinds is empty; name at least one column and its kind")
    lengths = {name: vector_rows(column, num_rows) for name, column in columns.items()}
    n = next(iter(lengths.values()))
    if set(lengths.values()) != {n}:
        raise ValueError(f"the columns of x differ in length: {lengths}; give all of them n rows")
    sizes = {
        name: _categories(name, kind, num_categories or {}, categories)
        for name, kind in kinds.items()
    }

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    points = {c: _cutpoints(c, sizes[c]) for c, kind in kinds.items() if kind == "ordinal"}
    with numpyro.plate("components", k):
        given = {
            c: _ordinal(c, points[c]) if c in points else _KINDS[kind](c, columns[c], sizes[c])
            for c, kind in kinds.items()
        }
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        return {name: observe(name, law(z), columns[name]) for name, law in given.items()}


# Each kind samples its own sites and says how a column is distributed given z.
Conditional = Callable[[Array], dist.Distribution]


def _normal(name: str, column: ArrayLike | None, _: int) -> Conditional:
    rows = None if column is None else jnp.reshape(jnp.asarray(column), (-1, 1))
    middle, extent = center_and_spread(rows, 1, None, None)
    loc = numpyro.sample(f"{name}_loc", dist.Normal(middle[0], extent[0]))
    scale = numpyro.sample(f"{name}_scale", scale_prior(extent[0]))
    return lambda z: dist.Normal(loc[z], scale[z])


def _positive(name: str, column: ArrayLike | None, _: int) -> Conditional:
    logs = None if column is None else jnp.log(jnp.asarray(column)).reshape(-1, 1)
    middle, extent = center_and_spread(logs, 1, None, None)
    loc = numpyro.sample(f"{name}_loc", dist.Normal(middle[0], extent[0]))
    scale = numpyro.sample(f"{name}_scale", scale_prior(extent[0]))
    return lambda z: dist.LogNormal(loc[z], scale[z])


def _count(name: str, column: ArrayLike | None, _: int) -> Conditional:
    rate = numpyro.sample(f"{name}_rate", dist.Exponential(1 / mean_of(column, (), mean=None)))
    return lambda z: dist.Poisson(rate[z])


def _binary(name: str, column: ArrayLike | None, _: int) -> Conditional:
    probs = numpyro.sample(f"{name}_probs", dist.Beta(1.0, 1.0))
    return lambda z: dist.Bernoulli(probs[z])


def _categorical(name: str, column: ArrayLike | None, c: int) -> Conditional:
    probs = numpyro.sample(f"{name}_probs", dist.Dirichlet(jnp.ones(c)))
    return lambda z: dist.Categorical(probs[z])


def _cutpoints(name: str, c: int) -> Array:
    """0 and what lies further, (C - 1,): the same in all classes."""
    if c == 2:
        return jnp.zeros(1)
    prior = dist.LogNormal(0.0, 1.0).expand([c - 2]).to_event(1)
    return jnp.concatenate([jnp.zeros(1), jnp.cumsum(numpyro.sample(f"{name}_gaps", prior))])


def _ordinal(name: str, cutpoints: Array) -> Conditional:
    loc = numpyro.sample(f"{name}_loc", dist.Normal(0.0, 5.0))
    return lambda z: dist.OrderedLogistic(loc[z], cutpoints)


_KINDS: dict[str, Callable[[str, ArrayLike | None, int], Conditional]] = {
    "normal": _normal,
    "positive": _positive,
    "count": _count,
    "binary": _binary,
    "categorical": _categorical,
}


def _categories(
    name: str, kind: str, sizes: Mapping[str, int], categories: Categories | None
) -> int:
    """C of a categorical or ordinal column; 0 for the other kinds."""
    every = (*_KINDS, "ordinal")
    if kind not in every:
        raise ValueError(
            f"kinds[{name!r}] must be one of {', '.join(map(repr, every))}, but it is {kind!r}"
        )
    found = dict(categories or ()).get(name, ())
    if kind == "binary" and len(found) > 2:
        raise ValueError(
            f"column {name!r} is said to be binary and has the categories {list(found)}; its kind "
            "is 'categorical'"
        )
    if kind not in ("categorical", "ordinal"):
        return 0
    c = count_of(f"num_categories[{name!r}]", sizes.get(name), name, categories)
    if kind == "ordinal" and c < 2:
        raise ValueError(f"num_categories[{name!r}] is 1; leave such a column out")
    return c


def _column(x: Mapping[str, ArrayLike], name: str) -> ArrayLike:
    if name not in x:
        raise ValueError(f"x has no column {name!r}, which kinds names; it has {', '.join(x)}")
    return x[name]
