"""A model whose scans draw their observations anew."""

from __future__ import annotations

from collections.abc import Callable

from numpyro import handlers
from numpyro.primitives import Messenger

from .body import is_scan


class Unobserved(Messenger):
    """``handlers.uncondition`` within scans, which it does not reach itself."""

    def process_message(self, msg: dict) -> None:
        """Put it around the step."""
        if is_scan(msg):
            body, *rest = msg["args"]
            msg["args"] = (handlers.uncondition(body), *rest)


def unobserved(model: Callable) -> Callable:
    """The model with all of its observations left out, within scans too."""
    return handlers.uncondition(Unobserved(model))
