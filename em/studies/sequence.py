"""K components against K + 1, for K = 1, 2, ...: the bootstrap's test, pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from ..options import flag, whole
from ..options import level as check_level
from ..report.fit import Fit
from .bootstrap import BootstrapTest, bootstrap_lrt
from .figures import below

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class SequentialTest:
    """Bootstrap likelihood-ratio tests of K against K + 1 components; printed, a table of them.

    Attributes:
        table: one row a pair that was tested, by K: ``K+1``, ``statistic``, ``difference`` of free
            parameters, ``pvalue``, ``num_replicates`` that count, ``rejected`` (p <= level).
        num_components: the first K whose K + 1 is no better; None where all were rejected.
        level: of the tests, each by itself.
        tests: {K: the test of K against K + 1}.
        message: the outcome in a sentence.
    """

    table: pd.DataFrame
    num_components: int | None
    level: float
    tests: Mapping[int, BootstrapTest] = field(repr=False)
    message: str

    def __repr__(self) -> str:
        return f"SequentialTest({self.message})"

    def __str__(self) -> str:
        shown = self.table.to_string(float_format="{:.3f}".format)
        return f"{shown}\n{self.message}"


def sequence(
    keywords: Sequence[Mapping[str, Any]],
    fits: Sequence[Fit],
    rng_key: jax.Array,
    num_replicates: int,
    level: float,
    stop: bool,
    options: Mapping[str, Any],
) -> SequentialTest:
    """The tests of these fits of a sweep (see `Sweep.bootstrap_lrt`)."""
    import pandas as pd

    whole("num_replicates", num_replicates, least=2)
    check_level(level)
    flag("stop", stop)
    by_number = _by_number(keywords, fits)
    if 1 / (num_replicates + 1) > level:
        raise ValueError(
            f"with {num_replicates} replicates no p is below {1 / (num_replicates + 1):.3g}, so "
            f"that nothing could be rejected at level {level:g}; take num_replicates of "
            f"{int(np.ceil(1 / level - 1e-9)) - 1} or more"
        )
    chosen: int | None = None
    tests, rows = {}, []
    for k in list(by_number)[:-1]:
        small, big = by_number[k], by_number[k + 1]
        found = bootstrap_lrt(small, big, rng_key, num_replicates, **options)
        used = int(np.isfinite(found.replicates).sum())
        if 1 / (used + 1) > level:
            raise ValueError(
                f"only {used} of {num_replicates} replicates of {k} against {k + 1} components "
                f"could be fitted, too few for level {level:g}; take more replicates or starts"
            )
        difference = big.num_free_params - small.num_free_params
        rejected = found.pvalue <= level
        tests[k] = found
        rows.append((k, k + 1, found.statistic, difference, found.pvalue, used, rejected))
        if chosen is None and not rejected:
            chosen = k
            if stop:
                break
    columns = ["K", "K+1", "statistic", "difference", "pvalue", "num_replicates", "rejected"]
    table = pd.DataFrame(rows, columns=columns).set_index("K")
    return SequentialTest(table, chosen, level, tests, _message(chosen, max(by_number), level))


def _message(chosen: int | None, most: int, level: float) -> str:
    if chosen is None:
        return (
            f"All are rejected at level {level:g}, {most - 1} against {most} components too: more "
            f"than {most - 1}. Sweep over more to see where it ends."
        )
    return (
        f"Number of components: {chosen}, the first whose next one more is not rejected at level "
        f"{level:g}."
    )


def _by_number(keywords: Sequence[Mapping[str, Any]], fits: Sequence[Fit]) -> dict[int, Fit]:
    """{K: the fit of K components}, in order.

    Raises:
        ValueError: another keyword was swept over; K missing, or there twice; a fit below the one
            before.
    """
    names = list(keywords[0])
    found: dict[int, Fit] = {}
    for own, fit in zip(keywords, fits, strict=True):
        k = fit.program.num_components
        if len(names) != 1 or own[names[0]] != k:
            raise ValueError(
                "K against K + 1 is of fits that differ in the number of components alone; this "
                f"sweep is over {', '.join(names)}. Sweep over num_components=range(1, 6), with "
                "one value of all else"
            )
        if k in found:
            raise ValueError(f"there are several fits of {k} components in this sweep")
        found[k] = fit
    numbers = sorted(found)
    if len(numbers) < 2 or numbers != list(range(numbers[0], numbers[-1] + 1)):
        raise ValueError(
            "K against K + 1 needs fits of consecutive numbers of components, at least two; this "
            f"sweep has {', '.join(map(str, numbers))}"
        )
    ordered = {k: found[k] for k in numbers}
    for k in numbers[:-1]:
        fewer, more = ordered[k].log_likelihood, ordered[k + 1].log_likelihood
        if below(more, fewer):
            raise ValueError(
                f"the fit of {k + 1} components is lower than that of {k} (by {fewer - more:.4g}): "
                "it is a local maximum. Sweep with a larger num_restarts"
            )
    return ordered
