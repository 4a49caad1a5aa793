"""Data simulated from a fitted model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
from numpyro import handlers

from ...calls.arguments import merge
from ...read.chains.simulated import unobserved
from ...rows.streamed import Streamed
from ...sources.batches import all_at_once
from .scoring import Scored


def simulated(
    fit: Scored,
    leaves: Mapping[str, jax.Array],
    rng_key: jax.Array,
    args: tuple,
    kwargs: dict[str, Any],
) -> dict[str, jax.Array]:
    """{site: value} of z and of every observed site (see `Fit.sample`)."""
    call = merge(fit.program.source, fit.call, args, kwargs)
    if call is fit.call and isinstance(fit.rows, Streamed):
        raise all_at_once()
    positional, keywords = call.rebuild()
    fit.program.unchanged.check(surely=True)
    model = handlers.substitute(unobserved(fit.program.model), data=dict(leaves))
    trace = handlers.trace(handlers.seed(model, rng_key)).get_trace(*positional, **keywords)
    structure = fit.program.structure
    names = [z.name for z in structure.latents] + [s.name for s in fit.program.sites]
    once = frozenset() if structure.chain is None else structure.chain.constant
    return {n: trace[n]["value"][0] if n in once else trace[n]["value"] for n in names}
