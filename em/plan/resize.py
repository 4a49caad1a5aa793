"""A reading serves other numbers of rows if the model computes the same with them.

One trace tells: the jaxpr of all densities and arguments must be that of the first reading to the
letter, but for the number of rows. Then what was found of the first, and proved on its data, holds
of the other too, and is not looked for again.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..calls.call import Call
from ..calls.digests import digest_of_array
from ..read import replay
from ..read.latents import log_prob, masks
from ..read.structure import Structure
from .program import Program


def resized(program: Program, call: Call) -> Program | None:
    """The program of the same model for a call with another number of rows; None if in doubt."""
    known = program.template
    before = [a.shape for a in program.shapes]
    after = [a.shape for a in call.arrays]
    n = program.num_rows
    if not _plain(program.structure, n) or known.concrete or known.columns != call.columns:
        return None
    if any(isinstance(a, jax.core.Tracer) for a in call.arrays):
        return None
    pairs = {
        (a, b)
        for old, new in zip(before, after, strict=True)
        for a, b in zip(old, new, strict=True)
        if a == n or a != b
    }
    if len(pairs) != 1 or next(iter(pairs))[0] != n:
        return None
    ((_, m),) = pairs
    if not _plain(_with_rows(program.structure, n, m), m):
        return None
    try:
        text = program.compiled("text", lambda: _text(program, known, program.shapes, n))
        same = text == _text(program, call, call.arrays, m)
    except Exception:  # whatever the model does with data of that shape: the reading will say
        return None
    if not same:
        return None
    new = _made(program, call, n, m)
    new.compiled("text", lambda: text)  # the same, but for the number that is left out
    return new


def _plain(structure: Structure, n: int) -> bool:
    """Whether the units are one axis of rows, whose number stands for nothing else."""
    others = [k for p in structure.parameters for k in p.shape]
    others += [z.num_components for z in structure.latents]
    for data in structure.data:
        if data.shape.count(n) != 1:
            return False
        others += [k for k in data.shape if k != n]
    return (
        structure.certain
        and structure.pointwise
        and len(structure.levels) == 1
        and structure.chain is None
        and not structure.auxiliary
        and all(z.rows == (n,) for z in structure.latents)
        and n not in (0, 1, *others)
    )


def _text(program: Program, call: Call, arrays: Any, n: int) -> str:
    """All that the model computes, in letters, with its number of rows left out."""
    structure = program.structure
    seen: list[tuple] = []

    def evaluate(values: dict, classes: dict, arrays: tuple) -> dict:
        forced = classes | {z.prior: classes[z.name] for z in structure.latents}
        trace, _ = replay.run(program.model, call.rebuild(arrays), values=values, forced=forced)
        out: dict[str, Any] = {}
        for name, site in trace.items():
            seen.append((name, site["type"], [f.size for f in site.get("cond_indep_stack", ())]))
            if site["type"] != "sample":
                continue
            fn = site["fn"]
            seen.append((type(fn).__name__, site["is_observed"], fn.batch_shape, fn.event_shape))
            out[name] = [log_prob(site), masks(fn), site["value"], site["scale"]]
            out[name] += [v for v in jax.tree.leaves(fn) if isinstance(v, jax.Array)]
        return out

    values = program.probe_values
    classes = {z.name: z.value(0, True) for z in structure.latents}
    kinds = [jax.ShapeDtypeStruct(jnp.shape(a), a.dtype) for a in arrays]
    jaxpr = jax.make_jaxpr(evaluate)(values, classes, tuple(kinds))
    # Long numbers break lines elsewhere.
    text = re.sub(r"\s+", "", _NUMBER.sub(lambda found: _named(found[0], n), f"{jaxpr} {seen}"))
    return text + "".join(_constant(c, n) for c in jaxpr.consts)


def _constant(array: Any, n: int) -> str:
    """An array that the model made in NumPy: one of n rows that are all the same counts as one."""
    for axis in (d for d, size in enumerate(np.shape(array)) if size == n):
        rows = np.asarray(array)
        first = rows.take([0], axis)
        array = first if (rows == first).all() else rows
    return digest_of_array(array)


# As a number too: of a mean, and from a million on 1e+06.
_NUMBER = re.compile(r"(?<![\w.])\d+(\.\d+)?(e[+-]?\d+)?(?![\w.])")


def _named(word: str, n: int) -> str:
    """n for a number that is it, to the digits that are printed: ``n.`` where it is no integer."""
    if float(word) != n:
        return word
    return "n" if word.isdigit() else "n."


def _with_rows(structure: Structure, n: int, m: int) -> Structure:
    return replace(
        structure,
        latents=tuple(replace(z, rows=(m,)) for z in structure.latents),
        levels=tuple(replace(level, rows=(m,)) for level in structure.levels),
        data=tuple(
            replace(d, shape=tuple(m if k == n else k for k in d.shape)) for d in structure.data
        ),
    )


def _made(program: Program, call: Call, n: int, m: int) -> Program:
    new = program.having()
    new.structure = _with_rows(program.structure, n, m)
    new.template = replace(call, arrays=())
    new.shapes = tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in call.arrays)
    own: dict[str, Any] = {
        "structure": new.structure,
        "template": new.template,
        "shapes": new.shapes,
    }
    new.reading = replace(program.reading, **own)
    data = {d.name: d for d in new.structure.data}
    latents = {z.name: z for z in new.structure.latents}
    new.sites = tuple(replace(s, data=data[s.name]) for s in program.sites)
    new.priors = tuple(replace(s, latent=latents[s.name]) for s in program.priors)
    return new
