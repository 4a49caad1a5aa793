"""A progress bar that compiled code can move (tqdm, as NumPyro uses)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np


class Progress:
    """The bar of the run in hand. Compiled code calls the class, whatever run that is."""

    _bar: ClassVar[Any] = None

    def __init__(self, total: int, show: bool) -> None:
        self.total, self.show = total, show

    def __enter__(self) -> Progress:
        if self.show:
            from tqdm.auto import tqdm

            Progress._bar = tqdm(total=self.total, desc="EM", unit="step")
        return self

    def __exit__(self, *_: object) -> None:
        if self.show:
            Progress._bar.close()
            Progress._bar = None

    @staticmethod
    def report(step: Any, objective: Any) -> None:
        """Called from the device after each step, with the best objective so far."""
        if Progress._bar is not None:
            Progress._bar.update(int(step) - Progress._bar.n)
            Progress._bar.set_postfix_str(f"objective {float(objective):.6g}")

    def finish(self, outcome: Any) -> None:
        """The run has ended: the bar is as long as it was."""
        if self.show:
            import jax

            jax.effects_barrier()
            Progress._bar.total = int(np.max(outcome.steps))
            Progress._bar.refresh()
