"""Do components share no parameter? Found by trying, not by reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from ..machine.jit import once_jit
from ..read.examples import example as example_of

if TYPE_CHECKING:
    from ..calls.call import Call
    from .program import Block, Program


def is_separable(program: Program, block: Block, call: Call) -> bool:
    """Whether slice j of a block's parameters reaches component j alone.

    Found by trying: at random parameters one slice is moved on the unconstrained scale, and what
    every other component computes must stay the same, bit by bit. The plan is for other data too,
    so it is tried on data that are nowhere 0 or 1 as well: a factor 0 would hide a parameter.
    """
    k = program.num_components
    shapes = {p.name: p.shape for p in program.structure.free if p.name in block.parameters}
    sites = [s for s in (*program.priors, *program.sites) if s.name in block.sites]
    if k == 1 or block.auxiliary or any(s.latent is not None or s.level for s in sites):
        return False
    if any(shape[:1] != (k,) for shape in shapes.values()):
        return False

    def evaluate(arrays: tuple) -> tuple[jax.Array, jax.Array]:
        params = example_of(program, arrays, 3)
        start = program.unconstrain(params, arrays, block.parameters)
        if any(v.shape[:1] != (k,) for v in start.values()):
            return jnp.zeros((k, k, 1)), jnp.ones((k, 1))

        def outputs(unconstrained: dict) -> jax.Array:
            new = program.constrain(unconstrained, params, arrays)
            names = tuple(n for n in program.rowwise if n in block.sites)
            parts = [program.replayed(new, arrays, names)] if names else []
            args = program.arguments(new, arrays)
            for site in program.statistical:
                if site.name in block.sites:
                    parts += [jnp.reshape(v, (k, -1)) for v in args[site.name].values()]
            return jnp.concatenate(parts, 1)

        def moved(component: jax.Array) -> jax.Array:
            return outputs({n: v.at[component].add(0.3) for n, v in start.items()})

        return jax.lax.map(moved, jnp.arange(k)), outputs(start)

    compiled = once_jit(program, evaluate)
    for arrays in (call.arrays, tuple(map(_elsewhere, call.arrays))):
        changed, base = map(np.asarray, compiled(arrays))
        same = ((changed == base) | (np.isnan(changed) & np.isnan(base))).all(-1)
        if not same[~np.eye(k, dtype=bool)].all():
            return False
    return True


def _elsewhere(array: Any) -> Any:
    """Other real numbers of the same signs, none of them 0 or 1."""
    if not jnp.issubdtype(array.dtype, jnp.floating):
        return array
    own = np.asarray(array)
    return np.where(own == 0, 0.37, 0.97 * own).astype(own.dtype)
