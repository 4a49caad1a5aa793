"""Names of columns, annotators, labels and groups go in as they come, and come back."""

import jax
import numpy as np
import pandas as pd
import pytest

from mixpyro import em, inference, models

from .test_items import N

pytestmark = pytest.mark.usefixtures("x64")
KEY = jax.random.key(0)
rng = np.random.default_rng(1)
HIGH = rng.random(N) < 0.5
AGE = rng.normal(np.where(HIGH, 50.0, 20.0), 5.0)
TOWN = np.where(rng.random(N) < np.where(HIGH, 0.8, 0.2), 2, rng.integers(0, 2, N))
SMOKES = (rng.random(N) < np.where(HIGH, 0.7, 0.2)).astype(int)
KINDS = {"age": "normal", "town": "categorical", "smokes": "binary"}
TOWNS = np.array(["east", "north", "west"], object)
FRAME = pd.DataFrame(
    {"name": "somebody", "town": TOWNS[TOWN], "age": AGE, "smokes": np.array(["no", "yes"])[SMOKES]}
)
PROFILE = {
    "weights": [0.4, 0.6],
    "age_loc": [20.0, 50.0],
    "age_scale": [5.0, 6.0],
    "town_probs": [[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]],
    "smokes_probs": [0.2, 0.7],
}


def profile(x, **keywords):
    return em.EM(models.latent_profile, max_steps=2).run(
        KEY, x, num_components=2, kinds=KINDS, init_params=PROFILE, **keywords
    )


@pytest.fixture(scope="module")
def by_name():
    with jax.enable_x64(True):
        return profile(FRAME)


def test_a_frame_of_profiles_is_the_codes_that_it_stands_for(by_name):
    codes = {"age": AGE, "town": TOWN, "smokes": SMOKES}
    by_code = profile(codes, num_categories={"town": 3})
    np.testing.assert_allclose(by_name.trace, by_code.trace, rtol=1e-12)
    shuffled = FRAME[::-1][["age", "smokes", "town"]].reset_index(drop=True)
    np.testing.assert_allclose(by_name.log_prob(shuffled)[::-1], by_code.log_prob(), rtol=1e-12)


@pytest.mark.slow
def test_names_of_profiles_come_back(by_name):
    assert "town_probs[1, west]" in by_name.summary().index
    tree = inference.run_laplace(by_name, KEY, num_samples=5)["posterior"]
    assert tree["town_probs"].dims[2:] == ("component", "town")
    assert tree["town"].values.tolist() == ["east", "north", "west"]


def test_gaps_of_profiles_are_left_out(by_name):
    frame = FRAME.astype(object)
    frame.loc[0, "town"], frame.loc[1, "smokes"] = None, pd.NA
    p = {name: np.asarray(value) for name, value in by_name.params.items()}
    age = -0.5 * ((AGE[:2, None] - p["age_loc"]) / p["age_scale"]) ** 2
    age -= np.log(p["age_scale"] * np.sqrt(2 * np.pi))
    smokes = np.where(SMOKES[:1, None] == 1, p["smokes_probs"], 1 - p["smokes_probs"])
    town = p["town_probs"][:, TOWN[1]]
    expected = np.log((p["weights"] * np.exp(age) * np.stack([smokes[0], town])).sum(1))
    frame["age"] = AGE
    np.testing.assert_allclose(by_name.log_prob(frame)[:2], expected, rtol=1e-10)


def test_what_profiles_refuse(by_name):
    three = FRAME.assign(smokes=TOWNS[TOWN])
    with pytest.raises(ValueError, match="'smokes' is said to be binary and has the categories"):
        profile(three)
    with pytest.raises(ValueError, match="'town' has the category 'south' in row 2"):
        by_name.predict(FRAME.assign(town=["west", "west", "south", *TOWNS[TOWN][3:]]))


ITEM = np.repeat(np.arange(40), 3)
PERSON = np.tile(np.arange(3), 40)
TRUTH = rng.integers(0, 2, 40)
LABEL = np.where(rng.random(120) < 0.8, TRUTH[ITEM], 1 - TRUTH[ITEM])
NAMED = {
    "group": np.array([f"photo {i:02}" for i in range(40)], object)[ITEM],
    "annotator": pd.Series(np.array(["Ann", "Bob", "Cy"])[PERSON]),
}
START = {"weights": [0.5, 0.5], "confusion": [[[0.7, 0.3]] * 3, [[0.3, 0.7]] * 3]}


@pytest.mark.slow
def test_annotators_labels_and_items_by_their_names():
    step = em.EM(models.dawid_skene, max_steps=2)
    label = np.array(["cat", "dog"])[LABEL].astype(object)
    given = {"num_components": 2, "init_params": START}
    fit = step.run(KEY, label, **NAMED, **given)
    codes = {"group": ITEM, "annotator": PERSON, "num_groups": 40, "num_annotators": 3}
    other = step.run(KEY, LABEL, **codes, **given)
    np.testing.assert_allclose(fit.trace, other.trace, rtol=1e-12)
    assert fit.summary().index[2:5].tolist() == [
        "confusion[0, Ann, cat]",
        "confusion[0, Ann, dog]",
        "confusion[0, Bob, cat]",
    ]
    some = slice(30, 60)  # ten other photos
    found = fit.predict(label[some], **{name: value[some] for name, value in NAMED.items()})
    np.testing.assert_array_equal(found, np.asarray(other.predict())[10:20])
    label[0] = None
    gap = fit.log_prob(label, **NAMED)[0]
    confusion = np.asarray(fit.params["confusion"])
    rows = np.asarray(fit.params["weights"])
    for person in (1, 2):
        rows = rows * confusion[:, person, LABEL[person]]
    assert gap == pytest.approx(np.log(rows.sum()), rel=1e-10)


def test_a_group_without_a_name_is_refused():
    group = NAMED["group"].copy()
    group[7] = None
    with pytest.raises(ValueError, match="'group' is missing in row 7; leave such rows out"):
        em.EM(models.dawid_skene).run(
            KEY, LABEL, group=group, annotator=PERSON, num_annotators=3, num_components=2
        )


@pytest.mark.slow
def test_states_have_categories_by_name():
    words = np.array(["dry", "wet"], object)[np.arange(60) // 10 % 2]
    words[5] = None
    start = {
        "initial": [0.5, 0.5],
        "transition": [[0.9, 0.1], [0.1, 0.9]],
        "probs": [[0.8, 0.2], [0.2, 0.8]],
    }
    fit = em.EM(models.hidden_markov, max_steps=1).run(
        KEY, words, num_components=2, emission="categorical", init_params=start
    )
    assert fit.summary().index[-1] == "probs[1, wet]"


@pytest.mark.slow
def test_pictures_have_the_names():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    towns = np.array([["west", "north"], ["east", "west"], ["north", "east"]] * 20, object)
    frame = pd.DataFrame(towns, columns=["born", "lives"])
    fit = em.EM(models.latent_class, max_steps=1, num_restarts=1).run(KEY, frame, num_components=2)
    axes = np.ravel(fit.plot.profiles())
    words = {text.get_text() for ax in axes for text in ax.texts}
    ticks = {label.get_text() for ax in axes for label in ax.get_yticklabels()}
    assert words == {"east", "north", "west"}
    assert ticks == {"born", "lives"}
