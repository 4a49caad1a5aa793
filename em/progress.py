"""A progress bar that compiled code can move (tqdm, as NumPyro uses)."""

from __future__ import annotations

from typing import Any, ClassVar


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
            import jax

            jax.effects_barrier()
            Progress._bar.total = Progress._bar.n  # the run has ended: the bar is as long as it was
            Progress._bar.close()
            Progress._bar = None

    @staticmethod
    def report(step: Any, objective: Any) -> None:
        """Called from the device after each step, with the best objective so far."""
        if Progress._bar is not None:
            Progress._bar.update(max(int(step) - Progress._bar.n, 0))
            Progress._bar.set_postfix_str(f"objective {float(objective):.6g}")
