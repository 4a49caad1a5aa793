"""Random numbers: keys are their two words here, on a last axis more."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import threefry
from ._table import TABLE, Array, plain, primitive

# Keys are their two words here, on a last axis more.
ON_KEYS = frozenset(
    [
        *("random_wrap", "random_unwrap", "random_seed", "random_split", "random_fold_in"),
        *("random_bits", "slice", "squeeze", "unstack"),
    ]
)
TABLE["random_wrap"] = TABLE["random_unwrap"] = plain(np.asarray)
TABLE["random_seed"] = plain(threefry.seed)
TABLE["random_fold_in"] = plain(threefry.fold_in)


@primitive("random_split")
def _random_split(keys: Array, *, shape: Any) -> Array:
    return threefry.split(keys, shape)


@primitive("random_bits")
def _random_bits(keys: Array, *, bit_width: int, shape: Any, **_: Any) -> Array:
    return threefry.bits(keys, bit_width, shape)
