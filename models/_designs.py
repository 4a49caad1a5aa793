"""Covariates: the checks and the linear predictor that regression models share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jax import Array

from ._arguments import check_shape, shape_of

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Float


def check_design(
    name: str, covariates: ArrayLike, y: ArrayLike | None, num_axes: int = 1
) -> tuple[int, int]:
    """(n, p), from covariates of that shape; y, if given, must have as many rows."""
    n, p = check_shape(name, covariates, "n", "p")
    if y is not None:
        rows, *_ = check_shape("y", y, *("n", "d")[:num_axes])
        if rows != n:
            raise ValueError(
                f"{name} has {n} rows, but y has {rows}; give one row of {name} for each row of y"
            )
    return n, p


def check_visits(
    covariates: ArrayLike, of_visits: ArrayLike, y: ArrayLike | None, visited: ArrayLike | None
) -> tuple[int, int, int]:
    """(n, t, q), from covariates of visits of that shape; all else must have the same rows."""
    n, _ = check_design("covariates", covariates, None)
    found, t, q = check_shape("detection_covariates", of_visits, "n", "t", "q")
    if found != n:
        raise ValueError(
            f"detection_covariates has {found} rows, but covariates has {n}; give one row of both "
            "for each site"
        )
    for name, value in (("y", y), ("visited", visited)):
        if value is not None and shape_of(name, value) != (n, t):
            raise ValueError(
                f"{name} must have shape {(n, t)}, sites by visits as detection_covariates, but "
                f"its shape is {shape_of(name, value)}"
            )
    return n, t, q


def check_offset(offset: ArrayLike | float, n: int) -> None:
    """A known term of the linear predictor: one number, or one a row."""
    shape = shape_of("offset", offset)
    if shape not in ((), (n,)):
        raise ValueError(
            f"offset must be one number or an array of shape ({n},), one a row, but its shape is "
            f"{shape}"
        )


def linear_predictor(covariates: ArrayLike, coefficients: Array) -> Array:
    """``x_n . coefficients_n``, (n,), for coefficients (n, p), or (1, p) for all rows alike."""
    return jnp.sum(jnp.asarray(covariates) * coefficients, axis=-1)


def class_logits(covariates: ArrayLike, class_coefficients: Array | None) -> Array:
    """(n, k) logits of the classes, 0 for the first; without coefficients there is one class."""
    zero = jnp.zeros((*shape_of("covariates", covariates)[:1], 1))
    if class_coefficients is None:
        return zero
    return jnp.concatenate([zero, jnp.asarray(covariates) @ class_coefficients.T], axis=-1)


def example_visits(num_rows: int, num_visits: int, num_columns: int) -> np.ndarray:
    """Covariates (n, t, q) of visits, the first a column of ones, for examples."""
    flat = example_design(num_rows * num_visits, num_columns)
    return flat.reshape(num_rows, num_visits, num_columns)


def example_design(num_rows: int, num_columns: int) -> Float[np.ndarray, "n p"]:
    """A column of ones and others spread evenly over (-2, 2): covariates for examples.

    Multiples, modulo 1, of powers of a number that no two columns share (Roberts, 2018, "The
    unreasonable effectiveness of quasirandom sequences").
    """
    root = 2.0
    for _ in range(50):  # the root of r^p = r + 1
        root = (1 + root) ** (1 / num_columns)
    steps = root ** -np.arange(1.0, num_columns)
    spread = np.outer(np.arange(1, num_rows + 1), steps) % 1
    return np.column_stack([np.ones(num_rows), 4 * spread - 2])
