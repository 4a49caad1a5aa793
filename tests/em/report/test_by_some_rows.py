"""Of many rows some tell whether a direction is flat, and all where these do not."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from mixpyro import em
from mixpyro.em.climb.engine import some
from mixpyro.em.programs import prepare
from mixpyro.em.report.scores import gram, identified_by_some

N = 20_000
KEY = jax.random.key(0)
_rng = np.random.default_rng(0)
X = _rng.normal(size=N) + 5 * (np.arange(N) % 2)


def model(x, covariate, twice=False):
    share = numpyro.sample("share", dist.Dirichlet(jnp.ones(2)))
    slope = numpyro.sample("slope", dist.Normal(0, 5))
    shift = numpyro.sample("shift", dist.Normal(0, 5)) if twice else 0.0
    with numpyro.plate("classes", 2):
        loc = numpyro.sample("loc", dist.Normal(0, 10))
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(share))
        numpyro.sample("x", dist.Normal(loc[z] + shift + slope * covariate, 1), obs=x)


def fitted(covariate, **options):
    return em.EM(model, num_restarts=2).run(KEY, X, covariate, **options)


def told(fit):
    rows, _ = prepare(fit.program, fit.call.arrays)
    return identified_by_some(fit.program, fit.free, rows)


def test_some_of_the_rows_are_enough(precision):
    fit = fitted(_rng.normal(size=N))
    assert told(fit)
    assert fit.status is em.Status.CONVERGED
    assert "_gram" not in vars(fit)  # all rows were not asked


def test_rows_that_are_looked_at_have_their_own_scores(x64):
    covariate = _rng.normal(size=N)
    fit = fitted(covariate)
    rows, _ = prepare(fit.program, fit.call.arrays)
    program, few = some(fit.program, rows, 1 << 14)
    assert program.num_rows == 1 << 14
    # Fisher's identity, by hand: the slope's score is the mean residual times the covariate.
    y, x = np.asarray(few.arrays[0]), np.asarray(few.arrays[1])
    assert np.isin(y, X).all()
    assert len(np.unique(y)) == 1 << 14
    loc, share = np.asarray(fit.params["loc"]), np.asarray(fit.params["share"])
    gap = y[:, None] - loc - float(fit.params["slope"]) * x[:, None]
    odds = share * np.exp(-(gap**2) / 2)
    score = ((odds * gap).sum(1) / odds.sum(1)) * x
    found = np.diag(gram(program, fit.free, few))
    assert np.isclose(found, (score**2).sum(), rtol=1e-9).sum() == 1


def test_what_only_other_rows_see_is_found_by_all(x64):
    seen = np.linspace(0, N - 1, 1 << 14).astype(int)
    covariate = np.zeros(N)
    covariate[np.setdiff1d(np.arange(N), seen)] = 1.0
    fit = fitted(covariate)
    assert told(fit) is False
    assert fit.status is em.Status.CONVERGED


def test_what_no_row_sees_is_not_identified(x64):
    fit = fitted(_rng.normal(size=N), twice=True)
    assert told(fit) is False
    assert fit.status is em.Status.NOT_IDENTIFIED


def test_few_rows_are_all_looked_at(x64):
    fit = em.EM(model, num_restarts=2).run(KEY, X[:500], np.arange(500) / 500)
    assert told(fit) is None
    assert fit.status is em.Status.CONVERGED
