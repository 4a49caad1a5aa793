"""The fits of a sweep in several processes: most of a small fit is Python, of which one runs one.

What comes back are numbers; a fit is put together, its model read, when somebody asks for it.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, overload

import jax
import numpy as np

from ...compilation_cache import enable_compilation_cache
from ..calls.arguments import split
from ..calls.streams import data_of
from ..climb.ascent import Ascent
from ..climb.search import climb_all
from ..climb.status import Status
from ..driver import EM
from ..options import as_key, whole
from ..report import storage
from ..report.fit import Fit
from .contenders import (
    Keywords,
    Standing,
    ahead,
    complete,
    fits_of,
    lenient,
    passed,
    screens,
    standing,
)
from .figures import figures

Calls = Sequence[tuple[tuple, dict[str, Any]]]


class Told(NamedTuple):
    """What a process tells of a fit: where it stands, a row of a table, what it is made of."""

    standing: Standing
    row: dict[str, Any]
    leaves: dict[str, np.ndarray]
    labels: np.ndarray | None
    numbers: dict[str, Any]
    warned: tuple[tuple[type[Warning], str], ...]


class Fits(Sequence[Fit]):
    """Fits that other processes made; ``rows`` are the figures of each."""

    def __init__(self, fitter: EM, calls: Calls, told: Sequence[Told]) -> None:
        self._fitter, self._calls, self._told = fitter, calls, told
        self._made: dict[int, Fit] = {}
        self.rows = tuple(t.row for t in told)

    def __len__(self) -> int:
        return len(self._told)

    @overload
    def __getitem__(self, i: int) -> Fit: ...
    @overload
    def __getitem__(self, i: slice) -> tuple[Fit, ...]: ...
    def __getitem__(self, i: int | slice) -> Fit | tuple[Fit, ...]:
        if isinstance(i, slice):
            return tuple(self[j] for j in range(*i.indices(len(self))))
        i = range(len(self))[i]
        if i not in self._made:
            self._made[i] = self._make(i)
        return self._made[i]

    def _make(self, i: int) -> Fit:
        args, kwargs = self._calls[i]
        told = self._told[i]
        call = split(args, kwargs, self._fitter.model)
        args, kwargs = call.rebuild(tuple(map(np.asarray, call.arrays)))
        return storage.restored(
            Fit,
            self._fitter.model,
            args,
            kwargs,
            call.columns,
            call.classes,
            self._fitter.objective == "posterior",
            told.leaves,
            told.labels,
            told.numbers,
        )


def fits_in(
    number: int | str, fitter: EM, rng_key: jax.Array | int, keywords: Keywords, calls: Calls
) -> Sequence[Fit]:
    """A fit for each call, in so many processes; ``keywords`` are those that differ.

    ``"auto"`` takes several where that pays and can be, and falls back on one.

    Raises:
        ValueError: no whole number of processes; an accelerator; `Batches`; a model or data that
            another process cannot import or be sent; a process that ended by itself.
    """
    from concurrent.futures.process import BrokenProcessPool  # for sweeps alone, and not light

    auto = isinstance(number, str) and number == "auto"
    if auto:
        number = _affordable(fitter, calls)
    whole("processes", number)
    if number == 1:
        return fits_of(fitter, rng_key, keywords, calls)
    if not auto and (why := _one_only(fitter, calls)):
        raise ValueError(why)
    try:
        return _elsewhere(int(number), fitter, rng_key, keywords, calls)
    except BrokenProcessPool as error:
        if auto:  # no memory for them, or a module that is here only
            return fits_of(fitter, rng_key, keywords, calls)
        raise ValueError(
            "a process ended by itself: it cannot import the model, or there is not enough memory; "
            "sweep with fewer processes, or with processes=1"
        ) from error


def _affordable(fitter: EM, calls: Calls) -> int:
    from ...processes import affordable

    rows = [v.shape[0] for v in jax.tree.leaves(calls[0]) if getattr(v, "shape", ())]
    number = affordable(len(calls), max(rows, default=0))
    if number == 1 or fitter.progress_bar or jax.device_count() > 1:
        return 1
    return 1 if _one_only(fitter, calls) else number


def _elsewhere(
    number: int, fitter: EM, rng_key: jax.Array | int, keywords: Keywords, calls: Calls
) -> Fits:
    """What other processes warned of is said here, each warning once."""
    from ...processes import processes

    screening = screens(fitter, keywords)
    with processes(number, _begin, lenient(fitter), _sent(rng_key), _settings()) as submit:

        def every(which: Sequence[int], brief: bool) -> list[Told]:
            futures = [submit(_run, *calls[i], brief) for i in which]
            return [future.result() for future in futures]

        told = every(range(len(calls)), screening)
        while left := ahead([t.standing for t in told], keywords):
            for i, again in zip(left, every(left, False), strict=True):
                told[i] = again._replace(warned=told[i].warned + again.warned)
    for kind, words in dict.fromkeys(w for t in told for w in t.warned):
        warnings.warn(words, kind, stacklevel=4)
    fits = Fits(fitter, calls, [_marked(t) for t in told])
    if fitter.throw:
        for i, row in enumerate(fits.rows):
            if not Status[row["status"]].ok:
                fitter.checked(fits[i])
    return fits


def _one_only(fitter: EM, calls: Calls) -> str:
    """Why these are for one process, and what to do; empty if they are not."""
    if jax.default_backend() != "cpu":
        return "several processes share no accelerator: sweep with processes=1"
    if any(data_of(args, kwargs) is not None for args, kwargs in calls):
        return "em.Batches are read by one process: sweep with processes=1"
    function = fitter.model
    while isinstance(function, partial):
        function = function.func
    try:
        pickle.dumps((fitter, calls[0]))
        if function.__module__ != "__main__":
            return ""
        why = "it is defined in the main module"
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        why = str(error)
    return (
        f"the model or its data cannot be sent to another process ({why}): put the model into a "
        "file of its own and import it, or sweep with processes=1"
    )


_CACHE, _DOUBLE = "jax_compilation_cache_dir", "jax_enable_x64"
# What this process fits, if it was started to.
_given: list[tuple[EM, tuple, dict[str, Any]]] = []


def _begin(fitter: EM, key: tuple, settings: dict[str, Any]) -> None:
    if (cache := settings.pop(_CACHE)) is not None:
        enable_compilation_cache(cache)
    for name, value in settings.items():
        if jax.config.values[name] != value:
            jax.config.update(name, value)
    _given.append((fitter, key, settings))


def _run(args: tuple, kwargs: dict[str, Any], brief: bool) -> Told:
    """One fit, in a process of its own; ``brief``: from its first starts alone."""
    fitter, key, settings = _given[0]
    with warnings.catch_warnings(record=True) as caught, jax.enable_x64(settings[_DOUBLE]):
        own = jax.random.wrap_key_data(key[0], impl=key[1])
        (started,) = fitter.begin_each(own, [(args, kwargs)])
        fit = fitter.finish(started, Ascent.outcome if brief else climb_all)
        leaves, labels, numbers = storage.parts(fit)[-3:]
        stands = standing(fit, not brief or complete(started.ascent))
        row = figures(fit)
    warned = tuple((w.category, str(w.message)) for w in caught)
    return Told(stands, row, leaves, labels, numbers, warned)


def _marked(told: Told) -> Told:
    """Which says if there was no search."""
    if told.standing.searched:
        return told
    results = passed(told.numbers["restart_results"])
    return told._replace(numbers=told.numbers | {"restart_results": results})


def _sent(rng_key: jax.Array | int) -> tuple[np.ndarray, str]:
    """A key as another process takes it."""
    key = as_key(rng_key)
    if not jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.wrap_key_data(key)
    return np.asarray(jax.random.key_data(key)), str(jax.random.key_impl(key))


def _settings() -> dict[str, Any]:
    """JAX's, as they are in this thread."""
    return dict(jax.config.values)
