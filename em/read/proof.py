"""A reading proves itself: what was understood of a model is compared with NumPyro's own densities.

At random parameters (of the size of the data and of other sizes) and random classes, the model is
run as it is written, with every class at its natural shape. Each row's log density there must be
what the reading says of the row and its own class; all densities together, with the priors, scales
and what else the model declares, must be NumPyro's ``log_density``. Where a row follows the class
of another unit, an index into the units is looked for (``z[group]``), and proved in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import jax

from ..calls.call import Call
from ..calls.digests import digest_of_array
from ..machine.recent import Recent
from .comparison import Doubt, doubt_of
from .latents import Level
from .reader import Reader
from .reading import Reading
from .structure import Structure


def prove(reading: Reading, call: Call) -> Structure:
    """The structure that is right, of those that the model may have.

    One broadcasting value of z, z at its natural shape, and rows that find their unit's class by
    an index are tried in this order. Data that are not known yet (a model that is read while JAX
    traces) cannot be tried: there the first is taken where the jaxpr leaves no doubt, else the
    second.

    Raises:
        ValueError: a row that depends on the classes of several units; a density that is not read.
    """
    structure = reading.structure
    if any(isinstance(a, jax.core.Tracer) for a in call.arrays):
        return structure if structure.certain else replace(structure, pointwise=False)
    doubts = []
    for candidate in _candidates(structure):
        doubt = doubt_of(Reader(replace(reading, structure=candidate)), call)
        if doubt is None:
            return candidate
        doubts.append(doubt)
    natural = doubts[int(structure.pointwise)]
    raise _refused(structure, natural)


def proved(reader: Reader, call: Call) -> bool:
    """Whether a reading holds of these data: where the jaxpr leaves doubt, it is tried on them.

    Rows that were units of their own in one data set may share them in the next.
    """
    if reader.structure.certain:
        return True
    known: Recent[bool] = reader.compiled("proved of", lambda: Recent(64))
    these = tuple(digest_of_array(a) for a in call.arrays)
    if known.get(these) is None:
        known.keep(these, doubt_of(reader, call) is None)
    return bool(known.get(these))


def _candidates(structure: Structure) -> Iterator[Structure]:
    if structure.pointwise:
        yield structure
    natural = replace(structure, pointwise=False)
    yield natural
    if len(structure.latents) > 1 or len(structure.levels) > 1 or structure.chain is not None:
        return
    levels, numbers = list(structure.levels), {}
    for data in structure.data:
        if structure.latent.name in data.depends:
            shape = data.shape[: data.batch_rank]
            dims = tuple(d for d in range(-len(shape), 0) if shape[d] != 1)
            own = Level(dims, tuple(shape[d] for d in dims), "index")
            if own not in levels:
                levels.append(own)
            numbers[data.name] = levels.index(own)
    moved = tuple(replace(d, level=numbers.get(d.name, d.level)) for d in structure.data)
    yield replace(natural, levels=tuple(levels), data=moved)


def _refused(structure: Structure, doubt: Doubt) -> ValueError:
    names = " and ".join(repr(z.name) for z in structure.latents)
    if doubt.level < 0:
        return ValueError(
            f"the model is not read right: its log density at some parameters is {doubt.own:.10g} "
            f"by NumPyro and {doubt.read:.10g} by what was read of it. Is a site scaled or masked "
            f"otherwise than {names} of its row? Put all of a row under the same handlers"
        )
    return ValueError(
        f"the density of site {doubt.sites}, row {doubt.row}, depends on more than that row's "
        f"class {names}: with classes drawn at random NumPyro has {doubt.own:.6g}, the row's own "
        f"class gives {doubt.read:.6g}. EM needs rows that depend on their own class only, or "
        f"each on the class of one unit ({structure.latent.name}[group]): put both in one plate, "
        "and index or combine classes within their row"
    )
