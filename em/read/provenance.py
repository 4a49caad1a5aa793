"""What each output of a function depends on, and how, read from its jaxpr.

Three questions are answered in one walk. Which inputs does an output depend on (`Dependencies`)?
Is it an affine function of the parameters: are these only moved, copied, chosen by data, weighted
by data and added up on their way? And may values of the latent class be combined along the rows
(``z[subject]``, ``z[1:]``, a sum over rows), so that one broadcasting value might not stand for a
whole column of them? A fourth is asked of masks (`always`): are they True whatever the numbers, of
data without NaN (``~isnan(x)``)? What is not known counts as the worse answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from numpyro.ops.provenance import track_deps_jaxpr

# Every operand may be a parameter.
_AFFINE = frozenset(
    [
        *("add", "add_any", "sub", "neg", "concatenate", "pad", "reshape", "broadcast_in_dim"),
        *("squeeze", "expand_dims", "transpose", "rev", "slice", "split", "copy", "copy_p"),
        *("stack", "unstack", "tile"),
        *("reduce_sum", "cumsum", "stop_gradient", "optimization_barrier", "real", "device_put"),
        *("sharding_constraint", "layout_constraint", "pvary"),
    ]
)
# At most one may be.
_BILINEAR = frozenset(("mul", "dot_general"))
# Those from this place on are indices, lengths or a choice: data.
_INDEXED = {"gather": 1, "dynamic_slice": 1, "dynamic_update_slice": 2, "div": 1, "take": 1}
_SCATTERS = ("scatter", "scatter-add", "scatter_add")

# What these do to one entry they do to that entry alone.
ENTRYWISE = frozenset(
    [
        *("add", "add_any", "sub", "mul", "div", "rem", "pow", "integer_pow", "neg", "sign", "abs"),
        *("max", "min", "exp", "exp2", "expm1", "log", "log1p", "sqrt", "rsqrt", "cbrt", "square"),
        *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "atan2", "logistic"),
        *("asinh", "acosh", "atanh", "erf", "erfc", "erf_inv", "lgamma", "digamma", "polygamma"),
        *("igamma", "igammac", "igamma_grad_a", "regularized_incomplete_beta", "bessel_i0e"),
        *("bessel_i1e", "random_gamma_grad", "floor", "ceil", "round", "is_finite", "nextafter"),
        *("eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "not", "select_n", "clamp"),
        *("shift_left", "shift_right_logical", "shift_right_arithmetic", "population_count"),
        *("convert_element_type", "bitcast_convert_type", "copy", "copy_p", "stop_gradient"),
        *("reduce_precision", "optimization_barrier", "real", "imag", "complex", "conj", "clz"),
        *("device_put", "pvary", "sharding_constraint"),
    ]
)
# These put entries elsewhere, and no two of them together.
_PLACED = frozenset(("broadcast_in_dim", "reshape", "expand_dims", "transpose", "iota", "stack"))

# Their entries are entries of what they take.
_MOVED = frozenset(
    [
        *("broadcast_in_dim", "reshape", "squeeze", "expand_dims", "transpose", "copy", "copy_p"),
        *("slice", "rev", "stop_gradient", "optimization_barrier", "device_put", "reduce_and"),
        *("reduce_or", "concatenate", "stack", "unstack", "split", "tile", "convert_element_type"),
    ]
)
# What a value may be known to be, entry by entry: this, that is not NaN, or True, or False.
_NUMBER = "number"


@dataclass(frozen=True)
class Dependencies:
    """``outputs`` maps each output's key to the names that it depends on.

    ``affine`` says of each output whether it is an affine function of the inputs that are not
    watched (and so, if it returns them at a few random points, returns them everywhere).
    ``mixing``: a value made from the watched inputs may be combined along the axis of the rows.
    ``always`` are the outputs that are True throughout for all data without NaN.
    """

    outputs: dict[Any, frozenset[str]]
    affine: dict[Any, bool]
    mixing: bool
    always: frozenset[Any]


class _Tag(NamedTuple):
    """``free``: parameters reach it; ``affine``: only so; ``watched``: the class reaches it."""

    free: bool = False
    affine: bool = True
    watched: bool = False


def dependencies(
    function: Callable[..., dict],
    args: tuple,
    labels: Mapping[int, str],
    watched: frozenset[str] = frozenset(),
    rows: set[int] | None = None,
    complete: bool = False,
) -> Dependencies:
    """Trace ``function(*args)``, whose inputs are named by ``labels`` (id of a leaf to name).

    Axes of the lengths ``rows`` may be the rows' of the inputs that are ``watched``. The inputs
    without a name, data, are ``complete`` if none of them can have a NaN.
    """
    leaves = jax.tree.leaves(args)
    names = [
        frozenset({labels[id(leaf)]}) if id(leaf) in labels else frozenset() for leaf in leaves
    ]
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*args)
    found = track_deps_jaxpr(closed.jaxpr, names)
    given = [_NUMBER if complete and not n else None for n in names]
    known = _known(closed.jaxpr, given, closed.consts) if complete else [None] * len(found)
    tags = [_Tag(bool(n - watched), True, bool(n & watched)) for n in names]
    mixing, outputs_tags = _walk(closed.jaxpr, tags, rows or {1})
    outputs: dict[Any, frozenset[str]] = {}
    affine: dict[Any, bool] = {}
    flat = iter(zip(found, outputs_tags, known, strict=True))
    always = set()
    for key in sorted(shape):
        own = [next(flat) for _ in jax.tree.leaves(shape[key])]
        outputs[key] = frozenset().union(*(reached for reached, _, _ in own))
        affine[key] = all(tag.affine for _, tag, _ in own)
        if all(value is True for *_, value in own):
            always.add(key)
    return Dependencies(outputs, affine, mixing, frozenset(always))


def _walk(jaxpr: Any, inputs: list[_Tag], rows: set[int]) -> tuple[bool, list[_Tag]]:
    """Whether a watched value may be combined along the rows; the tags of the outputs."""
    tags = dict(zip(jaxpr.invars, inputs, strict=True))

    def read(variables: Any) -> list[_Tag]:
        return [_Tag() if hasattr(v, "val") else tags.get(v, _Tag()) for v in variables]

    mixing = False
    for equation in jaxpr.eqns:
        own = read(equation.invars)
        body = _body(equation, len(own))
        if body is not None:
            inner, out = _walk(body, own, rows)
            mixing |= inner
        else:
            watched = [t.watched for t in own]
            mixing |= any(watched) and _may_mix(equation, watched, rows)
            free = any(t.free for t in own)
            tag = _Tag(free, not free or _is_affine(equation, own), any(watched))
            out = [tag] * len(equation.outvars)
        tags.update(zip(equation.outvars, out, strict=True))
    return mixing, read(jaxpr.outvars)


def _known(jaxpr: Any, inputs: list[Any], consts: Sequence[Any] = ()) -> list[Any]:
    """What is known of a jaxpr's outputs, entry by entry, if so much is known of its inputs."""
    values = dict(zip(jaxpr.invars, inputs, strict=True))
    values.update(zip(jaxpr.constvars, map(_known_of, consts), strict=False))

    def read(variables: Any) -> list[Any]:
        return [_known_of(v.val) if hasattr(v, "val") else values.get(v) for v in variables]

    for equation in jaxpr.eqns:
        own = read(equation.invars)
        body = _body(equation, len(own))
        if body is not None:
            out = _known(body, own)
        else:
            out = [_known_result(equation, own)] * len(equation.outvars)
        values.update(zip(equation.outvars, out, strict=True))
    return read(jaxpr.outvars)


