"""What each column of a table is: numbers, counts, two values or categories; told or found."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from .errors import BadInput, listed, meant
from .files import Table
from .oddities import as_text

KINDS = ("number", "positive", "count", "binary", "category", "ignore")
_ALIASES = {
    **dict.fromkeys(("float", "double", "real", "continuous", "numeric", "normal"), "number"),
    **dict.fromkeys(("int", "integer", "counts"), "count"),
    **dict.fromkeys(("bool", "boolean"), "binary"),
    **dict.fromkeys(("categorical", "text", "string", "factor", "nominal"), "category"),
    **dict.fromkeys(("skip", "drop", "id"), "ignore"),
}
_CALLED = {"number": "numbers", "count": "counts", "binary": "two values", "category": "categories"}
# Text with more values than this, and in most rows another one, is names and no categories.
_MOST = 50
NUMBERS_ROWS = "it numbers the rows; an option that names it has it taken"


@dataclass(frozen=True)
class Column:
    """A column and what it is; ``categories`` are the values of binary and categorical ones."""

    name: str
    kind: str
    categories: tuple[Any, ...] = ()

    def codes(self, table: Table) -> np.ndarray:
        """(n,) floats: numbers, or the places of categories; NaN where there is a gap.

        Raises:
            BadInput: no such column, or a value that its kind cannot be.
        """
        column = self._of(table)
        if self.categories:
            return self._places(column)
        values = _floats(self.name, column)
        self._check(values)
        return values

    def values(self, table: Table) -> list[Any]:
        """(n,) what stands in the file; None where there is a gap.

        Raises:
            BadInput: no such column.
        """
        return _scalars(self._of(table))

    def _of(self, table: Table) -> pa.Array:
        if self.name not in table.names:
            raise BadInput(
                f"there is no column {self.name!r}; the table has {listed(table.names, 20)}"
            )
        return _flat(table.arrow.column(self.name))

    def labels(self, values: np.ndarray) -> pa.Array:
        """The column of such numbers, as it would stand in a file."""
        values = np.asarray(values, float)
        gaps = np.isnan(values)
        if self.categories:
            found = [
                None if g else self.categories[int(v)] for v, g in zip(values, gaps, strict=True)
            ]
            return pa.array(found)
        if self.kind == "count" and (values[~gaps] == np.round(values[~gaps])).all():
            return pa.array(np.where(gaps, 0, values).astype(np.int64), mask=gaps)
        return pa.array(values, mask=gaps)

    def _places(self, column: pa.Array) -> np.ndarray:
        order = {category: i for i, category in enumerate(self.categories)}
        values = _scalars(column)
        unknown = [i for i, v in enumerate(values) if v is not None and v not in order]
        if unknown:
            raise BadInput(
                f"column {self.name!r} has the value {values[unknown[0]]!r} in row "
                f"{unknown[0] + 1}, which is none of the fit's categories "
                f"({listed(list(map(str, self.categories)))}); correct it, or pass it by "
                f"--missing to take it for a gap"
            )
        return np.array([np.nan if v is None else order[v] for v in values], float)

    def _check(self, values: np.ndarray) -> None:
        there = values[~np.isnan(values)]
        if self.kind == "count" and ((there < 0) | (there != np.round(there))).any():
            wrong = there[(there < 0) | (there != np.round(there))][0]
            raise BadInput(
                f"column {self.name!r} is no count: it holds {wrong:g}; "
                f"give --types {self.name}=number"
            )
        if self.kind == "positive" and (there <= 0).any():
            raise BadInput(
                f"column {self.name!r} is not positive: it holds {there[there <= 0][0]:g}; "
                f"give --types {self.name}=number"
            )
        if np.isinf(there).any():
            raise BadInput(f"column {self.name!r} holds an infinite number; mend or remove the row")

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def of_json(stored: Mapping[str, Any]) -> Column:
    """The column that `Column.to_json` wrote."""
    return Column(stored["name"], stored["kind"], tuple(stored["categories"]))


def find(table: Table, name: str, asked: bool = False) -> tuple[Column | None, str]:
    """What a column is, or None and why it tells no classes apart.

    Numbers of the rows, which a year or the values of a table of frequencies may look like, are
    taken if they were ``asked`` for.
    """
    column = _flat(table.arrow.column(name))
    kind = column.type
    n, there = len(column), len(column) - column.null_count
    distinct = 0 if not there else _distinct(column)
    if not there:
        return None, "it has no values"
    if pa.types.is_temporal(kind):
        return None, "dates and times are not used; turn them into numbers"
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return None, f"values of type {kind} are not used"
    if distinct == 1:
        return None, "it has the same value in all rows"
    if pa.types.is_boolean(kind):
        return as_kind(table, name, "binary"), ""
    if _is_number(kind):
        values = _floats(name, column)
        there_values = values[~np.isnan(values)]
        whole = (there_values == np.round(there_values)).all()
        if set(there_values) == {0.0, 1.0}:
            return as_kind(table, name, "binary"), ""
        if not asked and whole and n >= 10 and there == n and (np.diff(values) == 1).all():
            return None, NUMBERS_ROWS
        return Column(name, "count" if whole and _counts(there_values) else "number"), ""
    if distinct > _MOST or distinct > max(there / 2, 2):
        return None, _many_texts(column, distinct)
    return as_kind(table, name, "category"), ""


def taken_for(columns: Sequence[Column], table: Table) -> list[str]:
    """Sentences: which columns were taken for what without being told, and how to say other."""
    out = []
    if columns:
        parts = []
        for kind, word in _CALLED.items():
            if names := [c.name for c in columns if c.kind == kind]:
                parts.append(f"{word}: {listed(names)}")
        out.append(f"Taken for {'; '.join(parts)}. --types {columns[0].name}=KIND says other.")
    if doubtful := [c.name for c in columns if _may_count(c, table)]:
        out.append(
            f"Whole numbers were taken for measurements: {listed(doubtful)}. If they "
            f"count something, say so by --types {doubtful[0]}=count, or name the model by --model."
        )
    return out


def _may_count(column: Column, table: Table) -> bool:
    """Whether numbers are whole and positive, where only a 0 would have told that they count."""
    values = column.codes(table)
    there = values[~np.isnan(values)]
    return column.kind == "number" and bool(((there > 0) & (there == np.round(there))).all())


def _counts(values: np.ndarray) -> bool:
    """Whether whole numbers count something: from 0, or from 1 and spread as Poisson's or more.

    Grades from 1 to 5 have less spread.
    """
    return bool(values.min() == 0 or (values.min() == 1 and values.var() >= values.mean()))


def as_kind(table: Table, name: str, kind: str) -> Column:
    """A column that was told to be of this kind.

    Raises:
        BadInput: it cannot be.
    """
    column = _flat(table.arrow.column(name))
    if kind in ("binary", "category"):
        values = _scalars(column)
        found = sorted({v for v in values if v is not None}, key=lambda v: (str(type(v)), v))
        if kind == "binary" and len(found) != 2:
            raise BadInput(
                f"column {name!r} has {len(found)} different values, so it is not binary; "
                f"give --types {name}=category"
            )
        if len(found) < 2:
            raise BadInput(f"column {name!r} has fewer than two values; leave it out")
        return Column(name, kind, tuple(found))
    made = Column(name, kind)
    made.codes(table)
    return made


def told(types: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """{column: kind} of options ``col=kind,...``; a column's name may be a pattern.

    Raises:
        BadInput: another form, an unknown kind or column.
    """
    out = {}
    for part in (p for option in types for p in option.split(",")):
        name, mark, word = part.rpartition("=")
        kind = _ALIASES.get(word.strip().lower(), word.strip().lower())
        if not mark or kind not in KINDS:
            raise BadInput(
                f"--types takes COLUMN=KIND with a kind of {', '.join(KINDS)}, not {part!r}"
            )
        for found in select([name.strip()], names, "--types"):
            out[found] = kind
    return out


def select(options: Iterable[str], names: Sequence[str], option: str) -> list[str]:
    """Columns by name, by pattern (``petal*``), or from one to another (``a:d``), in order.

    Raises:
        BadInput: what matches no column.
    """
    out: list[str] = []
    for part in _parts(options, names):
        if part in names:
            found = [part]
        elif any(mark in part for mark in "*?["):
            found = fnmatch.filter(names, part)
        else:
            first, mark, last = part.partition(":")
            ends = (first or names[0], last or names[-1])
            there = bool(mark) and all(end in names for end in ends)
            found = list(names[names.index(ends[0]) : names.index(ends[1]) + 1]) if there else []
        if not found:
            hint = meant(part, names) or f"there are {listed(names, 20)}"
            raise BadInput(f"{option} names {part!r}, and the table has no such column; {hint}")
        out += [name for name in found if name not in out]
    return out


def _parts(options: Iterable[str], names: Sequence[str]) -> Iterable[str]:
    """The parts between commas; a column whose own name has a comma is taken whole."""
    for option in options:
        yield from [option] if option in names else [p.strip() for p in option.split(",") if p]


def _flat(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], whole.type)
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole


def _scalars(column: pa.Array) -> list[Any]:
    """Python's values, whole numbers as int so that 1 and 1.0 are one category; None for gaps."""
    values = column.to_pylist()
    if pa.types.is_boolean(column.type) or not _is_number(column.type):
        plain = pa.types.is_boolean(column.type) or pa.types.is_string(column.type)
        return [v if v is None or plain else str(v) for v in values]
    numbers = [None if v is None or v != v else float(v) for v in values]
    return [v if v is None or not v.is_integer() else int(v) for v in numbers]


def _distinct(column: pa.Array) -> int:
    return len({v for v in _scalars(column) if v is not None})


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _floats(name: str, column: pa.Array) -> np.ndarray:
    if not (_is_number(column.type) or pa.types.is_boolean(column.type)):
        values = column.to_pylist()
        row = next((i for i, v in enumerate(values) if v is not None), 0)
        raise BadInput(
            f"column {name!r} holds no numbers but {column.type} (row {row + 1}: {values[row]!r}); "
            f"give --types {name}=category, or pass by --missing what stands for a gap"
        )
    return np.asarray(column.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False))


def _many_texts(column: pa.Array, distinct: int) -> str:
    values = list(map(str, column.drop_null().to_pylist()))
    return (
        as_text(values) or f"it has {distinct} different texts, which are names and no categories"
    )
