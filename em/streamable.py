"""What has to hold of a model that is called with one batch of rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .calls.call import Call
from .classes.posterior import posterior
from .machine.jit import once_jit
from .plan.program import Program
from .plan.resize import resized
from .read.examples import unseen_example
from .read.model import read_model
from .read.reader import Params, Reader
from .step.prior import log_prior
from .step.quadratic import dimensions, without_statistics

# So many rows are looked at in other company.
_ROWS = 61
_SEED = 5
# A Hessian of so many parameters costs about as many passes.
_DIMENSIONS = 64


def check_streamable(
    program: Program,
    model: Callable,
    call: Call,
    places: Sequence[int],
    size: int,
    stepwise: bool = False,
) -> None:
    """Refuse a model whose fit to batches would not be that to all rows.

    Raises:
        ValueError: the message names the site, and says why.
    """
    structure = program.structure
    first = structure.latent.name
    if program.template.concrete:
        raise ValueError(
            "the model needs the values of an array in Python, and with Batches it sees one batch "
            "at a time; pass such values as plain numbers"
        )
    if structure.auxiliary:
        raise ValueError(
            f"site {structure.auxiliary[0].name!r} stands beside the rows of {first!r}, and would "
            "count once in each batch: give all data as arrays, or leave the site out"
        )
    steps = 0 if structure.chain is None else 1
    if any(z.level == 0 and z.rows[steps:] != (size,) for z in structure.latents):
        raise ValueError(
            f"{first!r} has {structure.latent.rows} values for a batch of {size} rows; with "
            "Batches each of their rows is one independent unit (a row, or a whole group or "
            "sequence as an array of its own), because a batch holds any number of them. "
            "em.Batches(..., by=COLUMN) makes such units of a long table"
        )
    for number in without_statistics(program):
        block = program.blocks[number]
        if (together := dimensions(program, block)) > _DIMENSIONS:
            names = ", ".join(map(repr, block.parameters))
            raise ValueError(
                f"site {block.sites[0]!r} has no sufficient statistics, and the M-step of {names} "
                f"takes {together} parameters at once: on Batches it may take {_DIMENSIONS}, whose "
                "second derivatives every row is asked for. Give a sample of the rows as an array, "
                "or use a distribution with statistics whose arguments vary by no row"
            )
        if stepwise:
            raise ValueError(
                f"site {block.sites[0]!r} has no sufficient statistics, which stepwise EM averages "
                "from batch to batch; use accelerate='auto'"
            )
    _check_company(program, model, call, places, size)


def _check_company(
    program: Program, model: Callable, call: Call, places: Sequence[int], size: int
) -> None:
    """Rows must mean the same, whatever rows are read with them: this is tried on some."""
    number = min(_ROWS, size // 2)
    if number <= program.num_components:
        raise ValueError(
            f"batches of {size} rows are too few for {program.num_components} components; with so "
            "few rows give an array, or raise batch_size"
        )
    params = unseen_example(program, call.arrays, _SEED)
    parts = [slice(0, 2 * number), slice(0, number), slice(number, 2 * number)]
    whole, *halves = (_values(program, model, call, places, part, params) for part in parts)
    tolerance = 1e-3 if jnp.finfo(jnp.zeros(()).dtype).bits == 32 else 1e-8
    for half, part in zip(halves, parts[1:], strict=True):
        for name, value in half.items():
            other = whole[name][part] if name in ("density", "weight") else whole[name]
            same = np.shape(value) == np.shape(other)
            if not (same and np.allclose(value, other, tolerance, tolerance, equal_nan=True)):
                raise ValueError(
                    f"the model gives rows another {_WORDS[name]} when it is called with other "
                    "rows beside them, or with another number of rows: it uses something of all "
                    "rows (a mean, a sum, their number), which with Batches would be that of a "
                    "batch. Work it out beforehand and pass it as a number"
                )


_WORDS = {
    "density": "density",
    "weight": "weight",
    "prior": "density of its parameters",
    "deterministic": "value of a deterministic site",
    "fixed": "value of a fixed parameter",
}


def _values(
    program: Program,
    model: Callable,
    call: Call,
    places: Sequence[int],
    part: slice,
    params: Params,
) -> dict[str, np.ndarray]:
    arrays = list(call.arrays)
    for place in places:
        arrays[place] = arrays[place][part]
    own = Call(tuple(arrays), call.static, call.tree, call.gaps, call.columns)
    try:
        reader: Reader = resized(program, own) or Reader(
            read_model(model, own, priors=program.posterior, to_fit=False)
        )
    except ValueError as error:
        raise ValueError(
            f"the model cannot be called with {part.stop - part.start} rows of the Batches instead "
            f"of {program.num_rows}, which it has to: {error}"
        ) from error
    if {p.name: p.shape for p in reader.structure.free} != {
        p.name: p.shape for p in program.structure.free
    }:
        raise ValueError(
            "the shapes of the parameters depend on the number of rows, which with Batches is that "
            "of a batch"
        )

    def of(params: Params, arrays: tuple) -> dict[str, Any]:
        trace = reader.run(params, arrays, 0)
        size = reader.num_rows
        sites = [jnp.asarray(s["value"]) for s in trace.values() if s["type"] == "deterministic"]
        apart = [jnp.ravel(v) for v in sites if size not in v.shape]
        return {
            "density": posterior(reader, params, arrays).log_density,
            "weight": reader.structure.of_units(reader.row_weights(trace)),
            "prior": _log_prior(program, reader, params, arrays),
            "deterministic": jnp.concatenate([jnp.zeros(0), *apart]),
            "fixed": jnp.concatenate(
                [jnp.zeros(0), *(jnp.ravel(trace[p.name]["value"]) for p in structure.fixed)]
            ),
        }

    structure = reader.structure
    return jax.tree.map(np.asarray, once_jit(reader, of)(params, tuple(arrays)))


def _log_prior(program: Program, reader: Reader, params: Params, arrays: tuple) -> jax.Array:
    return log_prior(reader, params, arrays) if program.posterior else jnp.zeros(())  # type: ignore[arg-type]
