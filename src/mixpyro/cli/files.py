"""Tables in files, read and written by pyarrow: CSV, TSV, Parquet, Arrow and Feather, gzip."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.feather as pf
import pyarrow.parquet as pq

from .errors import BadInput

_TEXT, _ARROW = (".csv", ".tsv", ".tab", ".txt", ".dat"), (".arrow", ".feather", ".ipc")
_ENDINGS = ".csv, .tsv, .parquet, .arrow or .feather (text also with .gz)"
# How gaps are written, besides pyarrow's own list (empty, NA, N/A, NaN, null ...): UCI, SAS, Stata.
_GAPS = ("?", ".", "-")
_SEPARATORS = (",", "\t", ";", "|")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")


@dataclass(frozen=True)
class Table:
    """A table of a file, and what was decided in reading it, a sentence each."""

    arrow: pa.Table
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return list(self.arrow.column_names)


def read(path: Path, missing: Sequence[str] = ()) -> Table:
    """The table of a file; ``missing`` are further texts that mean a gap.

    Where such a text is a number, that number is a gap however it is written, -999.00 as -999. No
    threads of Arrow's read: those that still wind up when the process ends abort it
    (https://github.com/apache/arrow/issues/39862).

    Raises:
        BadInput: no such file, one of another kind, or one that holds no table.
    """
    kind = _kind(path)
    if not path.exists():
        raise BadInput(f"there is no file {path}; check the name and the folder ({Path.cwd()})")
    if path.is_dir():
        raise BadInput(f"{path} is a folder; name one of its files")
    try:
        if kind == ".parquet":
            table = Table(pq.read_table(path, use_threads=False))
        elif kind in _ARROW:
            table = Table(pf.read_table(path, use_threads=False))
        else:
            table = _read_text(path, kind, missing)
    except (pa.ArrowException, OSError, EOFError) as error:
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadInput(f"{path} cannot be read as {kind[1:].upper()}: {said}") from error
    if not table.names:
        raise BadInput(f"{path} has no columns")
    if not len(table):
        raise BadInput(f"{path} has no rows of data")
    return replace(table, arrow=_without(table.arrow, missing))


def _without(table: pa.Table, missing: Sequence[str]) -> pa.Table:
    """Gaps where a number is one of those that mean one."""
    import pyarrow.compute as compute

    codes = pa.array([float(m.replace(",", ".")) for m in missing if _is_number(m)], pa.float64())
    if not len(codes):
        return table
    for place, field in enumerate(table.schema):
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
            column = table.column(place)
            gap = compute.is_in(column.cast(pa.float64(), safe=False), codes)
            column = compute.if_else(gap, pa.scalar(None, field.type), column)
            table = table.set_column(place, field, column)
    return table


def write(table: pa.Table, path: Path) -> None:
    """Write a table by the ending of the file's name.

    Raises:
        BadInput: an ending that is not known, or a folder that is not there.
    """
    kind = _kind(path)
    try:
        if kind == ".parquet":
            pq.write_table(table, path)
        elif kind in _ARROW:
            pf.write_feather(table, path)
        else:
            path.write_bytes(text(table, kind, path.name.lower().endswith(".gz")))
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error}") from error


def text(table: pa.Table, kind: str = ".csv", zipped: bool = False) -> bytes:
    """The table as CSV or TSV."""
    out = io.BytesIO()
    options = pc.WriteOptions(delimiter="\t" if kind in (".tsv", ".tab") else ",")
    pc.write_csv(_plain(table), out, options)
    return gzip.compress(out.getvalue(), mtime=0) if zipped else out.getvalue()


def check_ending(path: Path) -> None:
    """Refuse a name that `write` cannot write, before anything else is done."""
    _kind(path)
    if not path.absolute().parent.is_dir():
        raise BadInput(f"there is no folder {path.absolute().parent}; make it first")


def _kind(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    kind = Path(name).suffix
    if kind in (".xlsx", ".xls", ".ods"):
        raise BadInput(f"{path} is a spreadsheet; save it as CSV and give that file")
    zipped = name != path.name.lower()
    if kind not in (*_TEXT, ".parquet", *_ARROW) or (zipped and kind not in _TEXT):
        raise BadInput(f"{path} has no ending that is known; name a file {_ENDINGS}")
    return kind


def _plain(table: pa.Table) -> pa.Table:
    """Without dictionaries, which CSV cannot hold."""
    fields = [
        pa.field(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type)
        for f in table.schema
    ]
    return table.cast(pa.schema(fields))


def _read_text(path: Path, kind: str, missing: Sequence[str]) -> Table:
    raw = path.read_bytes()
    if path.name.lower().endswith(".gz"):
        raw = gzip.decompress(raw)
    notes = []
    try:
        whole = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            whole = raw.decode("utf-16")
        else:
            whole = raw.decode("cp1252", errors="replace")
            notes.append("The file is not UTF-8; it was read as Windows-1252 (Western European).")
    whole = _without_remarks(whole, notes)
    lines = [line for line in whole.splitlines()[:200] if line.strip()]
    if not lines:
        raise BadInput(f"{path} is empty")
    separator = "\t" if kind in (".tsv", ".tab") else _separator(lines)
    first, second = _cells(lines[0], separator), _cells(lines[min(1, len(lines) - 1)], separator)
    bare = all(_is_number(cell) for cell in first)
    comma = separator == ";" and any(_DECIMAL_COMMA.search(line) for line in lines[1:])
    if bare:
        notes.append("The first line holds numbers and no names: columns are column1, column2 ...")
        first = [f"column{i + 1}" for i in range(len(first))]
    elif len(second) == len(first) + 1:  # as R's write.table leaves row names
        first = ["row", *first]
    if comma:
        notes.append("Numbers are written with a decimal comma.")
    gaps = [*pc.ConvertOptions().null_values, *_GAPS, *missing]
    table = pc.read_csv(
        pa.BufferReader(whole.encode()),
        pc.ReadOptions(
            use_threads=False,
            column_names=_unique(first, notes),
            skip_rows=0 if bare else _lines_to_names(whole),
        ),
        pc.ParseOptions(delimiter=separator, newlines_in_values=True),
        pc.ConvertOptions(
            null_values=gaps, strings_can_be_null=True, decimal_point="," if comma else "."
        ),
    )
    return Table(_trimmed(table, gaps), tuple(notes))


def _without_remarks(whole: str, notes: list[str]) -> str:
    """The text without the lines before the table that begin with #, unless those are its names."""
    lines = whole.splitlines(keepends=True)
    told = [i for i, line in enumerate(lines[:200]) if line.strip()]
    first = next((i for i in told if not lines[i].startswith("#")), 0)
    remarks = [i for i in told if i < first]
    if not remarks:
        return whole
    mark = _separator([lines[i] for i in told if i >= first])
    top, before = _cells(lines[first], mark), _cells(lines[remarks[-1]], mark)
    if len(top) == len(before) and any(map(_is_number, top)):
        return whole  # "#id,a,b"
    notes.append(f"Lines of remarks before the table were passed over: {first}.")
    return "".join(lines[first:])


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]


