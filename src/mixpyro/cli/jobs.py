"""Candidates fitted one after the other, or screened in several processes at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jax
import numpy as np

from .. import enable_compilation_cache
from ..em import EM, Batches, Fit
from ..processes import affordable, processes
from .modelling import load_model

CRITERIA = ("bic", "aic", "icl")


class Told(Protocol):
    """Who hears how it goes on."""

    def begun(self, cell: dict[str, Any]) -> None:
        """A candidate is read, and handed to the compiler."""
        ...

    def done(self, cell: dict[str, Any]) -> None:
        """A candidate has climbed."""
        ...


@dataclass(frozen=True)
class Job:
    """What candidates have in common: the model and its name, arguments, options of `EM`."""

    name: str
    model: Callable | None
    seed: int
    arguments: dict[str, Any]
    options: dict[str, Any]

    def fits(self, cells: Sequence[dict[str, Any]], told: Told, look: bool = True) -> Iterator[Fit]:
        """Those of each cell; without ``look`` statuses say how climbs ended, and no more."""
        assert self.model is not None
        if self.in_batches:
            for cell in cells:
                told.begun(cell)
                key = jax.random.key(self.seed)
                yield EM(self.model, **self.options).run(key, **self.arguments | cell)
                told.done(cell)
            return

        def calls() -> Iterator[tuple[tuple, dict[str, Any]]]:
            for cell in cells:
                told.begun(cell)
                yield (), self.arguments | cell

        every = EM(self.model, **self.options).run_each(jax.random.key(self.seed), calls(), look)
        for cell, fit in zip(cells, every, strict=True):
            told.done(cell)
            yield fit

    @property
    def in_batches(self) -> bool:
        """Whether rows stay in their file."""
        return any(isinstance(v, Batches) for v in jax.tree.leaves(self.arguments))

    @property
    def num_rows(self) -> int:
        """About how many there are: the most of any argument."""
        return max((len(v) for v in self.arguments.values() if np.ndim(v)), default=0)


def row_of(cell: dict[str, Any], fit: Fit) -> dict[str, Any]:
    """What a table of candidates says of one."""
    chain = fit.program.structure.chain is not None
    return {
        **cell,
        "log_likelihood": fit.log_likelihood,
        "num_free_params": fit.num_free_params,
        **{name: getattr(fit, name) for name in CRITERIA if not (chain and name == "icl")},
        "status": fit.status.name,
    }


def screened(
    job: Job, cells: Sequence[dict[str, Any]], told: Told, at_once: int | None = None
) -> list[dict[str, Any]]:
    """A row for each cell, whose status says how its climbs ended.

    In so many processes: by default as many as there are cores, if that pays.
    """
    number = affordable(len(cells), job.num_rows) if at_once is None else at_once
    rows: list[dict[str, Any]] = []
    if number > 1:
        try:
            for row in _side_by_side(job, cells, told, number):
                rows.append(row)  # what there is counts, however it ends
        except BrokenProcessPool:  # no memory for them
            pass
    rest = cells[len(rows) :]
    return rows + [row_of(c, f) for c, f in zip(rest, job.fits(rest, told, False), strict=True)]


def _side_by_side(
    job: Job, cells: Sequence[dict[str, Any]], told: Told, number: int
) -> Iterator[dict[str, Any]]:
    with processes(number, _begin, replace(job, model=None)) as submit:
        futures = [submit(_row, cell) for cell in cells]
        for cell, future in zip(cells, futures, strict=True):
            row = future.result()
            told.begun(cell)
            told.done(cell)
            yield row


class _Nobody:
    def begun(self, cell: dict[str, Any]) -> None:
        pass

    def done(self, cell: dict[str, Any]) -> None:
        pass


# The job of this process, if it was started for one.
_jobs: list[Job] = []


def _begin(job: Job) -> None:
    enable_compilation_cache()
    _jobs.append(replace(job, model=load_model(job.name)[0]))


def _row(cell: dict[str, Any]) -> dict[str, Any]:
    with jax.enable_x64(True):
        (fit,) = _jobs[0].fits([cell], _Nobody(), False)
        return row_of(cell, fit)
