"""What arguments a model takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from .fingerprint import unwrapped


def signature_of(model: Callable) -> inspect.Signature:
    """The signature of the function inside handlers and wrappers, or that one of these states."""
    for function in unwrapped(model):
        if hasattr(function, "__signature__") or not hasattr(function, "__wrapped__"):
            return inspect.signature(function)
    return inspect.signature(model)
