"""What a user did wrong, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches


class BadInput(ValueError):
    """A file, a column or an option that cannot be used; the command line ends with 2."""


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names in a sentence: the first of them, and how many more there are."""
    shown = [repr(name) for name in names[:most]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def meant(name: str, known: Sequence[str]) -> str:
    """A question after a name that is like one of these; nothing if none is."""
    lower = {k.lower().strip(): k for k in known}
    close = get_close_matches(name.lower().strip(), lower, 1, 0.75)
    return f"did you mean {lower[close[0]]!r}?" if close else ""
