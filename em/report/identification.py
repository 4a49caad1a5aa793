"""Why there is no answer: which combinations of parameters, or of columns, mean nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from ..calls.call import Call
from ..climb.status import Status
from ..plan.program import Program
from . import information as info
from .of_data.observed import why_unbounded
from .of_data.scoring import Scored
from .words import label


class Ended(Scored, Protocol):
    """What is needed of a fit."""

    @property
    def status(self) -> Status:
        """How it ended."""
        ...

    @property
    def information(self) -> info.Information:
        """The observed information at its parameters."""
        ...

    @property
    def shapes(self) -> dict[str, tuple]:
        """Those of its free parameters."""
        ...


def what_happened(fit: Ended) -> list[str]:
    """A fit's status in sentences: what it means, and what of parameters or data is the cause."""
    unbounded = fit.status in (Status.COLLAPSED, Status.NEARLY_SINGULAR)
    if unbounded and (causes := why_unbounded(fit)):
        return [
            f"The likelihood is unbounded, whatever the components are: {'; '.join(causes[:3])}. "
            "Leave such columns out, or hold the scale or covariance fixed with "
            "handlers.condition, or add a prior."
        ]
    parts = [fit.status.advice]
    if fit.status is Status.NOT_IDENTIFIED:
        reasons = info.reasons(fit.information, fit.shapes)
        names = [n for n, why in reasons.items() if (why == "not identified").any()]
        parts.append(f"Undetermined: {', '.join(names or reasons)}.")
        for moves in combinations(fit.information, fit.shapes, fit.program, fit.call)[:3]:
            parts.append(f"Nothing changes when these move together: {moves}.")
    return parts


def combinations(
    information: info.Information, shapes: Mapping[str, tuple], program: Program, call: Call
) -> list[str]:
    """Directions along which the likelihood is flat, in words: which entries move together.

    A basis of the flat directions is brought to reduced echelon form, so that each names few
    entries; numbers are changes of the entries, the largest of them 1.
    """
    null = information.directions.null
    if not null.shape[1]:
        return []
    entries, moves = [], []
    for name, jacobian in information.jacobian.items():
        moved = np.where(information.boundary[name].reshape(-1, 1), 0, jacobian @ null)
        for index, row in zip(np.ndindex(shapes[name]), moved, strict=True):
            numbers = name + (f"[{', '.join(map(str, index))}]" if index else "")
            entries.append(label(program, call, name, index) or numbers)
            moves.append(row)
    basis = _echelon(np.array(moves).T)
    return [_terms(entries, row / np.abs(row).max()) for row in basis if np.abs(row).max() > 0]


def _echelon(basis: np.ndarray) -> np.ndarray:
    """Gauss-Jordan with full pivoting over the columns (entries)."""
    basis = basis / np.maximum(np.abs(basis).max(1, keepdims=True), np.finfo(float).tiny)
    for i in range(len(basis)):
        rest = np.abs(basis[i:])
        if rest.max() < 1e-8:
            return basis[:i]
        row, column = divmod(int(rest.argmax()), rest.shape[1])
        basis[[i, i + row]] = basis[[i + row, i]]
        basis[i] /= basis[i, column]
        others = np.arange(len(basis)) != i
        basis[others] -= np.outer(basis[others, column], basis[i])
    return basis


def _terms(entries: list[str], row: np.ndarray) -> str:
    order = [i for i in np.argsort(-np.abs(row), kind="stable") if abs(row[i]) >= 0.01]
    words = []
    for i in order[:6]:
        words.append(f"{entries[i]} by {row[i]:+.2g}")
    more = len(order) - 6
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")
