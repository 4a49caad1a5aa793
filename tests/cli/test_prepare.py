"""From a file and options to a model: nothing is fitted here."""

import re
from pathlib import Path

import jax
import numpy as np
import pyarrow.parquet as pq
import pytest

from mixpyro.cli import columns, files
from mixpyro.cli.errors import BadInput
from mixpyro.cli.oddities import codes
from mixpyro.cli.prepare import Wanted, prepare

N = 40
RNG = np.random.default_rng(0)
DATA = {
    "id": np.arange(1, N + 1),
    "length": RNG.normal(size=N).round(3),
    "visits": 1 + RNG.poisson(4, N) * RNG.integers(0, 2, N) * 2,
    "grade": 1 + np.arange(N) % 5,
    "ill": np.arange(N) % 2,
    "town": np.where(np.arange(N) % 3, "Bern", "Köln"),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    file = tmp_path_factory.mktemp("data") / "data.csv"
    rows = zip(*DATA.values(), strict=True)
    file.write_text("\n".join([",".join(DATA), *(",".join(map(str, row)) for row in rows)]))
    return files.read(file)


def prepared(table, **wanted):
    with jax.enable_x64(True):
        return prepare(table, Wanted(Path("data.csv"), "mixpyro fit data.csv", **wanted))


def test_kinds_are_found(table):
    found = {name: columns.find(table, name)[0] for name in table.names}
    kinds = {name: c.kind if c else None for name, c in found.items()}
    assert kinds == {
        "id": None,
        "length": "number",
        "visits": "count",  # from 1, and spread more than Poisson's
        "grade": "number",
        "ill": "binary",
        "town": "category",
    }


def test_numbers_of_the_rows_are_taken_where_they_are_asked_for(tmp_path, table):
    """A year that explains, the values of a table of frequencies; not the numbers of people."""
    both = prepared(table, columns=["id", "length"]).recipe.arguments[0]
    assert [c.name for c in both.columns] == ["id", "length"]
    named = prepared(table, response=["length"], covariates=["id"])
    assert not named.left
    (design,) = [a for a in named.recipe.arguments if a.name == "covariates"]
    assert [c.name for c in design.columns] == ["id"]
    assert "id" in prepared(table, response=["length"]).left
    weighed = prepared(table, weights="visits", columns=[], drop=["grade", "ill", "town"])
    assert "id" in weighed.left
    file = tmp_path / "claims.csv"
    file.write_text("\n".join(["claims,policies", *(f"{i},{1000 // (i + 1)}" for i in range(12))]))
    counted = prepared(files.read(file), weights="policies")
    assert counted.recipe.model == "poisson_mixture"
    assert not counted.left
    with pytest.raises(BadInput, match="'claims': it numbers the rows; an option that names it"):
        prepared(files.read(file), drop=["policies"])


def test_whole_numbers_that_may_be_counts_are_told(table):
    notes = prepared(table, columns=["grade", "length", "visits"]).notes
    assert any("--types grade=count" in note for note in notes)
    assert not any("visits=count" in note for note in notes)
    told = prepared(table, columns=["grade", "length"], types=["grade=number"]).notes
    assert not any("Whole numbers" in note for note in told)


@pytest.mark.parametrize(
    ("wanted", "model"),
    [
        ({"columns": ["length"]}, "gaussian_mixture"),
        ({"columns": ["visits"]}, "poisson_mixture"),
        ({"columns": ["ill"]}, "bernoulli_mixture"),
        ({"columns": ["ill", "town"]}, "latent_class"),
        ({}, "latent_profile"),
        ({"response": ["length"]}, "linear_regression_mixture"),
        ({"response": ["visits"]}, "poisson_regression_mixture"),
        ({"response": ["ill"]}, "logistic_regression_mixture"),
        ({"response": ["length"], "group": "town"}, "growth_mixture"),
    ],
)
def test_the_model_follows_from_the_columns(table, wanted, model):
    assert prepared(table, **wanted).recipe.model == model


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"columns": ["lenght"]}, "did you mean 'length'"),
        ({"model": "gausian_mixture"}, "did you mean 'gaussian_mixture'"),
        ({"model": "poisson"}, "did you mean 'poisson_mixture'"),
        ({"covariates": ["length"]}, "name that by --response"),
        ({"model": "gaussian_mixture", "response": ["length"]}, "explains no response; these do"),
        ({"group": "town"}, "of the collection .*growth_mixture"),
        ({"response": ["town"]}, "name one by --model: "),
        ({"response": ["ill"], "group": "town"}, "with groups"),
    ],
)
def test_what_cannot_be_is_a_sentence(table, wanted, words):
    with pytest.raises(BadInput, match=words):
        prepared(table, **wanted)


