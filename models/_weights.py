"""Row weights: the keyword that all models have whose data are independent units."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike
from numpyro.primitives import Messenger

from ._arguments import shape_of

_OF_ROWS = """weights: (n,) at least 0, or None. They multiply the log-likelihood of their rows:
    frequencies, or survey weights; a row of weight 0 is as good as left out. Priors are
    not weighted."""
_OF_SEQUENCES = """weights: (n,) at least 0, or None. They multiply the log-likelihood of all steps
    of a sequence: frequencies, or survey weights of people; one of weight 0 is as good as left
    out. Priors are not weighted."""
_OF_GROUPS = """weights: (num_groups,) at least 0, or None. They multiply the log-likelihood of
    all rows of a group; a group of weight 0 is as good as left out. Priors are not
    weighted."""


def weighted[ModelT: Callable[..., Any]](model: ModelT, chain: bool = False) -> ModelT:
    """The model with the keyword ``weights``, one number a unit: a row, or a group of rows.

    In a chain whose steps are in the plate "rows" a row is a sequence, and its steps weigh what it
    weighs.

    What stands in the plates "groups" and "rows" is scaled as `numpyro.handlers.scale` would; the
    parameters are not, which one scale around a whole model would do to their priors.
    """
    signature = inspect.signature(model)
    grouped = "group" in signature.parameters
    more = inspect.Parameter("weights", inspect.Parameter.KEYWORD_ONLY, default=None)

    @functools.wraps(model)
    def with_weights(*args: Any, weights: ArrayLike | None = None, **kwargs: Any) -> Any:
        if weights is None:
            return model(*args, **kwargs)
        with _Weights(weights, kwargs.get("group")):
            return model(*args, **kwargs)

    documented = _OF_SEQUENCES if chain else _OF_GROUPS if grouped else _OF_ROWS
    with_weights.__doc__ = _with_argument(model.__doc__ or "", documented)
    with_weights.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), more]
    )
    return with_weights  # type: ignore[return-value]


class _Weights(Messenger):
    """Scales the sites of units. Unlike ``handlers.scale`` it takes zeros."""

    def __init__(self, weights: ArrayLike, group: ArrayLike | None) -> None:
        self.weights, self.group = weights, group
        super().__init__(None)

    def process_message(self, msg: dict[str, Any]) -> None:
        unit = "rows" if self.group is None else "groups"
        if msg["type"] == "plate" and msg["name"] == unit:
            self._check(unit, msg["args"][0])
        if msg["type"] != "sample":
            return
        plates = {frame.name: frame.size for frame in msg["cond_indep_stack"]}
        if not plates.keys() & {"rows", "groups"}:
            return
        if unit in plates:  # all that is seen of a plate within a scan
            self._check(unit, plates[unit])
        scale = jnp.asarray(self.weights)
        if "groups" not in plates and self.group is not None:
            scale = scale[jnp.asarray(self.group)]
        msg["scale"] = scale if msg["scale"] is None else scale * msg["scale"]

    def _check(self, unit: str, size: int) -> None:
        shape = shape_of("weights", self.weights)
        if shape != (size,):
            raise ValueError(
                f"weights must have shape ({size},), one a {unit[:-1]}, but its shape is {shape}"
            )


def _with_argument(doc: str, argument: str) -> str:
    """A docstring with one entry more under "Args"."""

    def put(found: re.Match) -> str:
        lines = "".join(f"{found[1]}    {line}\n" for line in argument.splitlines())
        return f"\n{lines.rstrip()}\n{found[0]}".replace("\n\n\n", "\n\n")

    return re.sub(r"\n^( *)Returns:", put, doc, count=1, flags=re.MULTILINE)
