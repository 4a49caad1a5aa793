"""From a file to a fit and a page."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mixpyro import em, models
from mixpyro.__main__ import main
from mixpyro.cli.errors import BadInput
from mixpyro.cli.options import components
from mixpyro.data import load_old_faithful


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    frame = pd.DataFrame(load_old_faithful(), columns=["<script>alert(1)</script>", "$x_1$"])
    frame.to_csv(folder / "data.csv", index=False)
    code = main(["fit", str(folder / "data.csv"), "-k", "1:3", "--out", str(folder / "out")])
    assert code == 0
    return folder


def test_what_is_left_is_mclusts_fit(fitted):
    fit = em.load(fitted / "out" / "fit.npz", models.gaussian_mixture)
    # Scrucca et al. 2016: log-likelihood of VVV with two components on `faithful`
    assert fit.log_likelihood == pytest.approx(-1130.264, abs=1e-2)
    table = pd.read_csv(fitted / "out" / "parameters.csv")
    assert set(table["class"]) == {0, 1}
    rows = pd.read_parquet(fitted / "out" / "rows.parquet")
    np.testing.assert_array_equal(rows["class"], fit.predict())


def test_predict_and_sample(fitted, capsys):
    assert main(["predict", str(fitted / "out"), str(fitted / "data.csv")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 273
    assert main(["sample", str(fitted / "out"), "--rows", "5"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-k", "x"], "--components takes"),
        (["--columns", "none"], "no such column"),
        (["--model", "nothing"], "there is no model"),
        (["--nonsense"], "nonsense"),
    ],
)
def test_bad_input_is_one_sentence(fitted, capsys, options, words):
    assert main(["fit", str(fitted / "data.csv"), *options]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) == 1


def test_ranges():
    assert components("1:3,5") == [1, 2, 3, 5]
    with pytest.raises(BadInput, match="takes a number"):
        components("3:1")


@pytest.mark.slow
def test_the_page_in_a_browser(fitted, tmp_path):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("there is no chromium")
    sync = pytest.importorskip("playwright.sync_api")
    page_file = Path(fitted / "out" / "report.html")
    asked, said = [], []
    with (
        sync.sync_playwright() as play,
        play.chromium.launch(executable_path=browser, args=["--no-sandbox"]) as chromium,
    ):
        for width in (1200, 400):
            page = chromium.new_page(viewport={"width": width, "height": 900})
            page.on("request", lambda r: asked.append(r.url))
            page.on("console", lambda m: said.append(m.text))
            page.goto(page_file.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert "<script>alert(1)</script>" in page.inner_text("#classes")
            page.screenshot(path=tmp_path / f"{width}.png", full_page=True)
    assert set(asked) == {page_file.as_uri()}
    assert not said
