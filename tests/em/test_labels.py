"""Labelled and partly labelled data: closed forms, and sums over the unknown labels."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy import special, stats

from mixpyro import em, models

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
N = 24
_rng = np.random.default_rng(13)
Z = np.repeat([0, 1, 2], [10, 8, 6])
X = np.array([-2.0, 0.5, 3.0])[Z] + _rng.normal(size=N)


def normals(x, z=None, known=None):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
    with numpyro.plate("components", 3):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(3))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights), obs=z, obs_mask=known)
        z = jnp.asarray(z).astype(int)  # labels may come as floats, which cannot index
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def joint(x, params):
    """(n, k) log p(x, z)."""
    weights, loc, scale = (np.asarray(params[n], float) for n in ("weights", "loc", "scale"))
    return np.log(weights) + stats.norm.logpdf(np.asarray(x)[:, None], loc, scale)


def run(*args, **options):
    return em.EM(normals, num_restarts=4, **options).run(KEY, *args)


@pytest.fixture(scope="module")
def labelled():
    with jax.enable_x64(True):
        return run(X, Z)


def test_labels_give_the_estimates_of_the_groups(labelled):
    groups = [X[j == Z] for j in range(3)]
    close = {"rtol": 1e-10}
    np.testing.assert_allclose(labelled.params["weights"], np.bincount(Z) / N, **close)
    np.testing.assert_allclose(labelled.params["loc"], [g.mean() for g in groups], **close)
    np.testing.assert_allclose(labelled.params["scale"], [g.std() for g in groups], **close)


def test_labels_take_one_m_step_and_no_starts(labelled):
    """The second step only sees that nothing changes."""
    assert labelled.num_steps <= 2
    np.testing.assert_allclose(labelled.trace, labelled.trace[0], rtol=1e-12)
    assert len(labelled.restarts) == 1
    assert labelled.status is em.Status.CONVERGED


def test_labels_give_the_complete_data_log_likelihood(labelled):
    rows = joint(X, labelled.params)[np.arange(N), Z]
    assert labelled.log_likelihood == pytest.approx(rows.sum(), abs=1e-9)
    np.testing.assert_allclose(labelled.log_prob(), rows, atol=1e-9)
    np.testing.assert_array_equal(labelled.responsibilities(), np.eye(3)[Z])
    np.testing.assert_array_equal(labelled.predict(), Z)
    np.testing.assert_array_equal(labelled.counts, np.bincount(Z))
    assert labelled.num_free_params == 2 + 3 + 3
    assert labelled.icl == pytest.approx(labelled.bic, abs=1e-9)


def test_the_spec_says_that_z_is_observed(labelled):
    assert labelled.spec.observed == "observed"
    assert labelled.spec.latent == "z"
    assert "z ~ Categorical, observed" in str(labelled.spec)


def test_standard_errors_with_labels_are_the_textbook_ones(labelled):
    """Normal groups: scale / sqrt(n), scale / sqrt(2 n); proportions: sqrt(p (1 - p) / n)."""
    counts = np.bincount(Z)
    scale = np.array([X[j == Z].std() for j in range(3)])
    share = counts / N
    errors = labelled.standard_errors()
    np.testing.assert_allclose(errors["loc"], scale / np.sqrt(counts), rtol=1e-6)
    np.testing.assert_allclose(errors["scale"], scale / np.sqrt(2 * counts), rtol=1e-6)
    np.testing.assert_allclose(errors["weights"], np.sqrt(share * (1 - share) / N), rtol=1e-6)


def test_new_data_of_a_labelled_fit_need_no_labels(labelled):
    new = np.array([-1.0, 2.0, 0.0, 5.0])
    table = joint(new, labelled.params)
    total = special.logsumexp(table, axis=1)
    np.testing.assert_allclose(labelled.log_prob(new), total, atol=1e-9)
    np.testing.assert_allclose(
        labelled.responsibilities(new), np.exp(table - total[:, None]), atol=1e-9
    )


@pytest.mark.parametrize("dtype", [float, np.int8, np.uint8, np.int64])
def test_labels_of_other_types(dtype, labelled):
    fit = run(X, Z.astype(dtype))
    np.testing.assert_allclose(fit.params["loc"], labelled.params["loc"], rtol=1e-12)
    assert fit.log_likelihood == pytest.approx(labelled.log_likelihood, abs=1e-9)


@pytest.mark.parametrize("dtype", [bool, float, int])
def test_labels_of_a_bernoulli_z(dtype):
    z = np.arange(12) % 3 == 0
    heads = np.where(z, 8, 3) + np.arange(12) % 2
    fit = em.EM(models.two_coins).run(KEY, heads, z.astype(dtype), num_tosses=10)
    assert float(fit.params["pi"]) == pytest.approx(z.mean())
    assert float(fit.params["p"]) == pytest.approx(heads[z].mean() / 10)
    assert float(fit.params["q"]) == pytest.approx(heads[~z].mean() / 10)
    expected = stats.bernoulli.logpmf(z, z.mean()).sum()
    chance = np.where(z, heads[z].mean(), heads[~z].mean()) / 10
    expected += stats.binom.logpmf(heads, 10, chance).sum()
    assert fit.log_likelihood == pytest.approx(expected, abs=1e-8)
    np.testing.assert_array_equal(fit.predict(), z)


# ---- partly labelled ----------------------------------------------------------------------------

KNOWN = np.arange(N) % 3 == 0


@pytest.fixture(scope="module")
def partly():
    with jax.enable_x64(True):
        return run(X, Z, KNOWN)


def partial_log_likelihood(params, known=KNOWN):
    table = joint(X, params)
    return np.where(known, table[np.arange(N), Z], special.logsumexp(table, axis=1))


def test_known_rows_give_their_complete_data_term(partly):
    rows = partial_log_likelihood(partly.params)
    assert partly.log_likelihood == pytest.approx(rows.sum(), abs=1e-8)
    np.testing.assert_allclose(partly.log_prob(), rows, atol=1e-8)
    assert partly.status is em.Status.CONVERGED
    assert partly.num_free_params == 8
    assert "observed in part" in str(partly.spec)


def test_known_rows_are_one_hot_and_the_rest_is_bayes_rule(partly):
    table = joint(X, partly.params)
    bayes = np.exp(table - special.logsumexp(table, axis=1)[:, None])
    expected = np.where(KNOWN[:, None], np.eye(3)[Z], bayes)
    resp = partly.responsibilities()
    np.testing.assert_allclose(resp, expected, atol=1e-8)
    np.testing.assert_array_equal(np.asarray(resp)[KNOWN], np.eye(3)[Z[KNOWN]])
    np.testing.assert_array_equal(np.asarray(partly.predict())[KNOWN], Z[KNOWN])


def test_the_estimates_are_a_fixed_point_of_em_with_known_rows(partly):
    """The M-step, in NumPy, of the responsibilities above gives the parameters back."""
    table = joint(X, partly.params)
    bayes = np.exp(table - special.logsumexp(table, axis=1)[:, None])
    resp = np.where(KNOWN[:, None], np.eye(3)[Z], bayes)
    count = resp.sum(0)
    loc = resp.T @ X / count
    scale = np.sqrt((resp * (X[:, None] - loc) ** 2).sum(0) / count)
    np.testing.assert_allclose(partly.params["weights"], count / N, atol=2e-4)
    np.testing.assert_allclose(partly.params["loc"], loc, atol=2e-4)
    np.testing.assert_allclose(partly.params["scale"], scale, atol=2e-4)


@pytest.mark.parametrize("junk", [0, 2, 7, -3])
def test_the_labels_of_unknown_rows_do_not_matter(junk, partly):
    fit = run(X, np.where(KNOWN, Z, junk), KNOWN)
    assert fit.log_likelihood == pytest.approx(partly.log_likelihood, abs=1e-9)
    np.testing.assert_allclose(fit.params["loc"], partly.params["loc"], atol=1e-9)


def test_unknown_float_labels_may_be_nan(partly):
    fit = run(X, np.where(KNOWN, Z.astype(float), np.nan), KNOWN)
    assert fit.log_likelihood == pytest.approx(partly.log_likelihood, abs=1e-9)


def test_all_known_is_labelled(labelled):
    fit = run(X, Z, np.ones(N, bool))
    assert fit.log_likelihood == pytest.approx(labelled.log_likelihood, abs=1e-9)
    for name, value in labelled.params.items():
        np.testing.assert_allclose(fit.params[name], value, rtol=1e-9)
    np.testing.assert_array_equal(fit.responsibilities(), np.eye(3)[Z])


def test_none_known_is_unlabelled():
    start = np.full((N, 3), 0.1) + 0.7 * np.eye(3)[Z]
    fits = [
        em.EM(normals).run(KEY, *args, init_responsibilities=start)
        for args in ((X, Z, np.zeros(N, bool)), (X,))
    ]
    assert fits[0].log_likelihood == pytest.approx(fits[1].log_likelihood, abs=1e-9)
    for name, value in fits[1].params.items():
        np.testing.assert_allclose(fits[0].params[name], value, atol=1e-6)
    expected = special.logsumexp(joint(X, fits[0].params), axis=1)
    assert fits[0].log_likelihood == pytest.approx(expected.sum(), abs=1e-8)


def test_known_labels_decide_which_component_is_which():
    """Unlabelled components come in any order; labels, few as they are, name them."""
    known = np.zeros(N, bool)
    known[[0, 1, 12, 13, 21, 22]] = True
    fit = run(X, Z, known)
    assert np.all(np.diff(fit.params["loc"]) > 0)


def test_hard_assignment_keeps_the_known_labels():
    flipped = np.where(np.arange(N) == 0, 2, Z)
    known = np.arange(N) < 1
    fit = run(X, flipped, known, assign="hard")
    assert int(fit.predict()[0]) == 2
    assert int(fit.labels[0]) == 2


def test_weights_multiply_the_terms_of_labelled_rows():
    weights = 1.0 + np.arange(N) % 3

    fit = em.EM(_scaled_rows).run(KEY, X, Z, weights)
    rows = joint(X, fit.params)[np.arange(N), Z]
    assert fit.log_likelihood == pytest.approx(weights @ rows, abs=1e-8)
    shares = np.bincount(Z, weights) / weights.sum()
    np.testing.assert_allclose(fit.params["weights"], shares, rtol=1e-9)
    np.testing.assert_allclose(fit.log_prob(), rows, atol=1e-9)


def _scaled_rows(x, z, weights):
    shares = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
    loc = numpyro.sample("loc", dist.Normal(0, 5).expand([3]))
    scale = numpyro.sample("scale", dist.HalfNormal(3).expand([3]))
    with numpyro.plate("rows", x.shape[0]), handlers.scale(scale=weights):
        z = numpyro.sample("z", dist.Categorical(shares), obs=z)
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


# ---- what is wrong with labels ------------------------------------------------------------------


@pytest.mark.parametrize("bad", [3, -1, 100])
def test_a_label_out_of_range_is_named(bad):
    z = Z.copy()
    z[7] = bad
    with pytest.raises(ValueError, match=rf"label {bad} of site 'z' at row 7 .* 0 to 2"):
        run(X, z)


@pytest.mark.parametrize("bad", [3, -1, -2])
def test_a_known_label_out_of_range_is_named(bad):
    z = Z.copy()
    z[9] = bad
    assert KNOWN[9]
    with pytest.raises(ValueError, match=rf"label {bad} of site 'z' at row 9 .* 0 to 2"):
        run(X, z, KNOWN)


def test_a_label_that_is_no_whole_number_is_refused():
    z = Z.astype(float)
    z[4] = 0.5
    with pytest.raises(ValueError, match=r"'z'.*row 4"):
        run(X, z)


def test_a_missing_label_is_refused():
    z = Z.astype(float)
    z[4] = np.nan
    with pytest.raises(ValueError, match=r"'z'.*row 4"):
        run(X, z)


def test_a_class_without_rows_is_said():
    fit = run(X, np.minimum(Z, 1))
    assert fit.status is em.Status.EMPTIED
    assert "every label occurs" in fit.message
    assert all(np.isfinite(v).all() for v in fit.params.values())
    np.testing.assert_allclose(fit.params["weights"], [10 / N, 14 / N, 0], atol=1e-9)
