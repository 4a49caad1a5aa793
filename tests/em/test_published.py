"""Numbers that others have published, from the default settings unless a start is part of them."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from sklearn.datasets import load_iris

from mixpyro import em, models
from mixpyro.data import load_old_faithful

KEY = jax.random.key(0)

pytestmark = pytest.mark.usefixtures("x64")


# ---- Do and Batzoglou (2008), Nature Biotechnology 26:897, figure 1b ---------------------------

HEADS = np.array([5, 9, 8, 4, 7])


def fit_coins(max_steps):
    model = handlers.condition(models.two_coins, {"pi": 0.5})
    fitter = em.EM(model, max_steps=max_steps)
    return fitter.run(KEY, HEADS, num_tosses=10, init_params={"p": 0.6, "q": 0.5})


def test_do_and_batzoglous_first_step():
    fit = fit_coins(1)
    assert fit.num_steps == 1
    assert fit.status is em.Status.MAX_STEPS
    assert round(float(fit.params["p"]), 2) == 0.71
    assert round(float(fit.params["q"]), 2) == 0.58
    # ... which is the table of expected heads over that of expected tosses, written out.
    ratio = (0.6 / 0.5) ** HEADS * (0.4 / 0.5) ** (10 - HEADS)
    first = ratio / (1 + ratio)
    assert float(fit.params["p"]) == pytest.approx(first @ HEADS / (10 * first.sum()), rel=1e-10)
    second = 1 - first
    assert float(fit.params["q"]) == pytest.approx(second @ HEADS / (10 * second.sum()), rel=1e-10)


def test_do_and_batzoglous_limit():
    fit = fit_coins(1000)
    assert fit.status is em.Status.CONVERGED
    assert round(float(fit.params["p"]), 2) == 0.80
    assert round(float(fit.params["q"]), 2) == 0.52
    assert float(fit.params["pi"]) == 0.5
    assert fit.num_free_params == 2


# ---- two coins in plain sight: counts ------------------------------------------------------------


def test_labelled_coins_are_counts_with_binomial_errors():
    coins = np.array([1, 0, 0, 1, 0, 1, 1, 0])
    heads = np.array([9, 4, 3, 8, 6, 7, 9, 2])
    fit = em.EM(models.two_coins).run(KEY, heads, coins, num_tosses=10)
    counts = {
        "pi": (4, 8),
        "p": (9 + 8 + 7 + 9, 40),
        "q": (4 + 3 + 6 + 2, 40),
    }
    errors = fit.standard_errors()
    assert fit.status is em.Status.CONVERGED
    assert set(fit.params) == set(errors) == set(counts)
    for name, (successes, n) in counts.items():
        share = successes / n
        assert float(fit.params[name]) == pytest.approx(share, rel=1e-12), name
        assert float(errors[name]) == pytest.approx(np.sqrt(share * (1 - share) / n), rel=1e-8)


# ---- normal mixtures: mclust (Scrucca, Fop, Murphy & Raftery 2016, The R Journal 8:289) ---------


@pytest.mark.parametrize(
    ("data", "k", "mclust"),
    [
        pytest.param(lambda: load_iris().data, 3, -180.185, id="iris"),
        pytest.param(load_old_faithful, 2, -1130.264, id="old faithful"),
    ],
)
def test_mclusts_vvv(data, k, mclust):
    x = data()
    n, d = x.shape
    fit = em.EM(models.gaussian_mixture).run(KEY, x, num_components=k)
    assert fit.status is em.Status.CONVERGED
    assert fit.log_likelihood > mclust - 0.0005
    # A higher one would be a spurious maximum: of the order of mclust's, or a component too small.
    assert fit.log_likelihood < mclust + 5
    assert fit.num_free_params == k - 1 + k * d + k * d * (d + 1) // 2
    assert fit.bic == pytest.approx(-2 * fit.log_likelihood + fit.num_free_params * np.log(n))


def test_old_faithfuls_two_kinds_of_eruption():
    fit = em.EM(models.gaussian_mixture).run(KEY, load_old_faithful(), num_components=2)
    order = np.argsort(fit.params["loc"][:, 0])
    # Mclust(faithful, G = 2, modelNames = "VVV")
    np.testing.assert_allclose(fit.params["weights"][order], [0.3559, 0.6441], atol=5e-5)
    np.testing.assert_allclose(
        fit.params["loc"][order], [[2.0364, 54.4785], [4.2897, 79.9681]], atol=6e-5
    )


# ---- k-means of the iris data: R's kmeans(iris[, 1:4], 3, nstart = 10), scikit-learn -------------


def test_kmeans_of_iris():
    found = em.kmeans(load_iris().data, 3, KEY)
    assert found.status.ok
    assert found.inertia == pytest.approx(78.851, abs=5e-4)
    assert sorted(np.bincount(found.labels)) == [38, 50, 62]


# ---- Hasselblad (1969), JASA 64:1459: deaths of women of 80 and more in The Times, 1910-12 -------

DAYS = np.array([162, 267, 271, 185, 111, 61, 27, 8, 3, 1])


def deaths(x, days=None):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        rate = numpyro.sample("rate", dist.Exponential(1.0))
    scale = 1.0 if days is None else days
    with numpyro.plate("rows", x.shape[0]), handlers.scale(scale=scale):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Poisson(rate[z]), obs=x)


@pytest.mark.parametrize("counted", [False, True], ids=["repeated", "counted"])
def test_death_notices(counted):
    number = np.arange(len(DAYS))
    args = (number, DAYS) if counted else (np.repeat(number, DAYS),)
    fit = em.EM(deaths).run(KEY, *args)
    assert fit.status is em.Status.CONVERGED
    order = np.argsort(fit.params["rate"])
    assert fit.log_likelihood == pytest.approx(-1989.94586, abs=5e-6)
    np.testing.assert_allclose(fit.params["rate"][order], [1.256, 2.663], atol=1e-3)
    np.testing.assert_allclose(fit.params["weights"][order], [0.3599, 0.6401], atol=1e-3)
    assert fit.total_weight == DAYS.sum() == 1096
    assert fit.bic == pytest.approx(2 * 1989.94586 + 3 * np.log(1096), abs=2e-5)


# ---- Stouffer & Toby (1951), American Journal of Sociology 56:395 -------------------------------
# Particularistic (0) or universalistic (1) answers to four questions, as in Goodman (1974),
# Biometrika 61:215. Log-likelihoods: the help page of poLCA (Linzer & Lewis 2011, Journal of
# Statistical Software 42(10)) for these data.

ANSWERS = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], [0, 1], indexing="ij")).reshape(4, 16).T
PEOPLE = np.array([20, 2, 9, 2, 6, 1, 4, 1, 38, 7, 24, 6, 25, 6, 23, 42])


@pytest.mark.parametrize(
    ("k", "polca"), [(2, -504.4677), pytest.param(3, -503.3011, marks=pytest.mark.slow)]
)
def test_role_conflicts_as_by_polca(k, polca):
    fit = em.EM(models.bernoulli_mixture, num_restarts=20).run(
        KEY, np.repeat(ANSWERS, PEOPLE, axis=0), num_components=k
    )
    assert fit.log_likelihood == pytest.approx(polca, abs=1e-4)
    assert fit.num_free_params == 5 * k - 1
