"""Log densities and estimators at extreme arguments, against arithmetic of fifty digits."""

import jax
import mpmath as mp
import numpy as np
import pytest

from mixpyro import em, models

mp.mp.dps = 50
RTOL = {"float32": 2e-5, "float64": 1e-12}


def normal(x, loc, scale):
    return -(((x - loc) / scale) ** 2) / 2 - mp.log(scale) - mp.log(2 * mp.pi) / 2


def poisson(x, rate):
    return x * mp.log(rate) - rate - mp.loggamma(x + 1)


def geometric(x, probs):
    return x * mp.log(1 - probs) + mp.log(probs)


def exponential(x, rate):
    return mp.log(rate) - rate * x


def gamma(x, concentration, rate):
    return (
        concentration * mp.log(rate)
        + (concentration - 1) * mp.log(x)
        - rate * x
        - mp.loggamma(concentration)
    )


def binomial(x, probs):
    choose = mp.loggamma(1e6 + 1) - mp.loggamma(x + 1) - mp.loggamma(1e6 - x + 1)
    return x * mp.log(probs) + (1e6 - x) * mp.log(1 - probs) + choose


HALF = np.arange(16) % 2
SPREAD = np.linspace(-1.5, 1.5, 8).repeat(2)
LIVES = (1 + 50 * HALF) * np.exp(SPREAD)
# {name: (model, density, data, keywords)}
CASES = {
    "rare failures": (models.geometric_mixture, geometric, 20_000 + 90_000 * HALF + np.arange(16)),
    "rare successes": (
        models.binomial_mixture,
        binomial,
        1 + 40 * HALF + np.arange(16) // 4,
        {"total_count": 1_000_000},
    ),
    "large counts": (models.poisson_mixture, poisson, 3_000 + 50_000 * HALF + np.arange(16)),
    "tiny lifetimes": (models.exponential_mixture, exponential, 1e-12 * LIVES),
    "huge lifetimes": (models.exponential_mixture, exponential, 1e12 * LIVES),
    "sharp gammas": (models.gamma_mixture, gamma, (1 + 4.0 * HALF) * np.exp(SPREAD / 30)),
}


def log_likelihood(density, x, params, names):
    weights = [mp.mpf(float(w)) for w in params["weights"]]
    own = [[mp.mpf(float(v)) for v in np.ravel(params[n])] for n in names]
    rows = ((mp.mpf(float(v)), zip(weights, *own, strict=True)) for v in x)
    return sum(mp.log(sum(w * mp.exp(density(v, *a)) for w, *a in parts)) for v, parts in rows)


@pytest.mark.parametrize("name", CASES)
def test_the_log_likelihood_of_a_fit_has_its_digits(name, precision):
    model, density, x, *more = CASES[name]
    fit = em.EM(model, num_restarts=2).run(0, x, num_components=2, **(more[0] if more else {}))
    names = [n for n in fit.params if n != "weights"]
    values = np.asarray(x, precision)
    expected = log_likelihood(density, values, fit.params, names)
    terms = sum(
        abs(density(mp.mpf(float(v)), *(mp.mpf(float(np.ravel(fit.params[n])[k])) for n in names)))
        for v, k in zip(values, np.asarray(fit.predict()), strict=True)
    )
    if not fit.status.ok:  # NumPyro's own density has no digits there
        assert (precision.name, fit.status) == ("float32", em.Status.MISREAD)
        return
    # Where the density's own terms cancel, its digits are those of the terms.
    assert abs(fit.log_likelihood - expected) <= RTOL[precision.name] * max(terms, 16) * 10


@pytest.mark.parametrize("total", [1e-12, 1e-6, 1e6, 1e12])
def test_the_size_of_weights_changes_no_estimate(total, x64):
    x = np.concatenate([SPREAD, SPREAD + 9])
    weights = 1.0 + np.arange(32) % 3

    def fitted(scale):
        own = em.kmeans(x, 2, 0, weights=weights * scale)
        return np.sort(np.ravel(own.centroids)), own.inertia / scale

    (centroids, inertia), (expected, same) = fitted(total), fitted(1.0)
    np.testing.assert_allclose(centroids, expected, rtol=1e-12)
    assert inertia == pytest.approx(same, rel=1e-12)


@pytest.mark.parametrize("offset", [1e6, 1e8, 1e10])
def test_an_offset_moves_the_answer_along(offset, x64):
    rng = np.random.default_rng(8)
    x = np.round(rng.normal(size=200) * 2**10) / 2**10 + 6.0 * (np.arange(200) % 2)
    fitter = em.EM(models.gaussian_mixture, num_restarts=1)
    near, far = (fitter.run(0, (x + b)[:, None], num_components=2) for b in (0.0, offset))
    assert far.log_likelihood == pytest.approx(near.log_likelihood, rel=1e-9)
    loc = np.sort(np.ravel(far.params["loc"])) - offset
    np.testing.assert_allclose(loc, np.sort(np.ravel(near.params["loc"])), atol=1e-4)


@pytest.mark.slow
def test_a_million_rows_of_one_value():
    for x64 in (False, True):
        with jax.enable_x64(x64):
            fit = em.EM(models.poisson_mixture, num_restarts=1).run(
                0, np.full(1_000_000, 7), num_components=1
            )
            assert fit.status.ok
            assert fit.params["rate"] == pytest.approx(7.0, rel=1e-6)
            exact = 1_000_000 * float(poisson(mp.mpf(7), mp.mpf(7)))
            assert fit.log_likelihood == pytest.approx(exact, rel=2e-6 if not x64 else 1e-12)
