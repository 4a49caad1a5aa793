"""Files larger than memory: kinds are found from their first rows, all rows are read in batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from ..em import EM, Batches, Fit
from ..em.sources.kinds.dataset import pieces
from ..weighted import Weighted, weighted
from . import results
from .errors import BadInput
from .files import Table
from .prepare import Prepared, Wanted
from .recipe import Argument, Recipe

# Rows that say what columns are, and that pictures show; rows of a batch.
HEAD, SIZE = 1 << 16, 1 << 17
_FORMATS = {".parquet": "parquet", ".arrow": "ipc", ".ipc": "ipc", ".feather": "feather"}
_FORMATS |= {".csv": "csv"}


def head(wanted: Wanted) -> Table:
    """The first rows of the file.

    Raises:
        BadInput: a file, or options, of which all rows are needed at once.
    """
    for option, given in (
        ("--group", wanted.group),
        ("--response", wanted.response),
        ("--set NAME=@COLUMN", [s for s in wanted.set if "=@" in s]),
        ("--missing", wanted.missing),
        ("--drop-missing", wanted.drop_missing),
    ):
        if given:
            raise BadInput(f"{option} needs all rows at once; leave it or --batches out")
    try:
        table = _dataset(wanted.data).head(HEAD)
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{wanted.data} cannot be read: {error}") from error
    if not table.num_rows:
        raise BadInput(f"{wanted.data} has no rows of data")
    note = f"Kinds of columns, pictures and classes are those of the first {table.num_rows} rows."
    return Table(table, (note,))


def arguments(recipe: Recipe, path: Path) -> dict[str, Any]:
    """The arguments of the model, rows as `Batches`.

    Raises:
        BadInput: columns that are no numbers as they stand in the file.
    """
    for argument in recipe.arguments:
        for column in argument.columns:
            if column.categories and list(column.categories) != list(range(len(column.categories))):
                raise BadInput(
                    f"column {column.name!r} holds categories, which are read in batches only as "
                    f"whole numbers 0, 1, ...: leave it out (--drop {column.name}) or code it so"
                )
    return {a.name: _batches(a, path) for a in recipe.arguments}


def _batches(argument: Argument, path: Path) -> Any:
    def of(columns: Any) -> Batches:
        return Batches(path, columns, batch_size=SIZE)

    names = [c.name for c in argument.columns]
    if argument.form == "columns":
        return {name: of(name) for name in names}
    return of(names if argument.form == "matrix" else names[0])


def held(prepared: Prepared, fit: Fit) -> Fit:
    """The first rows with the parameters of all, for what looks at rows one by one."""
    from numpyro import handlers

    recipe = prepared.recipe
    keywords = recipe.build(prepared.table) | recipe.keywords
    args, given = fit.call.rebuild()
    assert not args
    swept = {n: v for n, v in given.items() if n not in keywords}
    model, values = prepared.model, dict(fit.params)
    inner = model.fn if isinstance(model, Weighted) else model
    # Hidden, or the rows' weights would be those of the parameters too.
    fixed = handlers.block(handlers.condition(inner, values), hide=list(values))
    fixed = weighted(fixed) if isinstance(model, Weighted) else fixed
    found = EM(fixed, num_restarts=1).run(0, **keywords, **swept)
    return found.named(fit.class_names) if fit.class_names else found


def write_rows(prepared: Prepared, fit: Fit, out: Path) -> None:
    """All rows with their classes, a piece after the other."""
    words, writer = results.class_words(fit), None
    try:
        for piece in _pieces(Path(prepared.recipe.data)):
            resp, density = results.posterior(fit, prepared.recipe, piece)
            table = results.with_classes(piece, resp, density, words)
            writer = writer or pq.ParquetWriter(out, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _pieces(path: Path) -> Iterator[Table]:
    dataset = _dataset(path)
    for fragment in dataset.get_fragments():
        for batch in pieces(fragment, dataset.schema, SIZE):
            if batch.num_rows:
                yield Table(pa.Table.from_batches([batch]))


def _dataset(path: Path) -> Any:
    kind = path.suffix.lower()
    if kind not in _FORMATS:
        raise BadInput(f"{path} is not read in batches; give a file {', '.join(_FORMATS)}")
    if not path.exists():
        raise BadInput(f"there is no file {path}; check the name and the folder ({Path.cwd()})")
    return ds.dataset(str(path), format=_FORMATS[kind])
