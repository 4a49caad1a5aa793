"""Categories as they come: text, pandas categories, numbers, gaps; names come back in tables."""

import jax
import numpy as np
import pandas as pd
import pytest

from mixpyro import em, inference, models

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
N = 120
HIGH = rng.random(N) < 0.4
CODES = np.stack([rng.random(N) < np.where(HIGH, p, q) for p, q in ((0.9, 0.1), (0.8, 0.2))], 1)
CODES = np.column_stack([CODES, np.where(HIGH, 2, 0) + (rng.random(N) < 0.3) * (1 - 2 * HIGH)])
NAMES = (("smokes", ("no", "yes")), ("answer", (1, 2)), ("town", ("west", "north", "south")))
FRAME = pd.DataFrame({name: np.array(v, object)[CODES[:, j]] for j, (name, v) in enumerate(NAMES)})
FRAME["town"] = pd.Categorical(FRAME["town"], categories=NAMES[2][1])
FRAME["answer"] = FRAME["answer"].astype(int)


def fitted(x, **keywords):
    return em.EM(models.latent_class).run(KEY, x, num_components=2, **keywords)


@pytest.fixture(scope="module")
def by_name():
    return fitted(FRAME)


def test_text_and_categories_are_the_codes_that_they_stand_for(by_name):
    codes = fitted(CODES, num_categories=3)
    assert by_name.log_likelihood == pytest.approx(codes.log_likelihood, abs=1e-3)
    assert by_name.num_free_params == codes.num_free_params == 1 + 2 * (1 + 1 + 2)


def test_gaps_are_left_out_of_their_rows(by_name):
    gaps = FRAME.astype(object)
    for row, (name, gap) in enumerate(zip(FRAME.columns, (None, pd.NA, np.nan), strict=True)):
        gaps.loc[row, name] = gap
    gaps["town"] = pd.Categorical(gaps["town"], categories=NAMES[2][1])
    weights, probs = (np.asarray(by_name.params[name], float) for name in ("weights", "probs"))
    joint = np.log(weights)[:, None] + sum(
        np.where(gaps[name].isna(), 0, np.log(probs[:, j, CODES[:, j]]))
        for j, name in enumerate(FRAME.columns)
    )
    expected = np.logaddexp.reduce(joint, 0)
    np.testing.assert_allclose(by_name.log_prob(gaps), expected, rtol=2e-4, atol=2e-5)


def test_names_come_back_in_tables(by_name):
    index = [f"probs[1, {item}, {value}]" for item, values in NAMES for value in values]
    assert by_name.summary().index[2 + 7 :].tolist() == index
    assert "probs[town, south]" in by_name.profiles().index.get_level_values("entry")
    assert by_name.bivariate_residuals().index.tolist()[0] == ("smokes", "answer")
    assert "Never observed" not in by_name.message


def test_predict_takes_columns_in_any_order_and_refuses_other_categories(by_name):
    shuffled = FRAME[["town", "smokes", "answer"]].iloc[:7]
    np.testing.assert_array_equal(by_name.predict(shuffled), by_name.predict()[:7])
    with pytest.raises(ValueError, match="item 'smokes' has the category 'perhaps' in row 0"):
        by_name.predict(FRAME.assign(smokes="perhaps"))
    with pytest.raises(ValueError, match=r"missing \['town'\], unknown \['city'\]"):
        by_name.predict(FRAME.rename(columns={"town": "city"}))


def test_a_saved_fit_knows_its_categories(by_name, tmp_path):
    by_name.save(tmp_path / "fit.npz")
    again = em.load(tmp_path / "fit.npz", models.latent_class)
    assert again.summary().index.tolist() == by_name.summary().index.tolist()
    np.testing.assert_array_equal(again.predict(FRAME), by_name.predict())


def test_numbers_need_not_begin_at_zero_and_codes_are_found():
    low, high = fitted(CODES), fitted(CODES * 10 + 5)
    assert low.log_likelihood == pytest.approx(high.log_likelihood, abs=1e-4)
    assert "probs[0, 2, 25]" in high.summary().index


def test_trees_have_the_names_of_items_and_of_common_categories():
    yes_no = pd.DataFrame({name: np.where(CODES[:, 0] == 1, "yes", "no") for name in "abc"})
    yes_no.loc[::7, "b"] = "yes"
    tree = inference.run_laplace(fitted(yes_no), KEY, num_samples=10)
    probs = tree["posterior/probs"]
    assert probs.dims[-3:] == ("component", "item", "category")
    assert probs.coords["item"].values.tolist() == list("abc")
    assert probs.coords["category"].values.tolist() == ["no", "yes"]


def test_what_no_fit_can_be_made_of_is_refused():
    with pytest.raises(ValueError, match="item 'b' has no answer at all"):
        fitted(pd.DataFrame({"a": ["x", "y"] * 5, "b": [None] * 10}))
    with pytest.raises(ValueError, match="item 'a' has values of several types"):
        fitted(pd.DataFrame({"a": ["x", 1] * 5, "b": ["x", "y"] * 5}))
    with pytest.raises(ValueError, match="num_categories is missing"):
        models.latent_class(num_components=2, num_rows=5, num_features=2)


def test_ordinal_items_need_an_order_and_the_same_categories():
    def ordinal(x):
        return em.EM(models.ordinal_latent_class).run(KEY, x, num_components=2)

    with pytest.raises(ValueError, match="item 'smokes' is text, which has no order"):
        ordinal(FRAME)
    with pytest.raises(ValueError, match="the categories of item 'town' have no order"):
        ordinal(FRAME[["town"]])
    with pytest.raises(ValueError, match=r"the same number of categories, 3, .* \{'a': 2\}"):
        ordinal(pd.DataFrame({"a": [0, 1, 0, 1], "b": [0, 1, 2, 1]}))


@pytest.mark.slow
def test_ordered_categories_are_their_numbers():
    levels = ["never", "often", "always"]
    town = pd.Categorical(np.array(levels)[CODES[:, 2]], categories=levels, ordered=True)
    frame = pd.DataFrame(dict.fromkeys("ab", town))
    frame.loc[::5, "b"] = "often"
    run = em.EM(models.ordinal_latent_class).run
    named = run(KEY, frame, num_components=2)
    codes = frame.apply(lambda column: column.cat.codes).to_numpy()
    numbers = run(KEY, codes, num_components=2, num_categories=3)
    assert named.log_likelihood == pytest.approx(numbers.log_likelihood, abs=1e-3)
    assert "loc[0, b]" in named.summary().index
