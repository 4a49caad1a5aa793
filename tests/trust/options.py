"""Every option of every public function, by what it takes: {name of the call: `Options`}."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from mixpyro import em, inference, models

KEY = jax.random.key(0)
N = 30
X = np.random.default_rng(3).normal(size=N) + 6.0 * (np.arange(N) % 2)
COUNTS = np.random.default_rng(4).poisson(2.0 + 9.0 * (np.arange(N) % 2))


@functools.cache
def fit(num_components: int = 2) -> em.Fit:
    fitter = em.EM(models.poisson_mixture, num_restarts=1)
    return fitter.run(KEY, COUNTS, num_components=num_components)


@functools.cache
def swept() -> em.Sweep:
    return em.Sweep(({"num_components": 1}, {"num_components": 2}), (fit(1), fit(2)))


@functools.cache
def draws() -> Any:
    return inference.run_laplace(fit(), KEY, num_samples=20)


@dataclass(frozen=True)
class Options:
    """A call that takes options, and {option: kind of `values.DOMAINS`}."""

    call: Callable[..., Any]
    kinds: dict[str, str]


def _methods(name: str) -> Callable[..., Any]:
    return lambda *args, **kwargs: getattr(fit(), name)(*args, **kwargs)


def _em(model: Any = models.poisson_mixture, **options: Any) -> Any:
    return em.EM(model, **options)


def _run(**options: Any) -> Any:
    given = {"rng_key": 0, "num_components": 2, **options}
    return em.EM(models.poisson_mixture, num_restarts=1).run(given.pop("rng_key"), COUNTS, **given)


def _of(function: Callable[..., Any], **usual: Any) -> Callable[..., Any]:
    def call(**options: Any) -> Any:
        made = {n: v() if n in _MADE else v for n, v in usual.items()}
        return function(**(made | options))

    return call


_MADE = {"fit", "fit_small", "fit_big", "draws", "run", "nuts"}


OPTIONS = {
    "EM": Options(
        _em,
        {
            "model": "function",
            "objective": "word",
            "assign": "word",
            "start": "word",
            "num_restarts": "count",
            "max_steps": "count",
            "tolerance": "bound",
            "accelerate": "optional",
            "throw": "flag",
            "progress_bar": "flag",
        },
    ),
    "EM.run": Options(
        _run,
        {
            "rng_key": "key",
            "init_params": "optional",
            "init_responsibilities": "optional",
            "num_components": "count",
            "weights_concentration": "positive",
            "mean_rate": "optional positive",
        },
    ),
    "Stochastic": Options(em.Stochastic, {"num_steps": "count", "hard": "flag"}),
    "Annealed": Options(
        em.Annealed,
        {
            "start": "share",
            "growth": "factor",
            "every": "count",
            "noise": "optional share",
            "hard": "flag",
        },
    ),
    "kmeans": Options(
        _of(em.kmeans, x=X, num_clusters=2, rng_key=0),
        {
            "x": "numbers",
            "num_clusters": "count",
            "rng_key": "key",
            "weights": "optional",
            "init": "optional",
            "num_restarts": "count",
            "max_steps": "count",
        },
    ),
    "bootstrap": Options(
        _of(em.bootstrap, fit=fit, rng_key=0),
        {
            "fit": "nothing",
            "rng_key": "key",
            "num_replicates": "count of two",
            "kind": "word",
            "max_steps": "count",
            "tolerance": "bound",
        },
    ),
    "bootstrap_lrt": Options(
        _of(em.bootstrap_lrt, fit_small=lambda: fit(1), fit_big=fit, rng_key=0),
        {
            "fit_small": "nothing",
            "fit_big": "nothing",
            "rng_key": "key",
            "num_replicates": "count of two",
            "num_restarts": "count",
            "max_steps": "count",
            "tolerance": "bound",
        },
    ),
    "cross_validate": Options(
        lambda model=models.poisson_mixture, rng_key=0, x=COUNTS, **options: em.cross_validate(
            model, rng_key, x, num_components=2, **options
        ),
        {
            "model": "function",
            "rng_key": "key",
            "num_folds": "count of two",
            "num_restarts": "optional count",
            "max_steps": "optional count",
            "tolerance": "optional bound",
        },
    ),
    "external": Options(
        _of(em.external, fit=fit, outcome=X),
        {
            "fit": "nothing",
            "outcome": "nothing",
            "kind": "word",
            "covariates": "optional",
            "method": "word",
            "assignment": "word",
            "reference": "whole",
            "level": "level",
            "first_step": "flag",
        },
    ),
    "goodness_of_fit": Options(
        _of(em.goodness_of_fit, fit=fit),
        {
            "fit": "nothing",
            "rng_key": "optional key",
            "num_replicates": "whole",
            "max_steps": "count",
            "tolerance": "bound",
        },
    ),
    "likelihood_ratio_test": Options(
        _of(em.likelihood_ratio_test, fit_small=lambda: fit(1), fit_big=fit),
        {"fit_small": "nothing", "fit_big": "nothing"},
    ),
    "wald_test": Options(
        _of(em.wald_test, fit=fit, restriction=lambda p: p["rate"][0] - p["rate"][1]),
        {"fit": "nothing", "restriction": "function", "kind": "word"},
    ),
    "sweep": Options(
        lambda model=models.poisson_mixture, rng_key=0, num_components=(1, 2), **more: em.sweep(
            model, rng_key, COUNTS, num_components=num_components, **more
        ),
        {
            "model": "function",
            "rng_key": "key",
            "num_components": "counts",
            "init_params": "optional",
        },
    ),
    "Sweep.bootstrap_lrt": Options(
        _of(lambda **kw: swept().bootstrap_lrt(**kw), rng_key=0, num_replicates=19),
        {
            "rng_key": "key",
            "num_replicates": "count of two",
            "level": "level",
            "stop": "flag",
            "num_restarts": "count",
            "max_steps": "count",
            "tolerance": "bound",
        },
    ),
    "with_labels": Options(
        lambda model=models.poisson_mixture, z=np.zeros(N, int): em.EM(  # noqa: B008
            em.with_labels(model, z=z)
        ).run(0, COUNTS, num_components=2),
        {"model": "function", "z": "nothing"},
    ),
    "load": Options(
        lambda path="nowhere.npz", model=models.poisson_mixture, **more: em.load(
            path, model, **more
        ),
        {"path": "path", "model": "function", "max_bytes": "size"},
    ),
    "Fit.predict": Options(_methods("predict"), {"x": "array"}),
    "Fit.log_prob": Options(_methods("log_prob"), {"x": "array"}),
    "Fit.responsibilities": Options(_methods("responsibilities"), {"x": "array"}),
    "Fit.sample": Options(
        _of(lambda rng_key, **kw: fit().sample(rng_key, **kw), rng_key=0),
        {"rng_key": "key", "num_rows": "optional count"},
    ),
    "Fit.summary": Options(
        _methods("summary"),
        {
            "level": "level",
            "kind": "word",
            "interval": "word",
            "tests": "flag",
            "exponentiate": "flag",
            "reference": "optional",
        },
    ),
    "Fit.standard_errors": Options(_methods("standard_errors"), {"kind": "word"}),
    "Fit.profiles": Options(_methods("profiles"), {"level": "level", "kind": "word"}),
    "Fit.profile_interval": Options(
        _of(lambda site, **kw: fit().profile_interval(site, **kw), site="rate", index=(0,)),
        {"site": "word", "index": "index", "level": "level"},
    ),
    "Fit.sorted": Options(_methods("sorted"), {"by": "word"}),
    "Fit.named": Options(
        _of(lambda names: fit().named(names), names=("low", "high")), {"names": "nothing"}
    ),
    "Fit.save": Options(_methods("save"), {"path": "path"}),
    "marginalize": Options(inference.marginalize, {"model": "function"}),
    "init_to_fit": Options(inference.init_to_fit, {"fit": "nothing"}),
    "run_laplace": Options(
        _of(inference.run_laplace, fit=fit, rng_key=0),
        {"fit": "nothing", "rng_key": "key", "num_samples": "count"},
    ),
    "run_nuts": Options(
        _of(inference.run_nuts, fit=fit, rng_key=0),
        {
            "fit": "nothing",
            "rng_key": "key",
            "num_warmup": "whole",
            "num_samples": "count",
            "num_chains": "count",
            "progress_bar": "flag",
            "kernel": "optional",
            "mcmc": "optional",
        },
    ),
    "run_svi": Options(
        _of(inference.run_svi, fit=fit, rng_key=0),
        {
            "fit": "nothing",
            "rng_key": "key",
            "num_steps": "count",
            "num_samples": "count",
            "guide": "optional function",
            "step_size": "positive",
            "num_particles": "count",
            "progress_bar": "flag",
        },
    ),
    "cross_check": Options(
        _of(inference.cross_check, fit=fit, laplace=None),
        {"fit": "nothing", "nuts": "nothing", "svi": "nothing", "laplace": "nothing"},
    ),
    "relabel": Options(
        _of(inference.relabel, draws=draws, fit=fit),
        {"draws": "nothing", "fit": "nothing", "by": "word"},
    ),
    "draw_latent": Options(
        _of(inference.draw_latent, draws=draws, fit=fit),
        {"draws": "nothing", "fit": "nothing", "rng_key": "optional key", "each": "flag"},
    ),
    "to_arviz": Options(
        _of(inference.to_arviz, run=draws, fit=fit),
        {"run": "nothing", "fit": "nothing"},
    ),
}
