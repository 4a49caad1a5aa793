"""Which entry of which parameter each argument of a family is: read by exact probes.

The parameters are given distinct numbers, several times over and of several sizes. An argument
whose every entry equals one and the same parameter entry each time *is* that parameter, however
it was indexed, stacked or transposed; an entry that never changes is fixed; anything else is a
function of the parameters. That holds everywhere, and not only at the probes, because only
arguments that the jaxpr shows to be affine in the parameters are asked. Names and source code are
never looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..families import Family, Ties
from ..read.layout import float_type
from ..read.structure import Parameter

# What each probe's numbers, from 0.1 to 0.9, are multiplied by.
_SIZES = (1.0, 1.0, 1.0, 1e-4, 1e4)
_ULPS = 4

_WITHIN = {
    "real": {"real"},
    "circular": {"real", "circular"},
    "positive": {"positive", "nonnegative", "softpluspositive"},
    "unit_interval": {"unitinterval"},
    "simplex": {"simplex"},
    "simplexes": {"simplex"},
    "zero_sum": {"zerosum"},
    "rotation": {"rotation"},
    "positive_definite": {"positivedefinite"},
    "lower_cholesky": {"lowercholesky", "softpluslowercholesky", "scaledunitlowercholesky"},
}
_INTERVALS = {"unit_interval": (0.0, 1.0), "circular": (-np.pi, np.pi)}
_WHOLE = {
    "simplex": 1,
    "simplexes": 2,  # a matrix whose rows are
    "zero_sum": 1,
    "rotation": 2,
    "positive_definite": 2,
    "lower_cholesky": 2,
}


@dataclass(frozen=True, eq=False)
class Entries:
    """``index`` (k, c, event...): the place of each entry among all parameters; -1 is fixed.

    ``alike`` says that no class reaches it: it is the same in all components, whatever it is.
    """

    index: np.ndarray
    alike: bool = False

    @property
    def cells(self) -> np.ndarray:
        """(k, c, e) the same, event flattened."""
        return self.index.reshape(*self.index.shape[:2], -1)


@dataclass(frozen=True)
class Layout:
    """The parameters in one flat vector."""

    parameters: tuple[Parameter, ...]

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each parameter begins; the total at the end."""
        return np.cumsum([0, *(int(np.prod(p.shape)) for p in self.parameters)])

    def unflatten(self, vector: np.ndarray) -> dict[str, jax.Array]:
        """The parameters in a flat vector."""
        return {
            p.name: jnp.asarray(vector[a:b].reshape(p.shape), float_type())
            for p, a, b in zip(self.parameters, self.starts, self.starts[1:], strict=False)
        }

    def owner(self, place: int) -> tuple[Parameter, int]:
        """The parameter at a place, and the place within it."""
        which = int(np.searchsorted(self.starts, place, side="right")) - 1
        return self.parameters[which], place - int(self.starts[which])

    def name(self, place: int) -> str:
        """How a user would write the entry: ``loc[1]``."""
        parameter, within = self.owner(place)
        index = np.unravel_index(within, parameter.shape) if parameter.shape else ()
        return parameter.name + (f"[{', '.join(map(str, index))}]" if parameter.shape else "")


def probe(
    arguments: Callable[[dict[str, jax.Array]], Any],
    parameters: Sequence[Parameter],
    affine: Mapping[tuple[str, str], bool],
    alike: Collection[tuple[str, str]] = (),
) -> tuple[dict[str, dict[str, Entries | None]], Layout]:
    """Match every argument of every site; None where it is a function of the parameters.

    ``affine`` says of (site, argument) whether it can be matched; those not named can;
    ``alike`` are those that no class reaches.
    """
    layout = Layout(tuple(parameters))
    vectors = probes(layout)
    runs = [jax.tree.map(np.asarray, arguments(layout.unflatten(v))) for v in vectors]
    found: dict[str, dict[str, Entries | None]] = {}
    for site, args in runs[0].items():
        found[site] = {
            name: matched([run[site][name] for run in runs], vectors, (site, name) in alike)
            if affine.get((site, name), True)
            else None
            for name in args
        }
    return found, layout


