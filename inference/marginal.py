"""A mixture with its latent class summed out, as an ordinary NumPyro model."""

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

from ..em.classes.posterior import posterior
from ..em.machine.recent import Recent
from ..em.programs import cache_key
from ..em.read.arguments import split, with_values
from ..em.read.call import Call
from ..em.read.latents import Latent
from ..em.read.model import read_model
from ..em.read.provenance import dependencies
from ..em.read.reader import Params, Reader
from ..em.read.replay import by_rows, is_finite, leave_prior, prototype, run
from ..em.report.deterministic import by_class

_readings: Recent[Reading] = Recent(64)


def marginalize(model: Callable) -> Callable:
    r"""The same model with its latent class z summed out exactly.

    ::

        p(x_n | params) = sum_k p(z_n = k | params) p(x_n | z_n = k, params)

    The result is an ordinary NumPyro model of the same signature and sites without z, computed as
    in EM's E-step: for NUTS, any guide with ``Trace_ELBO``, ``AutoLaplaceApproximation``,
    minibatch plates, ``log_likelihood``, ``Predictive``. Row weights, masks and labels keep their
    meaning; a known label contributes ``log p(x_n, z_n)``.

    The marginal density of a row, (n,), is that of the last observed site, in z's plates; other
    observed sites of the rows stay where they are, with log density 0, because theirs is in it.
    So ``numpyro.infer.log_likelihood`` gives each row's marginal log density. Called without data
    (``x=None``), it is the model itself: ``Predictive`` then draws z and x. Deterministic sites
    that depend on z are left out. Hold parameters fixed and give data inside: ``condition(model,
    ...)`` or arguments, not ``condition(marginalize(model), {"x": ...})``.

    Args:
        model: a NumPyro model with a finite discrete latent class, as `mixpyro.em.EM` takes it.
            Unlike there, parameters may have priors with parameters of their own.

    Raises:
        ValueError: from the call, for models that cannot be read (see `mixpyro.em.EM`).
    """
    if not callable(model):
        raise ValueError(f"model must be a NumPyro model (a callable), not {model!r}")

    inner = by_rows(model)

    @functools.wraps(model)
    def marginal(*args: Any, **kwargs: Any) -> None:
        with jax.ensure_compile_time_eval():  # the data, under jit too, unless they are traced
            call = split(args, kwargs)
        with handlers.block():
            reading = reading_of(model, call)
        if reading is None:
            inner(*args, **kwargs)
            return

        def rows(params: Mapping[str, Any]) -> jax.Array:
            return reading.row_log_density(params, call.arrays)

        with SumOut(reading, rows, call):
            inner(*args, **kwargs)

    return marginal


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
        """Values (n,) in the batch shape of z's site."""
        shape = [1] * self.latent.batch_rank
        for dim, size in zip(self.latent.row_dims, self.latent.rows, strict=True):
            shape[dim] = size
        return by_row.reshape(shape)


def row_log_density(reader: Reader, params: Mapping, arrays: tuple) -> jax.Array:
    """(n,) ``log p(x_n | params)``; compiled apart, so that it is traced once."""

    def by_row(params: Params, arrays: tuple) -> jax.Array:
        return posterior(reader, params, arrays).log_density

    return reader.compiled("marginal", lambda: jax.jit(by_row))(dict(params), arrays)


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
        self.trees = {tree.name: tree for tree in structure.trees}
        *self.others, self.last = [d.name for d in structure.data]
        self.scored = {*self.others, self.last}
        self.elsewhere = {*self.others, *([a.name for a in structure.auxiliary] if whole else [])}

    def process_message(self, msg: dict) -> None:
        """Take z out of sight; replace the densities of the data."""
        name, kind = msg.get("name"), msg["type"]
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
            msg["cond_indep_stack"] = self.prior["cond_indep_stack"]
            if scale is not None:  # 0 times an impossible row is 0
                by_row = jnp.where(jnp.asarray(scale) > 0, by_row, 0.0)
        msg["fn"] = RowMarginal(by_row, msg["value"], functools.partial(self._draw, self.values))

    def _draw(self, params: Mapping, rng_key: jax.Array) -> jax.Array:
        """The last data site drawn anew, z with it."""
        if self.others:
            raise NotImplementedError(_SEVERAL)
        args, kwargs = self.call.rebuild()
        model = handlers.uncondition(self.reading.reader.model)
        model = handlers.seed(handlers.substitute(model, dict(params)), rng_key)
        with handlers.block():
            return handlers.trace(model).get_trace(*args, **kwargs)[self.last]["value"]


_SEVERAL = (
    "with several observed sites, draw new data from the model itself: "
    "numpyro.infer.Predictive(model, samples), called without data"
)


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


def reading_of(model: Callable, call: Call) -> Reading | None:
    """The reading of a model for a call, kept; None if the call holds no data."""
    key = cache_key(model, call)
    found = _readings.get(key)
    if found is not None and not found.reader.serves(call):
        found = None
    if found is None and with_values(call, functools.partial(_holds_data, model))[0]:
        found = read(Reader(read_model(model, call, to_fit=False)), call)
        if found.reader.unchanged.steady:
            _readings.keep(key, found)
    return found


def read(reader: Reader, call: Call) -> Reading:
    """Find the deterministic sites that depend on z."""
    return Reading(reader, by_class(reader, call.arrays))


def _holds_data(model: Callable, call: Call) -> bool:
    """Whether observed sites are to be summed over a class: not where its own data are drawn.

    That a class reaches no data at all is for the reading to say.
    """
    model = by_rows(model)
    sites: dict[str, dict] = {}
    chained: set[str] = set()

    def abstract(arrays: tuple) -> None:
        trace, handler = run(model, call.rebuild(arrays), default=prototype)
        sites.update(trace)
        chained.update(handler.chained)

    jax.eval_shape(abstract, call.arrays)
    samples = {n: s for n, s in sites.items() if s["type"] == "sample"}
    classes = {
        n: jnp.zeros(s["fn"].batch_shape, int) for n, s in samples.items() if is_finite(s["fn"])
    }
    observed = [n for n, s in samples.items() if s["is_observed"]]
    hidden = [n for n, s in samples.items() if n not in classes and n not in observed]
    if chained & set(classes) - set(observed):
        return True  # the reading refuses it by name

    def densities(classes: dict, arrays: tuple) -> dict:
        trace, _ = run(model, call.rebuild(arrays), forced=classes, default=prototype)
        return {n: trace[n]["fn"].log_prob(trace[n]["value"]) for n in (*observed, *hidden)}

    if not classes or not observed:
        return bool(observed) and not classes  # without a class the reading says what is missing
    names = {id(v): n for n, v in classes.items()}
    found = dependencies(densities, (classes, call.arrays), names).outputs
    if any(found[name] - {name} for name in observed):
        return True
    return not any(found[name] for name in hidden)
