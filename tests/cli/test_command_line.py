"""From a file to a fit and a page."""

import itertools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from rich.console import Console

from mixpyro import em, models
from mixpyro.__main__ import main
from mixpyro.cli import fitting, in_batches
from mixpyro.cli.columns import Column, taken_for
from mixpyro.cli.errors import BadInput
from mixpyro.cli.figures import figures
from mixpyro.cli.files import Table
from mixpyro.cli.fitting import Candidates
from mixpyro.cli.options import components
from mixpyro.cli.output import show
from mixpyro.cli.report import number
from mixpyro.cli.saved import loaded
from mixpyro.data import load_carcinoma, load_old_faithful
from mixpyro.plots import _shown
from mixpyro.plots._style import COLOURS, FILL, INK

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    frame = pd.DataFrame(
        load_old_faithful().to_numpy(), columns=["<script>alert(1)</script>", "$x_1$"]
    )
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


def test_rows_in_batches_give_the_same_fit(fitted, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(in_batches, "HEAD", 100)
    monkeypatch.setattr(in_batches, "SIZE", 64)
    out = tmp_path / "out"
    command = ["fit", str(fitted / "data.csv"), "-k", "2", "--batches", "--out", str(out), "--json"]
    assert main(command) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["log_likelihood"] == pytest.approx(-1130.264, abs=1e-2)  # Scrucca et al. 2016
    assert said["rows"] == 272
    here, whole = (pd.read_parquet(f / "rows.parquet") for f in (out, fitted / "out"))
    pd.testing.assert_frame_equal(here, whole, atol=1e-4)
    page = (out / "report.html").read_text()
    assert page.count("<svg") >= 5
    assert "Not drawn" not in page
    assert "Shares of the first 100 rows" in page
    assert main(["predict", str(out), str(fitted / "data.csv")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 273
    assert main(["sample", str(out), "--rows", "5"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 6
    assert main(["sample", str(out)]) == 2
    assert "by --rows how many" in capsys.readouterr().err


def test_rows_in_batches_have_weights_and_numbers_only(fitted, tmp_path, capsys):
    frame = load_old_faithful().assign(town="b")
    twice = pd.concat([frame.assign(w=1), frame.assign(w=0)])
    twice.to_parquet(tmp_path / "x.parquet", index=False)
    command = ["fit", str(tmp_path / "x.parquet"), "--batches", "-k", "2", "--weights", "w"]
    assert main([*command, "--out", str(tmp_path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["log_likelihood"] == pytest.approx(-1130.264, abs=1e-2)
    twice.assign(town=["a", "b"] * 272).to_csv(tmp_path / "x.csv", index=False)
    for words, options in (
        ("column 'town' holds categories", []),
        ("--group needs all rows at once", ["--group", "w"]),
        ("--missing needs all rows at once", ["--missing", "-9"]),
    ):
        assert main(["fit", str(tmp_path / "x.csv"), "--batches", *options]) == 2
        assert words in capsys.readouterr().err
    (tmp_path / "x.tsv").write_text("a\n1\n")
    assert main(["fit", str(tmp_path / "x.tsv"), "--batches"]) == 2
    assert "x.tsv is not read in batches; give a file .parquet" in capsys.readouterr().err


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


def test_weights_are_counts_of_rows(tmp_path, capsys):
    """Carcinoma in situ by three classes, -293.705 (Linzer & Lewis 2011, section 5.1)."""
    file = tmp_path / "slides.csv"
    load_carcinoma().to_csv(file, index=False)
    options = ["--weights", "slides", "-k", "3", "--restarts", "20", "--json"]
    assert main(["fit", str(file), *options, "--out", str(tmp_path / "out")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["log_likelihood"] == pytest.approx(-293.705, abs=1e-3)
    assert main(["predict", str(tmp_path / "out"), str(file)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 21
    # 118 slides, of which none of the three classes has less than a sixth
    assert not any("very few rows" in words for words in said["doubts"])


def test_a_fit_that_is_not_ok_leaves_everything_and_ends_with_1(fitted, tmp_path, capsys):
    options = ["-k", "2", "--max-steps", "1", "--out", str(tmp_path)]
    assert main(["fit", str(fitted / "data.csv"), *options]) == 1
    assert "MAX_STEPS" in capsys.readouterr().out
    for name in ("fit.npz", "parameters.csv", "rows.parquet", "report.html"):
        assert (tmp_path / name).stat().st_size > 0


def test_the_page_draws_the_pictures_of_the_library_in_its_own_colours(fitted):
    page = (fitted / "out" / "report.html").read_text()
    titles = re.findall(r"<figcaption><b>([\w ]+)\.</b>", page)
    wanted = ["Classes", "Densities", "Profiles", "How sure", "How many", "Convergence", "Restarts"]
    assert titles == wanted
    assert page.count("<svg") == len(wanted)
    pictures = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert "var(--class-1)" in pictures
    assert "currentColor" in pictures
    for colour in (*COLOURS, INK, FILL):
        assert colour not in pictures.lower()
    assert all(f"--class-{i}: #" in page for i in range(len(COLOURS)))
    assert ">$x_1$</text>" in pictures  # as it is called, no formula


def test_a_picture_that_is_refused_says_why(fitted, monkeypatch):
    recipe, fit = loaded(fitted / "out", None)
    monkeypatch.setattr(_shown, "MOST_CLASSES", 1)
    cells = [{"num_components": 2}]
    found = Candidates(cells, pd.DataFrame(cells), fit, "bic", 0)
    drawn = {f["title"]: f for f in figures(found, recipe)}
    assert "at most 1 of them" in drawn["Profiles"]["text"]
    assert drawn["Profiles"]["svg"] == ""
    assert "$x_1$" in drawn["Densities"]["svg"]


def test_candidates_that_were_only_screened_are_marked(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fitting, "MANY", 2)
    monkeypatch.setattr(fitting, "BEST", 1)
    x = np.random.default_rng(2).poisson([[2.0] * 20, [30.0] * 20]).ravel()
    file = tmp_path / "visits.csv"
    pd.DataFrame({"visits": np.r_[0, x]}).to_csv(file, index=False)
    assert main(["fit", str(file), "-k", "1:3", "--out", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [row["search"] for row in said["candidates"]] == ["in full", "screened", "screened"]
    assert "2 of 3 candidates were only screened" in said["screening"]
    assert said["screening"].split(" (")[0] in (tmp_path / "out" / "report.html").read_text()
    show(Console(width=80), said)
    printed = capsys.readouterr().out
    assert "screened" in printed
    assert "…" not in printed
    # Whoever says how many starts gets them for all.
    cells = fitting.grid([1, 2, 3], [])
    assert fitting.total(cells, {}) == 4
    assert fitting.total(cells, {"num_restarts": 1}) == 3


def test_what_was_taken_for_what_is_said():
    whole, zero = np.arange(1.0, 9) ** 2, np.arange(8) % 5
    table = Table(pa.table({"age": whole, "visits": zero, "cost": whole + 0.5}), ())
    columns = [Column("age", "number"), Column("visits", "count"), Column("cost", "number")]
    first, second = taken_for(columns, table)
    assert first.startswith("Taken for numbers: 'age', 'cost'; counts: 'visits'. --types age=KIND")
    assert "measurements: 'age'." in second
    assert "--types age=count" in second
    assert len(taken_for(columns[1:], table)) == 1


def test_ranges():
    assert components("1:3,5") == [1, 2, 3, 5]
    with pytest.raises(BadInput, match="takes a number"):
        components("3:1")


@pytest.mark.slow
def test_the_page_in_a_browser(fitted):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("there is no chromium")
    sync = pytest.importorskip("playwright.sync_api")
    page_file = Path(fitted / "out" / "report.html")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    asked, said, papers = [], [], set()
    with (
        sync.sync_playwright() as play,
        play.chromium.launch(executable_path=browser, args=["--no-sandbox"]) as chromium,
    ):
        for scheme, width in itertools.product(("light", "dark"), (1200, 400)):
            page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.on("request", lambda r: asked.append(r.url))
            page.on("console", lambda m: said.append(m.text))
            page.on("pageerror", lambda e: said.append(str(e)))
            page.goto(page_file.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert "<script>alert(1)</script>" in page.inner_text("#classes")
            assert page.locator("script").count() == 0
            assert page.locator("figure svg").count() == page.locator("figure").count() > 5
            papers.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            page.screenshot(path=SCREENSHOTS / f"report_{scheme}_{width}.png", full_page=True)
    assert len(papers) == 2  # a dark page is another than a light one
    assert set(asked) == {page_file.as_uri()}
    assert not said


def test_log_likelihoods_of_many_rows_can_be_told_apart():
    assert number(-2147931.7112) == "-2147931.71"
    assert number(-2147938.2) == "-2147938.20"
    assert number(3.2e-7) == "3.2e-07"
