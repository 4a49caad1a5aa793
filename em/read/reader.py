"""A model read once, and run again with chosen parameters: what every evaluation stands on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import biject_to, constraints

from ..calls.call import Call
from ..machine.arrays import array as as_jax
from ..machine.kept import Compiled
from ..machine.recent import Recent
from . import layout, replay
from .chains.ended import going_on
from .edges import differentiable
from .reading import Reading
from .trees import by_leaves

Params = dict[str, jax.Array]

# Readings of a model for other data than it was fitted to.
MAX_READERS = 16


class Reader:
    """A model that was read, to be run again with chosen parameters and classes.

    The methods are pure functions of parameters and of the call's arrays, to be compiled. What
    was compiled is kept in ``compiled``, readings of the same model for other data in ``readers``;
    ``model`` is the model if it is unchanged, with a site for each leaf of its pytrees.
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.given, self.source = reading.given, reading.source
        self.structure, self.unchanged = reading.structure, reading.unchanged
        self.template, self.shapes = reading.template, reading.shapes
        self._by_leaves = by_leaves(self.source, self.structure.trees)
        self.compiled = Compiled(partial(self.unchanged.check, surely=True))
        self.readers: Recent[Reader] = Recent(MAX_READERS)

    @property
    def model(self) -> Callable:
        """The model, to run it again.

        Raises:
            ValueError: it is no longer what it was when it was read.
        """
        self.unchanged.check()
        return self._by_leaves

    @property
    def num_components(self) -> int:
        """K: how many combinations of classes a unit may have."""
        return self.structure.num_components()

    @cached_property
    def work(self) -> float:
        """About how many multiplications a step takes for each start."""
        width = sum(
            math.prod(d.shape) * self.structure.num_components(d.level) for d in self.structure.data
        )
        return float(width)

    @property
    def turns(self) -> int:
        """How many steps of an evaluation wait for one another."""
        return 0 if self.structure.chain is None else self.structure.chain.length

    @property
    def num_rows(self) -> int:
        """The number of independent units: of values of z."""
        return self.structure.levels[0].num_rows

    @property
    def inner_levels(self) -> range:
        """The levels whose rows belong to units."""
        return range(1, len(self.structure.levels))

    @property
    def probe_values(self) -> Params:
        """Numbers of the right shapes, admissible or not, where only shapes and data count."""
        # Made anew each time: under a trace these are tracers, which must not be kept.
        return {p.name: as_jax(np.full(p.shape, 0.5)) for p in self.structure.free}

    def serves(self, call: Call) -> bool:
        """Whether a call of the same signature has the values that the model needed in Python."""
        held = self.template.concrete
        return all(np.array_equal(a, call.arrays[i], equal_nan=True) for i, a in held.items())

    def template_call(self, arrays: tuple) -> Call:
        """The call with these arrays as its data."""
        return replace(self.template, arrays=arrays)

    def unflatten(self, vector: jax.Array) -> Params:
        """The free parameters from one flat vector of their entries."""
        sizes = np.cumsum([int(np.prod(p.shape)) for p in self.structure.free])[:-1]
        parts = jnp.split(vector, sizes)
        free = self.structure.free
        return {p.name: part.reshape(p.shape) for p, part in zip(free, parts, strict=True)}

    def run(
        self,
        params: Mapping,
        arrays: tuple,
        component: Any,
        z: Any = None,
        level: int = 0,
        before: Any = None,
        **chosen: Any,
    ) -> dict:
        """One trace of the model with its classes set to a ``component`` of a level.

        ``z`` {latent: values}, of any shape, or the values of the first, replaces some of them. In
        a chain, ``before`` is the component of the step before: k for none, as at the first step.
        """
        structure = self.structure
        forced = structure.forced(component, level)
        if z is not None:
            given = z if isinstance(z, Mapping) else {structure.latent.name: z}
            for latent in structure.latents:
                if latent.name in given:
                    forced[latent.name] = forced[latent.prior] = given[latent.name]
        call = self.template.rebuild(arrays)
        if structure.chain is not None:
            chosen["steady"] = structure.chain.steady
            if before is not None:
                chosen["before"] = structure.before(before)
        trace, _ = replay.run(self.model, call, values=params, forced=forced, **chosen)
        return trace

    def run_prior(self, params: Mapping, arrays: tuple, number: Any, level: int = 0) -> dict:
        """One trace for the priors of a level's classes: of a component, or a pair in a chain."""
        if self.structure.chain is None:
            return self.run(params, arrays, number, level=level)
        before, now = self.structure.pair(number)
        return self.run(params, arrays, now, before=before)

    def log_weights(
        self, params: Mapping, arrays: tuple, level: int = 0, constant: frozenset[str] = frozenset()
    ) -> jax.Array:
        """``log p(classes = j)`` of a level: (k,), or (k, n) where it depends on covariates.

        In a chain ``log p(classes = j | classes before = i)`` of all pairs (i, j), in that order.

        ``constant`` names classes whose prior is known to be the same in every row.
        """
        rows = self.structure.levels[level]
        latents = [z for z in self.structure.latents if z.level == level]
        by_row = any(z.rowwise and z.name not in constant for z in latents)

        def one(params: Mapping, component: jax.Array) -> jax.Array:
            trace = self.run_prior(params, arrays, component, level)
            classes = {n: v[component] for n, v in every.items()}
            total = jnp.zeros((rows.num_rows,) if by_row else ())
            for z in latents:
                fn = layout.family_of(trace[z.prior])
                support = fn.enumerate_support(expand=False).reshape(-1)
                log_prob = fn.log_prob(support[classes[z.name]])
                if z.rowwise and z.name not in constant:
                    log_prob = layout.rows_first(log_prob, rows, z.batch_rank, 0, 0)[:, 0]
                    log_prob = jnp.broadcast_to(log_prob, (rows.num_rows,))
                else:
                    log_prob = log_prob.reshape(-1)[0]
                total += log_prob
            return total

        every = self.structure.prior_classes(level)
        components = jnp.arange(self.structure.num_priors(level))
        return jax.vmap(lambda j: differentiable(lambda p: one(p, j), params))(components)

    def replayed(
        self, params: Mapping, arrays: tuple, names: tuple[str, ...], level: int = 0
    ) -> jax.Array:
        """(k, n) the log density of the named sites of a level, by NumPyro's own ``log_prob``."""
        components = jnp.arange(self.structure.num_components(level))
        return jax.vmap(lambda k: self.replayed_one(params, k, arrays, names, level))(components)

    def replayed_one(
        self,
        params: Mapping,
        component: Any,
        arrays: tuple,
        names: tuple[str, ...],
        level: int = 0,
    ) -> jax.Array:
        """(n,) the same for one component."""

        def by_row(params: Mapping) -> jax.Array:
            found = self.densities(params, component, arrays, names, level)
            return sum(found.values(), jnp.zeros((self.structure.levels[level].num_rows,)))

        return differentiable(by_row, params, in_parts=self.template.shards is not None)

    def densities(
        self, params: Mapping, component: Any, arrays: tuple, names: tuple[str, ...], level: int = 0
    ) -> dict[str, jax.Array]:
        """{site: (n,) its log density} of the named ones for one component, not for gradients."""
        trace, rows = self.run(params, arrays, component, level=level), self.structure.levels[level]
        own = [d for d in self.structure.data if d.name in names and d.level == level]
        return {d.name: layout.row_log_prob(trace[d.name], rows, d) for d in own}

    def auxiliary(
        self, params: Mapping, arrays: tuple, names: tuple[str, ...] | None = None
    ) -> jax.Array:
        """The log density of the (named) sites beside the rows, summed."""
        log_density, weights = self.beside(params, arrays, names)
        return (weights * log_density).sum()

    def beside(
        self, params: Mapping, arrays: tuple, names: tuple[str, ...] | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """(m,) the log density of each observation beside the rows, and its weight."""
        own = [a.name for a in self.structure.auxiliary if names is None or a.name in names]
        if not own:
            return jnp.zeros((0,)), jnp.zeros((0,))
        trace = self.run(params, arrays, 0)
        parts = []
        for site in map(trace.__getitem__, own):
            density = jnp.asarray(site["fn"].log_prob(site["value"]))
            scale = jnp.asarray(1.0 if site["scale"] is None else site["scale"], density.dtype)
            parts.append([density.ravel(), jnp.broadcast_to(scale, density.shape).ravel()])
        return tuple(map(jnp.concatenate, zip(*parts, strict=True)))  # type: ignore[return-value]

    @cached_property
    def _supports(self) -> dict[str, constraints.Constraint]:
        """{parameter: its support} where that needs no run of the model."""
        return {p.name: p.support for p in self.structure.parameters if p.support is not None}

    def constrain(self, unconstrained: Mapping, params: Mapping, arrays: tuple) -> Params:
        """Parameters from their unconstrained values; the others are taken from ``params``."""
        supports = self._supports
        if all(n in supports for n in unconstrained):
            new = {n: biject_to(supports[n])(v) for n, v in unconstrained.items()}
            return {n: new.get(n, v) for n, v in params.items()}
        others = {n: v for n, v in params.items() if n not in unconstrained}
        trace = self.run(others, arrays, 0, unconstrained=unconstrained)
        return {n: trace[n]["value"] for n in params}

    def unconstrain(
        self, params: Mapping, arrays: tuple, names: tuple[str, ...] | None = None
    ) -> Params:
        """The unconstrained values of the named parameters, by default of all free ones."""
        names = tuple(p.name for p in self.structure.free) if names is None else names
        if all(n in self._supports for n in names):
            return {n: biject_to(self._supports[n]).inv(params[n]) for n in names}
        trace = self.run(params, arrays, 0)
        return {
            n: biject_to(replay.site_constraint(trace[n])).inv(trace[n]["value"]) for n in names
        }

    def prototype(self, arrays: tuple) -> Params:
        """Any admissible parameters: the values at unconstrained 0, `numpyro.param`'s own."""
        trace = self.run({}, arrays, 0, default=replay.prototype)
        values = {p.name: trace[p.name]["value"] for p in self.structure.free}
        # Those of a network are single, those of a careless hand whole numbers.
        return {n: jnp.asarray(v, layout.float_type()) for n, v in values.items()}

    def probed(self, arrays: tuple) -> dict:
        """A trace of the model where parameters and classes do not matter."""
        return self.run(self.probe_values, arrays, 0)

    def row_weights(self, trace: dict) -> jax.Array:
        """(n,) those of `weights_in`, in a chain 0 after the last step that is not masked."""
        weights, chain = self.weights_in(trace), self.structure.chain
        return weights if chain is None else weights * going_on(self.structure, trace)

    def weights_in(self, trace: dict) -> jax.Array:
        """(n,) the weights that ``handlers.scale`` gives to z, and so to its row, in a trace."""
        latent, units = self.structure.latent, self.structure.levels[0]
        scale = trace[latent.prior]["scale"]
        if scale is None:
            return jnp.ones((self.num_rows,))
        rows = layout.rows_first(jnp.asarray(scale, float), units, latent.batch_rank, 0, 0)
        return jnp.broadcast_to(rows[:, 0], (self.num_rows,)).astype(layout.float_type())

    def labels(self, arrays: tuple, level: int = 0) -> dict[str, jax.Array]:
        """{latent: (n,) the observed classes, -1 where unknown} of the labelled ones of a level."""
        found = self.observed_labels(arrays)
        return {
            z.name: jnp.where(found[z.name][1], found[z.name][0], -1).astype(int)
            for z in self.structure.latents
            if z.level == level and z.name in found
        }

    def observed_labels(self, arrays: tuple) -> dict[str, tuple[jax.Array, jax.Array]]:
        """{latent: (n,) the labels as they were given, and which of them are known}."""
        labelled = [z for z in self.structure.latents if z.labels is not None]
        if not labelled:
            return {}
        call = self.template.rebuild(arrays)
        trace, _ = replay.run(self.model, call, values=self.probe_values)
        return {z.name: layout.labels_in(trace, z) for z in labelled}