def _known_of(value: Any) -> Any:
    if isinstance(value, jax.core.Tracer):
        return None
    kind = getattr(getattr(value, "dtype", np.dtype(type(value))), "kind", None)
    if kind == "b":
        array = np.asarray(value)
        return next((v for v in (True, False) if array.size and (array == v).all()), None)
    return _NUMBER if kind in ("i", "u") or (kind == "f" and not np.isnan(value).any()) else None


def _known_result(equation: Any, own: list[Any]) -> Any:
    name = equation.primitive.name
    if any(0 in v.aval.shape for v in equation.invars):  # `all` of nothing, `any` of nothing
        return None
    if getattr(equation.outvars[0].aval.dtype, "kind", None) not in ("f", "i", "u", "b"):
        return None  # large numbers are NaN among floats of 8 bits
    if name in _MOVED and own.count(own[0]) == len(own):
        was, now = (v.aval.dtype == bool for v in (equation.invars[0], equation.outvars[0]))
        return own[0] if was == now else (_NUMBER if was else None)
    if name in ("eq", "ne") and own[0] == _NUMBER and equation.invars[0] is equation.invars[1]:
        return name == "eq"
    if name == "not" and own[0] in (True, False):
        return not own[0]
    if name == "and" and (False in own or own == [True, True]):
        return False not in own
    if name == "or" and (True in own or own == [False, False]):
        return True in own
    return None


