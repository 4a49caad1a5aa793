"""Frames in every kind of model: names of columns come back, text is the codes it stands for."""

import jax
import numpy as np
import pandas as pd
import pytest

from mixpyro import em, inference, models

pytestmark = pytest.mark.usefixtures("x64")
KEY = jax.random.key(0)
WORDS = np.array(["no", "some", "yes"], object)


def drawn(model):
    """The data of a model's first example, and a fit of few steps from its true parameters."""
    (example, *_) = models.examples(model)
    data = np.asarray(example.simulate(KEY)[example.data])
    step = em.EM(model, max_steps=1)

    def fit(x, **keywords):
        return step.run(KEY, x, init_params=dict(example.params), **keywords)

    return data, fit, dict(example.kwargs)


def test_columns_of_observations_and_covariates_have_names():
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.normal([0.0, 5.0], 1.0, (30, 2)), columns=["length", "width"])
    fit = em.EM(models.gaussian_mixture, max_steps=1).run(KEY, x, num_components=1)
    names = ["loc[0, length]", "loc[0, width]", "covariance_matrix[0, length, width]"]
    assert set(names) < set(fit.summary().index)
    design = pd.DataFrame({"one": 1.0, "age": rng.normal(size=30)})
    fit = em.EM(models.linear_regression_mixture, max_steps=1).run(
        KEY, rng.normal(size=30), covariates=design, num_components=1
    )
    assert "coefficients[age]" in fit.profiles().index.get_level_values("entry")


@pytest.mark.slow
def test_trees_have_the_names_of_columns():
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 2)), columns=["a", "b"])
    fit = em.EM(models.gaussian_mixture).run(KEY, x, num_components=1)
    posterior = inference.run_laplace(fit, KEY, num_samples=3)["posterior"]
    assert posterior["covariance_matrix"].dims[2:] == ("component", "column", "column_again")
    assert posterior["loc"].coords["column"].values.tolist() == ["a", "b"]


def test_binary_items_of_text():
    x, fit, _ = drawn(models.bernoulli_mixture)
    words = np.where(x == 1, "yes", "no").astype(object)
    words[0, 0], gap = None, x.astype(float)
    gap[0, 0] = np.nan
    text = fit(pd.DataFrame(words, columns=list("abc")), num_components=2)
    assert text.trace[0] == pytest.approx(fit(gap, num_components=2).trace[0], rel=1e-12)
    assert text.summary().index[2] == "probs[0, a, yes]"
    numbers = fit(pd.DataFrame(x, columns=list("abc")), num_components=2)
    assert numbers.summary().index[2] == "probs[0, a]"
    with pytest.raises(ValueError, match="item 'a' has 1 categories"):
        fit(pd.DataFrame(words, columns=list("abc")).assign(a="no"), num_components=2)


@pytest.mark.slow
def test_answers_that_are_right_or_wrong_need_an_order():
    x, fit, _ = drawn(models.mixed_rasch)
    names = [f"item {j}" for j in range(x.shape[1])]
    right = pd.DataFrame(x == 1, columns=names)
    found = fit(right, num_components=2)
    assert found.trace[0] == pytest.approx(fit(x, num_components=2).trace[0], rel=1e-12)
    assert "difficulty[1, item 0]" in found.summary().index
    with pytest.raises(ValueError, match="item 'item 0' is text, which has no order"):
        fit(right.replace({True: "right", False: "wrong"}), num_components=2)
    gap = x.astype(float)
    gap[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"missing \(NaN\) at row 3, column 2"):
        fit(gap, num_components=2)


@pytest.mark.slow
def test_waves_are_a_list_of_frames():
    x, fit, _ = drawn(models.latent_transition)
    gaps = x.astype(float)
    gaps[0, 0, 0] = np.nan
    codes = fit(gaps, num_components=2, num_categories=3)
    waves = [pd.DataFrame(WORDS[wave], columns=list("abc")) for wave in x]
    waves[0].loc[0, "a"] = None
    waves[1] = waves[1][["b", "c", "a"]]
    found = fit(waves, num_components=2)
    assert found.trace[0] == pytest.approx(codes.trace[0], rel=1e-12)
    assert "probs[1, a, some]" in found.summary().index
    np.testing.assert_array_equal(found.predict(waves), codes.predict())
    with pytest.raises(ValueError, match="wave 1 has other people than the first"):
        fit([waves[0], waves[1][::-1]], num_components=2)


@pytest.mark.slow
def test_sequences_of_words_may_end_early():
    x, fit, _ = drawn(models.markov_chain_mixture)
    words, length = WORDS[x], np.full(len(x), x.shape[1])
    words[3, 5:], length[3] = None, 5
    found = fit(pd.DataFrame(words), num_components=2)
    codes = fit(x, num_components=2, num_categories=3, length=length)
    assert found.trace[0] == pytest.approx(codes.trace[0], rel=1e-12)
    assert "transition[1, no, yes]" in found.summary().index
    words[4, 2] = None
    with pytest.raises(ValueError, match="row 4 of 'x' has a gap inside"):
        fit(words, num_components=2)


@pytest.mark.slow
def test_groups_and_items_have_their_names():
    x, fit, known = drawn(models.multilevel_latent_class)
    sizes = {"num_components": 2, "num_group_classes": 2}
    school = np.array([f"school {i:02}" for i in range(60)], object)[known["group"]]
    frame = pd.DataFrame(WORDS[2 * x], columns=list("abcd"))
    found = fit(frame, group=school, **sizes)
    codes = fit(x, group=known["group"], num_groups=60, num_categories=2, **sizes)
    assert found.trace[0] == pytest.approx(codes.trace[0], rel=1e-12)
    assert found.summary().index[-1] == "probs[1, d, yes]"
    some = np.isin(known["group"], [7, 11])
    classes = found.predict(frame[some].reset_index(drop=True), group=school[some])
    np.testing.assert_array_equal(classes["u"], np.asarray(codes.predict()["u"])[[7, 11]])
    with pytest.raises(ValueError, match="item 'group' has the name of an argument"):
        fit(frame.rename(columns={"a": "group"}), group=school, **sizes)


@pytest.mark.slow
def test_visits_that_did_not_take_place_are_gaps():
    x, fit, known = drawn(models.occupancy)
    seen = pd.DataFrame(x == 1).astype(object)
    seen.iloc[2, 0] = None
    visited = np.ones(x.shape, bool)
    visited[2, 0] = False
    gaps, told = fit(seen, **known), fit(x, **known, visited=visited)
    assert gaps.trace[0] == pytest.approx(told.trace[0], rel=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        models.poisson_regression_mixture,
        pytest.param(models.hurdle_regression, marks=pytest.mark.slow),
    ],
)
def test_a_missing_count_says_nothing(model):
    x, fit, known = drawn(model)
    gap = x.astype(float)
    gap[0] = np.nan
    with_gap = fit(gap, **known)
    each = np.asarray(with_gap.log_prob(x, **known))
    assert with_gap.log_prob()[0] == pytest.approx(0.0, abs=1e-12)
    assert with_gap.log_likelihood == pytest.approx(each[1:].sum(), rel=1e-10)
