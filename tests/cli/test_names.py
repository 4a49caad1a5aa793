"""Classes in an order that is asked for, with names."""

import json

import numpy as np
import pandas as pd
import pytest

from mixpyro.__main__ import main
from mixpyro.data import load_old_faithful


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("names") / "faithful.csv"
    frame = pd.DataFrame(load_old_faithful().to_numpy(), columns=["eruption", "waiting"])
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def named(file):
    out = file.parent / "out"
    options = ["-k", "2", "--order", "loc[eruption]", "--names", "short,long"]
    assert main(["fit", str(file), *options, "--out", str(out)]) == 0
    return out


def test_they_are_in_every_table(named):
    """Short eruptions are the smaller class: 36 of 100 (Scrucca et al. 2016)."""
    rows = pd.read_parquet(named / "rows.parquet")
    assert set(rows["class"]) == {"short", "long"}
    assert rows["eruption"][rows["class"] == "short"].max() < 3.5
    np.testing.assert_allclose(rows["probability_short"] + rows["probability_long"], 1)
    table = pd.read_csv(named / "parameters.csv").set_index(["parameter", "class"])["estimate"]
    assert table["weights[short]", "short"] == pytest.approx(0.356, abs=1e-3)
    assert "short" in (named / "report.html").read_text()


def test_commands_on_the_fit_know_them(named, file, tmp_path):
    assert main(["predict", str(named), str(file), "--out", str(tmp_path / "rows.csv")]) == 0
    again = pd.read_csv(tmp_path / "rows.csv")
    assert list(again["class"]) == list(pd.read_parquet(named / "rows.parquet")["class"])
    assert main(["sample", str(named), "--rows", "200", "--out", str(tmp_path / "new.csv")]) == 0
    drawn = pd.read_csv(tmp_path / "new.csv").groupby("class")["eruption"].mean()
    assert drawn["short"] < 3 < drawn["long"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-k", "1:3", "--names", "a,b"], "--components 2"),
        (["-k", "2", "--names", "a,b,c"], "--components 3"),
        (["-k", "2", "--names", "a,a"], "different words"),
    ],
)
def test_too_many_or_too_few_are_refused_before_anything_is_fitted(file, options, words, capsys):
    out = file.parent / "none"
    assert main(["fit", str(file), *options, "--out", str(out)]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_an_unknown_order_loses_no_fit(file, tmp_path, capsys):
    options = ["-k", "2", "--order", "nothing", "--names", "a,b", "--json"]
    assert main(["fit", str(file), *options, "--out", str(tmp_path)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {row["class"] for row in said["classes"]} == {0, 1}
    assert any("in no order and without their names" in d for d in said["doubts"])
    assert (tmp_path / "report.html").exists()
