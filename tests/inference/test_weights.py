"""Row weights and masks around a ready-made model: what a fit takes, every run takes."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import scipy.optimize
import scipy.stats
from numpyro import handlers

from mixpyro import em, inference
from mixpyro.inference.density import energy

from .scoring import density

KEY = jax.random.key(0)
_rng = np.random.default_rng(0)
X = np.r_[_rng.normal(size=20), 4 + _rng.normal(size=20)]
WEIGHTS = _rng.integers(1, 4, size=40).astype(float)
SEEN = _rng.random(40) > 0.3
POINT = {"weights": np.array([0.3, 0.7]), "loc": np.array([-0.5, 3.0]), "scale": np.array(1.3)}


def normals(x):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    scale = numpyro.sample("scale", dist.HalfNormal(2.0))
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


def within(x, w):
    with handlers.scale(scale=w):
        normals(x)


MODELS = {
    "weights around": (handlers.scale(normals, scale=WEIGHTS), (X,), WEIGHTS),
    "weights around, by an argument": (within, (X, WEIGHTS), WEIGHTS),
    "mask around": (handlers.mask(normals, mask=SEEN), (X,), SEEN.astype(float)),
    "mask within a handler": (
        handlers.condition(handlers.mask(normals, mask=SEEN), {"unused": 0.0}),
        (X,),
        SEEN.astype(float),
    ),
}


def log_likelihood(params, weights):
    """By hand: weights times the rows' log densities."""
    rows = np.log(
        sum(
            p * scipy.stats.norm.pdf(X, m, params["scale"])
            for p, m in zip(params["weights"], params["loc"], strict=True)
        )
    )
    return float(weights @ rows)


def log_prior(params):
    return (
        scipy.stats.norm.logpdf(params["loc"], 0, 5).sum()
        + scipy.stats.halfnorm.logpdf(params["scale"], 0, 2)
        + 0.0  # of a flat Dirichlet of two: Gamma(2) = 1
    )


@pytest.fixture(scope="module", params=MODELS)
def case(request):
    model, args, weights = MODELS[request.param]
    return model, args, weights, em.EM(model, num_restarts=2).run(KEY, *args)


def test_the_fit_is_the_best_of_the_weighted_likelihood(case):
    _, _, weights, fit = case
    params = {n: np.asarray(v, float) for n, v in fit.params.items()}
    np.testing.assert_allclose(fit.log_likelihood, log_likelihood(params, weights), rtol=1e-5)

    def energy_of(u):
        p = 1 / (1 + np.exp(-u[0]))
        at = {"weights": [p, 1 - p], "loc": u[1:3], "scale": np.exp(u[3])}
        return -log_likelihood(at, weights)

    best = scipy.optimize.minimize(energy_of, [0.0, 0.0, 4.0, 0.0])
    assert fit.log_likelihood >= -best.fun - 1e-3


@pytest.mark.slow
def test_priors_have_no_weights(case):
    model, args, weights, fit = case
    expected = log_likelihood(POINT, weights) + log_prior(POINT)
    point = {n: jnp.asarray(v) for n, v in POINT.items()}
    found = density(model, args, point)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # EM's own: the objective of a MAP fit is the likelihood and the prior at its parameters.
    best = em.EM(model, objective="posterior", num_restarts=2).run(KEY, *args)
    params = {n: np.asarray(v, float) for n, v in best.params.items()}
    at_best = log_likelihood(params, weights) + log_prior(params)
    np.testing.assert_allclose(best.objective, at_best, rtol=1e-5)
    # What runs climb: two points differ by as much, and the logarithms of the Jacobians.
    u = {
        "loc": POINT["loc"],
        "scale": np.log(POINT["scale"]),
        "weights": np.log(POINT["weights"][:1] / POINT["weights"][1]),
    }
    ends = []
    for shift in (0.0, 0.5):
        moved = u | {"loc": u["loc"] + shift, "scale": u["scale"] + shift}
        flat = np.concatenate([np.ravel(moved[n]) for n in sorted(moved)])
        ends.append(float(energy(fit, jnp.asarray(flat))))
    moved = POINT | {"loc": POINT["loc"] + 0.5, "scale": POINT["scale"] * np.exp(0.5)}
    change = log_likelihood(moved, weights) + log_prior(moved) - expected + 0.5
    np.testing.assert_allclose(ends[0] - ends[1], change, rtol=1e-4)


def test_rows_left_out_have_the_class_probabilities():
    model, args, _ = MODELS["mask around"]
    fit = em.EM(model, num_restarts=2).run(KEY, *args)
    resp = np.asarray(fit.responsibilities())
    np.testing.assert_allclose(
        resp[~SEEN], np.tile(fit.params["weights"], ((~SEEN).sum(), 1)), rtol=1e-6
    )
    np.testing.assert_allclose(np.asarray(fit.log_prob())[~SEEN], 0, atol=1e-6)


def test_a_weight_for_everything_scales_priors_as_numpyro_says():
    model = handlers.scale(normals, scale=0.5)
    point = {n: jnp.asarray(v) for n, v in POINT.items()}
    found = density(model, (X,), point)
    half = 0.5 * (log_likelihood(POINT, np.ones(40)) + log_prior(POINT))
    np.testing.assert_allclose(found, half, rtol=1e-5)


@pytest.mark.slow
def test_every_run_takes_them(case):
    fit = case[-1]
    nuts = inference.run_nuts(fit, KEY, num_warmup=200, num_samples=500, num_chains=2)
    svi = inference.run_svi(fit, KEY)
    report = inference.cross_check(fit, nuts=nuts, svi=svi, laplace=inference.run_laplace(fit, KEY))
    assert report.agrees, str(report)
    drawn = inference.draw_latent(nuts, fit, KEY)
    assert drawn.z.shape == (2, 500, 40)


def test_weights_stay_on_observations_without_a_plate_beside_the_class():
    w, y = WEIGHTS[:5], np.abs(X[:5]) + 0.1
    probs = np.array([0.3, 0.7])

    def model():
        push = numpyro.sample("push", dist.Normal(0, 1))
        rate = numpyro.param("rate", 1.0, constraint=dist.constraints.positive)
        with handlers.scale(scale=w):
            z = numpyro.sample("z", dist.Categorical(probs).expand([5]))
            numpyro.sample("y", dist.Exponential(rate), obs=y)  # all of one rate, without a plate
            numpyro.factor("by class", 0.1 * push * (z + 1))

    with jax.enable_x64(True):
        found = density(model, (), {"push": 0.4, "rate": 0.7})
    by_class = np.log(probs @ np.exp(0.04 * np.array([1, 2])))
    expected = w @ scipy.stats.expon.logpdf(y, scale=1 / 0.7) + w.sum() * by_class
    assert float(found) == pytest.approx(expected + scipy.stats.norm.logpdf(0.4), rel=1e-12)
