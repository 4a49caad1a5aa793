"""The classes of units, and of rows within them, given parameters and data: row by row.

The densities are NumPyro's own, replayed, so that all that a model declares is in them; EM's steps
take the shorter way over statistics (`expectation`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ..machine.traced import traced
from ..read.reader import Params, Reader
from ..read.units import owners as owners_of
from .assignments import Assign, in_chunk
from .assignments.soft import Soft
from .chain import smooth

# What a level's rows are counted from, among chunks of rows.
_LEVELS = 1 << 30


def level_joint(reader: Reader, params: Params, arrays: tuple, level: int) -> jax.Array:
    """(k, n) the log joint of a level's own rows and classes, given the units' class.

    In a chain the log density of the steps given their class.
    """
    names = tuple(d.name for d in reader.structure.data)
    joint = reader.replayed(params, arrays, names, level)
    if reader.structure.chain is None:
        log_weights = reader.log_weights(params, arrays, level)
        joint += log_weights if log_weights.ndim == 2 else log_weights[:, None]
    return joint + evidence(reader, reader.labels(arrays, level), level)


class Classes(NamedTuple):
    """All about the classes given the data, by combinations of classes as a level numbers them.

    ``joints`` {level: (k, n)} are ``log p(x_n, z_n = k)`` of the units, classes of rows within them
    summed out, and of the rows within them given their unit's class; ``units`` (k, n) and ``given``
    {level: (k, n)} the posterior probabilities of these; ``owners`` {level: (n,)} the units that
    rows belong to; ``log_density`` (n,) that of the units. In a chain the joint is of observations
    given their step's class, ``log_pairs`` ((k + 1) k or more by row) of a class given the one
    before, and the independent units, of ``log_density`` (s,), are the sequences.
    """

    joints: dict[int, jax.Array]
    units: jax.Array
    given: dict[int, jax.Array]
    owners: dict[int, jax.Array]
    log_density: jax.Array
    log_pairs: jax.Array | None = None

    def marginals(self, reader: Reader) -> dict[str, jax.Array]:
        """{latent: (n, K)} the posterior probabilities of each latent's classes.

        Of a class of whole sequences there are as many as sequences.
        """
        levels = {0: self.units} | {
            level: within_units(reader, self.units, inner, self.owners[level])
            for level, inner in self.given.items()
        }
        out = {}
        for latent in reader.structure.latents:
            resp = levels[latent.level]
            classes = reader.structure.classes(jnp.arange(len(resp)), latent.level)[latent.name]
            resp = resp[:, : reader.structure.own_rows(latent)]
            out[latent.name] = jax.ops.segment_sum(resp, classes, latent.num_components).T
        return out


def posterior(reader: Reader, params: Params, arrays: tuple) -> Classes:
    """The classes of units, and of rows within them, with densities as NumPyro scores them.

    The model is traced once for all who ask.
    """
    return reader.compiled("posterior", lambda: traced(partial(_posterior, reader)))(params, arrays)


def _posterior(reader: Reader, params: Params, arrays: tuple) -> Classes:
    joints = {0: level_joint(reader, params, arrays, 0)}
    chain = reader.structure.chain
    if chain is not None:
        log_pairs = reader.log_weights(params, arrays)
        ones = jnp.ones(joints[0].shape[1:], joints[0].dtype)
        found = smooth(Soft(), joints[0], log_pairs, ones, chain.length)
        by_sequence = found.objective.reshape(chain.length, chain.number).sum(0)
        return Classes(joints, found.responsibilities, {}, {}, by_sequence, log_pairs)
    given, owners = {}, {}
    for level in reader.inner_levels:
        owners[level] = owners_of(reader, arrays, level)
        joints[level] = level_joint(reader, params, arrays, level)
        given[level], total = reduce_rows(reader, Soft(), joints[level], owners[level], level)
        joints[0] += total
    units, log_density = Soft()(joints[0])
    return Classes(joints, units, given, owners, log_density)


def within_units(reader: Reader, units: jax.Array, given: jax.Array, owner: jax.Array) -> jax.Array:
    """(k, n) responsibilities of a level's rows, of the units' (k, n) and theirs given these."""
    inner = given.shape[0] // reader.num_components
    return given * jnp.repeat(units[:, owner], inner, axis=0)


def evidence(reader: Reader, labels: Mapping[str, jax.Array], level: int) -> jax.Array:
    """(k, n) 0 where a component agrees with the labels (or they are unknown), -inf elsewhere."""
    components = jnp.arange(reader.structure.num_components(level))
    total = jnp.zeros((components.shape[0], 1))
    for name, values in labels.items():
        classes = reader.structure.classes(components, level)[name]
        agrees = values == classes[:, None]
        total = total + jnp.where(agrees | (values < 0), 0.0, -jnp.inf)
    return total


def reduce_rows(
    reader: Reader, assign: Assign, log_joint: jax.Array, owner: jax.Array, level: int
) -> tuple[jax.Array, jax.Array]:
    """Sum the classes of a level's rows (k, n) out: (k, n) given the units', (units' k, units)."""
    outer = reader.num_components
    own = log_joint.reshape(outer, -1, log_joint.shape[-1])
    if own.shape[1] == 1:
        given, objective = jnp.ones_like(own), own[:, 0]
    else:
        given, objective = jax.vmap(in_chunk(assign, _LEVELS + level))(own)
    total = jax.ops.segment_sum(objective.T, owner, reader.num_rows).T
    return given.reshape(log_joint.shape), total
