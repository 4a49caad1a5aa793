"""Fits in files: NumPy arrays and JSON in one ``.npz``, readable without this library."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, BinaryIO

import jax.numpy as jnp
import numpy as np

from ..calls.arguments import split
from ..calls.call import Classes
from ..calls.streams import data_of
from ..climb.selection import Restarts
from ..climb.status import Status
from ..machine.files import read_arrays, write_whole
from ..machine.surroundings import surrounded
from ..options import path as check_path
from ..programs import prepare, program_for
from ..rows.checks import check
from ..sources.batches import Batches
from .of_classes import names as names_of_classes
from .of_data.written import arrays_of, call_of, retold, told
from .precision import precision_of_numbers
from .result import Result

_FORMAT = 1


def save(fit: Result, path: str | Path) -> None:
    """Write ``fit``: its numbers, and the arguments of the model (the data included).

    Of `Batches` it is where their files are.

    Raises:
        ValueError: an argument that JSON cannot hold, such as a function; `Batches` of no files.
    """
    check_path(path)
    marked = fit.call.rebuild(tuple(_Array(i) for i in range(len(fit.call.arrays))))
    found = fit.restart_results
    given: list[Any] = list(fit.call.arrays)
    streams = [(i, a) for i, a in enumerate(given) if isinstance(a, Batches)]
    elsewhere = {i: a.told() for i, a in streams}
    meta = {
        "format": _FORMAT,
        "library": "mixpyro",
        "arguments": _encode(list(marked)),
        "columns": [list(c) if c and all(map(_named, c)) else None for c in fit.call.columns],
        "classes": names_of_classes.told(fit.call.classes),
        "parameters": list(fit.leaves),
        "log_likelihood": fit.log_likelihood,
        "objective": fit.objective,
        "num_steps": fit.num_steps,
        "total_weight": fit.total_weight,
        "status": fit.base_status.name,
        "looked": fit.looked,
        "reseeded": fit.reseeded,
        "chosen": found.chosen,
        "passed": found.passed,
        "narrow": found.narrow,
        "spec": str(fit.spec),
        "posterior": fit.program.posterior,
        "batches": {str(i): v for i, v in elsewhere.items()},
        "rows": told(fit.rows) if elsewhere else None,
    }
    arrays = {
        "trace": fit.trace,
        "counts": fit.counts,
        "restarts/objective": found.objective,
        "restarts/num_steps": found.num_steps,
        "restarts/status": found.status,
        "restarts/smallest_scale": found.smallest_scale,
        "restarts/short": np.asarray(found.short),
        **{f"params/{name}": np.asarray(value) for name, value in fit.leaves.items()},
    }
    here = [(i, a) for i, a in enumerate(given) if i not in elsewhere]
    arrays |= {f"arguments/{i}": np.asarray(a) for i, a in here}
    if elsewhere:
        arrays |= arrays_of(fit.rows)
    if fit.labels is not None:
        arrays["labels"] = np.asarray(fit.labels)
    arrays["meta"] = np.array(json.dumps(meta))

    def put(file: BinaryIO) -> None:
        np.savez_compressed(file, allow_pickle=False, **arrays)

    write_whole(path, put, secrets.token_hex(8))


@surrounded
def load[R: Result](kind: type[R], path: str | Path, model: Callable, max_bytes: int) -> R:
    """Read a fit of this kind back; ``model`` is the function that was fitted.

    Raises:
        ValueError: the file holds no fit, or one whose parameters the model does not have.
    """
    stored = read_arrays(path, max_bytes)
    meta = _meta(path, stored)
    try:
        with precision_of_numbers(stored[f"params/{name}"] for name in meta["parameters"]):
            return _made(kind, path, model, stored, meta)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} holds no whole mixpyro fit: {type(error).__name__} {error}"
        ) from error


def _meta(path: str | Path, stored: dict[str, np.ndarray]) -> dict[str, Any]:
    """What is no array, of a format that this version reads."""
    if "meta" not in stored:
        raise ValueError(f"{path} holds no mixpyro fit")
    try:
        meta = json.loads(str(stored["meta"]))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} holds no mixpyro fit: {error}") from None
    if not isinstance(meta, dict) or meta.get("format") != _FORMAT:
        found = meta.get("format") if isinstance(meta, dict) else None
        raise ValueError(f"{path} has format {found!r}; this version reads {_FORMAT}")
    return meta


def _made[R: Result](
    kind: type[R],
    path: str | Path,
    model: Callable,
    stored: dict[str, np.ndarray],
    meta: dict[str, Any],
) -> R:
    elsewhere = {int(i): Batches.retold(v) for i, v in meta.get("batches", {}).items()}
    arrays: list[Any] = [
        elsewhere[i] if i in elsewhere else jnp.asarray(stored[f"arguments/{i}"])
        for i in range(_count(stored) + len(elsewhere))
    ]
    args, kwargs = _decode(meta["arguments"], arrays)
    columns = [None if c is None else tuple(c) for c in meta.get("columns", [None] * len(arrays))]
    data = data_of(tuple(args), kwargs)
    call = split(tuple(args), kwargs) if data is None else call_of(data, meta["rows"])
    call = replace(call, columns=tuple(columns))
    program = program_for(model, call, bool(meta.get("posterior", False)))
    names = [p.name for p in program.structure.parameters]
    expected = {p.name: p.shape for p in program.structure.parameters}
    found = {n: stored[f"params/{n}"].shape for n in meta["parameters"]}
    if expected != found:
        raise ValueError(
            f"{path} has the parameters {_shapes(found)}; the model has {_shapes(expected)}. "
            "Give the model that was fitted"
        )
    known = names_of_classes.retold(meta.get("classes", {}), program.num_components, expected)
    call = replace(call, classes=known)
    rows: Any
    rows, seen = prepare(program, call.arrays)
    if data is None:
        check(program, call.arrays, seen)
    else:
        rows = retold(meta["rows"], stored, program, call, data, rows, seen)
        call = data.elsewhere(call)
    restarts = Restarts(
        objective=stored["restarts/objective"],
        num_steps=stored["restarts/num_steps"],
        status=stored["restarts/status"],
        smallest_scale=stored["restarts/smallest_scale"],
        short=stored["restarts/short"],
        chosen=int(meta["chosen"]),
        passed=bool(meta.get("passed", False)),
        narrow=bool(meta.get("narrow", False)),
    )
    return kind(
        program=program,
        call=call,
        rows=rows,
        leaves={n: jnp.asarray(stored[f"params/{n}"]) for n in names},
        log_likelihood=meta["log_likelihood"],
        objective=meta["objective"],
        trace=stored["trace"],
        num_steps=meta["num_steps"],
        total_weight=meta["total_weight"],
        counts=stored["counts"],
        base_status=Status[meta["status"]],
        looked=meta["looked"],
        reseeded=meta["reseeded"],
        restart_results=restarts,
        labels=jnp.asarray(stored["labels"]) if "labels" in stored else None,
    )


_NUMBERS = tuple(
    f.name for f in fields(Result) if f.name not in ("program", "call", "rows", "leaves", "labels")
)


def parts(fit: Result) -> tuple[Any, ...]:
    """What `restored` makes a fit of: the model, its arguments, and NumPy arrays."""
    args = fit.call.rebuild(tuple(map(np.asarray, fit.call.arrays)))
    leaves = {n: np.asarray(v) for n, v in fit.leaves.items()}
    labels = None if fit.labels is None else np.asarray(fit.labels)
    numbers = {name: getattr(fit, name) for name in _NUMBERS}
    named = (fit.call.columns, fit.call.classes)
    reading = (fit.program.given, *args, *named, fit.program.posterior)
    return (*reading, leaves, labels, numbers)


@surrounded
def restored[R: Result](
    kind: type[R],
    model: Callable,
    args: tuple,
    kwargs: dict,
    columns: tuple,
    classes: Classes,
    posterior: bool,
    leaves: dict[str, np.ndarray],
    labels: np.ndarray | None,
    numbers: dict[str, Any],
) -> R:
    """The fit of these parts: the model is read again, or found where it was read before."""
    with precision_of_numbers(leaves.values()):
        call = replace(split(args, kwargs), columns=columns, classes=classes)
        program = program_for(model, call, posterior)
        return kind(
            program=program,
            call=call,
            rows=prepare(program, call.arrays)[0],
            leaves={n: jnp.asarray(v) for n, v in leaves.items()},
            labels=None if labels is None else jnp.asarray(labels),
            **numbers,
        )


class _Array:
    """The place of an array among the arguments."""

    def __init__(self, place: int) -> None:
        self.place = place


def _encode(value: Any) -> Any:
    if isinstance(value, _Array):
        return {"array": value.place}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return {"list": [_encode(v) for v in value]}
    if isinstance(value, tuple):
        return {"tuple": [_encode(v) for v in value]}
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {"dict": {k: _encode(v) for k, v in value.items()}}
    raise ValueError(
        f"an argument of type {type(value).__name__} cannot be saved; save fits whose arguments "
        "are arrays, numbers, strings, tuples, lists and dicts of these"
    )


def _decode(value: Any, arrays: list[Any]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "array":
        return arrays[inner]
    if kind == "dict":
        return {k: _decode(v, arrays) for k, v in inner.items()}
    decoded = [_decode(v, arrays) for v in inner]
    return tuple(decoded) if kind == "tuple" else decoded


def _named(column: Any) -> bool:
    """Whether a column has a name that JSON can hold."""
    return isinstance(column, str | int)


def _shapes(shapes: dict[str, tuple[int, ...]]) -> str:
    return f"{', '.join(shapes)} (shapes {', '.join(map(str, shapes.values()))})"


def _count(stored: dict) -> int:
    return sum(name.startswith("arguments/") for name in stored)
