"""Categorical items of a fit: what was observed beside what the classes imply."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..calls.places import columns_by_name
from ..machine.jit import quick_jit
from ..plan.program import Params, Program

if TYPE_CHECKING:
    import pandas as pd

    from .result import Result


class Items(NamedTuple):
    """Items that are independent within a class.

    ``names`` (d,), ``values`` (d, n) categories, -1 where missing, ``probs`` for each item (k, m),
    ``weights`` (n,) of the rows, ``sizes`` (k,) of the classes, ``seen`` for each item (m,) which
    categories any row has.
    """

    names: list[str]
    values: np.ndarray
    probs: list[np.ndarray]
    weights: np.ndarray
    sizes: np.ndarray
    seen: list[np.ndarray]


def items_of(fit: Result) -> Items:
    """The items of a latent class model.

    Raises:
        ValueError: observations that are no categories, several latent classes, groups, known
            labels, or classes that depend on covariates.
    """
    program, structure = fit.program, fit.program.structure
    sites = program.sites
    plain = len(structure.levels) == 1 and len(structure.latents) == 1
    plain = (
        plain
        and structure.chain is None
        and not (structure.auxiliary or structure.latent.labels or program.rowwise)
    )
    if not plain or structure.latent.rowwise:
        raise ValueError(
            "tables of items are of one latent class a row, whose probabilities are the same for "
            "all rows, with no labels known"
        )
    probs, sizes = _probabilities(program)(fit.free, fit.call.arrays)
    for site in sites:
        if site.data is not None and probs.get(site.name) is None:
            raise ValueError(
                f"tables of items are of categories (Categorical, Bernoulli); site {site.name!r} "
                f"is {site.data.distribution.__name__}"
            )
    n, chunks = program.num_rows, fit.rows.chunks
    weights = np.asarray(fit.rows.weights, float)
    names, values, tables, seen = [], [], [], []
    for name, table in probs.items():
        known = columns_by_name(program.source, fit.call.rebuild()[1], name) or []
        items = [item for item, _ in known]
        u = by_row(chunks.u[name], n).astype(int)
        there = by_row(chunks.seen[name], n) > 0 if name in chunks.seen else np.ones_like(u, bool)
        for j in range(len(u)):
            own = np.where(there[j], u[j], -1)
            names.append(items[j] if items else name if len(u) == 1 else f"{name}[{j}]")
            values.append(own)
            tables.append(np.asarray(table, float)[:, j])
            used = own[(own >= 0) & (weights > 0)]
            seen.append(np.isin(np.arange(table.shape[-1]), used))
    return Items(names, np.array(values), tables, weights, np.asarray(sizes, float), seen)


def _probabilities(program: Program) -> Callable[[Params, tuple], tuple[dict, jax.Array]]:
    def of(params: Params, arrays: tuple) -> tuple[dict, jax.Array]:
        args = program.arguments(params, arrays)
        found = {s.name: s.family.categories(args[s.name]) for s in program.statistical if s.data}
        log_weights = program.log_weights(params, arrays)
        return found, jnp.exp(log_weights.reshape(len(log_weights), -1)[:, 0])

    compiled: Callable[[Params, tuple], tuple[dict, jax.Array]] = program.compiled(
        "item probabilities", lambda: quick_jit(program, of)
    )
    return compiled


def by_row(chunked: jax.Array | np.ndarray, n: int) -> np.ndarray:
    """(turns, together, c, size) to (c, n)."""
    array = np.moveaxis(np.asarray(chunked), 2, 0)
    return array.reshape(array.shape[0], -1)[:, :n]


def patterns(items: Items) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows (p, d) of complete items, and the sums of their weights (p,).

    Raises:
        ValueError: missing entries.
    """
    used = items.weights > 0
    values = items.values[:, used]
    if (values < 0).any():
        raise ValueError("G^2 and X^2 compare tables of complete rows, and entries are missing")
    found, where = np.unique(values.T, axis=0, return_inverse=True)
    return found, np.bincount(where.ravel(), items.weights[used])


def log_probabilities(items: Items, rows: np.ndarray) -> np.ndarray:
    """(p,) of rows of items (p, d)."""
    with np.errstate(divide="ignore"):
        joint = np.log(items.sizes)[:, None] + sum(
            np.log(table)[:, rows[:, j]] for j, table in enumerate(items.probs)
        )
    return np.logaddexp.reduce(joint, 0)


def bivariate_residuals(fit: Result) -> pd.DataFrame:
    """One row a pair of items (see `Fit.bivariate_residuals`)."""
    import pandas as pd

    items = items_of(fit)
    table = []
    for a, b in itertools.combinations(range(len(items.names)), 2):
        first, second = items.values[a], items.values[b]
        both = (first >= 0) & (second >= 0)
        shape = (items.probs[a].shape[1], items.probs[b].shape[1])
        cells = first[both] * shape[1] + second[both]
        observed = np.bincount(cells, items.weights[both], shape[0] * shape[1]).reshape(shape)
        expected = (items.probs[a] * items.sizes[:, None]).T @ items.probs[b] * observed.sum()
        possible = expected > 0
        gap = np.where(possible, observed - expected, 0)
        chi_squared = float((gap**2 / np.where(possible, expected, 1)).sum())
        df = int((items.seen[a].sum() - 1) * (items.seen[b].sum() - 1))
        residual = chi_squared / df if df else np.nan
        table.append((items.names[a], items.names[b], chi_squared, df, residual))
    columns = ["first", "second", "chi_squared", "df", "residual"]
    return pd.DataFrame(table, columns=columns).set_index(["first", "second"])
