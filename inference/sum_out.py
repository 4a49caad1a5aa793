"""The model with its classes summed out, as NumPyro runs it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro import handlers
from numpyro.distributions import constraints
from numpyro.primitives import Messenger

from ..em.calls.call import Call
from ..em.classes.posterior import posterior
from ..em.read.chains.simulated import unobserved
from ..em.read.chains.steps import Steps
from ..em.read.latents import Latent
from ..em.read.reader import Params, Reader
from ..em.read.replay import leave_prior


@dataclass(frozen=True, eq=False)
class Reading:
    """A model read for one signature; ``by_class`` are deterministic sites that depend on z."""

    reader: Reader
    by_class: frozenset[str]

    @property
    def latent(self) -> Latent:
        """The latent class."""
        return self.reader.structure.latent

    @property
    def hidden(self) -> frozenset[str]:
        """The sites that z makes: one, or three if some labels are known."""
        latents = self.reader.structure.latents
        return frozenset(n for z in latents for n in (z.name, z.prior, z.labels) if n is not None)

    @property
    def values(self) -> dict[str, jax.Array]:
        """Some value for each of them."""
        forced = self.reader.structure.forced(0)
        named = {z.labels: forced[z.name] for z in self.reader.structure.latents if z.labels}
        return forced | named

    def row_log_density(self, params: Mapping, arrays: tuple) -> jax.Array:
        """(n,) ``log p(x_n | params)``."""
        return row_log_density(self.reader, params, arrays)

    def in_plates(self, by_row: jax.Array) -> jax.Array:
        """Values (n,) in the batch shape of z's site; of sequences without their axis of time."""
        timed = self.reader.structure.chain is not None
        shape = [1] * (self.latent.batch_rank - timed)
        own = list(zip(self.latent.row_dims, self.latent.rows, strict=True))
        for dim, size in own[timed:]:
            shape[dim] = size
        return by_row.reshape(shape)


def row_log_density(reader: Reader, params: Mapping, arrays: tuple) -> jax.Array:
    """(n,) ``log p(x_n | params)``; compiled apart, so that it is traced once."""

    def by_row(params: Params, arrays: tuple) -> jax.Array:
        return posterior(reader, params, arrays).log_density

    return reader.compiled("marginal", lambda: jax.jit(by_row))(dict(params), arrays)


_SEVERAL = (
    "with several observed sites, draw new data from the model itself: "
    "numpyro.infer.Predictive(model, samples), called without data"
)


