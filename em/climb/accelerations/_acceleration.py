"""What an acceleration is: it proposes where EM goes next, one M- and E-step a proposal.

An accelerator looks at where EM is, in unconstrained coordinates, and proposes where to evaluate
next. The loop takes the proposal if the objective there is no lower than here, and else asks again
from here; the proposals shrink towards EM's own step, which never lowers it. So the trace is
monotone, and a step costs what a step of EM costs, plus the gradient.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax


class Here(NamedTuple):
    """Where a climb is: ``point`` u (m,), EM's own ``step``, the objective's ``gradient``.

    ``moved`` says whether the last proposal was taken (else u is where it was before).
    """

    point: jax.Array
    step: jax.Array
    gradient: jax.Array
    moved: jax.Array


class Proposal(NamedTuple):
    """A ``step`` (m,) from here; if ``plain``, EM's own.

    ``rest`` is what is left of the climb if the accelerator's model of the objective is right,
    infinite where it has none; ``full`` whether the step goes all the way to that model's top.
    """

    step: jax.Array
    plain: jax.Array
    rest: jax.Array
    full: jax.Array


@runtime_checkable
class Accelerate(Protocol):
    """Turns EM's steps into longer ones: a value that can be hashed."""

    def start(self, zeros: jax.Array) -> Any:
        """What is remembered at the first point (m,): a pytree of arrays."""
        ...

    def propose(self, memory: Any, here: Here) -> tuple[Proposal, Any]:
        """Where to go, and what to remember."""
        ...
