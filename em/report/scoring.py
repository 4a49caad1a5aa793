"""The rows' responsibilities and densities at a fit, of its own data or of new ones."""

from __future__ import annotations

from typing import Protocol

import jax
import numpy as np

from ..calls.arguments import merge
from ..calls.call import Call
from ..classes.posterior import posterior
from ..machine.garbage import collected_seldom
from ..machine.jit import once_jit, quick_jit
from ..plan.program import Program
from ..plan.resize import resized
from ..read.likeness import check_parameters, misshapen
from ..read.model import read_model
from ..read.reader import Params, Reader
from ..rows.checks import check, findings


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
    def free(self) -> Params:
        """Its free parameters."""
        ...


@collected_seldom
def score(result: Scored, args: tuple, kwargs: dict) -> tuple[dict[str, jax.Array], jax.Array]:
    """{latent: (n, k)} responsibilities, and (n,) log densities of the units."""
    call = merge(result.program.source, result.call, args, kwargs)
    reader: Reader = result.program
    if call is not result.call:
        reader = _reader(result, call)

    def of(params: Params, arrays: tuple) -> tuple[dict[str, jax.Array], jax.Array]:
        found = posterior(reader, params, arrays)
        return found.marginals(reader), found.log_density

    return reader.compiled("score", lambda: quick_jit(reader, of))(result.free, call.arrays)


def log_densities(program: Program, params: Params, arrays: tuple) -> np.ndarray:
    """(n,) the units' log densities at any parameters."""

    def of(params: Params, arrays: tuple) -> jax.Array:
        return posterior(program, params, arrays).log_density

    compiled = program.compiled("log_density", lambda: quick_jit(program, of))
    return np.asarray(compiled(params, arrays), float)


def _reader(result: Scored, call: Call) -> Reader:
    key = call.signature
    reader = result.program.readers.get(key)
    if reader is None or not reader.serves(call):
        result.program.unchanged.check(surely=True)
        with misshapen(result.program, result.call, call):
            reader = (
                resized(result.program, call) if call.pattern == result.call.pattern else None
            ) or Reader(read_model(result.program.given, call, priors=result.program.posterior))
        if reader.num_components != result.program.num_components:
            raise ValueError(
                f"the new call has {reader.num_components} components; the fit has "
                f"{result.program.num_components}"
            )
        check_parameters(result.program, result.call, reader, call)
        result.program.readers.keep(key, reader)
    compiled = reader.compiled("findings", lambda: once_jit(reader, lambda a: findings(reader, a)))
    with misshapen(result.program, result.call, call):
        found = jax.tree.map(np.asarray, compiled(call.arrays))
    check(reader, call.arrays, found, to_fit=False)
    return reader
