"""A mixture with its latent class summed out, as an ordinary NumPyro model."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from numpyro import handlers

from ..em.calls.arguments import split, with_values
from ..em.calls.call import Call
from ..em.machine.recent import Recent
from ..em.options import model as check_model
from ..em.programs import cache_key, reading_for
from ..em.read.chains.steady import serves
from ..em.read.provenance import dependencies
from ..em.read.reader import Reader
from ..em.read.replay import by_rows, is_finite, prototype, run
from ..em.report.of_data.deterministic import by_class
from .sum_out import Reading, SumOut

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
    check_model(model)

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

        gathered = reading.reader.structure.chain is not None  # a chain may begin before its scan
        with SumOut(reading, rows, call):
            (reading.reader.source if gathered else inner)(*args, **kwargs)

    return marginal


def reading_of(model: Callable, call: Call) -> Reading | None:
    """The reading of a model for a call, kept; None if the call holds no data."""
    key = cache_key(model, call)
    found = _readings.get(key)
    if found is not None and not serves(found.reader, call):
        found = None
    if found is None and with_values(call, functools.partial(_holds_data, model))[0]:
        found = read(Reader(reading_for(model, call)), call)
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
