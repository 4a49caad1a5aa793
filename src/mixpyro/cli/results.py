"""The tables of a fit: estimates with names, rows, classes."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pandas as pd
import pyarrow as pa

from ..em import Batches, Fit
from ..em.report import information
from ..em.report.of_classes.axes import class_axes
from ..em.report.words import label
from .errors import BadInput
from .files import Table
from .recipe import Recipe


def estimates(fit: Fit, recipe: Recipe) -> pd.DataFrame:
    """One row an entry: parameter, class, what it is of, estimate, error, interval, note."""
    affordable = information.cost(fit.program) <= information.BUDGET
    table = fit.summary() if affordable else _without_errors(fit)
    try:
        axes = class_axes(fit)
    except ValueError:
        axes = {}
    out = []
    entries = {
        label(fit.program, fit.call, name, index): (name, list(index))
        for name, value in {**fit.deterministics, **fit.leaves}.items()
        if np.size(value) <= len(table)
        for index in np.ndindex(np.shape(value))
    }
    for entry, row in zip(table.index, table.itertuples(index=False), strict=True):
        site, index = entries[entry]
        klass = index.pop(axes[site]) if site in axes else None
        out.append(
            (entry, klass, _of(site, index, np.shape(fit.leaves.get(site, 0)), recipe), *row)
        )
    names = ["parameter", "class", "of", *table.columns]
    made = pd.DataFrame(out, columns=names)
    if fit.class_names:
        words = {None: None} | dict(enumerate(fit.class_names))
        return made.assign(**{"class": [words[k] for _, k, *_ in out]})
    return made.astype({"class": "Int64"})


def class_words(fit: Fit) -> np.ndarray:
    """(k,) the names of the classes, or their numbers."""
    names = fit.class_names
    return np.array(names, object) if names else np.arange(fit.program.num_components)


def _without_errors(fit: Fit) -> pd.DataFrame:
    rows = {
        entry: float(np.asarray(value)[i])
        for name, value in fit.leaves.items()
        for i in np.ndindex(np.shape(value))
        if (entry := label(fit.program, fit.call, name, i)) is not None
    }
    table = pd.DataFrame({"estimate": pd.Series(rows, dtype=float)})
    for name in ("standard_error", "lower", "upper"):
        table[name] = np.nan
    return table.assign(note="too many parameters for standard errors")


def _of(site: str, index: list[int], shape: tuple[int, ...], recipe: Recipe) -> str:
    """Which column or term an entry is of, and which category."""
    first = recipe.arguments[0]
    if first.form == "columns":
        column = next((c for c in first.columns if site.startswith(f"{c.name}_")), None)
        if column is None:
            return ""
        category = f" = {column.categories[index[0]]}" if index and column.categories else ""
        if column.kind == "binary" and column.categories:
            category = f" = {column.categories[1]}"
        return column.name + category
    design = next((a for a in recipe.arguments if a.form == "design"), None)
    names = first.entries()
    if design is not None and "coefficients" in site and index:
        return str(_entry(design.entries(), index[-1]))
    if not index and len(names) == 1 and site not in ("weights", "initial", "transition"):
        return names[0]
    if not index or site in ("weights", "initial", "transition"):
        return ""
    parts = [_entry(names, index[0])]
    column = first.columns[index[0]] if index[0] < len(first.columns) else None
    if column is not None and column.kind == "binary" and site == "probs":
        parts = [f"{parts[0]} = {column.categories[1]}"]
    if len(index) > 1 and column is not None and column.categories and site == "probs":
        return f"{parts[0]} = {_entry(list(map(str, column.categories)), index[1])}"
    return " , ".join([*parts, *(_entry(names, i) for i in index[1:])])


def _entry(names: list[str], place: int) -> str:
    return names[place] if place < len(names) else str(place)


def posterior(fit: Fit, recipe: Recipe, table: Table | None = None) -> tuple[np.ndarray, Any]:
    """(n, k) responsibilities of each row of the table, and (n,) log densities where rows have."""
    built = {} if table is None else recipe.build(table, weighted=False)
    resp = fit.responsibilities(**built)
    if isinstance(resp, dict):
        raise ValueError("a model with several latent classes is used in Python")
    density = np.asarray(fit.log_prob(**built))
    values = np.asarray(resp, float)
    values = values.reshape(-1, values.shape[-1])
    if recipe.group is not None and table is not None:
        groups = recipe.group.build(table)
        values, density = values[groups], density[groups]
    return values, density if len(density) == len(values) else None


def with_classes(table: Table, resp: np.ndarray, density: Any, words: np.ndarray) -> pa.Table:
    """The rows with their class, how unsure it is, and the probability of each."""
    out = table.arrow
    columns: dict[str, np.ndarray] = {
        "class": words[resp.argmax(1)],
        "uncertainty": 1 - resp.max(1),
    }
    if density is not None:
        columns["log_density"] = np.asarray(density, float)
    columns |= {f"probability_{words[j]}": resp[:, j] for j in range(resp.shape[1])}
    for name, values in columns.items():
        while name in out.column_names:
            name += "_"
        out = out.append_column(name, pa.array(values))
    return out


def simulated(fit: Fit, recipe: Recipe, rows: int | None, key: Any) -> pa.Table:
    """Rows drawn from the fitted model, as they would stand in the file, with their classes."""
    leaves = jax.tree.leaves(fit.call.rebuild())
    if rows is None and any(isinstance(leaf, Batches) for leaf in leaves):
        raise BadInput("the rows of this fit stay in their file; say by --rows how many to draw")
    if rows is None:
        drawn = fit.sample(key)
    else:
        place = np.random.default_rng(0).integers(0, fit.program.num_rows, rows)
        args, keywords = fit.call.rebuild()
        drawn = fit.sample(key, *_rows(args, place), **_rows(keywords, place))
    out: dict[str, Any] = {}
    data = recipe.arguments[0]
    for c in data.columns:
        values = drawn[c.name] if data.form == "columns" else drawn[data.name]
        array = np.asarray(values)
        out[c.name] = c.labels(array if array.ndim == 1 else array[:, data.columns.index(c)])
    z = np.asarray(drawn[fit.spec.latents[0].name]).reshape(-1)
    if recipe.group is not None:
        z = z[np.asarray(fit.call.rebuild()[1]["group"])]
    name = "class"
    while name in out:
        name += "_"
    return pa.table(out | {name: pa.array(class_words(fit)[z])})


def _rows(value: Any, place: np.ndarray) -> Any:
    def taken(leaf: Any) -> Any:
        if isinstance(leaf, Batches):  # only how many there are is told by them
            leaf = next(iter(leaf))
        return np.asarray(leaf)[place % len(leaf)] if np.ndim(leaf) else leaf

    return jax.tree.map(taken, value)


def classes(
    resp: np.ndarray, table: Table, recipe: Recipe, weights: np.ndarray, called: np.ndarray
) -> pd.DataFrame:
    """One row a class: its share, the rows assigned, and what its rows are like."""
    w = resp * weights[:, None]
    out: dict[str, Any] = {
        "class": called,
        "share": w.sum(0) / w.sum(),
        "rows": np.bincount(resp.argmax(1), minlength=resp.shape[1]),
    }
    for c in recipe.columns:
        values = c.codes(table)
        there = ~np.isnan(values)
        mass = w[there].sum(0)
        safe = np.where(mass > 0, mass, np.nan)
        if c.categories:
            one = np.eye(len(c.categories))[values[there].astype(int)]
            shares = (w[there].T @ one) / safe[:, None]
            shown = range(1, 2) if c.kind == "binary" else range(len(c.categories))
            for j in shown:
                out[f"{c.name} = {c.categories[j]}"] = shares[:, j]
        else:
            out[c.name] = (w[there].T @ values[there]) / safe
    return pd.DataFrame(out)
