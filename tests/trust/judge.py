"""What may come of a call with bad input: a refusal of ours, or a result that tells the truth."""

import math
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

import mixpyro
from mixpyro import em

_PACKAGE = Path(mixpyro.__file__).parent
_FOLDERS = [_PACKAGE, *(_PACKAGE / name for name in ("em", "models", "inference"))]
_OURS = tuple(str(folder.resolve()) for folder in _FOLDERS)
# The file of the model that a user wrote.
_USERS_MODEL = str(Path(__file__).with_name("problems.py"))
# Relative to the size of the numbers, and of the rows: what sums may differ by.
_RTOL = {"float32": 1e-3, "float64": 1e-8}


class Wrong(AssertionError):
    """An end that no call may have."""


def judge(
    call: Callable[[], Any],
    names: Iterable[str] = (),
    by_hand: Callable[[Any], Any] | None = None,
) -> str:
    """How the call ended: ``"refused"``, ``"not ok"``, ``"ok"`` or ``"answered"``.

    ``names`` are the words of which a refusal has to have one: the argument's or the site's.
    ``by_hand`` evaluates independently what was computed: a fit's log densities, or the result.

    Raises:
        Wrong: another exception than a ValueError or TypeError raised in mixpyro's own lines, one
            that names nothing, or a result that calls itself ok and is not.
    """
    try:
        found = call()
        how = _fit(found, by_hand) if isinstance(found, em.Fit) else "answered"
    except (ValueError, TypeError) as error:
        _refusal(error, tuple(names))
        return "refused"
    except Wrong:
        raise
    except Exception as error:
        if traceback.extract_tb(error.__traceback__)[-1].filename == _USERS_MODEL:
            return "refused"  # in the user's own line, which says most
        raise Wrong(f"{type(error).__name__}: {_short(error)}\n{_where(error)}") from error
    if isinstance(found, em.Fit):
        return how
    if by_hand is not None:
        _agrees(found, by_hand(found), "answered")
    return "answered"


def _refusal(error: Exception, names: tuple[str, ...]) -> None:
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    if not str(Path(last).resolve()).startswith(_OURS):
        raise Wrong(f"foreign {type(error).__name__}: {_short(error)}\n{_where(error)}") from error
    text = str(error)
    if names and not any(name in text for name in names):
        raise Wrong(f"names none of {names}: {_short(error)}") from error


def _fit(fit: em.Fit, by_hand: Callable[[Any], Any] | None) -> str:
    status, message = fit.status, fit.message
    if not status.ok:
        if len(message.split()) < 4:
            raise Wrong(f"{status} has no sentence: {message!r}")
        return "not ok"
    for name, value in fit.leaves.items():
        if not np.isfinite(np.asarray(value)).all():
            raise Wrong(f"{status}, but {name} is {value}")
    if not math.isfinite(fit.log_likelihood) or not np.isfinite(fit.trace).all():
        raise Wrong(f"{status}, but the log-likelihood is {fit.log_likelihood}")
    if by_hand is not None:
        _agrees(fit.log_likelihood, np.sum(by_hand(fit)), str(status))
    return "ok"


def _agrees(found: Any, expected: Any, how: str) -> None:
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    rtol = _RTOL[str(jnp.result_type(float))]
    lowest = float(jnp.finfo(jnp.result_type(float)).min) / 10  # beyond, it may be infinite
    found, expected = (np.maximum(v, lowest) for v in (found, expected))
    same = found.shape == expected.shape and np.allclose(
        found, expected, rtol=rtol, atol=12 * rtol, equal_nan=False
    )
    if not same:
        raise Wrong(f"{how}, but found {found.tolist()!r:.300}, by hand {expected.tolist()!r:.300}")


def _short(error: BaseException) -> str:
    return str(error).strip()[:300]


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"  {Path(f.filename).name}:{f.lineno} {f.name}: {f.line}" for f in frames]
    own = [i for i, f in enumerate(frames) if str(Path(f.filename).resolve()).startswith(_OURS)]
    first = own[-1] if own else 0
    return "\n".join(lines[first : first + 2] + lines[-1:])
