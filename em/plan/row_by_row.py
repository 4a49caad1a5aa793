"""Whether a function of data works row by row: read from its jaxpr.

Then rows may be filled up with others, which change nothing of the rest. With n rows, a number that
no other axis has, an array's rows are its axis of that length; an operation works row by row if it
makes each row of its results of that row of its operands, and of what has no rows. What is not
known does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax.extend.core import Literal

from ..machine.by_numpy.flat import Equation, Flat, flat
from ..machine.traced import needed, variables
from ..read.provenance import ENTRYWISE

# A number so near to n, by such a part, may have been made of it.
_NEAR = 1e-5
_INNER = {"cond": ("branches",), "while": ("cond_jaxpr", "body_jaxpr"), "scan": ("jaxpr",)}

Axis = int | None
Rule = Callable[[Equation, list[Axis], Axis], bool]


def row_by_row(closed: Any, n: int, wanted: Sequence[int]) -> bool:
    """Whether the outputs of a jaxpr with these numbers are made row by row, of n rows."""
    whole = flat(closed)
    outputs = [whole.outputs[i] for i in wanted]
    equations = needed(whole.equations, outputs)
    return _all_apart(whole._replace(equations=equations, outputs=outputs), n)


def _all_apart(whole: Flat, n: int) -> bool:
    atoms = [*whole.inputs, *whole.outputs, *whole.known]
    atoms += [v for e in whole.equations for v in (*e.invars, *e.outvars)]
    if any(v.aval.shape.count(n) > 1 for v in variables(atoms)):
        return False
    if any(_made_of(v, n) for v in atoms) or any(_varies(c, n) for c in whole.known.values()):
        return False
    return all(_apart(equation, n) for equation in whole.equations)


def _made_of(atom: Any, n: int) -> bool:
    """Whether a number in the jaxpr may be that of the rows."""
    if not isinstance(atom, Literal):
        return False
    return bool(np.isclose(np.asarray(atom.val, float), n, _NEAR, 0).any())


def _varies(constant: Any, n: int) -> bool:
    """Whether a constant has rows that are not all the same."""
    axis = _axis(np.shape(constant), n)
    if axis is None:
        return False
    array = np.asarray(constant)
    return not bool((array == array.take([0], axis)).all())


def _axis(shape: Sequence[int], n: int) -> Axis:
    return list(shape).index(n) if n in shape else None


def _apart(equation: Equation, n: int) -> bool:
    name, params = equation.primitive.name, equation.params
    if equation.effects:
        return False
    if name in _INNER:
        bodies = [b for key in _INNER[name] for b in _several(params[key])]
        return params.get("length") != n and all(_all_apart(flat(b), n) for b in bodies)
    inner = [v for value in params.values() for v in _several(value)]
    if any(hasattr(getattr(v, "jaxpr", v), "eqns") for v in inner):
        return False
    if any(v == n for v in params.values() if isinstance(v, int | float)):
        return False
    axes = [_axis(v.aval.shape, n) for v in equation.invars]
    made = {_axis(v.aval.shape, n) for v in equation.outvars}
    if made == {None} and set(axes) <= {None} and name not in ENTRYWISE:
        return True
    if len(made) > 1 or name not in _RULES:
        return False
    (new,) = made
    # Rows come of rows, but where something is repeated, or they are counted.
    if set(axes) <= {None} and new is not None and name not in ("broadcast_in_dim", "iota"):
        return False
    return _RULES[name](equation, axes, new)


def _several(value: Any) -> tuple:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _without(axis: Axis, gone: Sequence[int]) -> Axis:
    """Where an axis is once others have gone; None if it has itself."""
    if axis is None or axis in gone:
        return None
    return axis - sum(g < axis for g in gone)


def _entrywise(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    """A number for all, or of shapes where 1 stands for any length."""
    shape = equation.outvars[0].aval.shape
    own = [v.aval.shape for v in equation.invars if v.aval.shape]
    return all(
        len(s) == len(shape) and all(k in (1, m) for k, m in zip(s, shape, strict=True))
        for s in own
    )


def _stays(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    """Of all operands that have rows the rows are the result's."""
    return all(a in (None, new) for a in axes)


