"""How a table becomes the arguments of a model: kept in ``fit.npz`` beside the fit."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .columns import Column, of_json
from .errors import BadInput
from .files import Table

_MEMBER, _FORMAT = "command_line.json", 1


@dataclass(frozen=True)
class Argument:
    """One argument of the model, made of columns.

    ``form`` is "vector" (n,), "matrix" (n, d), "columns" {name: (n,)}, "design" (n, p), where
    categories become indicators of all but the first, "groups" (n,) numbers of groups as they
    appear, or "weights". ``whole`` says that the numbers are integers.
    """

    name: str
    form: str
    columns: tuple[Column, ...]
    whole: bool = False
    intercept: bool = False

    def build(self, table: Table) -> Any:
        """The value for a table.

        Raises:
            BadInput: the table lacks a column, or has gaps where none may be.
        """
        if self.form == "groups":
            return _numbered(self.columns[0].values(table))
        codes = {c.name: c.codes(table) for c in self.columns}
        if self.form == "columns":
            return codes
        if self.form != "matrix" or self.whole:
            for name, values in codes.items():
                _no_gaps(name, values, self)
        if self.form == "weights":
            (values,) = codes.values()
            if (values < 0).any() or not values.any():
                raise BadInput(
                    f"the weights {self.columns[0].name!r} must not be negative or all 0"
                )
            return values
        if self.form == "design":
            return self._design(codes)
        kind = np.int64 if self.whole else float
        if self.form == "vector":
            return next(iter(codes.values())).astype(kind)
        return self._frame({name: values.astype(kind) for name, values in codes.items()})

    def entries(self) -> list[str]:
        """What the last axis of its parameters counts: columns, or the terms of a regression."""
        if self.form != "design":
            return [c.name for c in self.columns]
        terms = ["(intercept)"] if self.intercept else []
        for c in self.columns:
            terms += [f"{c.name} = {v}" for v in c.categories[1:]] if c.categories else [c.name]
        return terms

    def _design(self, codes: Mapping[str, np.ndarray]) -> np.ndarray:
        n = len(next(iter(codes.values()), ()))
        parts = [np.ones(n)] if self.intercept else []
        for c in self.columns:
            values = codes[c.name]
            indicators = [values == i for i in range(1, len(c.categories))]
            parts += [np.asarray(p, float) for p in indicators] if c.categories else [values]
        return np.stack(parts, 1)

    def _frame(self, values: dict[str, np.ndarray]) -> Any:
        import pandas as pd

        return pd.DataFrame(values)


@dataclass(frozen=True)
class Recipe:
    """What `fit` did with a file, so that `predict` and `sample` can do it again."""

    command: str
    data: str
    model: str
    arguments: tuple[Argument, ...]
    keywords: dict[str, Any]
    missing: tuple[str, ...] = ()
    version: str = ""
    model_sum: str = ""
    seed: int = 0
    format: int = field(default=_FORMAT)

    def build(self, table: Table, *, weighted: bool = True) -> dict[str, Any]:
        """The arguments for a table, by name; all rows count the same unless ``weighted``."""
        out: dict[str, Any] = {}
        for argument in self.arguments:
            if argument.form == "weights" and not weighted:
                out[argument.name] = np.ones(len(table))
                continue
            out[argument.name] = argument.build(table)
            if argument.form == "groups":
                out[f"num_{argument.name}s"] = int(out[argument.name].max()) + 1
        return out

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the data, in the order of the file."""
        return next(a.columns for a in self.arguments if a.form != "weights")

    @property
    def group(self) -> Argument | None:
        """The argument ``group``, where rows of a group have one class."""
        return next((a for a in self.arguments if a.name == "group"), None)

    def write(self, path: Path) -> None:
        """Put it into the archive of a fit that was saved there."""
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_MEMBER, json.dumps(asdict(self)))


def read(path: Path) -> Recipe:
    """The recipe of a fit.

    Raises:
        BadInput: no fit, or one that was not made by the command line.
    """
    if path.is_dir():
        path = path / "fit.npz"
    if not path.exists():
        raise BadInput(f"there is no fit {path}; name the folder that `mixpyro fit --out` wrote")
    try:
        with zipfile.ZipFile(path) as archive:
            stored = json.loads(archive.read(_MEMBER))
    except zipfile.BadZipFile:
        raise BadInput(f"{path} is no fit; name the fit.npz that `mixpyro fit` wrote") from None
    except KeyError:
        raise BadInput(
            f"{path} was not written by `mixpyro fit`, so nobody knows which columns it takes; "
            "read it in Python with mixpyro.em.load"
        ) from None
    if stored["format"] != _FORMAT:
        raise BadInput(f"{path} has format {stored['format']}; this version reads {_FORMAT}")
    arguments = tuple(
        Argument(**a | {"columns": tuple(map(of_json, a["columns"]))}) for a in stored["arguments"]
    )
    return Recipe(**stored | {"arguments": arguments, "missing": tuple(stored["missing"])})


def _numbered(values: list[Any]) -> np.ndarray:
    """0, 1, ... in the order in which values appear; those of gaps are one."""
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(v, len(numbers)) for v in values])


def _no_gaps(name: str, values: np.ndarray, argument: Argument) -> None:
    gaps = np.flatnonzero(np.isnan(values))
    if gaps.size and not (argument.form == "vector" and not argument.whole):
        raise BadInput(
            f"column {name!r} has {gaps.size} gaps (the first in row {gaps[0] + 1}), and "
            f"{argument.name!r} of this model takes none; give --drop-missing to leave such rows "
            "out, or --model latent_profile, which takes gaps"
        )
