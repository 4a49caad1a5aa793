"""What a user did wrong, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence


class BadInput(ValueError):
    """A file, a column or an option that cannot be used; the command line ends with 2."""


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names in a sentence: the first of them, and how many more there are."""
    shown = [repr(name) for name in names[:most]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
