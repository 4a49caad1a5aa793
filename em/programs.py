"""Programs are kept: the one of a model and the shapes of its arguments is built once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from types import MethodType

import jax
import numpy as np

from .calls.call import Call
from .calls.fingerprint import fingerprint
from .machine.jit import quick_jit
from .machine.recent import Recent
from .machine.shards import in_parts
from .plan.build import build, holds
from .plan.chunks import Rows
from .plan.program import Program
from .plan.resize import resized
from .read.chains.steady import serves
from .read.model import read_model
from .read.reading import Reading
from .rows.checks import findings
from .rows.prepare import find_patterns
from .rows.prepare import prepare as read_rows
from .step.rungs import LADDER

# So many rows of those on several devices, or of very many, are read; no number of components or
# columns.
_FEW, _MANY = 1021, 1 << 16
# Or fewer of wide ones: a model that is run as it is written may make a matrix of every row. So
# many numbers of such matrices are many, and all of them should be fewer.
_FEWER, _LARGE = (257, 67), 1 << 23
_programs: Recent[Program] = Recent(64)
# The last of each number of rows.
_patterns: Recent[Program] = Recent(64)


def program_for(model: Callable, call: Call, posterior: bool = False) -> Program:
    """The program of a model and the shapes of its arguments, built once and kept.

    A model is read anew where all that it reads cannot be told.
    """
    own = cache_key(model, call)
    key = (own, posterior)
    found = _programs.get(key)
    if found is None and call.shards is not None:
        found = _in_parts(model, call, posterior)
        if found.unchanged.steady:
            _programs.keep(key, found)
        return found
    if found is None or not (serves(found, call) and holds(found, call)):
        pattern = (call.pattern, *own[:1], *own[2:], posterior)
        other = _patterns.get(pattern)
        found = _resized(other, call) if other is not None and found is None else None
        found = found or _of_few(model, call, posterior)
        found = found or build(read_model(model, call, priors=posterior), call, LADDER, posterior)
        if found.unchanged.steady:
            _programs.keep(key, found)
            _patterns.keep(pattern, found)
    return found


def _of_few(model: Callable, call: Call, posterior: bool) -> Program | None:
    """The program of many numbers, read of some of the rows; None if all of them have to be."""
    matrix = call.widest**2
    number = next((n for n in (_FEW, *_FEWER) if n * matrix < _LARGE), _FEWER[-1])
    many = call.longest >= _MANY or (call.longest > number and call.longest * matrix >= _LARGE)
    if not many or any(isinstance(a, jax.core.Tracer) for a in call.arrays):
        return None
    try:
        return _resized(program_for(model, call.few(number), posterior), call)
    except Exception:  # the reading of all says what is wrong, and in which row
        return None


def _resized(program: Program, call: Call) -> Program | None:
    """The program with other rows, if what was found of it holds of them too."""
    found = resized(program, call)
    return found if found is not None and holds(found, call) else None


def _in_parts(model: Callable, call: Call, posterior: bool) -> Program:
    """The program of rows on several devices: read of the first of them, as they are on one.

    Raises:
        ValueError: a model that cannot be told to do the same with more rows, or not in parts.
    """
    assert call.shards is not None
    rows = next(a.shape[0] for a in call.arrays if in_parts(a))
    few = call.few(min(_FEW, max(rows - 1, 1)))
    try:
        found = resized(program_for(model, few, posterior), call)
    except Exception as error:
        error.add_note(
            f"(Rows on several devices are read of the first {min(_FEW, rows - 1)} of them: "
            "all that has one entry a row has to be an argument of the model.)"
        )
        raise
    if found is None or found.augmented:
        raise ValueError(
            "rows on several devices are fitted where every row has a class of its own and the "
            "model computes the same with any number of rows: no groups or chains, nothing beside "
            "the rows, no array that is needed in Python, no missing entries of multivariate "
            "normals. Fit this model on one device"
        )
    return found


def reading_for(model: Callable, call: Call) -> Reading:
    """The reading of a model that need not be fitted, or of a program for it that is kept."""
    own = cache_key(model, call)
    for found in (_programs.get((own, posterior)) for posterior in (False, True)):
        if found is not None and serves(found, call):
            return found.reading
    return read_model(model, call, to_fit=False)


def cache_key(model: Callable, call: Call) -> tuple[Hashable, ...]:
    """What a reading of a model is kept by, if it is kept: it has to hold the model."""
    identity: Hashable = id(model)
    if isinstance(model, MethodType):  # made anew at every look
        identity = (id(model.__self__), id(model.__func__))
    backend = (jax.default_backend(), jax.config.jax_default_device, jax.config.jax_enable_x64)
    return (identity, call.signature, fingerprint(model, *call.objects).key, backend)


def prepare(program: Program, arrays: tuple) -> tuple[Rows, dict]:
    """The rows of a run, and what the checks want to know of them, in one compiled call."""

    def both(arrays: tuple) -> tuple[Rows, dict]:
        trace = program.probed(arrays)
        return read_rows(program, arrays, trace=trace), findings(program, arrays, trace)

    rows, found = program.compiled("prepare", lambda: quick_jit(program, both))(arrays)
    return find_patterns(program, rows), jax.tree.map(np.asarray, found)
