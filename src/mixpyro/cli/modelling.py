"""Which model, and which of its arguments the columns are."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import models
from .columns import Column, as_kind
from .errors import BadInput, listed, meant
from .files import Table
from .recipe import Argument

# What the first argument of an integer model holds; other models say it by their signature.
_BINARY = {"bernoulli_mixture", "mixed_rasch"}
_EMISSIONS = {"categorical": "category", "normal": "real", "multivariate_normal": "real"}
# These take arrays that no columns are.
_NOT_HERE = dict.fromkeys(("occupancy", "n_mixture"), "sites by visits")
# Whole numbers of at most so many values may be categories, where a model wants these.
_FEW = 20


def load_model(name: str) -> tuple[Callable, str]:
    """A model of the collection, or ``file.py:function``, and the sum of the file.

    Raises:
        BadInput: no such model, or a file that does not run.
    """
    if name in models.CATALOGUE:
        if name in _NOT_HERE:
            raise BadInput(f"{name} takes arrays of {_NOT_HERE[name]}; call it in Python")
        return models.CATALOGUE[name], ""
    file, mark, function = name.rpartition(":")
    if not mark or not file.endswith(".py"):
        asked = name.lower().replace("-", "_")
        within = [n for n in models.CATALOGUE if asked in n]
        within.sort(key=lambda n: n != f"{asked}_mixture")
        hint = meant(within[0] if within else asked, list(models.CATALOGUE))
        hint = hint or "`mixpyro models` lists them;"
        raise BadInput(f"there is no model {name!r}; {hint} your own is file.py:function")
    path = Path(file)
    if not path.is_file():
        raise BadInput(f"there is no file {path} with the model")
    spec = importlib.util.spec_from_file_location(f"mixpyro_model_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # JAX and pickle find functions by their module's name
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        raise BadInput(f"{path} does not run: {type(error).__name__}: {error}") from error
    found = getattr(module, function, None)
    if not callable(found):
        own = [n for n, v in vars(module).items() if inspect.isfunction(v)]
        raise BadInput(f"{path} has no function {function!r}; it has {listed(own)}")
    return found, hashlib.sha256(path.read_bytes()).hexdigest()


def parameters(model: Callable) -> dict[str, inspect.Parameter]:
    """The arguments of a model, by name."""
    return dict(inspect.signature(model).parameters)


_REGRESSIONS = {
    "number": "linear_regression_mixture",
    "positive": "gamma_regression_mixture",
    "count": "poisson_regression_mixture",
    "binary": "logistic_regression_mixture",
}


def regression(columns: Sequence[Column], group: bool) -> str:
    """The regression that explains these columns.

    Raises:
        BadInput: several columns, or one of categories.
    """
    kind = columns[0].kind
    if len(columns) > 1 or kind not in _REGRESSIONS or (group and kind not in ("number", "count")):
        raise BadInput(
            f"no model is taken by itself for a response of {listed([c.name for c in columns])}"
            f"{' with groups' if group else ''} ({', '.join(c.kind for c in columns)}); "
            f"name one by --model: {', '.join(having('covariates'))}"
        )
    return "growth_mixture" if group else _REGRESSIONS[kind]


def having(argument: str) -> list[str]:
    """The models of the collection that take such an argument."""
    return [n for n, m in models.CATALOGUE.items() if argument in parameters(m)]


def automatic(columns: Sequence[Column], table: Table) -> str:
    """The model for columns of these kinds."""
    kinds = {c.kind for c in columns}
    gaps = any(np.isnan(c.codes(table)).any() for c in columns)
    if kinds == {"number"}:
        return "gaussian_mixture"
    if gaps:
        return "latent_profile"
    if kinds == {"count"}:
        return "poisson_mixture"
    if kinds == {"binary"}:
        return "bernoulli_mixture"
    if kinds <= {"category", "binary"}:
        return "latent_class"
    return "latent_profile"


def first_argument(
    name: str, model: Callable, columns: Sequence[Column], table: Table, keywords: dict[str, Any]
) -> tuple[list[Argument], list[str]]:
    """The data of a model out of columns, and the names of those that it cannot take.

    ``keywords`` are completed by what follows from the columns (kinds, numbers of categories).

    Raises:
        BadInput: no column, or too many, that the model can take.
    """
    if name not in models.CATALOGUE:
        return _own(model, columns, table), []
    own = parameters(model)
    data, annotation = next((n, str(p.annotation)) for n, p in own.items())
    if "Mapping" in annotation:
        used = _renamed(columns)
        keywords.setdefault("kinds", {c.name: _profile_kind(c) for c in used})
        sizes = {c.name: len(c.categories) for c in used if c.kind == "category"}
        if sizes:
            keywords.setdefault("num_categories", sizes)
        return [Argument(data, "columns", tuple(used))], []
    need = _need(name, annotation, own, keywords)
    taken = [_adapted(c, need, table) for c in columns]
    left = [c.name for c, t in zip(columns, taken, strict=True) if t is None]
    used = [c for c in taken if c is not None]
    wants = {"real": "numbers", "count": "counts", "binary": "two values", "category": "categories"}
    if not used:
        raise BadInput(
            f"{name} takes columns of {wants[need]}, and there is none among "
            f"{listed([c.name for c in columns])}; say what they are by --types"
        )
    if need == "category" and "num_categories" in own:
        keywords.setdefault("num_categories", max(max(len(c.categories), 2) for c in used))
    matrix = '"n d"' in annotation or "'n d'" in annotation
    vector = '" n"' in annotation or "' n'" in annotation
    if len(used) > 1 and not matrix:
        raise BadInput(
            f"{name} takes one column, and there are {len(used)} ({listed([c.name for c in used])})"
            f"; name it with {'--response' if data == 'y' else '--columns'}"
        )
    form = "vector" if len(used) == 1 and vector else "matrix"
    return [Argument(data, form, tuple(used), whole=need != "real")], left


def _need(name: str, annotation: str, own: dict, keywords: dict[str, Any]) -> str:
    if name == "hidden_markov":
        return _EMISSIONS.get(keywords.get("emission", "poisson"), "count")
    if "Float" in annotation:
        return "real"
    if name in _BINARY:
        return "binary"
    return "category" if "num_categories" in own or name == "dawid_skene" else "count"


def _adapted(column: Column, need: str, table: Table) -> Column | None:
    """The column as a model needs it; None if it cannot be that."""
    if column.kind == need or (need == "count" and column.kind == "binary"):
        return column
    if need == "real":
        real = not column.categories or set(column.categories) <= {0, 1}
        return Column(column.name, "number") if real else None
    if column.kind == "category" and need == "binary" and len(column.categories) == 2:
        return Column(column.name, "binary", column.categories)
    if need == "category" and column.kind == "binary":
        return Column(column.name, "category", column.categories)
    if column.categories:
        return None
    values = column.codes(table)
    values = values[~np.isnan(values)]
    whole = bool((values == np.round(values)).all())
    if need == "count" and whole and values.min() >= 0:
        return Column(column.name, "count")
    if need == "category" and whole and len(set(values)) <= _FEW:
        return as_kind(table, column.name, "category")
    return None


def _profile_kind(column: Column) -> str:
    kinds = {"number": "normal", "category": "categorical"}
    return kinds.get(column.kind, column.kind)


def _renamed(columns: Sequence[Column]) -> list[Column]:
    """Refuse names that clash with the sites of `latent_profile`, which are made of them."""
    ends = ("_loc", "_scale", "_rate", "_probs")
    taken = {"weights", "z", "rows", "components"}
    for c in columns:
        clash = c.name in taken or any(c.name == o.name + e for o in columns for e in ends)
        if clash:
            raise BadInput(
                f"a column called {c.name!r} cannot go into latent_profile, whose own sites have "
                "this name; rename the column"
            )
    return list(columns)


def _own(model: Callable, columns: Sequence[Column], table: Table) -> list[Argument]:
    """The arguments of a user's function: columns by their names, or all of them by the first."""
    by_name = {c.name: c for c in columns}
    own = parameters(model)
    named = [n for n in own if n in by_name]
    if named:
        return [Argument(n, "vector", (by_name[n],), _whole([by_name[n]], table)) for n in named]
    if not own:
        raise BadInput("the model takes no arguments; its first one is to be the data")
    form = "vector" if len(columns) == 1 else "matrix"
    return [Argument(next(iter(own)), form, tuple(columns), _whole(columns, table))]


def _whole(columns: Sequence[Column], table: Table) -> bool:
    """Whether integers: categories and counts without gaps."""
    discrete = all(c.categories or c.kind == "count" for c in columns)
    return discrete and not any(np.isnan(c.codes(table)).any() for c in columns)
