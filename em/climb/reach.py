"""Which free parameters the rows of each class feel."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from ..machine.jit import quick_jit
from ..plan.program import Program
from ..read.examples import example as example_of


def felt(program: Program, arrays: tuple) -> np.ndarray:
    """(k, m) whether the data of each component of the units move with each parameter entry.

    By the derivatives of NumPyro's densities at random parameters; the priors of the classes are
    not among them. Where a derivative is not finite, the entry counts as felt.
    """

    def slopes(arrays: tuple) -> jax.Array:
        structure, names = program.structure, tuple(d.name for d in program.structure.data)
        start = example_of(program, arrays, 4)
        vector = jnp.concatenate([start[p.name].ravel() for p in structure.free])

        def by_component(vector: jax.Array) -> jax.Array:
            params, total = program.unflatten(vector), jnp.zeros((program.num_components,))
            for level in range(len(structure.levels)):
                densities = program.replayed(params, arrays, names, level)
                possible = jnp.where(jnp.isfinite(densities), densities, 0)
                total += possible.sum(1).reshape(program.num_components, -1).sum(1)
            return total

        return jax.jacrev(by_component)(vector)

    if not program.structure.free:
        return np.zeros((program.num_components, 0), bool)
    found = np.asarray(program.compiled("felt", lambda: quick_jit(program, slopes))(arrays))
    return ~(found == 0)