def _lines_to_names(whole: str) -> int:
    """How many lines there are up to the names, these included."""
    return next(i for i, line in enumerate(whole.splitlines()) if line.strip()) + 1


def _separator(lines: list[str]) -> str:
    """What most evenly cuts the lines into several cells; a comma if nothing does."""

    def evenness(mark: str) -> tuple[float, int]:
        counts = [line.count(mark) for line in lines[:50]]
        return sum(c == counts[0] for c in counts) / len(counts) if counts[0] else 0.0, counts[0]

    return max(_SEPARATORS, key=evenness)


def _unique(names: list[str], notes: list[str]) -> list[str]:
    """Names that differ: of several alike, all but the first get a number."""
    out: list[str] = []
    for place, given in enumerate(names):
        name, number = given or f"column{place + 1}", 2
        while name in out:
            name, number = f"{given or 'column'}_{number}", number + 1
        if name != given and given:
            notes.append(f"Two columns are called {given!r}; the later one is {name!r} here.")
        out.append(name)
    return out


def _trimmed(table: pa.Table, gaps: list[str]) -> pa.Table:
    """Texts without blanks around them ("a, b"), which may then be gaps or numbers."""
    import pyarrow.compute as compute

    for place, field in enumerate(table.schema):
        if not pa.types.is_string(field.type):
            continue
        column = compute.utf8_trim_whitespace(table.column(place))
        gap = compute.is_in(column, pa.array(gaps))
        column = compute.if_else(gap, pa.scalar(None, pa.string()), column)
        for kind in (pa.int64(), pa.float64()):
            try:
                column = column.cast(kind)
                break
            except pa.ArrowInvalid:
                continue
        table = table.set_column(place, field.name, column)
    return table


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return cell.lower() not in ("nan", "inf", "infinity")
