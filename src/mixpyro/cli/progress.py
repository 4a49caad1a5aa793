"""A bar that counts what is read and compiled apart from what has climbed."""

from __future__ import annotations

from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Bars:
    """Two lines while they are wanted: candidates handed to the compiler, and fits that are done.

    Compiling comes first and takes longest, so time left, by the fits so far, would mean nothing:
    what is shown is the time that went by.
    """

    def __init__(self, console: Console, total: int) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._begun = self._bars.add_task("read, compiling", total=total)
        self._done = self._bars.add_task("climbed", total=total)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def begun(self, cell: dict[str, Any]) -> None:
        """A candidate is read and handed to the compiler."""
        self._bars.update(self._begun, advance=1, description=f"read, compiling {_words(cell)}")

    def done(self, cell: dict[str, Any]) -> None:
        """A fit has climbed to its end."""
        self._bars.update(self._done, advance=1, description=f"climbed {_words(cell)}")


def _words(cell: dict[str, Any]) -> str:
    return " ".join(str(v) for v in cell.values())
