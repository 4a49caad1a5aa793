"""The cases: models x faults of data x ways to give them, and functions x options x values."""

import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import numpy as np

from mixpyro import em

from .containers import FAULTS
from .judge import judge
from .options import OPTIONS
from .problems import PROBLEMS, Problem
from .values import outside


@dataclass(frozen=True)
class Case:
    """One call with bad input. ``run`` says how it ended, or raises `judge.Wrong`."""

    name: str
    run: Callable[[], str]

    def in_share(self, number: int) -> bool:
        """Whether it is of the one in ``number`` that are always tried, the same in every run."""
        return zlib.crc32(self.name.encode()) % number == 0


def data_cases(problem: str, x64: bool) -> Iterator[Case]:
    """Bad data to fit, and bad data to score by a sound fit."""
    for fault, make in FAULTS.items():
        for way in (_fitted, _scored):
            yield Case(
                f"{problem}, {fault}, {way.__name__[1:]}, {64 if x64 else 32} bits",
                lambda way=way, make=make: way(PROBLEMS[problem], make, x64),
            )


def _fitted(problem: Problem, make: Callable, x64: bool) -> str:
    with jax.enable_x64(x64):
        bad = _made(make, problem.x)
        return judge(
            lambda: _fitter(problem).run(0, bad, **problem.kwargs),
            _names(problem),
            lambda fit: problem.log_prob(bad, fit.params),
        )


def _scored(problem: Problem, make: Callable, x64: bool) -> str:
    with jax.enable_x64(x64):
        bad, fit = _made(make, problem.x), _sound(problem.name, x64)
        return judge(
            lambda: fit.log_prob(bad, **_arrays(problem)),
            _names(problem),
            lambda _: problem.log_prob(bad, fit.params),
        )


def _fitter(problem: Problem) -> em.EM:
    return em.EM(problem.model, num_restarts=2, max_steps=300)


@cache
def _sound(name: str, x64: bool) -> em.Fit:
    problem = PROBLEMS[name]
    return _fitter(problem).run(0, problem.x, **problem.kwargs)


def _arrays(problem: Problem) -> dict[str, Any]:
    return {n: v for n, v in problem.kwargs.items() if isinstance(v, np.ndarray)}


def _names(problem: Problem) -> tuple[str, ...]:
    return (
        f"'{problem.first}'",
        f"{problem.first},",
        f"{problem.first} ",
        "argument",
        "item ",
        "'z'",
        "num_rows",
    )


def _made(make: Callable, x: np.ndarray) -> Any:
    with warnings.catch_warnings():  # making the fault is no matter of the library
        warnings.simplefilter("ignore")
        return make(x)


def kmeans_cases(x64: bool) -> Iterator[Case]:
    """Bad data for k-means."""
    x = PROBLEMS["full normals"].x

    def run(make: Callable) -> str:
        with jax.enable_x64(x64):
            bad = _made(make, x)
            return judge(
                lambda: _checked(em.kmeans(bad, 2, 0, num_restarts=2), bad), ("x ", "x,", "rows")
            )

    for fault, make in FAULTS.items():
        yield Case(f"k-means, {fault}, {64 if x64 else 32} bits", lambda make=make: run(make))


def _checked(found: em.KMeans, x: Any) -> None:
    """That an ok partition has finite centroids, and the inertia of its own labels."""
    if not found.status.ok:
        return
    data = np.asarray(x, float).reshape(len(found.labels), -1)
    data = data - data[0]
    size = np.abs(data).max() or 1.0
    data, labels = data / size, np.asarray(found.labels)
    squares = [((data[labels == k] - data[labels == k].mean(0)) ** 2).sum() for k in set(labels)]
    assert np.isfinite(found.centroids).all(), f"{found.status} with centroids {found.centroids}"
    inertia = found.inertia / size / size
    assert np.isclose(inertia, sum(squares), rtol=1e-3, atol=1e-6), (found.inertia, sum(squares))


def option_cases(function: str) -> Iterator[Case]:
    """Every option of a function, out of its domain."""
    options = OPTIONS[function]
    for option, kind in options.kinds.items():
        for label, value in outside(kind):
            yield Case(
                f"{function}({option}={label})",
                lambda option=option, value=value: _asked(options.call, option, value),
            )


def _asked(call: Callable, option: str, value: Any) -> str:
    how = judge(lambda: call(**{option: value}), (option, "argument"))
    assert how == "refused", f"{option}={value!r} is out of its domain, and the call {how}"
    return how


def wrongs(cases: Iterator[Case]) -> tuple[dict[str, str], int]:
    """{case: what was wrong}, and how many were tried."""
    found, number = {}, 0
    for case in cases:
        number += 1
        try:
            case.run()
        except AssertionError as error:
            found[case.name] = str(error)
    return found, number
