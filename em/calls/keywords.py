"""Keywords that a model does not have: what is meant, said before the model is run."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from .signatures import signature_of

ALIASES = ("n_components", "n_states", "num_states", "n_classes", "num_classes", "n_clusters")


def refuse_unknown(model: Callable, given: Mapping[str, Any], fitter: Callable) -> None:
    """Say what is to be done about keywords that a model does not take.

    Options of the ``fitter`` are one kind of them, names that other libraries have another.

    Raises:
        ValueError: other libraries' ``n_components`` of a model that has ``num_components``;
            ``weights`` of one that has none.
        TypeError: any other, as Python would.
    """
    try:
        known, taken = signature_of(model).parameters, _own(model).parameters
    except (TypeError, ValueError):
        return
    open_, itself_open = map(_open, (known, taken))
    for name, value in given.items():
        if name in known or open_:
            continue
        if name == "weights":
            raise ValueError(
                "the model has no keyword 'weights'. Weights are of independent units: rows, "
                "groups, sequences; the steps of one sequence have none of their own. A model of "
                "one's own is weighted by numpyro.handlers.scale(model, scale=weights), one weight "
                "a unit"
            )
        if name in ALIASES and "num_components" in known:
            raise ValueError(f"the model has no keyword {name!r}: it is called num_components")
        if itself_open:  # a wrapper may take what the model within does not
            continue
        own = getattr(model, "__name__", "model")
        if name in (fitter.__kwdefaults__ or ()):
            hint = f"; that is an option of the fitter: em.EM({own}, {name}={_short(value)})"
        else:
            near = difflib.get_close_matches(name, known, 1, 0.6)
            hint = f" (it has {', '.join(known)})"
            hint += f"; did you mean {near[0]!r}?" if near else ""
        raise TypeError(f"{own} has no keyword {name!r}{hint}")


def _own(model: Callable) -> inspect.Signature:
    """The signature that a call must match, whatever it wraps."""
    stated = getattr(model, "__signature__", None)
    if isinstance(stated, inspect.Signature):
        return stated
    return inspect.signature(model, follow_wrapped=False)


def _open(parameters: Mapping[str, inspect.Parameter]) -> bool:
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 40 and "\n" not in text else "..."
