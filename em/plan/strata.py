"""Arguments that are parameter entries directly, but other ones in other rows: ``probs[z, who]``.

Each row takes its arguments from one place along some axes of the parameters, as who gave a label:
its stratum. Within a stratum the arguments vary by no row, so that the family's estimator holds
stratum by stratum. What those axes are is read by the same exact probes as all ties are (see
`ties.py`); all places along them are strata, whether these rows have them or not, so that what is
planned holds for other data. The stratum of a row is read off the model at the probe's parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from ..families import Args, Family, RowFamily
from ..read.reader import Reader
from ..read.structure import Data
from .site_arguments import of_data
from .ties import Entries, Layout, matched, probes

# Entries of arguments that are looked at for each probe, at most.
_LIMIT = 1 << 22


@dataclass(frozen=True, eq=False)
class Strata:
    """How rows take their arguments.

    ``entries`` {argument: (k, strata, event...) places among the parameters}; ``argument`` is the
    one by which rows are told apart, at the parameters ``vector``: ``values`` (strata,) is what it
    is there.
    """

    entries: Mapping[str, Entries]
    argument: str
    vector: np.ndarray
    values: np.ndarray

    def of(self, reader: Reader, layout: Layout, data: Data, arrays: tuple) -> jax.Array:
        """(n,) the stratum of each row."""
        level = reader.structure.level_of(data)
        trace = reader.run(layout.unflatten(self.vector), arrays, 0, level=data.level)
        value = of_data(reader, trace, data.level)[data.name][self.argument]
        first = value.reshape(level.num_rows, -1)[:, :1]
        return jnp.argmin(jnp.abs(first - jnp.asarray(self.values, first.dtype)), axis=1)


def find_strata(
    family: Family | None,
    data: Data,
    layout: Layout,
    evaluate: Callable[[Mapping[str, jax.Array]], Args],
    varying: set[str],
) -> Strata | None:
    """The strata of a site whose arguments are parameters, and vary by row; None if it has none.

    ``evaluate`` gives its arguments (k, 1 or n, c, event...) at parameters.
    """
    plain = family is not None and not isinstance(family, RowFamily) and family.closed
    if family is None or not plain or family.known or data.partial or not varying:
        return None
    vectors = probes(layout)
    shapes = jax.eval_shape(evaluate, layout.unflatten(vectors[0]))
    varying = varying & set(shapes)
    if any(v.shape[2] != 1 or v.size > _LIMIT for v in shapes.values()):
        return None
    runs = [jax.tree.map(np.asarray, evaluate(layout.unflatten(v))) for v in vectors]
    found = {name: matched([run[name] for run in runs], vectors) for name in runs[0]}
    if any(entry is None or (entry.index < 0).any() for entry in found.values()):
        return None
    index = {name: entry.index[:, :, 0] for name, entry in found.items() if entry is not None}
    parts = {name: _along(index[name], layout) for name in varying}
    if any(part is None for part in parts.values()):
        return None
    tables = {name: part for name, part in parts.items() if part is not None}
    first = next(iter(tables))
    strata, table = tables[first]
    for other, own in tables.values():
        if not np.array_equal(other, strata) or own.shape[1] != table.shape[1]:
            return None
    number = table.shape[1]
    entries = {name: own for name, (_, own) in tables.items()}
    for name in set(index) - varying:
        entries[name] = np.repeat(index[name][:, :1], number, axis=1)
    values = vectors[0][table[0].reshape(number, -1)[:, 0]]
    return Strata({n: Entries(entries[n]) for n in found}, first, vectors[0], values)


def _along(index: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray] | None:
    """(n,) the stratum of each row of places (k, n, event...), and (k, strata, event...) of all."""
    k, n = index.shape[:2]
    flat = index.reshape(k, n, -1)
    parameter, _ = layout.owner(int(flat.ravel()[0]))
    start = int(layout.starts[layout.parameters.index(parameter)])
    size = int(np.prod(parameter.shape))
    if flat.min() < start or flat.max() >= start + size:
        return None
    places = np.array(np.unravel_index(flat - start, parameter.shape))  # (axes, k, n, e)
    axes = np.flatnonzero((places != places[:, :, :1]).any((1, 2, 3)))
    if not axes.size:
        return None  # the same in all of these rows
    own = places[axes]
    if (own != own[:, :1, :, :1]).any():
        return None  # components or entries are of different strata
    sizes = tuple(parameter.shape[axis] for axis in axes)
    strata = np.ravel_multi_index(tuple(own[:, 0, :, 0]), sizes)
    every = np.array(np.unravel_index(np.arange(np.prod(sizes)), sizes))
    table = np.repeat(places[:, :, :1], every.shape[1], axis=2)
    table[axes] = every[:, None, :, None]
    whole = start + np.ravel_multi_index(tuple(table), parameter.shape)
    if not np.array_equal(whole[:, strata], flat):
        return None
    return strata, whole.reshape(k, -1, *index.shape[2:])
