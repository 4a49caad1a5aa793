"""A model read once, and run again with chosen parameters: what every evaluation stands on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import biject_to

from . import layout, replay
from .arguments import Call
from .independence import confirm
from .structure import Structure, read

Params = dict[str, jax.Array]


class Reader:
    """A model, the static part of its arguments, and its structure.

    The methods are pure functions of parameters and of the call's arrays, to be compiled. What
    was compiled is kept in ``compiled``, readings of the same model for other data in ``readers``.
    Unless ``to_fit``, plates may be subsampled and parameters may reach the data through the priors
    of others only, neither of which EM takes.
    """

    def __init__(self, model: Callable, call: Call, to_fit: bool = True) -> None:
        self.model = model
        self.template = replace(call, arrays=())
        self.structure: Structure = read(model, call, to_fit)
        if not self.structure.certain:
            self.structure = confirm(self, call)
        self.compiled: dict[Any, Any] = {}
        self.readers: dict[Any, Reader] = {}

    @property
    def num_components(self) -> int:
        """K."""
        return self.structure.latent.num_components

    @property
    def num_rows(self) -> int:
        """The number of values of z."""
        return self.structure.latent.num_rows

    @property
    def probe_values(self) -> Params:
        """Numbers of the right shapes, admissible or not, where only shapes and data count."""
        # Made anew each time: under a trace these are tracers, which must not be kept.
        return {p.name: jnp.full(p.shape, 0.5) for p in self.structure.free}

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
        self, params: Mapping, arrays: tuple, component: Any, z: Any = None, **chosen: Any
    ) -> dict:
        """One trace of the model with z set to ``component`` (or to ``z``, of any shape)."""
        structure = self.structure
        z = structure.latent_value(component) if z is None else z
        forced = {structure.latent.name: z, structure.latent.prior: z}
        call = self.template.rebuild(arrays)
        trace, _ = replay.run(self.model, call, values=params, forced=forced, **chosen)
        return trace

    def log_weights(self, params: Mapping, arrays: tuple) -> jax.Array:
        """``log p(z = j)``: (k,), or (k, n) where it depends on covariates."""
        latent = self.structure.latent

        def one(component: jax.Array) -> jax.Array:
            fn = layout.family_of(self.run(params, arrays, component)[latent.prior])
            value = fn.enumerate_support(expand=False).reshape(-1)[component]
            if not self.structure.prior_rowwise:
                return fn.log_prob(value).reshape(-1)[0]
            rows = layout.rows_first(fn.log_prob(value), latent, latent.batch_rank, 0, 0)
            return jnp.broadcast_to(rows[:, 0], (self.num_rows,))

        return jax.vmap(one)(jnp.arange(self.num_components))

    def replayed(self, params: Mapping, arrays: tuple, names: tuple[str, ...]) -> jax.Array:
        """(k, n) the log density of the named sites, by NumPyro's own ``log_prob``."""
        one = partial(self.replayed_one, params, arrays, names)
        return jax.vmap(one)(jnp.arange(self.num_components))

    def replayed_one(
        self, params: Mapping, arrays: tuple, names: tuple[str, ...], component: Any
    ) -> jax.Array:
        """(n,) the same for one component."""
        trace = self.run(params, arrays, component)
        total = jnp.zeros((self.num_rows,))
        for data in self.structure.data:
            if data.name in names:
                total += layout.row_log_prob(trace[data.name], self.structure.latent, data)
        return total

    def constrain(self, unconstrained: Mapping, params: Mapping, arrays: tuple) -> Params:
        """Parameters from their unconstrained values; the others are taken from ``params``."""
        others = {n: v for n, v in params.items() if n not in unconstrained}
        trace = self.run(others, arrays, 0, unconstrained=unconstrained)
        return {n: trace[n]["value"] for n in params}

    def unconstrain(self, params: Mapping, arrays: tuple, names: tuple[str, ...]) -> Params:
        """The unconstrained values of the named parameters."""
        trace = self.run(params, arrays, 0)
        return {
            n: biject_to(replay.site_constraint(trace[n])).inv(trace[n]["value"]) for n in names
        }

    def example(self, arrays: tuple, seed: int) -> Params:
        """Some admissible parameters, no two entries alike: a standard normal, unconstrained."""
        rng = np.random.default_rng(seed)

        def draw(message: dict) -> jax.Array | None:
            if message["type"] == "sample" and message["fn"].is_discrete:
                return None
            shape = jnp.shape(values[message["name"]])
            transform = biject_to(replay.site_constraint(message))
            return transform(jnp.asarray(rng.normal(size=transform.inverse_shape(shape)), float))

        values = self.probe_values
        trace = self.run({}, arrays, 0, default=draw)
        return {p.name: trace[p.name]["value"] for p in self.structure.free}

    def prototype(self, arrays: tuple) -> Params:
        """Any admissible parameters: the values at unconstrained 0."""
        trace = self.run({}, arrays, 0, default=replay.prototype)
        return {p.name: trace[p.name]["value"] for p in self.structure.free}

    def row_weights(self, arrays: tuple) -> jax.Array:
        """(n,) the weights that ``handlers.scale`` gives to z, and so to its row."""
        latent = self.structure.latent
        scale = self.run(self.probe_values, arrays, 0)[latent.prior]["scale"]
        if scale is None:
            return jnp.ones((self.num_rows,))
        rows = layout.rows_first(jnp.asarray(scale, float), latent, latent.batch_rank, 0, 0)
        return jnp.broadcast_to(rows[:, 0], (self.num_rows,)).astype(layout.float_type())

    def labels(self, arrays: tuple) -> jax.Array | None:
        """(n,) the observed components, -1 where unknown; None if z is never observed."""
        found = self.observed_labels(arrays)
        return None if found is None else jnp.where(found[1], found[0], -1).astype(int)

    def observed_labels(self, arrays: tuple) -> tuple[jax.Array, jax.Array] | None:
        """(n,) the labels as they were given, and which of them are known."""
        latent = self.structure.latent
        if latent.labels is None:
            return None
        call = self.template.rebuild(arrays)
        trace, _ = replay.run(self.model, call, values=self.probe_values)
        site = trace[latent.labels]
        rows = layout.rows_first(site["value"], latent, latent.batch_rank, 0, 0)
        labels = jnp.broadcast_to(rows[:, 0], (self.num_rows,))
        known = jnp.ones(labels.shape, bool)
        if latent.partly:
            mask = layout.rows_first(_mask_of(site["fn"]), latent, latent.batch_rank, 0, 0)
            known = jnp.broadcast_to(mask[:, 0], labels.shape)
        return labels, known


def _mask_of(fn: dist.Distribution) -> jax.Array:
    while not isinstance(fn, dist.MaskedDistribution):
        fn = fn.base_dist
    return jnp.asarray(fn._mask)
