"""The rows' responsibilities and densities at a fit, of its own data or of new ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from ...calls.arguments import merge
from ...calls.call import Call
from ...classes.assignments.hard import Hard
from ...classes.chain import smooth
from ...classes.posterior import posterior
from ...machine.jit import once_jit, quick_jit
from ...plan.chunks import Rows
from ...plan.program import Program
from ...plan.resize import resized
from ...read.chains.steady import serves
from ...read.likeness import check_parameters, misshapen
from ...read.model import read_model
from ...read.reader import Params, Reader
from ...rows.checks import check, findings
from ...rows.streamed import Streamed


class Scored(Protocol):
    """What is needed of a fit."""

    @property
    def program(self) -> Program:
        """What it was fitted with."""
        ...

    @property
    def call(self) -> Call:
        """Its own data."""
        ...

    @property
    def rows(self) -> Rows | Streamed:
        """These, prepared."""
        ...

    @property
    def free(self) -> Params:
        """Its free parameters."""
        ...


def score(result: Scored, args: tuple, kwargs: dict) -> tuple[dict[str, jax.Array], jax.Array]:
    """{latent: (n, k)} responsibilities, and (n,) log densities of the units.

    In a chain responsibilities have the shape of their class, and k; the units are the sequences.
    """
    reader, call = _read_for(result, args, kwargs)

    def of(params: Params, arrays: tuple) -> tuple[dict[str, jax.Array], jax.Array]:
        found = posterior(reader, params, arrays)
        shaped = _shaped(reader, found.marginals(reader)), found.log_density
        shards = call.shards
        return shaped if shards is None else jax.tree.map(lambda a: shards.lay(a, 0), shaped)

    return reader.compiled("score", lambda: quick_jit(reader, of))(result.free, call.arrays)


def decoded(result: Scored, args: tuple, kwargs: dict) -> dict[str, jax.Array]:
    """{latent: the classes of the most probable path} of a chain.

    Raises:
        ValueError: a model without a chain.
    """
    reader, call = _read_for(result, args, kwargs)
    chain = reader.structure.chain
    if chain is None:
        raise ValueError(
            "decode finds the most probable path of a chain of classes (a scan), and the model has "
            "none: predict has the most probable class of each row"
        )

    def of(params: Params, arrays: tuple) -> dict[str, jax.Array]:
        found = posterior(reader, params, arrays)
        assert found.log_pairs is not None
        ones = jnp.ones(found.units.shape[1:], found.units.dtype)
        best = smooth(Hard(), found.joints[0], found.log_pairs, ones, chain.length)
        classes = reader.structure.classes(best.responsibilities.argmax(0))
        return {z.name: reader.structure.in_shape(z, classes[z.name]) for z in latents}

    latents = reader.structure.latents
    return reader.compiled("decoded", lambda: quick_jit(reader, of))(result.free, call.arrays)


def _shaped(reader: Reader, found: dict[str, jax.Array]) -> dict[str, jax.Array]:
    if reader.structure.chain is None:
        return found
    latents = reader.structure.latents
    return {z.name: reader.structure.in_shape(z, found[z.name]) for z in latents}


def _read_for(result: Scored, args: tuple, kwargs: dict) -> tuple[Reader, Call]:
    """The model read for a call, which may be that of the fit, and the call."""
    call = merge(result.program.source, result.call, args, kwargs)
    return (result.program if call is result.call else _reader(result, call)), call


def log_densities(program: Program, params: Params, arrays: tuple) -> np.ndarray:
    """(n,) the units' log densities at any parameters."""

    def of(params: Params, arrays: tuple) -> jax.Array:
        return posterior(program, params, arrays).log_density

    compiled = program.compiled("log_density", lambda: quick_jit(program, of))
    return np.asarray(compiled(params, arrays), float)


def _known(result: Scored) -> Call:
    """The call that the fit was made for, of one batch if its rows are read in batches."""
    if not isinstance(result.rows, Streamed):
        return result.call
    shapes: Any = result.program.shapes
    return replace(result.call, arrays=shapes)


def _reader(result: Scored, call: Call) -> Reader:
    key, known = call.signature, _known(result)
    reader = result.program.readers.get(key)
    if reader is None or not serves(reader, call):
        result.program.unchanged.check(surely=True)
        with misshapen(result.program, known, call):
            reader = (
                resized(result.program, call) if call.pattern == known.pattern else None
            ) or Reader(read_model(result.program.given, call, priors=result.program.posterior))
        if reader.num_components != result.program.num_components:
            raise ValueError(
                f"the new call has {reader.num_components} components; the fit has "
                f"{result.program.num_components}"
            )
        check_parameters(result.program, known, reader, call)
        result.program.readers.keep(key, reader)
    compiled = reader.compiled("findings", lambda: once_jit(reader, lambda a: findings(reader, a)))
    with misshapen(result.program, known, call):
        found = jax.tree.map(np.asarray, compiled(call.arrays))
    check(reader, call.arrays, found, to_fit=False)
    return reader
