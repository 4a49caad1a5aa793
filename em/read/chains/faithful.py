"""A model that was gathered into one scan is compared with the model as it was written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers, validation_enabled
from numpyro.infer.util import log_density

from ...calls.call import Call
from ...machine.jit import once_jit
from ..examples import example as example_of
from ..reader import Params, Reader
from ..replay import Replay
from ..trees import by_leaves
from .gathered import Outside

_SEEDS = (41, 42, 43)


def compare(reader: Reader, written: Callable, outside: Outside, call: Call) -> None:
    """Compare both log densities, at random parameters and paths.

    Raises:
        ValueError: they differ.
    """
    if any(isinstance(a, jax.core.Tracer) for a in call.arrays):
        return
    rng = np.random.default_rng(5)
    structure = reader.structure
    chain = structure.chain
    assert chain is not None
    paths = {}
    for z in structure.latents:
        path = rng.integers(z.num_components, size=(len(_SEEDS), chain.length, chain.number))
        if z.name in chain.constant:
            path[:] = path[:, :1]
        paths[z.name] = path.reshape(len(_SEEDS), *structure.natural(z))
    both = once_jit(reader, partial(_both, reader, written, outside))
    for number, seed in enumerate(_SEEDS):
        own = {n: path[number] for n, path in paths.items()}
        gathered, plain = map(float, both(np.asarray(number), own, call.arrays))
        tolerance = 1e-8 if jnp.result_type(float) == jnp.float64 else 1e-3
        # Labels may make a path impossible, by both.
        if gathered != plain and not abs(gathered - plain) <= tolerance * (1 + abs(plain)):
            names = ", ".join(map(repr, sorted(outside.classes)))
            raise ValueError(
                f"what stands before the scan is not read right: the model's log density at some "
                f"parameters (seed {seed}) is {plain:.10g} by NumPyro and {gathered:.10g} as one "
                f"chain with {names}. Declare the first step within the scan, by "
                "jnp.where(t == 0, initial, transition[z]) with the time t in the carry"
            )


def _both(
    reader: Reader,
    written: Callable,
    outside: Outside,
    number: Any,
    paths: Mapping[str, jax.Array],
    arrays: tuple,
) -> tuple[jax.Array, jax.Array]:
    params = example_of(reader, arrays, _SEEDS, number)
    inside = {n: p for n, p in paths.items() if n not in outside.constant}
    gathered = _density(reader, reader.model, params, dict(paths), {}, arrays)
    before = {n: paths[n][0] for n in outside.constant}
    for name, begins in outside.first:
        before[begins], inside[name] = inside[name][0], inside[name][1:]
    written = by_leaves(written, reader.structure.trees)
    return gathered, _density(reader, written, params, inside, before, arrays)


def _density(
    reader: Reader, model: Callable, params: Params, inside: dict, before: dict, arrays: tuple
) -> jax.Array:
    model = handlers.substitute(model, data=inside)  # NumPyro asks its own handlers in a scan
    model = handlers.seed(Replay(model, values=params, forced=before), 0)
    args, kwargs = reader.template.rebuild(arrays)
    with validation_enabled(False):
        return log_density(model, args, kwargs, {})[0]