def _broadcast(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    return axes[0] is None or equation.params["broadcast_dimensions"][axes[0]] == new


def _reshape(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    before, after = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
    if equation.params.get("dimensions") is not None or axes[0] is None or new is None:
        return False
    return math.prod(before[: axes[0]]) == math.prod(after[:new])


def _squeeze(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    return new is not None and _without(axes[0], equation.params["dimensions"]) == new


def _transpose(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    return new is not None and equation.params["permutation"][new] == axes[0]


def _reduce(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    gone = equation.params["axes"]
    return new is not None and all(_without(a, gone) == new for a in axes)


def _along(name: str) -> Rule:
    """Along an axis that is not that of the rows."""

    def rule(equation: Equation, axes: list[Axis], new: Axis) -> bool:
        return equation.params[name] not in axes and _stays(equation, axes, new)

    return rule


def _rev(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    return axes[0] not in equation.params["dimensions"]


def _slice(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    (axis,), params = axes, equation.params
    if axis is None or axis != new:
        return False
    return params["start_indices"][axis] == 0 and (params["strides"] or {axis: 1})[axis] == 1


def _dynamic_slice(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    """A part of every row, at a place that is the same for all."""
    return axes[0] == new


def _dynamic_update(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    return axes[0] == axes[1] == new


def _pad(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    axis = axes[0]
    return axis is not None and equation.params["padding_config"][axis] == (0, 0, 0)


def _dot_general(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    contracted, batch = equation.params["dimension_numbers"]
    free = []
    for v, over, along in zip(equation.invars, contracted, batch, strict=True):
        free.append([i for i in range(v.aval.ndim) if i not in over and i not in along])
    places: dict[tuple[int, int], int] = {}
    for side in (0, 1):
        places |= {(side, axis): i for i, axis in enumerate(batch[side])}
        before = len(batch[0]) + (len(free[0]) if side else 0)
        places |= {(side, axis): before + i for i, axis in enumerate(free[side])}
    # Contracted, it has no place; two that are not paired have two.
    return all(a is None or places.get((side, a)) == new for side, a in enumerate(axes))


def _gather(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    operand, indices = axes
    rank = equation.outvars[0].aval.ndim
    places = [i for i in range(rank) if i not in numbers.offset_dims]
    paired = dict(
        zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True)
    )
    if indices is not None and (indices == len(places) or places[indices] != new):
        return False
    if operand is None:
        return True
    if operand in paired:
        return paired[operand] == indices
    gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    whole = indices is None and operand not in numbers.start_index_map
    kept = _without(operand, gone)
    whole = whole and kept is not None and sizes[operand] == equation.invars[0].aval.shape[operand]
    return whole and numbers.offset_dims[kept] == new


def _matrices(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    """Matrix by matrix."""
    (axis,) = set(axes)
    return axis is not None and axis == new and axis < equation.invars[0].aval.ndim - 2


def _triangular_solve(equation: Equation, axes: list[Axis], new: Axis) -> bool:
    """Matrix by matrix, or the other side's vectors one by one."""
    matrix, other = axes
    rank = equation.invars[1].aval.ndim
    by_vector = other == (rank - 1 if equation.params["left_side"] else rank - 2)
    by_matrix = other is not None and other < rank - 2
    if by_vector:
        return other == new and matrix is None
    return by_matrix and other == new and matrix in (None, other)


_RULES: dict[str, Rule] = {
    **dict.fromkeys(ENTRYWISE, _entrywise),
    **dict.fromkeys(
        ("reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "reduce_and", "reduce_or"),
        _reduce,
    ),
    **dict.fromkeys(("argmax", "argmin"), _reduce),
    **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"), _along("axis")),
    **dict.fromkeys(("concatenate", "sort"), _along("dimension")),
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update,
    "cholesky": _matrices,
    "broadcast_in_dim": _broadcast,
    "iota": lambda equation, axes, new: True,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "transpose": _transpose,
    "rev": _rev,
    "split": _along("axis"),
    "slice": _slice,
    "pad": _pad,
    "dot_general": _dot_general,
    "gather": _gather,
    "triangular_solve": _triangular_solve,
}
