"""From a table and options to a model, its arguments and what to sweep over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from .. import __version__
from ..weighted import ROW_WEIGHTS, weighted
from . import columns as kinds
from .columns import Column
from .errors import BadInput, listed
from .files import Table
from .fitting import grid
from .modelling import automatic, first_argument, having, load_model, parameters, regression
from .oddities import codes
from .options import components, covariances, settings
from .recipe import Argument, Recipe

_COUNTS = ("num_components", "num_states", "num_classes")


@dataclass(frozen=True)
class Wanted:
    """The options of `mixpyro fit` that say what is fitted."""

    data: Path
    command: str
    model: str = "auto"
    columns: Sequence[str] = ()
    drop: Sequence[str] = ()
    types: Sequence[str] = ()
    components: str | None = None
    covariance: str | None = None
    weights: str | None = None
    group: str | None = None
    response: Sequence[str] = ()
    covariates: Sequence[str] = ()
    intercept: bool = True
    set: Sequence[str] = ()
    missing: Sequence[str] = ()
    drop_missing: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Prepared:
    """What is to be fitted: ``notes`` say what was decided, ``left`` why columns were left out."""

    table: Table
    model: Callable
    recipe: Recipe
    cells: list[dict[str, Any]]
    notes: list[str]
    left: dict[str, str]
    in_batches: bool = False


def prepare(table: Table, wanted: Wanted) -> Prepared:
    """Read the options against the table.

    Raises:
        BadInput: what cannot be.
    """
    notes, left = list(table.notes), {}
    values, by_column = settings(wanted.set)
    given = kinds.told(wanted.types, table.names)
    special = [c for c in (wanted.weights, wanted.group) if c]
    for name in special:
        kinds.select([name], table.names, "--weights" if name == wanted.weights else "--group")
    apart = {*special, *by_column.values()}
    dropped = kinds.select(wanted.drop, table.names, "--drop")
    if wanted.covariates and not wanted.response:
        raise BadInput("--covariates explain a column; name that by --response")
    responses = kinds.select(wanted.response, table.names, "--response")
    chosen = responses or kinds.select(wanted.columns, table.names, "--columns")
    told_so = bool(chosen)
    chosen = [c for c in chosen or table.names if c not in dropped and c not in apart]
    used: list[Column] = []
    for name in chosen:
        if given.get(name) == "ignore":
            left[name] = "you said so"
        elif name in given:
            used.append(kinds.as_kind(table, name, given[name]))
        else:
            column, why = kinds.find(table, name, told_so)
            if column is None and told_so:
                raise BadInput(f"column {name!r} cannot be used: {why}")
            if column is None:
                left[name] = why
            else:
                used.append(column)
    if not used and wanted.weights:  # a table of frequencies: the values, and how many have them
        values_of = [n for n, why in left.items() if why == kinds.NUMBERS_ROWS]
        used = [c for n in values_of if (c := kinds.find(table, n, asked=True)[0])]
        left = {n: why for n, why in left.items() if n not in values_of}
    if not used:
        reasons = "; ".join(f"{n!r}: {w}" for n, w in left.items())
        raise BadInput(f"no column is left to fit ({reasons or 'all were dropped'})")
    name = wanted.model
    if name == "auto":
        if wanted.response:
            name = regression(used, bool(wanted.group))
        else:
            name = "gaussian_mixture" if wanted.covariance else automatic(used, table)
        notes.append(f"The model {name} was taken for columns of these kinds; --model says other.")
    model, model_sum = load_model(name)
    own = parameters(model)
    first, unfit = first_argument(name, model, used, table, values)
    for unable in unfit:
        if told_so:
            raise BadInput(f"{name} cannot take column {unable!r}; leave it out or say --types")
        left[unable] = f"{name} cannot take it"
    own_columns = [c for a in first for c in a.columns]
    notes += kinds.taken_for([c for c in own_columns if c.name not in given], table)
    notes += codes({c.name: c.codes(table) for c in own_columns if not c.categories})
    arguments = [*first]
    if wanted.response:
        if "covariates" not in own:
            raise BadInput(
                f"{name} explains no response; these do: {', '.join(having('covariates'))}"
            )
        own_names = {c.name for a in first for c in a.columns}
        named = kinds.select(wanted.covariates, table.names, "--covariates")
        terms = named or [n for n in table.names if n not in (*own_names, *apart, *dropped)]
        design = _design(
            "covariates", terms, table, given, wanted.intercept, left, asked=bool(named)
        )
        arguments.append(design)
    elif "covariates" in own and own["covariates"].default is own["covariates"].empty:
        raise BadInput(f"{name} is a regression; name the column that is explained by --response")
    for argument, source in by_column.items():
        arguments.append(_argument(argument, source, own, table, given, wanted.intercept, left))
    if wanted.group:
        if "group" not in own:
            raise BadInput(
                f"{name} has no groups of rows; of the collection {listed(having('group'))} "
                "have (growth_mixture explains a --response), or write a model.py:function with "
                "the arguments group and num_groups"
            )
        arguments.append(Argument("group", "groups", (Column(wanted.group, "category"),), True))
    elif "group" in own and own["group"].default is own["group"].empty:
        raise BadInput(f"{name} needs groups of rows; name their column by --group")
    if wanted.weights:
        if ROW_WEIGHTS in own:
            raise BadInput(
                f"the model's argument {ROW_WEIGHTS!r} is taken; give it by --set instead"
            )
        arguments.append(Argument(ROW_WEIGHTS, "weights", (Column(wanted.weights, "number"),)))
        model = weighted(model)
    unknown = [n for n in values if n not in own]
    if unknown:
        raise BadInput(f"--set: {name} has no argument {unknown[0]!r}; it has {listed(list(own))}")
    if wanted.drop_missing:
        table = _complete(table, arguments, notes)
    counted = next((n for n in _COUNTS if n in own), None)
    cells = _cells(name, own, counted, wanted, values, table, first, notes)
    recipe = Recipe(
        wanted.command,
        str(wanted.data),
        name
        if not model_sum
        else str(Path(name.rpartition(":")[0]).absolute()) + ":" + name.rpartition(":")[2],
        tuple(arguments),
        values,
        tuple(wanted.missing),
        __version__,
        model_sum,
        wanted.seed,
    )
    return Prepared(table, model, recipe, cells, notes, left)


def _cells(
    name: str,
    own: dict,
    counted: str | None,
    wanted: Wanted,
    values: dict[str, Any],
    table: Table,
    first: list[Argument],
    notes: list[str],
) -> list[dict[str, Any]]:
    if counted is None and wanted.components:
        raise BadInput(f"{name} has no number of components to choose; leave --components out")
    if wanted.covariance and "covariance" not in own:
        raise BadInput(f"{name} has no covariance structures; leave --covariance out")
    numbers = [] if counted is None or counted in values else components(wanted.components or "1:6")
    n = len(table)
    if numbers and min(numbers) > n:
        raise BadInput(f"there are {n} rows and {min(numbers)} components; ask for fewer")
    if any(k > n for k in numbers):
        notes.append(f"More than {n} components were left out: there are {n} rows.")
    structures = covariances(wanted.covariance) if wanted.covariance else []
    if "covariance" in own and not structures and "covariance" not in values:
        d = sum(len(a.columns) for a in first)
        most = max(numbers, default=1)
        wide = n < 3 * most * (d + 1)
        structures = ["diagonal" if wide else "full"]
        if wide:
            notes.append(
                f"With {d} columns and {n} rows columns were taken as independent within a class "
                "(--covariance diagonal); full matrices would have too few rows."
            )
    cells = grid([k for k in numbers if k <= n], structures)
    return [
        {counted if k == "num_components" and counted else k: v for k, v in c.items()}
        for c in cells
    ]


def _design(
    name: str,
    terms: Sequence[str],
    table: Table,
    given: dict,
    intercept: bool,
    left: dict,
    asked: bool = True,
) -> Argument:
    used = []
    for term in terms:
        if term in given and given[term] != "ignore":
            used.append(kinds.as_kind(table, term, given[term]))
            continue
        column, why = kinds.find(table, term, asked)
        if column is None:
            left[term] = why
        else:
            used.append(column)
    if not used and not intercept:
        raise BadInput("no covariate is left; name some by --covariates, or keep the intercept")
    return Argument(name, "design", tuple(used), intercept=intercept)


def _argument(
    name: str, column: str, own: dict, table: Table, given: dict, intercept: bool, left: dict
) -> Argument:
    """An argument of the model that ``--set NAME=@COLUMN`` makes a column of the table."""
    if name not in own:
        raise BadInput(f"--set: the model has no argument {name!r}; it has {listed(list(own))}")
    if "n p" in str(own[name].annotation) or "n q" in str(own[name].annotation):
        terms = kinds.select([column], table.names, "--set")
        return _design(name, terms, table, given, intercept, left)
    (found,) = kinds.select([column], table.names, "--set")
    if f"num_{name}s" in own:
        return Argument(name, "groups", (Column(found, "category"),), True)
    whole = "Int" in str(own[name].annotation)
    return Argument(name, "vector", (Column(found, "count" if whole else "number"),), whole)


def _complete(table: Table, arguments: Sequence[Argument], notes: list[str]) -> Table:
    used = {c.name for a in arguments for c in a.columns}
    keep = np.ones(len(table), bool)
    for name in used:
        keep &= ~np.asarray(table.arrow.column(name).is_null(nan_is_null=True))
    if not keep.any():
        raise BadInput("no row is complete; leave --drop-missing out")
    if not keep.all():
        notes.append(f"{int((~keep).sum())} of {len(keep)} rows with gaps were left out.")
    return Table(table.arrow.filter(pa.array(keep)), table.notes)