class SumOut(Messenger):
    """Hide z, and let the last data site score the rows by ``score(params)``.

    ``score`` gives (n,), or one number that has the row weights in it already. The latter is the
    ``whole`` likelihood if what is observed beside the rows is in it too.
    """

    def __init__(
        self,
        reading: Reading,
        score: Callable[[Params], jax.Array],
        call: Call,
        whole: bool = False,
    ) -> None:
        super().__init__()
        self.reading, self.score, self.call = reading, score, call
        self.values: dict[str, Any] = {}
        self.prior: dict[str, Any] = {}
        structure = reading.reader.structure
        self.free = {p.name for p in structure.free}
        self.chain = structure.chain
        self.trees = {tree.name: tree for tree in structure.trees}
        *self.others, self.last = [d.name for d in structure.data]
        self.scored = {*self.others, self.last}
        self.elsewhere = {*self.others, *([a.name for a in structure.auxiliary] if whole else [])}

    def process_message(self, msg: dict) -> None:
        """Take z out of sight; replace the densities of the data."""
        name, kind = msg.get("name"), msg["type"]
        if kind == "control_flow" and self.chain is not None:
            Steps(None, self.reading.values, None, self.chain.steady).process_message(msg)
        if kind not in ("sample", "deterministic"):
            return
        if kind == "sample" and not (name in self.scored or name in self.reading.hidden):
            leave_prior(msg)  # NumPyro's terms for changes of variables, too
        if name in self.reading.hidden:
            if name == self.reading.latent.prior:
                self.prior = {key: msg[key] for key in ("scale", "cond_indep_stack")}
            msg["value"] = self.reading.values[name]
            msg["stop"] = True
        elif name in self.reading.by_class:
            msg["stop"] = True
        elif name in self.elsewhere:
            msg["fn"] = Elsewhere(msg["fn"], self.last)
        elif name == self.last:
            self._score(msg)

    def postprocess_message(self, msg: dict) -> None:
        """Note the values of parameters, and the rows of subsampling plates."""
        subsampled = msg["type"] == "plate" and msg["args"][1] not in (None, msg["args"][0])
        if subsampled or msg.get("name") in self.free:
            self.values[msg["name"]] = msg["value"]
        elif msg.get("name") in self.trees and msg["value"] is not None:
            leaves = self.trees[msg["name"]].split(msg["value"])
            self.values |= {n: v for n, v in leaves.items() if n in self.free}

    def _score(self, msg: dict) -> None:
        with handlers.block():
            by_row = self.score(self.values)
        msg["scale"], msg["cond_indep_stack"] = None, []
        if by_row.ndim:
            by_row = self.reading.in_plates(by_row)
            msg["scale"] = scale = self.prior["scale"]
            frames = self.prior["cond_indep_stack"]
            if self.chain is not None:
                frames = [f for f in frames if f.dim != -self.reading.latent.batch_rank]
            msg["cond_indep_stack"] = frames
            if scale is not None:  # 0 times an impossible row is 0
                by_row = jnp.where(jnp.asarray(scale) > 0, by_row, 0.0)
        msg["fn"] = RowMarginal(by_row, msg["value"], functools.partial(self._draw, self.values))

    def _draw(self, params: Mapping, rng_key: jax.Array) -> jax.Array:
        """The last data site drawn anew, z with it."""
        if self.others:
            raise NotImplementedError(_SEVERAL)
        args, kwargs = self.call.rebuild()
        model = unobserved(self.reading.reader.model)
        model = handlers.seed(handlers.substitute(model, dict(params)), rng_key)
        with handlers.block():
            return handlers.trace(model).get_trace(*args, **kwargs)[self.last]["value"]


class RowMarginal(dist.Distribution):
    """The marginal distribution of the rows: its log density is known at the observed value."""

    support = constraints.real_vector
    pytree_data_fields = ("log_density", "observed")
    pytree_aux_fields = ("draw",)

    def __init__(
        self, log_density: jax.Array, observed: jax.Array, draw: Callable[[jax.Array], jax.Array]
    ) -> None:
        self.log_density, self.observed, self.draw = log_density, observed, draw
        batch, shape = log_density.shape, jnp.shape(observed)
        event = shape[len(batch) :] if shape[: len(batch)] == batch else shape
        super().__init__(batch, event, validate_args=False)

    def log_prob(self, value: Any, intermediates: Any = None) -> jax.Array:
        """The rows' marginal log densities.

        Raises:
            ValueError: at another value than the one that the model was given.
        """
        del intermediates
        if value is not self.observed:
            raise ValueError(
                "a marginalised model scores the data that the model was given: pass other data "
                "as arguments, or condition the model before marginalize"
            )
        return self.log_density

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """New data for all rows, as `numpyro.handlers.uncondition` asks for."""
        if sample_shape:
            keys = jax.random.split(key, sample_shape)
            draw = self.draw
            for _ in sample_shape:
                draw = jax.vmap(draw)
            return draw(keys)
        return self.draw(key)


class Elsewhere(dist.Distribution):
    """A data site whose density is in the row's, at another site: log density 0."""

    pytree_data_fields = ("base",)
    pytree_aux_fields = ("site",)

    def __init__(self, base: dist.Distribution, site: str) -> None:
        self.base, self.site = base, site
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """That of the site's own distribution."""
        return self.base.support

    def log_prob(self, value: Any, intermediates: Any = None) -> jax.Array:
        """Zeros."""
        del value, intermediates
        return jnp.zeros(self.batch_shape)

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Not from here: z would differ from site to site."""
        raise NotImplementedError(_SEVERAL)
