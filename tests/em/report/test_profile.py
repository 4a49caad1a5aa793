"""Profile-likelihood intervals against SciPy's of likelihoods written out."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import optimize, stats

from mixpyro import em

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
TRIALS = 5
DROP = stats.chi2.ppf(0.95, 1) / 2


def occupancy(y, trials):
    psi = numpyro.sample("psi", dist.Beta(1, 1))
    p = numpyro.sample("p", dist.Beta(1, 1))
    with numpyro.plate("sites", y.shape[0]):
        z = numpyro.sample("z", dist.Bernoulli(psi))
        numpyro.sample("y", dist.Binomial(trials, p * z), obs=y)


def log_likelihood(y, psi, p):
    f = stats.binom.pmf(y, TRIALS, p)
    return np.log(psi * f + (1 - psi) * (y == 0)).sum()


@functools.cache
def counts(psi, p):
    rng = np.random.default_rng(19)
    return rng.binomial(TRIALS, p * (rng.random(60) < psi))


@functools.cache
def fitted(psi, p):
    return em.EM(occupancy, num_restarts=2, tolerance=1e-11).run(
        KEY, jnp.asarray(counts(psi, p)), TRIALS
    )


def by_scipy(y, which, fit):
    """Where the likelihood, maximised over the other parameter, has fallen by enough."""

    def fallen(c):
        def other(v):
            return -log_likelihood(y, *((c, v) if which == "psi" else (v, c)))

        best = optimize.minimize_scalar(
            other, bounds=(1e-9, 1 - 1e-12), method="bounded", options={"xatol": 1e-11}
        )
        return -best.fun - fit.log_likelihood + DROP

    at = float(fit.params[which])
    low = optimize.brentq(fallen, 1e-6, at)
    return low, 1.0 if fallen(1 - 1e-12) > 0 else optimize.brentq(fallen, at, 1 - 1e-12)


@pytest.mark.parametrize("truth", [(0.6, 0.4), (0.9, 0.15)])
def test_profile_intervals(truth):
    fit, y = fitted(*truth), counts(*truth)
    assert fit.status.ok, fit.message
    table = fit.summary(interval="profile")
    for name in ("psi", "p"):
        np.testing.assert_allclose(
            table.loc[name, ["lower", "upper"]].to_numpy(float), by_scipy(y, name, fit), rtol=1e-4
        )
    assert (table.note == "").all()


def test_an_estimate_near_the_edge_says_that_walds_interval_is_poor():
    """The likelihood does not fall far enough on the way to psi = 1, which is the end, then."""
    fit = fitted(0.9, 0.15)
    psi = float(fit.params["psi"])
    error = float(fit.standard_errors()["psi"])
    assert error / (psi * (1 - psi)) > 1
    table = fit.summary()
    assert table.note["psi"] == "near the edge: take interval='profile'"
    assert table.note["p"] == ""
    low, high = fit.profile_interval("psi")
    assert high == 1.0
    assert low > table.lower["psi"]
    assert fit.profile_interval("psi", level=0.5)[0] > low


def test_what_has_no_interval_is_refused():
    fit = fitted(0.6, 0.4)
    with pytest.raises(ValueError, match="'wald' or 'profile'"):
        fit.summary(interval="bayes")
    with pytest.raises(ValueError, match="no free parameter"):
        fit.profile_interval("rate")
    with pytest.raises(ValueError, match="no entry"):
        fit.profile_interval("psi", (0,))
    seen = em.EM(occupancy, num_restarts=1).run(
        KEY, jnp.full(60, TRIALS), TRIALS, init_params={"psi": 0.5, "p": 0.5}
    )
    with pytest.raises(ValueError, match="boundary"):
        seen.profile_interval("psi")


def normals(x, k):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(k)))
    with numpyro.plate("components", k):
        loc = numpyro.sample("loc", dist.Normal(0, 1e6))
    scale = numpyro.sample("scale", dist.HalfNormal(1e6))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


@pytest.mark.slow
def test_other_supports_and_other_units():
    """Four parameters of two normals, in units of thousands."""
    rng = np.random.default_rng(4)
    x = 1000 * np.concatenate([rng.normal(-2, 1, 30), rng.normal(2, 1, 50)])
    fit = em.EM(normals, num_restarts=2, tolerance=1e-11).run(KEY, jnp.asarray(x), 2)

    def negative(v):
        w, a, b, log_scale = v
        f = [stats.norm.pdf(x / 1000, m, np.exp(log_scale)) for m in (a, b)]
        w = 1 / (1 + np.exp(-w))
        return -np.log((w * f[0] + (1 - w) * f[1]) / 1000).sum()

    def fallen(place, value, start):
        rest = np.delete(start, place)
        best = optimize.minimize(lambda r: negative(np.insert(r, place, value)), rest, tol=1e-10)
        return -best.fun - fit.log_likelihood + DROP

    w, scale = float(fit.params["weights"][0]), float(fit.params["scale"])
    loc = np.asarray(fit.params["loc"]) / 1000
    start = np.array([np.log(w / (1 - w)), *loc, np.log(scale / 1000)])
    for place, site, index, back in (
        (0, "weights", (0,), lambda c: 1 / (1 + np.exp(-c))),
        (1, "loc", (0,), lambda c: 1000 * c),
        (3, "scale", (), lambda c: 1000 * np.exp(c)),
    ):
        ends = [
            back(optimize.brentq(lambda c, i=place: fallen(i, c, start), start[place], far))
            for far in (start[place] - 1.5, start[place] + 1.5)
        ]
        np.testing.assert_allclose(fit.profile_interval(site, index), ends, rtol=2e-4)
