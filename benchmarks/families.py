"""Time per EM step of mixtures of several families, side by side with StepMix and em-fit.

    pip install stepmix em-fit && python benchmarks/families.py [--pairs 5] [--rows 100000]

See ``_pairs.py`` for what is measured. Neither library takes a start: StepMix is given it in the
place of its random one, and em-fit's loop is called without its restarts.
"""

from __future__ import annotations

import importlib.util
import time
import warnings

import _pairs
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from mixpyro import models

ITEMS, CLASSES, COMPONENTS, COVARIATES = 20, 5, 4, 10


def mixture(x: jax.Array, family: type, **priors: dist.Distribution) -> None:
    """A mixture in one column, the parameters named as the family's arguments."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(COMPONENTS)))
    with numpyro.plate("components", COMPONENTS):
        args = {name: numpyro.sample(name, prior) for name, prior in priors.items()}
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", family(**{n: v[z] for n, v in args.items()}), obs=x)


def normals(x: jax.Array) -> None:
    mixture(x, dist.Normal, loc=dist.Normal(0, 5), scale=dist.HalfNormal(3))


def gammas(x: jax.Array) -> None:
    mixture(x, dist.Gamma, concentration=dist.HalfNormal(9), rate=dist.HalfNormal(3))


def emfit(name: str, data: np.ndarray, weights: np.ndarray, params: np.ndarray) -> _pairs.Run:
    """Runs of em-fit, whose log-likelihood is that before the last of its M-steps."""

    def run(steps: int) -> tuple[float, float]:
        from em import EM

        loop = EM(name, tol=0.0, reg=0.0)
        begin = time.perf_counter()
        found = loop._em_loop(data, weights, params, steps + 1, None)
        return time.perf_counter() - begin, found["loglike"]

    return run


def stepmix(x: np.ndarray, weights: np.ndarray, probs: np.ndarray) -> _pairs.Run:
    """Runs of StepMix."""

    def run(steps: int) -> tuple[float, float]:
        from sklearn.exceptions import ConvergenceWarning
        from stepmix.stepmix import StepMix

        class Started(StepMix):
            def _initialize_parameters(self, x, random_state):
                super()._initialize_parameters(x, random_state)
                self.weights_ = weights
                self._mm.parameters["pis"] = probs

        fitter = Started(
            len(weights),
            measurement="binary",
            max_iter=steps,
            abs_tol=0.0,
            rel_tol=0.0,
            progress_bar=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            begin = time.perf_counter()
            fitter.fit(x)
            seconds = time.perf_counter() - begin
        return seconds, fitter.lower_bound_buffer_[-1] * len(x)

    return run


def installed(module: str, run: _pairs.Run) -> _pairs.Run | None:
    return run if importlib.util.find_spec(module) else None


def latent_classes(n: int) -> _pairs.Contest:
    rng = np.random.default_rng(0)
    truth = rng.beta(2, 2, (CLASSES, ITEMS))
    x = (rng.random((n, ITEMS)) < truth[rng.integers(CLASSES, size=n)]).astype(float)
    weights = np.full(CLASSES, 1 / CLASSES)
    probs = 0.5 + 0.3 * (truth - 0.5) + 0.05 * rng.normal(size=truth.shape)
    ours = _pairs.ours(
        models.bernoulli_mixture, {"weights": weights, "probs": probs}, x, num_components=CLASSES
    )
    theirs = installed("stepmix", stepmix(x, weights, probs))
    return _pairs.Contest(f"{ITEMS} binary items, k = {CLASSES}", ours, "StepMix", theirs)


def one_column(name: str, n: int) -> _pairs.Contest:
    """A mixture of one of em-fit's families, whose components overlap."""
    rng = np.random.default_rng(1)
    z = rng.integers(COMPONENTS, size=n)
    weights = np.full(COMPONENTS, 1 / COMPONENTS)
    start = {"weights": weights}
    if name == "poisson":
        x = rng.poisson(np.array([2.0, 6.0, 12.0, 20.0])[z]).astype(float)
        model, keywords = models.poisson_mixture, {"num_components": COMPONENTS}
        start["rate"] = np.quantile(x, [0.2, 0.4, 0.6, 0.8])
        params = start["rate"][:, None]
    elif name == "gamma":
        x = rng.gamma(np.array([2.0, 5.0, 9.0, 12.0])[z], np.array([0.5, 0.6, 0.8, 1.2])[z])
        model, keywords = gammas, {}
        means = np.quantile(x, [0.2, 0.4, 0.6, 0.8])
        start |= {"concentration": np.full(COMPONENTS, 4.0), "rate": 4.0 / means}
        params = np.column_stack([start["concentration"], means / 4.0])
    else:
        x = np.array([-4.0, 0.0, 2.0, 5.0])[z] + rng.normal(size=n)
        model, keywords = normals, {}
        start["loc"] = np.quantile(x, [0.2, 0.4, 0.6, 0.8])
        start["scale"] = np.full(COMPONENTS, 2.0)
        params = np.column_stack([start["loc"], start["scale"]])
    ours = _pairs.ours(model, start, x, **keywords)
    theirs = installed("em", emfit(name, x, weights, params))
    return _pairs.Contest(f"{name}, one column, k = {COMPONENTS}", ours, "em-fit", theirs)


def linear_regressions(n: int) -> _pairs.Contest:
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(n), rng.normal(size=(n, COVARIATES))])
    lines = rng.normal(size=(COMPONENTS, COVARIATES + 1))
    y = (x * lines[rng.integers(COMPONENTS, size=n)]).sum(1) + rng.normal(size=n)
    start = {
        "weights": np.full(COMPONENTS, 1 / COMPONENTS),
        "coefficients": lines + 0.5 * rng.normal(size=lines.shape),
        "scale": np.full(COMPONENTS, 2.0),
    }
    ours = _pairs.ours(
        models.linear_regression_mixture, start, y, covariates=x, num_components=COMPONENTS
    )
    params = np.column_stack([start["coefficients"], start["scale"]])
    data = np.column_stack([x[:, 1:], y])
    theirs = installed("em", emfit("linear-regression", data, start["weights"], params))
    label = f"linear regression, {COVARIATES} covariates, k = {COMPONENTS}"
    return _pairs.Contest(label, ours, "em-fit", theirs, (2, 22), (2, 7))


if __name__ == "__main__":
    options = _pairs.options(__doc__)
    n = options.rows
    contests = [latent_classes(n), *(one_column(f, n) for f in ("poisson", "gamma", "normal"))]
    _pairs.table([*contests, linear_regressions(n)], options)
