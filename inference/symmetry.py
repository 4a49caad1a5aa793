"""How a model's parameters change when its components are renamed, found by exact probes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np

from ..em import Fit
from ..em.classes.posterior import posterior
from ..em.machine.jit import quick_jit
from ..em.plan.program import Params
from ..em.read.examples import example as example_of
from ..em.read.latents import Latent
from .density import log_prior

# No more ways to read the parameters than this are tried.
_MAX_READINGS = 2048

_symmetries: WeakKeyDictionary[Fit, dict[str, Symmetry]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Symmetry:
    """What renaming the classes of one latent does to the parameters.

    A permutation p makes component p[k] the new component k: ``log p(x, z = k | new params) =
    log p(x, z = p[k] | params)``, whatever the other latents' classes, which keep their names.

    Attributes:
        axes: {site: the axes, of the site's own shape, that number the components, all of them or
            the first ones}.
        swaps: tuples of k sites, one a component (p and q of two coins).
        complements: sites that hold the probability of the second of two components.
        classes: the components, grouped: those in one group can be renamed without changing the
            posterior density. A component by itself is anchored, by labels, a fixed value or its
            own prior.
        reason: why not all are in one group, in a sentence; "" if they are.
    """

    axes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    swaps: tuple[tuple[str, ...], ...] = ()
    complements: frozenset[str] = frozenset()
    classes: tuple[tuple[int, ...], ...] = ()
    reason: str = ""

    def apply(self, params: Mapping[str, Any], permutations: np.ndarray) -> dict[str, np.ndarray]:
        """Rename the components of parameters (..., shape) by permutations (..., k)."""
        new = {n: np.asarray(v) for n, v in params.items()}
        lead = permutations.ndim - 1
        for name, axes in self.axes.items():
            if name not in new:
                continue
            for axis in axes:
                value = new[name]
                size = value.shape[lead + axis]
                # A shorter axis numbers the first components, which change places among themselves.
                order = np.minimum(permutations[..., :size], size - 1)
                shape = [1] * value.ndim
                shape[:lead] = permutations.shape[:lead]
                shape[lead + axis] = size
                new[name] = np.take_along_axis(value, order.reshape(shape), lead + axis)
        for sites in self.swaps:
            if set(sites) <= set(new):
                old = np.stack([np.asarray(params[n]) for n in sites], lead)
                index = permutations.reshape(*permutations.shape, *[1] * (old.ndim - lead - 1))
                moved = np.take_along_axis(old, index, lead)
                new.update({n: np.take(moved, k, lead) for k, n in enumerate(sites)})
        for name in self.complements & set(new):
            swapped = np.asarray(permutations[..., 0] == 1)
            swapped = np.reshape(swapped, swapped.shape + (1,) * (new[name].ndim - lead))
            new[name] = np.where(swapped, 1 - new[name], new[name])
        return new


def symmetries_of(fit: Fit) -> dict[str, Symmetry]:
    """{latent: the symmetry of a fit's posterior under new names of its classes}, kept.

    Which axes of which sites number the components is not read from names or shapes alone: every
    reading that the shapes allow is tried, at random parameters, by whether swapping two
    components swaps their rows of the log joint and leaves the prior density as it is.
    """
    if fit not in _symmetries:
        probe = _Probe(fit)
        _symmetries[fit] = {z.name: _find(probe, z) for z in fit.program.structure.latents}
    return _symmetries[fit]


def _find(probe: _Probe, latent: Latent) -> Symmetry:
    k = latent.num_components
    alone = tuple((j,) for j in range(k))
    if k == 1:
        return Symmetry(classes=((0,),))
    pairs = {pair: probe.renaming(latent, pair) for pair in itertools.combinations(range(k), 2)}
    for renaming in pairs.values():
        for reading in itertools.islice(_readings(probe, latent), _MAX_READINGS):
            if probe.swaps(reading, renaming, prior=False):
                allowed = [p for p, new in pairs.items() if probe.swaps(reading, new, prior=True)]
                classes = _joined(k, allowed)
                reason = ""
                if len(classes) > 1:
                    reason = (
                        "the labels, values held fixed or priors tell components apart, so not "
                        "all of them may be renamed"
                    )
                return Symmetry(reading.axes, reading.swaps, reading.complements, classes, reason)
    return Symmetry(classes=alone, reason="no two components can be swapped in this model")


# Stands among the levels for the pairs of classes that follow one another in a chain.
_PAIRS = -1


class Renaming(NamedTuple):
    """New names for a latent's classes, (k,), and for the combinations {level: (k,)} they make."""

    order: np.ndarray
    places: dict[int, np.ndarray]


class _Probe:
    """Densities at random parameters, and whether a reading of the parameters fits them."""

    def __init__(self, fit: Fit) -> None:
        self.fit, self.program, self.arrays = fit, fit.program, fit.call.arrays
        program, arrays = fit.program, fit.call.arrays

        def points(arrays: tuple) -> list[Params]:
            return [example_of(program, arrays, seed) for seed in (1, 2)]

        def joints(params: Params, arrays: tuple) -> dict[int, jax.Array]:
            found = posterior(program, params, arrays)
            if found.log_pairs is None:
                return found.joints
            return found.joints | {_PAIRS: found.log_pairs.reshape(len(found.log_pairs), -1)}

        example = program.compiled("examples", lambda: quick_jit(program, points))
        self._joint = program.compiled("joints", lambda: quick_jit(program, joints))
        self.points = [{n: np.asarray(v) for n, v in p.items()} for p in example(arrays)]
        self.joints = [self.joint(p) for p in self.points]
        self.priors = [self.log_prior(p) for p in self.points]
        double = jnp.result_type(float) == jnp.float64
        self.tolerance = 1e-9 if double else 1e-4

    def joint(self, params: Mapping) -> dict[int, np.ndarray]:
        """{level: (k, n) the log joint}; of a chain also that of pairs of classes."""
        params = {n: jnp.asarray(v, float) for n, v in params.items()}
        return {n: np.asarray(v) for n, v in self._joint(params, self.arrays).items()}

    def log_prior(self, params: Mapping) -> float:
        """The log prior density."""
        params = {n: jnp.asarray(v, float) for n, v in params.items()}
        return float(log_prior(self.fit, params))

    def swaps(self, reading: Symmetry, renaming: Renaming, prior: bool) -> bool:
        """Whether the reading's way to swap two classes of a latent does that and nothing else."""
        for point, joint, density in zip(self.points, self.joints, self.priors, strict=True):
            new = reading.apply(point, renaming.order)
            for level, found in self.joint(new).items():
                if not self._same(found, joint[level][renaming.places[level]]):
                    return False
            if prior and not self._same(self.log_prior(new), density):
                return False
        return True

    def renaming(self, latent: Latent, pair: tuple[int, int]) -> Renaming:
        """Two classes of a latent swapped."""
        structure, order = self.program.structure, np.arange(latent.num_components)
        order[list(pair)] = order[list(pair)[::-1]]
        places = {}
        for level in range(len(structure.levels)):
            places[level] = every = np.arange(structure.num_components(level))
            if latent.level not in (0, level):
                continue
            classes = {n: np.asarray(c) for n, c in structure.classes(every, level).items()}
            new = np.stack(list((classes | {latent.name: order[classes[latent.name]]}).values()))
            old = np.stack(list(classes.values()))
            places[level] = (old[:, None] == new[:, :, None]).all(0).argmax(1)
        if structure.chain is not None:
            before, now = structure.pair(np.arange(structure.num_pairs))
            k = structure.num_components()
            places[_PAIRS] = np.append(places[0], k)[before] * k + places[0][now]
        return Renaming(order, places)

    def touches(self, name: str, latent: Latent) -> frozenset[int]:
        """The classes of a latent whose density of the data a parameter changes."""
        point = dict(self.points[0])
        point[name] = self.points[1][name]
        changed, structure = self.joint(point)[latent.level], self.program.structure
        same = np.isclose(
            changed, self.joints[0][latent.level], self.tolerance, self.tolerance, equal_nan=True
        )
        classes = structure.classes(np.arange(len(same)), latent.level)[latent.name]
        return frozenset(np.asarray(classes)[~same.all(1)].tolist())

    def _same(self, a: Any, b: Any) -> bool:
        return bool(np.allclose(a, b, rtol=self.tolerance, atol=self.tolerance, equal_nan=True))


def _readings(probe: _Probe, latent: Latent) -> Iterator[Symmetry]:
    """Every way in which the shapes let the parameters depend on the components.

    Component axes first (the usual reading), nothing at all last.
    """
    k = latent.num_components
    free = probe.program.structure.free
    own = {p.name: probe.touches(p.name, latent) for p in free}
    swaps = _one_each(k, [(p.name, p.shape, own[p.name]) for p in free])
    taken = {n for sites in swaps for n in sites}
    names, choices = [], []
    for p in free:
        if p.name in taken:
            continue
        # Of a parameter that the first m components have, and the last ones have not.
        first = len(own[p.name]) if own[p.name] == set(range(len(own[p.name]))) else k
        axes = [a for a, size in enumerate(p.shape) if size in (k, first)]
        subsets = [s for size in range(len(axes) + 1) for s in itertools.combinations(axes, size)]
        options: list[Any] = sorted(subsets, key=lambda s: (len(s) != 1, s))
        if k == 2 and p.constraint == "unitinterval":
            options = [*options, "complement"]
        names.append(p.name)
        choices.append(options)
    for chosen in itertools.product(*choices):
        found = dict(zip(names, chosen, strict=True))
        yield Symmetry(
            axes={n: c for n, c in found.items() if c and c != "complement"},
            swaps=swaps,
            complements=frozenset(n for n, c in found.items() if c == "complement"),
        )


def _one_each(
    k: int, sites: Sequence[tuple[str, tuple[int, ...], frozenset[int]]]
) -> tuple[tuple[str, ...], ...]:
    """Groups of k sites of one shape, of which each belongs to one component."""
    owned: dict[tuple[int, ...], list[list[str]]] = {}
    for name, shape, touched in sites:
        if len(touched) == 1:
            owned.setdefault(shape, [[] for _ in range(k)])[min(touched)].append(name)
    groups: list[tuple[str, ...]] = []
    for by_component in owned.values():
        if len({len(names) for names in by_component}) == 1:
            groups.extend(zip(*by_component, strict=True))
    return tuple(groups)


def _joined(k: int, pairs: Sequence[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    groups = [{j} for j in range(k)]
    for pair in pairs:
        touching = [g for g in groups if g & set(pair)]
        groups = [g for g in groups if not g & set(pair)] + [set().union(*touching)]
    return tuple(sorted(tuple(sorted(g)) for g in groups))
