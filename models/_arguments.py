"""Checks of the arguments that models share. They look at shapes, never at values."""

from __future__ import annotations

import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike


def check_count(name: str, value: Any) -> int:
    """An argument that counts something: an integer of at least 1."""
    try:
        count = 0 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(f"{name} must be an integer of 1 or more, but it is {value!r}")
    return count


def check_positive(name: str, value: Any) -> Any:
    """A size or an amount of a prior: a finite number above 0, or one being traced."""
    if np.shape(value):
        raise ValueError(f"{name} must be one number, but its shape is {np.shape(value)}")
    return check_sizes(name, value, above=0.0)


def check_sizes(name: str, value: Any, above: float) -> Any:
    """Finite numbers above a bound, or ones being traced."""
    if isinstance(value, jax.core.Tracer):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or not np.all((array > above) & (array < np.inf)):
        bound = f" above {above:g}" if above > -np.inf else ""
        raise ValueError(f"{name} must be finite{bound} everywhere, but it is {value!r}")
    return value


def vector_rows(x: ArrayLike | None, num_rows: int | None) -> int:
    """n, from x of shape (n,) or else from num_rows, which is only read without x."""
    if x is None:
        return _rows_to_simulate(num_rows)
    (n,) = check_shape("x", x, "n")
    return n


def vector_or_matrix(
    x: ArrayLike | None, num_rows: int | None, num_features: int | None
) -> tuple[int, tuple[int, ...]]:
    """n, and () for x (n,) or (d,) for x (n, d); without x by whether num_features is given."""
    if num_features is None and (x is None or len(shape_of("x", x)) != 2):
        return vector_rows(x, num_rows), ()
    n, d = matrix_shape(x, num_rows, num_features)
    return n, (d,)


def matrix_shape(
    x: ArrayLike | None, num_rows: int | None, num_features: int | None, name: str = "x"
) -> tuple[int, int]:
    """(n, d), from data of that shape or else from num_rows and num_features."""
    if x is None:
        n = _rows_to_simulate(num_rows)
        if num_features is None:
            raise ValueError(
                f"num_features is missing: without {name}, give the number of columns to simulate"
            )
        return n, check_count("num_features", num_features)
    n, d = check_shape(name, x, "n", "d")
    if num_features is not None and check_count("num_features", num_features) != d:
        raise ValueError(
            f"num_features is {num_features}, but {name} has {d} columns; leave num_features out, "
            f"it is for simulating without {name}"
        )
    return n, d


def count_matrix(
    x: ArrayLike | None, total_count: Any, num_rows: int | None, num_features: int | None
) -> tuple[int, int, Any]:
    """(n, d) and how many each row of counts has: its sum, or total_count without x."""
    n, d = matrix_shape(x, num_rows, num_features)
    if x is not None:
        return n, d, jnp.sum(jnp.asarray(x), axis=-1)
    if total_count is None:
        raise ValueError("total_count is missing: without x, give the sum of each row to simulate")
    check_per_row("total_count", total_count, n)
    return n, d, total_count


def check_shape(name: str, value: ArrayLike, *axes: str) -> tuple[int, ...]:
    """The shape of an array, which must have the given axes, none of them empty."""
    shape = shape_of(name, value)
    wanted = f"({axes[0]},)" if len(axes) == 1 else f"({', '.join(axes)})"
    if len(shape) != len(axes):
        hint = ""
        if len(shape) == 1 and len(axes) == 2:
            hint = f"; for a single column give {name}[:, None]"
        if len(shape) == 2 and shape[1] == 1 and len(axes) == 1:
            hint = f"; give {name}[:, 0]"
        raise ValueError(f"{name} must have shape {wanted}, but its shape is {shape}{hint}")
    if 0 in shape:
        raise ValueError(f"{name} is empty: its shape is {shape}; give at least one row and column")
    return shape


def check_per_row(name: str, value: ArrayLike, n: int) -> None:
    """An argument that is one number for all rows, or an array of one a row."""
    shape = shape_of(name, value)
    if shape not in ((), (n,)):
        raise ValueError(
            f"{name} must be one number or an array of shape ({n},), one a row, but its shape is "
            f"{shape}"
        )


def check_group(name: str, value: ArrayLike, n: int, count_name: str, count: int) -> int:
    """How many groups there are; ``value`` has shape (n,), the group of each row."""
    found = check_count(count_name, count)
    if shape_of(name, value) != (n,):
        raise ValueError(
            f"{name} must have shape ({n},), the group of each row, but its shape is "
            f"{shape_of(name, value)}"
        )
    return found


def shape_of(name: str, value: Any) -> tuple[int, ...]:
    """The shape of a number or array."""
    if isinstance(value, int | float):
        return ()
    shape = getattr(value, "shape", None)
    if shape is None:
        raise ValueError(
            f"{name} must be an array, but it is a {type(value).__name__}; give "
            f"jax.numpy.asarray({name})"
        )
    return tuple(shape)


def _rows_to_simulate(num_rows: int | None) -> int:
    if num_rows is None:
        raise ValueError(
            "both x and num_rows are missing: give x to score data, or num_rows to simulate them"
        )
    return check_count("num_rows", num_rows)
