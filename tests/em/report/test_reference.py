"""Coefficients of the classes against any class: log odds of a table, whose errors are known."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import stats

from mixpyro import em, models
from mixpyro.weighted import weighted

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
# People by class (columns) in two towns (rows), and a number that tells nothing else.
TABLE = np.array([[20, 30, 10], [8, 24, 40]])
TOWN = np.repeat([0, 1], TABLE.sum(1))
CLASS = np.concatenate([np.repeat([0, 1, 2], row) for row in TABLE])
Y = 10.0 * CLASS + np.random.default_rng(0).normal(size=len(CLASS))
DESIGN = np.column_stack([np.ones(len(TOWN)), TOWN])


def known(y, design, labels, fixed=0):
    """Classes that are known, given a town: the coefficients are a multinomial regression's."""
    coefs = numpyro.sample("coefs", dist.Normal(0, 9).expand([2, 2]).to_event(2))
    loc = numpyro.sample("loc", dist.Normal(0, 9).expand([3]).to_event(1))
    logits = design @ jnp.insert(coefs, fixed, 0.0, axis=0).T
    with numpyro.plate("rows", y.shape[0]):
        z = numpyro.sample("z", dist.Categorical(logits=logits), obs=labels)
        numpyro.sample("y", dist.Normal(loc[z], 1.0), obs=y)


@functools.cache
def fitted(fixed=0):
    return em.EM(known).run(KEY, Y, DESIGN, CLASS, fixed=fixed)


@pytest.mark.parametrize(("fixed", "reference"), [(0, 2), (0, 1), (0, 0), (1, 0)])
def test_log_odds_of_a_table(fixed, reference):
    """A saturated multinomial logit: ``log (n_gj / n_gr)``, of variance ``1/n_gj + 1/n_gr``."""
    table = fitted(fixed).summary(reference=reference, tests=True, exponentiate=True)
    others = [j for j in range(3) if j != reference]
    words = [f"coefs[{j} vs {reference}, {c}]" for j in others for c in (0, 1)]
    assert [entry for entry in table.index if entry.startswith("coefs")] == words
    odds = np.log(TABLE / TABLE[:, [reference]])
    variance = 1 / TABLE + 1 / TABLE[:, [reference]]
    for j in others:
        expected = (odds[0, j], variance[0, j]), (odds[1, j] - odds[0, j], variance[:, j].sum())
        for c, (estimate, squared) in enumerate(expected):
            row, error = table.loc[f"coefs[{j} vs {reference}, {c}]"], np.sqrt(squared)
            assert row["estimate"] == pytest.approx(estimate, abs=1e-5)
            assert row["standard_error"] == pytest.approx(error, rel=1e-5)
            assert row["z"] == pytest.approx(estimate / error, abs=1e-4)
            assert row["p"] == pytest.approx(2 * stats.norm.sf(abs(estimate / error)), abs=1e-4)
            assert row["exp"] == pytest.approx(np.exp(estimate), rel=1e-4)
            assert row["exp_lower"] == pytest.approx(
                np.exp(estimate - stats.norm.ppf(0.975) * error), rel=1e-4
            )
    plain = fitted(fixed).summary(tests=True, exponentiate=True)
    assert table.loc["loc[1]"].equals(plain.loc["loc[1]"])


def test_sandwich_errors_are_those_of_the_model_with_another_class_fixed():
    against = fitted(0).summary(reference=1, kind="sandwich")
    own = fitted(1).summary(kind="sandwich")
    for j, row in ((0, 0), (2, 1)):
        for c in (0, 1):
            one, other = against.loc[f"coefs[{j} vs 1, {c}]"], own.loc[f"coefs[{row}, {c}]"]
            for column in ("estimate", "standard_error", "lower", "upper"):
                assert one[column] == pytest.approx(other[column], abs=1e-5)


def test_what_is_no_class_and_no_coefficient_is_refused():
    with pytest.raises(ValueError, match="0 to 2, not 3"):
        fitted().summary(reference=3)
    with pytest.raises(ValueError, match="reference must be"):
        fitted().summary(reference="low")
    with pytest.raises(ValueError, match="interval='wald' alone"):
        fitted().summary(reference=1, interval="profile")
    plain = em.EM(models.poisson_mixture).run(KEY, np.repeat([1, 9], 20), num_components=2)
    with pytest.raises(ValueError, match="This model has none"):
        plain.summary(reference=1)


def test_numbers_that_are_no_log_odds_against_a_class_are_refused():
    """Ordered classes: cut points have one less than there are classes too."""

    def ordered(y, town):
        cut = numpyro.sample("cut", dist.Normal(0, 3).expand([2]).to_event(1))
        slope = numpyro.sample("slope", dist.Normal(0, 3))
        cuts = jnp.stack([cut[0], cut[0] + jnp.exp(cut[1])])
        below = jax.nn.sigmoid(cuts - (slope * town)[:, None])
        ends = jnp.concatenate(
            [jnp.zeros_like(below[:, :1]), below, jnp.ones_like(below[:, :1])], 1
        )
        with numpyro.plate("rows", y.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.diff(ends, axis=1)))
            numpyro.sample("y", dist.Normal(10.0 * z, 1.0), obs=y)

    fit = em.EM(ordered, num_restarts=1).run(KEY, Y, jnp.asarray(TOWN, float))
    with pytest.raises(ValueError, match="This model has none"):
        fit.summary(reference=1)


def test_classes_with_covariates_are_sorted_with_their_coefficients():
    """Two classes: the coefficients of the other one are those with the other sign."""
    (example,) = models.examples(models.mixture_of_experts)
    y = np.asarray(example.simulate(KEY)["y"])
    fit = em.EM(models.mixture_of_experts, num_restarts=1).run(KEY, y, **example.kwargs)
    other = fit.sorted([1, 0])
    np.testing.assert_allclose(
        other.params["class_coefficients"], -np.asarray(fit.params["class_coefficients"])
    )
    np.testing.assert_allclose(
        other.responsibilities(), np.asarray(fit.responsibilities())[:, ::-1], atol=1e-9
    )
    table, against = other.summary(), fit.summary(reference=1)
    for c in (0, 1):
        one, two = (
            table.loc[f"class_coefficients[0, {c}]"],
            against.loc[f"class_coefficients[0 vs 1, {c}]"],
        )
        assert one["standard_error"] == pytest.approx(two["standard_error"], rel=1e-6)


def test_rows_of_weight_0_are_no_rows_for_the_coefficients():
    """NumPyro refuses such weights where it sees them, before labels, and before classes move."""
    there = np.arange(len(Y)) % 3 > 0
    fit = em.EM(weighted(known)).run(KEY, Y, DESIGN, CLASS, row_weights=there.astype(float))
    less = em.EM(known).run(KEY, Y[there], DESIGN[there], CLASS[there])
    one, two = fit.summary(reference=2), less.summary(reference=2)
    for column in ("estimate", "standard_error"):
        np.testing.assert_allclose(one[column], two[column], atol=1e-3)
    (example,) = models.examples(models.mixture_of_experts)
    y = np.asarray(example.simulate(KEY)["y"])
    given = {"row_weights": np.arange(len(y)) % 3 > 0, **example.kwargs}
    fit = em.EM(weighted(models.mixture_of_experts), num_restarts=1).run(KEY, y, **given)
    np.testing.assert_allclose(
        fit.sorted([1, 0]).params["class_coefficients"],
        -np.asarray(fit.params["class_coefficients"]),
    )
