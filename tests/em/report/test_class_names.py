"""Names of the classes, wherever a class is named; numbers are what they were."""

import functools
import json
import pickle

import jax
import numpy as np
import pandas as pd
import pytest

from mixpyro import em, inference, models

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
CLASS = np.arange(60) % 2
FRAME = pd.DataFrame(
    np.where(RNG.random((60, 3)) < np.where(CLASS, 0.9, 0.2)[:, None], "yes", "no"),
    columns=["item A", "item B", "item C"],
)


@functools.cache
def plain():
    fit = em.EM(models.latent_class, num_restarts=1).run(KEY, FRAME, num_components=2)
    return fit.sorted("probs[item A, yes]")


@functools.cache
def named():
    return plain().named(["low", "high"])


def test_tables_have_the_names_and_the_same_numbers():
    old, new = plain().summary(), named().summary()
    assert "probs[low, item A, yes]" in new.index
    assert "weights[high]" in new.index
    words = [entry.replace("[0", "[low").replace("[1", "[high") for entry in old.index]
    assert list(new.index) == words
    np.testing.assert_array_equal(new["estimate"], old["estimate"])
    profiles = named().profiles()
    assert list(profiles.loc["weights"].index) == ["low", "high"]
    np.testing.assert_array_equal(
        profiles["estimate"].unstack("class")[["low", "high"]],
        plain().profiles()["estimate"].unstack("class"),
    )
    table = named().classification_table()
    assert list(table.index) == ["low", "high"]
    assert list(table.columns[-2:]) == ["posterior[low]", "posterior[high]"]
    np.testing.assert_array_equal(table, plain().classification_table())
    np.testing.assert_array_equal(named().predict(), plain().predict())
    assert named().class_names == ("low", "high")
    assert plain().class_names == ()


def test_messages_have_them():
    """All of one class say yes to everything."""
    sure = FRAME.mask(np.repeat(CLASS[:, None] == 1, 3, axis=1), "yes")
    fit = em.EM(models.latent_class, num_restarts=1).run(KEY, sure, num_components=2)
    fit = fit.sorted("probs[item A, yes]")
    assert "At the boundary: probs[1, item B, no]" in fit.message
    assert "At the boundary: probs[high, item B, no]" in fit.named(["low", "high"]).message


def test_names_go_with_their_classes():
    turned = named().sorted([1, 0])
    assert turned.class_names == ("high", "low")
    for entry in ("weights[low]", "probs[high, item C, no]"):
        new, old = turned.summary().loc[entry, "estimate"], named().summary().loc[entry, "estimate"]
        assert new == pytest.approx(old)
    assert turned.named(("a", "b")).class_names == ("a", "b")


def test_files_and_pickles_keep_them(tmp_path):
    named().save(tmp_path / "fit.npz")
    for back in (
        em.load(tmp_path / "fit.npz", models.latent_class),
        pickle.loads(pickle.dumps(named())),
    ):
        assert back.class_names == ("low", "high")
        assert list(back.summary().index) == list(named().summary().index)
    plain().save(tmp_path / "plain.npz")
    assert em.load(tmp_path / "plain.npz", models.latent_class).class_names == ()


def test_a_file_with_other_names_is_refused(tmp_path):
    named().save(tmp_path / "fit.npz")
    with np.load(tmp_path / "fit.npz") as file:
        stored = dict(file)
    meta = json.loads(str(stored["meta"]))
    for classes in (
        {"names": ["low"], "words": {}},
        {"names": ["low", "low"], "words": {}},
        {"names": ["low", "high"], "words": {"weights": {"0": ["low"]}}},
        {"names": ["low", "high"], "words": {"loc": {"0": ["low", "high"]}}},
        {"names": ["low", "high"]},
        ["low", "high"],
    ):
        stored["meta"] = np.array(json.dumps({**meta, "classes": classes}))
        np.savez(tmp_path / "bad.npz", **stored)
        with pytest.raises(ValueError, match=r"names|classes|no whole mixpyro fit"):
            em.load(tmp_path / "bad.npz", models.latent_class)


def test_pictures_have_them():
    import matplotlib.pyplot as plt

    axes = named().plot.profiles()
    legend = [text.get_text() for text in np.ravel(axes)[0].get_legend().get_texts()]
    assert [words.split(" (")[0] for words in legend] == ["low", "high"]
    axes = named().plot(classes=["a", "b"]).profiles()
    legend = [text.get_text() for text in np.ravel(axes)[0].get_legend().get_texts()]
    assert [words.split(" (")[0] for words in legend] == ["a", "b"]
    plt.close("all")


def test_data_trees_have_them():
    draws = {n: np.broadcast_to(v, (1, 5, *v.shape)) for n, v in named().params.items()}
    tree = inference.to_arviz(draws, named(), relabel=False, log_likelihood=False)
    assert list(tree["posterior"]["component"].values) == ["low", "high"]
    yes = tree["posterior"]["probs"].sel(component="low", item="item A", category="yes")
    assert float(yes[0, 0]) == named().summary().loc["probs[low, item A, yes]", "estimate"]


def test_external_variables_have_them():
    age = CLASS + RNG.normal(size=60)
    found = em.external(named(), age, covariates=age, reference="high", method="none")
    other = em.external(plain(), age, covariates=age, reference=1, method="none")
    assert list(found.table.index[:2]) == [
        "coefficients[low vs high, 0]",
        "coefficients[low vs high, 1]",
    ]
    assert {"mean[low]", "mean[high]"} <= set(found.table.index)
    np.testing.assert_array_equal(found.table["estimate"], other.table["estimate"])
    assert list(found.pairwise().index) == [("low", "high")]
    with pytest.raises(ValueError, match="one of the classes, low, high"):
        em.external(named(), age, reference="middle")


def test_coefficients_against_a_class_by_its_name():
    covariates = pd.DataFrame({"constant": 1.0, "age": RNG.normal(size=60)})
    y = CLASS * 5.0 + RNG.normal(size=60)
    way = em.EM(models.mixture_of_experts, num_restarts=1)
    fit = way.run(KEY, y, covariates=covariates, num_components=2).named(["low", "high"])
    assert "class_coefficients[high vs low, age]" in fit.summary().index
    other = fit.summary(reference="high")
    assert "class_coefficients[low vs high, age]" in other.index
    assert "coefficients[high, age]" in other.index
    assert fit.sorted([1, 0]).summary().loc[
        "class_coefficients[low vs high, age]", "estimate"
    ] == pytest.approx(other.loc["class_coefficients[low vs high, age]", "estimate"])
    draws = {n: np.broadcast_to(v, (1, 5, *v.shape)) for n, v in fit.params.items()}
    tree = inference.to_arviz(draws, fit, relabel=False, log_likelihood=False)
    assert list(tree["posterior"]["class_coefficients_dim_0"].values) == ["high vs low"]


def test_bad_names_are_refused():
    for bad, words in (
        (["low"], "1 names are given; the fit has 2 classes"),
        (["low", "low"], "two classes are called 'low'"),
        (["low", 1], "names must be words"),
        (["low", " "], "names must be words"),
        ("ab", "names must be words"),
        (None, "names must be words"),
    ):
        with pytest.raises(ValueError, match=words):
            plain().named(bad)
