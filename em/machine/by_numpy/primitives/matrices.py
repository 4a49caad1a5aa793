"""Products, factors and solutions of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._table import Array, primitive


@primitive("dot_general")
def _dot_general(
    x: Array, y: Array, *, dimension_numbers: Any, preferred_element_type: Any, **_: Any
) -> Array:
    (x_sum, y_sum), (x_batch, y_batch) = dimension_numbers
    x_own = [d for d in range(x.ndim) if d not in (*x_sum, *x_batch)]
    y_own = [d for d in range(y.ndim) if d not in (*y_sum, *y_batch)]
    batch = [x.shape[d] for d in x_batch]
    shape = [*batch, *(x.shape[d] for d in x_own), *(y.shape[d] for d in y_own)]
    if preferred_element_type is not None:
        x, y = x.astype(preferred_element_type), y.astype(preferred_element_type)
    summed = int(np.prod([x.shape[d] for d in x_sum], dtype=int))
    if 0 in shape or summed == 0:
        return np.zeros(shape, x.dtype)
    left = np.transpose(x, (*x_batch, *x_own, *x_sum)).reshape(*batch, -1, summed)
    right = np.transpose(y, (*y_batch, *y_sum, *y_own)).reshape(*batch, summed, -1)
    return np.matmul(left, right).reshape(shape)


@primitive("eigh")
def _eigh(x: Array, *, lower: bool, subset_by_index: Any, **_: Any) -> list[Array]:
    if subset_by_index is not None or not np.isfinite(x).all():
        raise NotImplementedError
    values, vectors = np.linalg.eigh(x, "L" if lower else "U")
    return [vectors, values]


@primitive("cholesky")
def _cholesky(x: Array, **_: Any) -> Array:
    return _factors(x.reshape(-1, *x.shape[-2:])).reshape(x.shape)


def _factors(matrices: Array) -> Array:
    """Of each; NaN of one that is not positive definite, as XLA has it.

    NumPy refuses all for the sake of one: which it is, halves tell.
    """
    try:
        return np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        if len(matrices) == 1:
            return np.full_like(matrices, np.nan)
    half = len(matrices) // 2
    return np.concatenate([_factors(matrices[:half]), _factors(matrices[half:])])


@primitive("triangular_solve")
def _triangular_solve(
    a: Array,
    b: Array,
    *,
    left_side: bool,
    lower: bool,
    transpose_a: bool,
    conjugate_a: bool,
    unit_diagonal: bool,
) -> Array:
    if a.dtype.kind == "c":
        raise NotImplementedError
    if not left_side:  # x a = b is a' x' = b'
        b, transpose_a = np.swapaxes(b, -1, -2), not transpose_a
    if transpose_a:
        a, lower = np.swapaxes(a, -1, -2), not lower
    d = a.shape[-1]
    x = np.zeros(b.shape, b.dtype)
    for i in range(d) if lower else range(d - 1, -1, -1):
        done = slice(0, i) if lower else slice(i + 1, d)
        known = np.matmul(a[..., i : i + 1, done], x[..., done, :])[..., 0, :]
        value = b[..., i, :] - known
        x[..., i, :] = value if unit_diagonal else value / a[..., i, i, None]
    return x if left_side else np.swapaxes(x, -1, -2)