def probes(layout: Layout) -> list[np.ndarray]:
    """Parameters in flat vectors: no entry has the same number twice, within one or in two."""
    total = int(layout.starts[-1])
    rng = np.random.default_rng(0)
    grid = np.linspace(0.1, 0.9, len(_SIZES) * total).reshape(total, len(_SIZES)).T
    sized = zip(grid, _SIZES, strict=True)
    return [rng.permutation(numbers * size).astype(float_type()) for numbers, size in sized]


def matched(
    values: list[np.ndarray], vectors: list[np.ndarray], alike: bool = False
) -> Entries | None:
    """Which parameter entry each value is at all the probes; None where one is a function."""
    first = values[0].ravel()
    constant = np.all([_equal(v.ravel(), first) for v in values], axis=0)
    if not vectors[0].size:
        return Entries(np.full(values[0].shape, -1), alike) if constant.all() else None
    order = np.argsort(vectors[0])
    least = first - _ULPS * np.spacing(np.abs(first))
    place = np.searchsorted(vectors[0], least, sorter=order).clip(0, len(order) - 1)
    index = order[place]
    pairs = zip(values, vectors, strict=True)
    same = np.all([_equal(v.ravel(), p[index]) for v, p in pairs], axis=0)
    if not np.all(same | constant):
        return None
    return Entries(np.where(same, index, -1).reshape(values[0].shape), alike)


def _equal(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Equal but for the rounding of an argument that a distribution keeps in other terms."""
    return (values == others) | (np.abs(values - others) <= _ULPS * np.spacing(np.abs(others)))


def direct(
    family: Family,
    entries: Mapping[str, Entries | None],
    layout: Layout,
    bounds: Mapping[str, tuple[float, float]],
) -> dict[str, Ties] | None:
    """The ties of a site whose arguments are parameters directly, or None if some are not.

    Direct also means that the closed form cannot leave the parameter's support: the support is
    the argument's natural domain, and a simplex or a matrix is used whole.
    """
    ties, used = {}, []
    for name, entry in entries.items():
        if entry is None:
            return None
        cells = entry.cells
        free = cells >= 0
        if np.any(free.any(-1) != free.all(-1)):
            return None
        domain = family.domains[name]
        if not _allowed(cells, domain, layout, bounds):
            return None
        flat = cells.reshape(-1, cells.shape[-1])
        unique, groups = np.unique(flat, axis=0, return_inverse=True)
        members = unique[unique >= 0]
        if len(np.unique(members)) != len(members):
            return None  # groups overlap: part of a value is shared, part is not
        used.append(np.unique(members))
        ties[name] = Ties(groups.reshape(cells.shape[:2]), ~free.all(-1), entry.alike)
    places = np.concatenate(used) if used else np.array([], int)
    return ties if len(np.unique(places)) == len(places) else None


def _allowed(
    cells: np.ndarray, domain: str, layout: Layout, bounds: Mapping[str, tuple[float, float]]
) -> bool:
    for cell in np.unique(cells.reshape(-1, cells.shape[-1]), axis=0):
        if cell[0] < 0:
            continue
        owners = {layout.owner(int(place))[0].name for place in (cell[0], cell[-1])}
        parameter, within = layout.owner(int(cell[0]))
        interval = parameter.constraint == "interval" and np.allclose(
            bounds.get(parameter.name, np.nan), _INTERVALS.get(domain, np.nan), 1e-6, 0
        )
        if parameter.constraint not in _WITHIN[domain] and not interval:
            return False
        if domain == "zero_sum" and parameter.size != np.prod(parameter.shape[:-1]) * (
            parameter.shape[-1] - 1
        ):
            return False  # its sums over other axes are 0 as well
        if domain in _WHOLE:
            event = int(np.prod(parameter.shape[-_WHOLE[domain] :]))
            whole = event == len(cell) and within % event == 0
            if not whole or len(owners) > 1 or np.any(np.diff(cell) != 1):
                return False
        elif (
            any(layout.owner(int(place))[0].constraint not in _WITHIN[domain] for place in cell)
            and not interval
        ):
            return False
    return True