def _body(equation: Any, number: int) -> Any:
    """The jaxpr of a plain call, which takes the equation's inputs one by one."""
    if equation.primitive.name in ("scan", "while", "cond", "custom_vjp_call_jaxpr"):
        return None
    for value in equation.params.values():
        inner = getattr(value, "jaxpr", value)
        whole = hasattr(inner, "eqns") and len(inner.invars) == number
        if whole and len(inner.outvars) == len(equation.outvars):
            return inner
    return None


def _is_affine(equation: Any, tags: list[_Tag]) -> bool:
    """Whether an operation is affine in its operands that parameters reach, which all are."""
    name = equation.primitive.name
    free = [t.free for t in tags]
    if not all(t.affine for t in tags):
        return False
    if name in _AFFINE:
        return True
    if name in _BILINEAR:
        return sum(free) == 1
    if name in _INDEXED:
        return not any(free[_INDEXED[name] :])
    if name in _SCATTERS:
        return not free[1]
    if name == "select_n":
        return not free[0]
    if name == "convert_element_type":
        kinds = [v.aval.dtype.kind for v in (equation.invars[0], equation.outvars[0])]
        return kinds == ["f", "f"]
    return False


def _may_mix(equation: Any, marks: list[bool], rows: set[int]) -> bool:
    name, params = equation.primitive.name, equation.params
    shape = equation.invars[0].aval.shape
    if name in ENTRYWISE or name in _PLACED:
        return False
    if name == "gather":
        indexed = params["dimension_numbers"].start_index_map
        return marks[0] and any(shape[axis] in rows for axis in indexed)
    if name == "dynamic_slice":
        return marks[0]
    if name == "squeeze":  # z[0] of a z that has one value already
        return equation.outvars[0].aval.shape == ()
    if name in ("slice", "pad"):
        kept = equation.outvars[0].aval.shape
        return any(a != b and (a in rows or b in rows) for a, b in zip(shape, kept, strict=True))
    if name == "concatenate":
        axis = params["dimension"]
        joined = [v.aval.shape[axis] for v, t in zip(equation.invars, marks, strict=True) if t]
        return axis != len(shape) - 1 and bool(rows.intersection(joined))
    if name.startswith(("reduce_", "arg")) and "axes" in params:
        return any(shape[axis] in rows for axis in params["axes"])
    if name in ("cholesky", "eigh"):  # matrix by matrix
        return bool(rows.intersection(shape[-2:]))
    if name == "triangular_solve":  # and the other side's vectors one by one
        other = equation.invars[1].aval.shape
        own = other[-2] if params["left_side"] else other[-1]
        return bool(rows.intersection((*shape[-2:], own)))
    if name == "dot_general":
        contracted = params["dimension_numbers"][0]
        sizes = [
            v.aval.shape[axis]
            for v, t, axes in zip(equation.invars, marks, contracted, strict=True)
            if t
            for axis in axes
        ]
        return bool(rows.intersection(sizes))
    return True
