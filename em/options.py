"""Options, checked: each refusal is a ValueError that names the option."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .calls.keywords import ALIASES

_REAL = (int, float, np.integer, np.floating)


def as_key(rng_key: Any) -> jax.Array:
    """A JAX key, of the new or of the old kind; a whole number is the seed of one."""
    whole = isinstance(rng_key, int | np.integer) and not isinstance(rng_key, bool)
    if whole and 0 <= rng_key < 2**32:
        return jax.random.key(int(rng_key))
    if isinstance(rng_key, jax.Array):
        typed = jnp.issubdtype(rng_key.dtype, jax.dtypes.prng_key) and rng_key.shape == ()
        if typed or (rng_key.dtype == jnp.uint32 and rng_key.shape == (2,)):
            return rng_key
    raise ValueError(
        f"rng_key must be a JAX key, such as jax.random.key(0), or its seed, not {rng_key!r}"
    )


def whole(name: str, value: Any, least: int = 1, most: int = 2**31) -> None:
    """Refuse what is no whole number >= ``least``, or is ``most`` or more: JAX counts to 2^31."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number >= {least}, not {value!r}")
    if value >= most:
        raise ValueError(f"{name} must be below {most}, not {value!r}")


def number(name: str, value: Any, least: float = -math.inf, above: float = -math.inf) -> None:
    """Refuse what is no finite number >= ``least`` and > ``above``."""
    real = isinstance(value, _REAL) and not isinstance(value, bool) and math.isfinite(value)
    if not (real and value >= least and value > above):
        bounds = f" >= {least:g}" if least > -math.inf else ""
        bounds += f" > {above:g}" if above > -math.inf else ""
        raise ValueError(f"{name} must be a finite number{bounds}, not {value!r}")


def level(value: Any) -> None:
    """Refuse what is no level of an interval."""
    if not isinstance(value, _REAL) or not 0 < value < 1:
        raise ValueError(f"level must be between 0 and 1, such as 0.95, not {value!r}")


def flag(name: str, value: Any) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, bool | np.bool):
        raise ValueError(f"{name} must be True or False, not {value!r}")


def one_of(name: str, value: Any, known: Any) -> None:
    """Refuse what is none of these words."""
    if not isinstance(value, str) or value not in known:
        words = either(known) if len(known) < 3 else f"one of {', '.join(map(repr, known))}"
        raise ValueError(f"{name} must be {words}, not {value!r}")


def known_objective(value: Any) -> None:
    """Refuse what EM does not climb."""
    known = ("likelihood", "posterior")
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"objective {value!r} is not available; use {either(known)}")


def no_options(function: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    """Refuse options that a function does not have; those of models belong to `EM.run`.

    Raises:
        TypeError: as Python would, with what is to be done.
    """
    for name, value in given.items():
        near = difflib.get_close_matches(name, known, 1, 0.7)
        called = "num_components" if name in ALIASES else name
        hint = (
            f"did you mean {near[0]!r}?"
            if near
            else f"what is the model's is given to run: em.EM(model).run(0, x, {called}={value!r})"
        )
        raise TypeError(f"{function} has no option {name!r} (it has {', '.join(known)}); {hint}")


def function(name: str, value: Any, what: str = "a function") -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise ValueError(f"{name} must be {what}, not {value!r}")


def model(value: Any) -> None:
    """Refuse what is no model."""
    function("model", value, "a NumPyro model (a callable)")


def path(value: Any) -> None:
    """Refuse what names no file."""
    if not isinstance(value, str | os.PathLike) or not str(value):
        raise ValueError(f"path must be the name of a file, not {value!r}")


def a_fit(name: str, value: Any, kind: type) -> None:
    """Refuse what is no fit."""
    if not isinstance(value, kind):
        raise ValueError(
            f"{name} must be a fit, what em.EM(model).run(...) returns, not {value!r:.200}"
        )


def chosen(option: str, value: Any, catalogue: Mapping[str, Any], kind: Any) -> Any:
    """The entry of a catalogue that a name means, or a value of that kind as it is."""
    if isinstance(value, str):
        if value not in catalogue:
            raise ValueError(f"{option} {value!r} is not available; use {either(catalogue)}")
        return catalogue[value]
    if not isinstance(value, kind) or isinstance(value, type):
        raise ValueError(f"{option} must be a name or {_a(kind.__name__)} value, not {value!r}")
    return value


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'AEIOU' else 'a'} {noun}"


def either(names: Any) -> str:
    """``'a' or 'b'``."""
    return " or ".join(map(repr, names))
