"""A model whose rows have weights: what estimators and the command line put around models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpyro import handlers

# The keyword that the weights (n,) are given by, beside the model's own arguments.
ROW_WEIGHTS = "row_weights"


class Weighted:
    """A model under ``scale``: its log densities count as often as ``row_weights`` (n,) say."""

    def __init__(self, model: Callable) -> None:
        self.fn = model  # as in NumPyro's handlers: readers look there for the function

    def __call__(self, *args: Any, row_weights: Any, **kwargs: Any) -> Any:
        """The model, scaled."""
        with handlers.scale(scale=row_weights):
            return self.fn(*args, **kwargs)


_made: dict[Callable, Weighted] = {}


def weighted(model: Callable) -> Weighted:
    """The model with weights of its rows: one wrapper a model, whose readings are kept by it."""
    return _made.setdefault(model, Weighted(model))
