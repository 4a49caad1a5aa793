"""The log joint of rows and classes, from statistics where a site has some."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..classes.posterior import evidence
from ..families import Augmented
from ..machine.arrays import product
from ..plan.chunks import Chunk, Rows
from ..plan.program import Params, Program
from ..rows import point, row_density

# From so many on, the log joint is worked out before anything reads it: a tenth of binary items'
# time less; with few features it costs a loop more.
_SEVERAL = 8


class Factors(NamedTuple):
    """What is multiplied with rows, by site: natural parameters (k, c q), linear forms (k, w).

    ``shared`` (c, q) are natural parameters that all components have.
    """

    natural: dict[str, jax.Array]
    forms: dict[str, jax.Array]
    shared: dict[str, jax.Array]


class Joint(NamedTuple):
    """How a level's log joint (k, n) is made of its rows."""

    factors: Factors
    bias: jax.Array
    contexts: dict[str, Any]
    by_row: jax.Array | None

    def of(self, program: Program, chunk: Chunk, features: Mapping, level: int) -> jax.Array:
        """The log joint of some rows."""
        natural, forms, shared = self.factors
        log_joint = self.bias[:, None] + sum(product(natural[s], features[s]) for s in natural)
        for site in program.statistical:
            if site.name in shared:
                log_joint += site.family.shared(shared[site.name], chunk.u[site.name])
        log_joint -= sum(0.5 * product(f, chunk.u[s][0]) ** 2 for s, f in forms.items())
        log_joint = jnp.broadcast_to(log_joint, (log_joint.shape[0], chunk.weights.shape[-1]))
        if sum(a.shape[-1] for a in natural.values()) >= _SEVERAL:
            log_joint = jax.lax.optimization_barrier(log_joint)
        for name, context in self.contexts.items():
            family, u, pattern = augmented_site(program, name, chunk)
            log_joint += jax.vmap(family.log_density, (None, None, 0))(u, pattern, context)
        return log_joint + evidence(program, chunk.labels, level)


def joint_of(program: Program, params: Params, rows: Rows, level: int) -> Joint:
    """How the log joint of a level's rows is made at some parameters."""
    args = point.arguments(program, params, rows)
    size = program.structure.num_components(level)
    natural, forms, shared, contexts, bias = {}, {}, {}, {}, jnp.zeros((size,))
    for site in program.statistical:
        if site.level != level:
            continue
        reference, own = rows.reference[site.name], args[site.name]
        if isinstance(site.family, Augmented):
            patterns = rows.patterns[site.name]
            make = partial(site.family.context, patterns=patterns, reference=reference)
            contexts[site.name] = jax.vmap(make)(own)
            continue
        eta, normaliser = site.family.natural(own, reference)
        if site.name in program.incomplete:
            eta = jnp.concatenate([eta, -normaliser[..., None]], -1)
        else:
            bias = bias - normaliser.sum(-1)
            form = site.family.form(own, reference)
            if form is not None:
                forms[site.name] = form
                continue
        if site.name in program.own:
            number = program.own[site.name]
            shared[site.name], eta = eta[0, :, number:], eta[..., :number]
        natural[site.name] = eta.reshape(eta.shape[0], -1)
    by_row = None
    replayed = program.replayed_sites
    if any(s.level == level for s in program.sites if s.name in replayed):
        by_row = row_density.log_density(program, params, rows, replayed, level)
    for row_site in program.scored:
        if row_site.level == level:
            mine = row_density.own_log_density(row_site, args[row_site.name], rows)
            by_row = mine if by_row is None else by_row + mine
    if program.structure.chain is None:  # else they are of pairs: see `classes/chain.py`
        log_weights = point.log_weights(program, params, rows, level)
        if log_weights.ndim == 1:
            bias = bias + log_weights
        else:
            by_row = log_weights if by_row is None else by_row + log_weights
    # Or XLA works them out anew for every row, within the loops over rows.
    factors, bias = jax.lax.optimization_barrier((Factors(natural, forms, shared), bias))
    return Joint(factors, bias, contexts, by_row)


def augmented_site(program: Program, name: str, chunk: Chunk) -> tuple[Augmented, Any, Any]:
    """The family of a site with missing entries, its coordinates and patterns."""
    (family,) = (s.family for s in program.statistical if s.name == name)
    assert isinstance(family, Augmented)
    return family, chunk.u[name], chunk.pattern[name]
