"""A progress bar that compiled code can move (tqdm, as NumPyro uses)."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import jax


class Progress:
    """The bar of one run. Compiled code, which many runs share, knows it by its ``number``."""

    _running: ClassVar[dict[int, Progress]] = {}
    _numbers: ClassVar[Any] = itertools.count()

    def __init__(self, total: int, show: bool) -> None:
        self.total, self.show = total, show
        self.bar: Any = None
        self.base = 0.0
        self.number = next(self._numbers)

    def __enter__(self) -> Progress:
        if self.show:
            from tqdm.auto import tqdm

            self.bar = tqdm(total=self.total, desc="EM", unit="step")
            self._running[self.number] = self
        return self

    def __exit__(self, *_: object) -> None:
        if self.show:
            jax.effects_barrier()
            del self._running[self.number]
            self.bar.total = self.bar.n  # the run has ended: the bar is as long as it was
            self.bar.close()

    @staticmethod
    def count_from(number: int, base: float) -> None:
        """From here on the objectives that are reported are what is above ``base``."""
        run = Progress._running.get(number)
        if run is not None:
            jax.effects_barrier()
            run.base = base

    @staticmethod
    def report(number: Any, step: Any, objective: Any) -> None:
        """Called from the device after each step, with the best objective so far."""
        run = Progress._running.get(int(number))
        if run is not None:
            run.bar.update(max(int(step) - run.bar.n, 0))
            run.bar.set_postfix_str(f"objective {run.base + float(objective):.6g}")


class RowProgress:
    """The bar of passes over rows: how many rows of this pass were read, and the best objective."""

    def __init__(self, total: int, show: bool) -> None:
        self.total, self.show = total, show
        self.bar: Any = None

    def __enter__(self) -> RowProgress:
        if self.show:
            from tqdm.auto import tqdm

            self.bar = tqdm(total=self.total, desc="EM, pass 0", unit="row", unit_scale=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def rows(self, number: int) -> None:
        """So many rows more were read; the first of a pass begin the bar anew."""
        if self.bar is not None:
            if self.bar.n >= self.total:
                self.bar.reset(self.total)
            self.bar.update(number)

    def passed(self, number: int, objective: float) -> None:
        """A pass has ended."""
        if self.bar is not None:
            self.bar.set_description(f"EM, pass {number}")
            self.bar.set_postfix_str(f"objective {objective:.6g}")
