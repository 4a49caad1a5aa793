"""JAX's primitives on NumPy arrays, one function each, with XLA's results at the edges.

Integers divide towards zero and saturate when they are made of numbers; a start that is out of
bounds is clamped; a matrix that has no Cholesky factor has one of NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.special as special
from jax.lax import GatherScatterMode as Mode

from . import threefry

Array = np.ndarray
# {primitive: function(*arrays, **parameters)}; those with several results return a list of them.
TABLE: dict[str, Callable] = {}


def _is(*names: str) -> Callable[[Callable], Callable]:
    def note(function: Callable) -> Callable:
        TABLE.update(dict.fromkeys(names, function))
        return function

    return note


# ---- entry by entry ------------------------------------------------------------------------------


def _plain(function: Callable) -> Callable:
    """Without the parameters (accuracy and the like), which say nothing here."""
    return lambda *arrays, **_: function(*arrays)


_ENTRYWISE: dict[str, Callable] = {
    "add": np.add,
    "add_any": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "neg": np.negative,
    "sign": np.sign,
    "abs": np.abs,
    "floor": np.floor,
    "ceil": np.ceil,
    "exp": np.exp,
    "exp2": np.exp2,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "cbrt": np.cbrt,
    "square": np.square,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "logistic": special.expit,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "max": np.maximum,
    "min": np.minimum,
    "nextafter": np.nextafter,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "is_finite": np.isfinite,
    "lgamma": special.gammaln,
    "igamma": special.gammainc,
    "igammac": special.gammaincc,
    "digamma": special.psi,
    "zeta": special.zeta,
    "erf": special.erf,
    "erfc": special.erfc,
    "erf_inv": special.erfinv,
    "bessel_i0e": special.i0e,
    "bessel_i1e": special.i1e,
    "regularized_incomplete_beta": special.betainc,
    "pow": lambda x, y: np.power(x, y),
    "copy": np.asarray,
    "copy_p": np.asarray,
    "stop_gradient": np.asarray,
    "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high),
}
TABLE.update({name: _plain(function) for name, function in _ENTRYWISE.items()})


@_is("div")
def _div(x: Array, y: Array) -> Array:
    if x.dtype.kind not in "iu":
        return np.divide(x, y)
    safe = np.where(y == 0, 1, y)
    found = np.where(y == 0, -1, np.abs(x) // np.abs(safe) * (np.sign(x) * np.sign(safe)))
    return found.astype(x.dtype)


@_is("rem")
def _rem(x: Array, y: Array) -> Array:
    if x.dtype.kind not in "iu":
        return np.fmod(x, y)
    return np.where(y == 0, x, np.fmod(x, np.where(y == 0, 1, y)))


@_is("integer_pow")
def _integer_pow(x: Array, *, y: int) -> Array:
    return x**y if y >= 0 else 1 / x**-y


@_is("round")
def _round(x: Array, *, rounding_method: Any) -> Array:
    if int(rounding_method) == 1:
        return np.rint(x)
    return np.trunc(x + np.copysign(np.nextafter(x.dtype.type(0.5), x.dtype.type(0)), x))


@_is("polygamma")
def _polygamma(order: Array, x: Array) -> Array:
    sign = np.where(order % 2 == 1, 1.0, -1.0)
    general = sign * special.gamma(order + 1.0) * special.zeta(order + 1.0, x)
    return np.where(order == 0, special.psi(x), general)


@_is("select_n")
def _select_n(which: Array, *cases: Array) -> Array:
    if len(cases) == 2:
        return np.where(which.astype(bool), cases[1], cases[0])
    return np.choose(np.clip(which, 0, len(cases) - 1), cases)


@_is("convert_element_type")
def _convert(x: Array, *, new_dtype: Any, **_: Any) -> Array:
    new = np.dtype(new_dtype)
    if x.dtype.kind == "f" and new.kind in "iu":
        limits = np.iinfo(new)
        inside = np.clip(np.nan_to_num(x, posinf=np.inf, neginf=-np.inf), limits.min, limits.max)
        # The largest number is no float: one beyond it would wrap.
        top = x >= float(limits.max)
        return np.where(top, limits.max, np.where(top, 0, inside).astype(new)).astype(new)
    return x.astype(new)


@_is("bitcast_convert_type")
def _bitcast(x: Array, *, new_dtype: Any) -> Array:
    if np.dtype(new_dtype).itemsize != x.dtype.itemsize:
        raise NotImplementedError
    return np.ascontiguousarray(x).reshape(x.shape).view(new_dtype)


@_is("shift_left")
def _shift_left(x: Array, by: Array) -> Array:
    return np.where(_beyond(x, by), 0, np.left_shift(x, np.where(_beyond(x, by), 0, by)))


@_is("shift_right_logical")
def _shift_right_logical(x: Array, by: Array) -> Array:
    unsigned = np.dtype(f"u{x.dtype.itemsize}")
    steps = np.where(_beyond(x, by), 0, by).astype(unsigned)
    moved = np.right_shift(x.astype(unsigned), steps).astype(x.dtype)
    return np.where(_beyond(x, by), 0, moved)


@_is("shift_right_arithmetic")
def _shift_right_arithmetic(x: Array, by: Array) -> Array:
    return np.right_shift(x, np.where(_beyond(x, by), 8 * x.dtype.itemsize - 1, by))


def _beyond(x: Array, by: Array) -> Array:
    return (by < 0) | (by >= 8 * x.dtype.itemsize)


# ---- shapes --------------------------------------------------------------------------------------


@_is("broadcast_in_dim")
def _broadcast_in_dim(x: Array, *, shape: Any, broadcast_dimensions: Any, **_: Any) -> Array:
    ones = [1] * len(shape)
    for dim, size in zip(broadcast_dimensions, np.shape(x), strict=True):
        ones[dim] = size
    return np.broadcast_to(np.reshape(x, ones), shape)


@_is("reshape")
def _reshape(x: Array, *, new_sizes: Any, dimensions: Any, **_: Any) -> Array:
    if dimensions is not None:
        x = np.transpose(x, dimensions)
    return np.reshape(x, new_sizes)


@_is("squeeze")
def _squeeze(x: Array, *, dimensions: Any) -> Array:
    return np.squeeze(x, axis=tuple(dimensions))


@_is("transpose")
def _transpose(x: Array, *, permutation: Any) -> Array:
    return np.transpose(x, permutation)


@_is("rev")
def _rev(x: Array, *, dimensions: Any) -> Array:
    return np.flip(x, tuple(dimensions))


@_is("concatenate")
def _concatenate(*parts: Array, dimension: int) -> Array:
    return np.concatenate(parts, axis=dimension)


@_is("stack")
def _stack(*parts: Array, axis: int) -> Array:
    return np.stack(parts, axis=axis)


@_is("iota")
def _iota(*, dtype: Any, shape: Any, dimension: int, **_: Any) -> Array:
    ones = [1] * len(shape)
    ones[dimension] = shape[dimension]
    return np.broadcast_to(np.arange(shape[dimension], dtype=dtype).reshape(ones), shape)


@_is("slice")
def _slice(x: Array, *, start_indices: Any, limit_indices: Any, strides: Any) -> Array:
    by = strides or (1,) * x.ndim
    return x[tuple(map(slice, start_indices, limit_indices, by))]


@_is("split")
def _split(x: Array, *, sizes: Any, axis: int) -> list[Array]:
    return np.split(x, np.cumsum(sizes)[:-1], axis=axis)


@_is("unstack")
def _unstack(x: Array, *, axis: int) -> list[Array]:
    return list(np.moveaxis(x, axis, 0))


@_is("dynamic_slice")
def _dynamic_slice(x: Array, *starts: Array, slice_sizes: Any) -> Array:
    return x[_window(x.shape, starts, slice_sizes)]


@_is("dynamic_update_slice")
def _dynamic_update_slice(x: Array, update: Array, *starts: Array) -> Array:
    out = np.array(x)
    out[_window(x.shape, starts, update.shape)] = update
    return out


def _window(shape: Any, starts: Sequence[Array], sizes: Any) -> tuple[slice, ...]:
    first = [min(max(int(s), 0), n - m) for s, n, m in zip(starts, shape, sizes, strict=True)]
    return tuple(slice(a, a + m) for a, m in zip(first, sizes, strict=True))


@_is("pad")
def _pad(x: Array, value: Array, *, padding_config: Any) -> Array:
    sizes, places, cuts = [], [], []
    for n, (low, high, inner) in zip(x.shape, padding_config, strict=True):
        long = n + max(n - 1, 0) * inner
        before, after = max(low, 0), max(high, 0)
        sizes.append(before + long + after)
        places.append(slice(before, before + long, inner + 1))
        cuts.append(slice(max(-low, 0), before + long + after - max(-high, 0)))
    out = np.full(sizes, value, x.dtype)
    out[tuple(places)] = x
    return out[tuple(cuts)]


# ---- gathering and scattering --------------------------------------------------------------------


def _positions(
    shape: Sequence[int],
    indices: Array,
    sizes: Sequence[int],
    numbers: tuple[Any, Any, Any, Any, Any],
    rank: int,
) -> tuple[list[Array], list[Array]]:
    """The index into each dimension of the operand, as the result is laid out.

    (starts, offsets): the first depend on the result's batch dimensions only.
    """
    window, dropped, start_map, batching, index_batching = numbers
    batch = [d for d in range(rank) if d not in window]
    places = iter(window)
    starts, offsets = [], []
    for d, size in enumerate(sizes):
        offset = np.zeros((1,) * rank, int)
        if d not in dropped and d not in batching:
            wide = [1] * rank
            wide[next(places)] = size
            offset = np.arange(size).reshape(wide)
        start = np.zeros((1,) * rank, int)
        wide = [1] * rank
        if d in start_map:
            found = indices[..., list(start_map).index(d)]
            for place, n in zip(batch, found.shape, strict=True):
                wide[place] = n
            start = found.astype(np.int64).reshape(wide)
        elif d in batching:
            place = batch[index_batching[list(batching).index(d)]]
            wide[place] = shape[d]
            start = np.arange(shape[d]).reshape(wide)
        starts.append(start)
        offsets.append(offset)
    return starts, offsets


def _inside(shape: Sequence[int], starts: list[Array], sizes: Sequence[int]) -> Array:
    found: Any = True
    for n, start, size in zip(shape, starts, sizes, strict=True):
        found = found & (start >= 0) & (start <= n - size)
    return found


def _clamped(shape: Sequence[int], starts: list[Array], sizes: Sequence[int]) -> list[Array]:
    return [np.clip(s, 0, n - m) for s, n, m in zip(starts, shape, sizes, strict=True)]


@_is("gather")
def _gather(
    x: Array,
    indices: Array,
    *,
    dimension_numbers: Any,
    slice_sizes: Any,
    mode: Any,
    fill_value: Any,
    **_: Any,
) -> Array:
    g = dimension_numbers
    kept = x.ndim - len(g.collapsed_slice_dims) - len(g.operand_batching_dims)
    rank = indices.ndim - 1 + kept
    batching = (g.operand_batching_dims, g.start_indices_batching_dims)
    numbers = (g.offset_dims, g.collapsed_slice_dims, g.start_index_map, *batching)
    starts, offsets = _positions(x.shape, indices, slice_sizes, numbers, rank)
    batch = iter(indices.shape[:-1])
    window = iter(
        s
        for d, s in enumerate(slice_sizes)
        if d not in g.collapsed_slice_dims and d not in g.operand_batching_dims
    )
    shape = tuple(next(window) if d in g.offset_dims else next(batch) for d in range(rank))
    if 0 in shape or 0 in x.shape:
        raise NotImplementedError
    first = _clamped(x.shape, starts, slice_sizes)
    places = tuple(a + b for a, b in zip(first, offsets, strict=True))
    found = np.broadcast_to(x[places] if places else x, shape)
    if mode == Mode.FILL_OR_DROP:
        if fill_value is None:
            kind = x.dtype.kind
            fill_value = np.nan if kind in "fc" else True if kind == "b" else None
        if fill_value is None:
            info = np.iinfo(x.dtype)
            fill_value = info.max if info.min == 0 else info.min
        within = _inside(x.shape, starts, slice_sizes)
        found = np.where(within, found, np.asarray(fill_value).astype(x.dtype))
    return found


def _scatter(combine: Callable[[Array, tuple, Array], Any]) -> Callable:
    def scatter(
        x: Array, indices: Array, updates: Array, *, dimension_numbers: Any, mode: Any, **_: Any
    ) -> Array:
        s = dimension_numbers
        window = iter(s.update_window_dims)
        dropped = s.inserted_window_dims
        batching = (s.operand_batching_dims, s.scatter_indices_batching_dims)
        sizes = [
            1 if d in dropped or d in s.operand_batching_dims else updates.shape[next(window)]
            for d in range(x.ndim)
        ]
        numbers = (s.update_window_dims, dropped, s.scatter_dims_to_operand_dims, *batching)
        starts, offsets = _positions(x.shape, indices, sizes, numbers, updates.ndim)
        within = np.ones((1,) * updates.ndim, bool) & _inside(x.shape, starts, sizes)
        if mode == Mode.CLIP:
            within = np.ones_like(within)
        first = _clamped(x.shape, starts, sizes)
        whole = [np.broadcast_to(a + b, updates.shape) for a, b in zip(first, offsets, strict=True)]
        keep = np.broadcast_to(within, updates.shape)
        out = np.array(x)
        combine(out, tuple(w[keep] for w in whole), updates[keep])
        return out

    return scatter


def _replace(out: Array, places: tuple, values: Array) -> None:
    out[places] = values


TABLE.update(
    {
        "scatter": _scatter(_replace),
        "scatter-add": _scatter(np.add.at),
        "scatter-mul": _scatter(np.multiply.at),
        "scatter-min": _scatter(np.minimum.at),
        "scatter-max": _scatter(np.maximum.at),
    }
)


# ---- along axes ----------------------------------------------------------------------------------


def _reduce(function: Callable) -> Callable:
    def reduce(x: Array, *, axes: Any, **_: Any) -> Array:
        return function(x, axis=tuple(axes)) if axes else x

    return reduce


TABLE.update(
    {
        "reduce_sum": _reduce(lambda x, axis: np.sum(x, axis=axis, dtype=x.dtype)),
        "reduce_prod": _reduce(lambda x, axis: np.prod(x, axis=axis, dtype=x.dtype)),
        "reduce_max": _reduce(np.max),
        "reduce_min": _reduce(np.min),
        "reduce_and": _reduce(np.bitwise_and.reduce),
        "reduce_or": _reduce(np.bitwise_or.reduce),
        "reduce_xor": _reduce(np.bitwise_xor.reduce),
    }
)


def _arg(function: Callable) -> Callable:
    def find(x: Array, *, axes: Any, index_dtype: Any) -> Array:
        return np.asarray(function(x, axis=axes[0])).astype(index_dtype)

    return find


TABLE["argmax"], TABLE["argmin"] = _arg(np.argmax), _arg(np.argmin)


def _cumulate(function: Callable) -> Callable:
    def cumulate(x: Array, *, axis: int, reverse: bool) -> Array:
        x = np.flip(x, axis) if reverse else x
        found = function(x, axis)
        return np.flip(found, axis) if reverse else found

    return cumulate


TABLE.update(
    {
        "cumsum": _cumulate(lambda x, axis: np.cumsum(x, axis, dtype=x.dtype)),
        "cumprod": _cumulate(lambda x, axis: np.cumprod(x, axis, dtype=x.dtype)),
        "cummax": _cumulate(np.maximum.accumulate),
        "cummin": _cumulate(np.minimum.accumulate),
        "cumlogsumexp": _cumulate(np.logaddexp.accumulate),
    }
)


@_is("sort")
def _sort(*arrays: Array, dimension: int, num_keys: int, **_: Any) -> list[Array]:
    if len(arrays) == 1:
        return [np.sort(arrays[0], axis=dimension, kind="stable")]
    order = np.lexsort(arrays[:num_keys][::-1], axis=dimension)
    return [np.take_along_axis(a, order, dimension) for a in arrays]


# ---- matrices ------------------------------------------------------------------------------------


@_is("dot_general")
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
    left = np.transpose(x, (*x_batch, *x_own, *x_sum)).reshape(*batch, -1, summed)
    right = np.transpose(y, (*y_batch, *y_sum, *y_own)).reshape(*batch, summed, -1)
    if 0 in shape or summed == 0:
        return np.zeros(shape, x.dtype)
    return np.matmul(left, right).reshape(shape)


@_is("eigh")
def _eigh(x: Array, *, lower: bool, subset_by_index: Any, **_: Any) -> list[Array]:
    if subset_by_index is not None or not np.isfinite(x).all():
        raise NotImplementedError
    values, vectors = np.linalg.eigh(x, "L" if lower else "U")
    return [vectors, values]


@_is("cholesky")
def _cholesky(x: Array, **_: Any) -> Array:
    flat = x.reshape(-1, *x.shape[-2:])
    out = np.empty_like(flat)
    for i, matrix in enumerate(flat):
        try:
            out[i] = np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            out[i] = np.nan
    return out.reshape(x.shape)


@_is("triangular_solve")
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


# ---- random numbers ------------------------------------------------------------------------------

# Keys are their two words here, on a last axis more.
ON_KEYS = frozenset(
    [
        *("random_wrap", "random_unwrap", "random_seed", "random_split", "random_fold_in"),
        *("random_bits", "slice", "squeeze", "unstack"),
    ]
)
TABLE["random_wrap"] = TABLE["random_unwrap"] = _plain(np.asarray)
TABLE["random_seed"] = _plain(threefry.seed)
TABLE["random_fold_in"] = _plain(threefry.fold_in)


@_is("random_split")
def _random_split(keys: Array, *, shape: Any) -> Array:
    return threefry.split(keys, shape)


@_is("random_bits")
def _random_bits(keys: Array, *, bit_width: int, shape: Any, **_: Any) -> Array:
    return threefry.bits(keys, bit_width, shape)


# ---- what is told by the equation ----------------------------------------------------------------


@_is("platform_index")
def _platform_index(*, platforms: Any) -> Array:
    fitting = (i for i, names in enumerate(platforms) if names is None or "cpu" in names)
    return np.asarray(next(fitting), np.int32)


@_is("call_hi_primitive")
def _nonzero(x: Array, *fill: Array, _prim: Any) -> list[Array]:
    """The places that are not 0, filled up with 0: of indices of triangles and the like."""
    size, axes = getattr(_prim, "size", None), getattr(_prim, "axes", None)
    if fill or type(_prim).__name__ != "Nonzero" or size is None or axes != tuple(range(x.ndim)):
        raise NotImplementedError
    out = []
    for found in np.nonzero(x):
        whole = np.zeros(size, int)
        whole[: min(size, len(found))] = found[:size]
        out.append(whole)
    return out
