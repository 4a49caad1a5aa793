"""A reading serves other numbers of rows if the model computes the same with them.

One trace tells: the jaxpr of all densities and arguments must be that of the first reading to the
letter, but for the number of rows. Then what was found of the first, and proved on its data, holds
of the other too, and is not looked for again. Where every row is also worked out by itself, rows
may be filled up to a number that many have (`of_size`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
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
from .row_by_row import row_by_row


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
        own = _own(program)
        same = own.text == _computed(program, call, call.arrays, m).text
    except Exception:  # whatever the model does with data of that shape: the reading will say
        return None
    if not same:
        return None
    new, classes = _made(program, call, n, m), _size_classes(program)
    new.compiled("computed", lambda: own)  # the same, but for the number that is left out
    new.compiled("size classes", lambda: classes)
    return new


def of_size(program: Program, m: int) -> Program | None:
    """The program of so many rows, by which others climb: filled up, or each kind of them once.

    All programs that were made of one another have it in common. None where a row's numbers may
    hang on other rows, or on how many there are.
    """
    n = program.num_rows
    if not _plain(program.structure, n) or program.template.concrete:
        return None
    if min(n, m) <= program.num_components:
        return None
    if any(p.support is None for p in program.structure.free):  # it may hang on the data
        return None
    kept = _size_classes(program)
    if m not in kept:
        try:
            kept[m] = _of_size(program, n, m) if _own(program).by_row else None
        except Exception:  # what is not told is not by row
            kept[m] = None
    return kept[m]


def _size_classes(program: Program) -> dict[int, Program | None]:
    kept: dict[int, Program | None] = program.compiled("size classes", dict)
    return kept


def _of_size(program: Program, n: int, m: int) -> Program | None:
    if m == n:
        return program
    kinds: Any = tuple(
        jax.ShapeDtypeStruct([m if k == n else k for k in a.shape], a.dtype) for a in program.shapes
    )
    return resized(program, replace(program.template, arrays=kinds))


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


@dataclass(frozen=True)
class Computed:
    """All that a model computes with n rows, and in letters, with their number left out.

    ``wanted`` are the numbers of the outputs that EM climbs by.
    """

    text: str
    jaxpr: Any
    n: int
    wanted: tuple[int, ...]

    @cached_property
    def by_row(self) -> bool:
        """Whether every row is worked out by itself."""
        return row_by_row(self.jaxpr, self.n, self.wanted)


def _own(program: Program) -> Computed:
    """Of the program's own model and shapes, or of one that it was made of."""
    own: Computed = program.compiled(
        "computed", lambda: _computed(program, program.template, program.shapes, program.num_rows)
    )
    return own


def _computed(program: Program, call: Call, arrays: Any, n: int) -> Computed:
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
    trace = jax.make_jaxpr(evaluate, return_shape=True)
    jaxpr, shapes = trace(values, classes, tuple(kinds))
    # Long numbers break lines elsewhere.
    text = re.sub(r"\s+", "", _NUMBER.sub(lambda found: _named(found[0], n), f"{jaxpr} {seen}"))
    text += "".join(_constant(c, n) for c in jaxpr.consts)
    others = () if program.posterior else {p.name for p in structure.parameters}
    sites = [path[0].key for path, _ in jax.tree_util.tree_flatten_with_path(shapes)[0]]
    return Computed(text, jaxpr, n, tuple(i for i, s in enumerate(sites) if s not in others))


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
