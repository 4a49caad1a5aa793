"""What the equation itself tells."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._table import Array, primitive


@primitive("platform_index")
def _platform_index(*, platforms: Any) -> Array:
    fitting = (i for i, names in enumerate(platforms) if names is None or "cpu" in names)
    return np.asarray(next(fitting), np.int32)


@primitive("call_hi_primitive")
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
