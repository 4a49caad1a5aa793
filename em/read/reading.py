"""What a reading of a model leaves: a finished value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import jax

from ..calls.call import Call
from ..calls.unchanged import Unchanged
from ..machine.kept import Compiled
from .structure import Structure


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read of a model for one call: nothing of it changes any more.

    ``given`` is the model itself, ``source`` as it is run; ``template`` the call without its
    arrays, whose ``shapes`` are kept; ``unchanged`` looks whether the model is as it was. Unless
    it was read ``to_fit``, plates may be subsampled, and parameters may reach the data through the
    priors of others only. ``traces`` are kept for all programs of it.
    """

    given: Callable
    source: Callable
    structure: Structure
    template: Call
    shapes: tuple[jax.ShapeDtypeStruct, ...]
    unchanged: Unchanged
    to_fit: bool
    traces: Compiled = field(init=False, default_factory=Compiled)