def test_codes_for_gaps_are_told_and_taken(tmp_path):
    """Nines, if they lie far from everything else; a number however it is written."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(20, 3, (2, N)).round(2)
    file = tmp_path / "survey.csv"
    rows = [
        f"{a},{'-999.00' if i % 8 == 0 else b}" for i, (a, b) in enumerate(zip(x, y, strict=True))
    ]
    file.write_text("\n".join(["age,income", *rows]))
    notes = prepared(files.read(file)).notes
    assert any("5 rows have -999 for 'income'" in n and "--missing -999" in n for n in notes)
    read = files.read(file, ["-999"])
    assert read.arrow.column("income").null_count == 5
    assert not any("-999" in note for note in prepared(read).notes)
    # Written to a file whose cells are numbers, too; 99 among others like it is no code.
    parquet = tmp_path / "survey.parquet"
    pq.write_table(files.read(file).arrow, parquet)
    assert files.read(parquet, ["-999"]).arrow.column("income").null_count == 5
    assert codes({"a": np.r_[x, 99.0], "b": np.arange(80.0, 100.0), "c": np.r_[x, np.nan]}) == [
        "One row has 99 for 'a', far from all others: if that is a code for a gap, say "
        "--missing 99."
    ]
    assert codes({"nobody": np.full(5, np.nan)}) == []


@pytest.mark.parametrize("written", ["1,126", "12.5%", "$ 3.10", "-4 %"])
def test_numbers_written_otherwise_are_told(tmp_path, written):
    file = tmp_path / "sales.csv"
    cells = [f'"{written}"', *(f'"{re.sub("[0-9]", str(i), written, count=1)}"' for i in range(60))]
    file.write_text("\n".join(["price,x", *(f"{c},{i % 7}.5" for i, c in enumerate(cells))]))
    column, why = columns.find(files.read(file), "price")
    assert column is None
    assert f"numbers written as '{written}'" in why


@pytest.mark.parametrize("mark", ["{i}.03.2024", "192.168.{i}.1", "079 555 {i} 12"])
def test_dates_and_addresses_are_no_numbers(tmp_path, mark):
    file = tmp_path / "log.csv"
    file.write_text(
        "\n".join(["when,x", *(f"{mark.format(i=i)},{i % 7}.5" for i in range(10, 75))])
    )
    column, why = columns.find(files.read(file), "when")
    assert column is None
    assert "65 different texts" in why


def test_remarks_before_the_table_are_passed_over(tmp_path):
    file = tmp_path / "export.csv"
    file.write_text("# made on Monday\n\n# by nobody, really\na,b\n1.5,2\n2.5,3\n")
    table = files.read(file)
    assert table.names == ["a", "b"]
    assert len(table) == 2
    assert any("remarks" in note for note in table.notes)
    file.write_text("#a,b\n1.5,2\n2.5,3\n")  # a name may begin so
    assert files.read(file).names == ["#a", "b"]
    file.write_text("\n\na,b\n1.5,2\n2.5,3\n")
    assert files.read(file) == files.Table(table.arrow)
