"""What may come of a call with bad input: a refusal of ours, or a fit that tells the truth."""

import math
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import mixpyro
from mixpyro import em

_OURS = tuple(
    str(folder.resolve())
    for folder in [Path(mixpyro.__file__).parent]
    + [Path(mixpyro.__file__).parent / name for name in ("em", "models", "inference")]
)
# Relative: what NumPy's and SciPy's sums and ours may differ by, in a log-likelihood.
_RTOL = {"float32": 2e-4, "float64": 1e-8}


class Wrong(AssertionError):
    """An end that no call may have."""


def judge(
    call: Callable[[], Any],
    names: Iterable[str] = (),
    density: Callable[[Any], float] | None = None,
) -> str:
    """``"refused"``, ``"not ok"`` or ``"answered"``, how the call ended.

    ``names`` are the words of which a refusal has to have one: the argument's or the site's.
    ``density`` evaluates the log-likelihood of a fit by hand.

    Raises:
        Wrong: another exception than a ValueError or TypeError raised in mixpyro's own lines, one
            that names nothing, or a fit that calls itself ok and is not.
    """
    try:
        found = call()
    except (ValueError, TypeError) as error:
        _refusal(error, tuple(names))
        return "refused"
    except Exception as error:
        raise Wrong(f"{type(error).__name__}: {_short(error)}\n{_where(error)}") from error
    if isinstance(found, em.Fit):
        return _fit(found, density)
    return "answered"


def _refusal(error: Exception, names: tuple[str, ...]) -> None:
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    if not str(Path(last).resolve()).startswith(_OURS):
        raise Wrong(f"foreign {type(error).__name__}: {_short(error)}\n{_where(error)}") from error
    text = str(error)
    if names and not any(name in text for name in names):
        raise Wrong(f"names none of {names}: {_short(error)}") from error


def _fit(fit: em.Fit, density: Callable[[Any], float] | None) -> str:
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
    if density is not None:
        expected = density(fit.params)
        rtol = _RTOL[str(np.asarray(next(iter(fit.leaves.values()))).dtype)]
        size = max(abs(expected), float(fit.total_weight))
        if not abs(fit.log_likelihood - expected) <= rtol * size:
            raise Wrong(
                f"{status}, but the log-likelihood is {fit.log_likelihood!r}, by hand {expected!r}"
            )
    return "ok"


def _short(error: BaseException) -> str:
    return str(error).strip()[:300]


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"  {Path(f.filename).name}:{f.lineno} {f.name}: {f.line}" for f in frames]
    own = [i for i, f in enumerate(frames) if str(Path(f.filename).resolve()).startswith(_OURS)]
    first = own[-1] if own else 0
    return "\n".join(lines[first : first + 2] + lines[-1:])
