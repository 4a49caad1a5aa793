"""Time per EM step, mixpyro's and another library's, side by side.

Both start from the same parameters and take the same steps, in float64 on all cores, in turn
within one process. The time per step is the difference between a long and a short run over the
difference of their steps, so that compiling, reading and starting cancel; ratios are taken pair
by pair, since machines are noisy. Where the two log-likelihoods differ, the script stops.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)

from mixpyro import em  # noqa: E402

# The threads of the library before spin for a while, and would take its cores from the next.
_REST = 0.5
# Seconds and final log-likelihood of so many steps.
Run = Callable[[int], tuple[float, float]]


class Contest(NamedTuple):
    """One row of the table: ``theirs`` is None where the other library is not installed.

    ``steps`` and ``their_steps`` are the lengths of the short and the long runs; log-likelihoods
    agree to ``agree``, relatively.
    """

    label: str
    ours: Run
    other: str
    theirs: Run | None
    steps: tuple[int, int] = (2, 102)
    their_steps: tuple[int, int] = (2, 12)
    agree: float = 1e-9


def ours(model: Callable, start: Mapping[str, Any], *args: Any, **kwargs: Any) -> Run:
    """Runs of mixpyro from a start, which must not converge before the steps are done."""

    def run(steps: int) -> tuple[float, float]:
        fitter = em.EM(model, max_steps=steps, tolerance=0.0, accelerate=None)
        begin = time.perf_counter()
        fit = fitter.run(jax.random.key(0), *args, init_params=start, **kwargs)
        seconds = time.perf_counter() - begin
        if fit.num_steps != steps:
            raise SystemExit(f"EM stopped after {fit.num_steps} of {steps} steps")
        return seconds, fit.log_likelihood

    return run


def options(doc: str, pairs: int = 5) -> argparse.Namespace:
    """The command line: how many pairs, how many rows, which rows of the table."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=pairs)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", default="", help="rows of the table whose label has this")
    return parser.parse_args()


def table(
    contests: list[Contest], options: argparse.Namespace, precision: str = "float64, "
) -> None:
    """Print where and when, and a line for each contest."""
    print(
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, "
        f"JAX {jax.__version__} on {jax.devices()[0].platform}, n = {options.rows:,}, {precision}"
        f"--pairs {options.pairs}\n"
    )
    heads = ("mixture", "mixpyro ms a step", "", "ms a step", "ratio, median", "min", "max")
    print("| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads))
    for contest in contests:
        if options.only in contest.label:
            print("| " + " | ".join(_row(contest, options.pairs)) + " |", flush=True)


def _row(contest: Contest, pairs: int) -> list[str]:
    label, ours, other, theirs, steps, their_steps, agree = contest
    for length in steps:  # compile
        ours(length)
    if theirs is None:
        mine = np.median([_per_step(ours, steps) for _ in range(pairs)])
        return [label, f"{mine * 1e3:.3g}", f"{other} is not installed", *4 * [""]]
    shortest = min(steps)
    a, b = ours(shortest)[1], theirs(shortest)[1]
    if not abs(a - b) <= agree * abs(b):
        raise SystemExit(f"{label}: log-likelihoods differ: {a} and {b}")
    times = np.array(
        [(_per_step(ours, steps), _per_step(theirs, their_steps)) for _ in range(pairs)]
    )
    usable = (times > 0).all(1)  # a burst of other work may make a long run seem shorter
    if not usable.any():
        raise SystemExit(f"{label}: no pair had a usable difference")
    ratio = times[usable, 1] / times[usable, 0]
    mine, their = np.median(times[usable], 0) * 1e3
    numbers = (np.median(ratio), ratio.min(), ratio.max())
    return [label, f"{mine:.3g}", other, f"{their:.3g}", *(f"{r:.1f}" for r in numbers)]


def _per_step(run: Run, steps: tuple[int, int]) -> float:
    short, long = steps
    time.sleep(_REST)
    return (run(long)[0] - run(short)[0]) / (long - short)
