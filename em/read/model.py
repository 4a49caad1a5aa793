"""A model is read: its structure found, and proved on the data that it is called with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax

from ..calls.call import Call
from ..calls.unchanged import Unchanged
from . import replay
from .chains.chain import ClassesOutside
from .chains.faithful import compare
from .chains.gathered import Gathered, Outside
from .chains.outside import find_outside
from .chains.steady import settled
from .inspection import read
from .proof import prove
from .reader import Reader
from .reading import Reading
from .structure import Structure


def read_model(model: Callable, call: Call, to_fit: bool = True, priors: bool = False) -> Reading:
    """Read ``model`` as it is called.

    Unless ``to_fit``, plates may be subsampled and parameters may reach the data through the priors
    of others only, neither of which EM takes; ``priors`` says that these count for it.

    Raises:
        ValueError: what `inspection.read` and `proof.prove` raise.
    """
    source, unchanged = replay.by_rows(model), Unchanged(model, *call.objects)
    written, outside = source, None
    try:
        structure, call = read(source, call, to_fit, priors)
    except ClassesOutside as names:
        outside = find_outside(written, call, names)
        source = Gathered(written, outside)
        structure, call = read(source, call, to_fit, priors)
        structure = _with_classes_of_sequences(structure, outside)
    shapes = tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in call.arrays)
    template = replace(call, arrays=())
    unchanged.settle()
    found = Reading(model, source, structure, template, shapes, unchanged, to_fit)
    if structure.chain is not None:
        found = replace(found, structure=settled(found, call))
    found = replace(found, structure=prove(found, call))
    if outside is not None:
        compare(Reader(found), written, outside, call)
    return found


def _with_classes_of_sequences(structure: Structure, outside: Outside) -> Structure:
    assert structure.chain is not None
    chain = replace(structure.chain, constant=frozenset((*outside.constant, *outside.own)))
    return replace(structure, chain=chain)
