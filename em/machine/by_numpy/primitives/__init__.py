"""JAX's primitives on NumPy arrays, one function each, with XLA's results at the edges.

Integers divide towards zero and saturate when they are made of numbers; a start that is out of
bounds is clamped; a matrix that has no Cholesky factor has one of NaN.
"""

from . import axes, entrywise, indexing, matrices, random, shapes, told  # noqa: F401
from ._table import TABLE
from .random import ON_KEYS

__all__ = ["ON_KEYS", "TABLE"]
