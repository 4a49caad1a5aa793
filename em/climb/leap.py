"""An accelerated step: what an accelerator proposes, as parameters to try next."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..plan.chunks import Rows
from ..plan.program import Params, Program
from .accelerations import Accelerate, Here
from .coordinates import coordinates

# No logarithm or logit moves farther at once.
_FARTHEST = 5.0


class Leap(NamedTuple):
    """What the loop judges a proposal by: see `Proposal`."""

    plain: jax.Array
    rest: jax.Array
    full: jax.Array


def begin(program: Program, accelerate: Accelerate, params: Params, rows: Rows) -> Any:
    """What an accelerator remembers before the first step."""
    return accelerate.start(jnp.zeros_like(coordinates(program, params, rows).vector))


def leap(
    program: Program,
    accelerate: Accelerate,
    memory: Any,
    params: Params,
    image: Params,
    slope: Params,
    moved: jax.Array,
    rows: Rows,
) -> tuple[Params, Leap, Any]:
    """The parameters to try next, from ``params``, EM's ``image`` of them, and the gradient."""
    here, there = coordinates(program, params, rows), coordinates(program, image, rows)
    gradient = jax.vjp(here.back, here.vector)[1](slope)[0]
    finite = jnp.isfinite(here.vector) & jnp.isfinite(there.vector) & jnp.isfinite(gradient)
    usable = finite.all()
    step = jnp.where(usable, there.vector - here.vector, 0)
    proposal, memory = accelerate.propose(
        memory, Here(here.vector, step, jnp.where(usable, gradient, 0), moved)
    )
    reach = jnp.where(here.unitless, jnp.abs(proposal.step), 0).max(initial=0)
    far = reach > _FARTHEST
    target = here.vector + proposal.step * jnp.where(far, _FARTHEST / reach, 1)
    new = here.back(jnp.clip(target, -here.limit, here.limit))
    plain = proposal.plain | ~usable
    new = {n: jnp.where(plain, image[n], value) for n, value in new.items()}
    rest = jnp.where(plain | far, jnp.inf, proposal.rest)
    return new, Leap(plain, rest, proposal.full & ~far), memory
