"""The data sets against totals and summaries that were published with them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize
from sklearn.datasets import load_iris

from mixpyro import data

LOADERS = [name.removeprefix("load_") for name in data.__all__]
PAGE = (Path(__file__).parents[1] / "docs" / "data.md").read_text()


def test_the_page_lists_all_of_them():
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)[0] == "old_faithful"
    assert sorted(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == sorted(LOADERS)
    assert all(name in data.__dict__ for name in data.__all__)


@pytest.mark.parametrize("name", LOADERS)
def test_tables_have_the_size_that_the_page_says(name):
    table = getattr(data, f"load_{name}")()
    (size,) = re.findall(rf"^\| `{name}` \|.*?\| (\d+) x (\d+)", PAGE, re.MULTILINE)
    assert table.shape == tuple(map(int, size))
    assert not pd.isna(table).any(axis=None)


def repeated(table, value, frequency):
    return np.repeat(table[value].to_numpy(), table[frequency])


def test_totals_are_the_published_ones():
    assert len(repeated(data.load_death_notices(), "deaths", "days")) == 1096  # three years
    cholera = repeated(data.load_cholera(), "cases", "households")
    assert (len(cholera), cholera.sum()) == (223, 86)
    mites = repeated(data.load_red_mites(), "mites", "leaves")
    assert (len(mites), mites.sum()) == (150, 172)
    assert data.load_role_conflict()["people"].sum() == 216
    assert data.load_hares()["hares"].sum() == 68
    light = data.load_light()["deviation"]
    assert (len(light), round(light.mean(), 1), light.median()) == (66, 26.2, 27)
    homes = data.load_housing()
    assert (homes.drop(columns="place").sum(axis=1) == 5).all()
    assert homes["place"].value_counts().to_dict() == {"rural": 18, "urban": 17}
    assert data.load_sex_ratio()["families"].sum() == 6115
    assert data.load_carcinoma()["slides"].sum() == 118
    assert data.load_beetles()[["beetles", "killed"]].sum().tolist() == [481, 291]
    assert data.load_air_conditioning()["hours"].mean() == pytest.approx(108.083, abs=5e-4)


def test_law_school():
    """Rizopoulos (2006): the shares of right answers."""
    table = data.load_law_school()
    assert table["people"].sum() == 1000
    right = table.filter(like="item").mul(table["people"], axis=0).sum() / 1000
    np.testing.assert_array_equal(right, [0.924, 0.709, 0.553, 0.763, 0.870])


def test_iris_is_that_of_scikit_learn():
    theirs = load_iris()
    table = data.load_iris()
    np.testing.assert_array_equal(table.drop(columns="species"), theirs.data)
    np.testing.assert_array_equal(table["species"], theirs.target_names[theirs.target])


def test_dental_growth():
    """The lines of girls and of boys by least squares, as in SAS's manual of PROC MIXED."""
    lines = {
        sex: np.polyfit(rows["age"], rows["millimetres"], 1)
        for sex, rows in data.load_dental_growth().groupby("sex")
    }
    np.testing.assert_allclose(lines["girl"], [0.4795, 17.3727], atol=5e-5)
    np.testing.assert_allclose(lines["boy"], [0.7844, 16.3406], atol=5e-5)


def test_salamanders():
    """Seen at 18 of 39 sites, on 30 visits (MacKenzie et al. 2006)."""
    seen = data.load_salamanders().to_numpy()
    assert (seen.any(1).sum(), seen.sum()) == (18, 30)


def test_coal_disasters():
    table = data.load_coal_disasters()
    assert table["disasters"].sum() == 191
    assert (table["year"].min(), table["year"].max()) == (1851, 1961)


def test_anaesthetists():
    table = data.load_anaesthetists()
    ratings = table.groupby("observer").size().to_numpy()
    np.testing.assert_array_equal(ratings, [135, 45, 45, 45, 45])
    assert set(table["grade"]) == {1, 2, 3, 4}


def test_crabs():
    """Pearson (1894), in the words of later authors: a mean of 0.645 and a deviation of 0.019."""
    ratio = repeated(data.load_crabs(), "ratio", "crabs")
    assert len(ratio) == 1000
    assert round(ratio.mean(), 3) == 0.645
    assert round(ratio.std(), 3) == 0.019


def test_turtles():
    """Mardia and Jupp (2000): a mean direction of 64.2 degrees, of resultant length 0.497."""
    resultant = np.exp(1j * np.deg2rad(data.load_turtles()["degrees"].to_numpy())).mean()
    assert round(np.rad2deg(np.angle(resultant)), 1) == 64.2
    assert round(abs(resultant), 3) == 0.497


def test_remissions():
    """Gehan (1965): 21 children a treatment, of whom 12 on 6-MP were still in remission."""
    table = data.load_remissions().groupby("treatment")
    assert table.size().to_dict() == {"6-MP": 21, "placebo": 21}
    assert table["relapse"].sum().to_dict() == {"6-MP": 9, "placebo": 21}
    assert table["weeks"].sum().to_dict() == {"6-MP": 359, "placebo": 182}


def test_earthquakes():
    """Zucchini and MacDonald (2009), section 1.2: mean 19.36, variance 51.57."""
    table = data.load_earthquakes()
    np.testing.assert_array_equal(table.iloc[[0, -1]], [[1900, 13], [2006, 11]])
    counts = table["earthquakes"]
    np.testing.assert_allclose((counts.mean(), counts.var()), (19.36, 51.57), atol=0.005)


def test_fed_funds():
    """From the third quarter of 1954 to the last of 2010, with its peak of 1981."""
    table = data.load_fed_funds()
    assert table["quarter"].iloc[[0, -1]].tolist() == ["1954Q3", "2010Q4"]
    assert table.loc[table["percent"].idxmax()].tolist() == ["1981Q2", 17.78]


def test_panels_have_the_published_totals():
    """Goodman (1974): 3,398 boys. Zeger, Liang and Albert (1988): 350 and 187 children; the
    logistic regression of wheezing on age (from 9), smoking and both, as geepack's help page has
    it by an exchangeable correlation."""
    assert data.load_leading_crowd()["boys"].sum() == 3398
    table = data.load_wheeze()
    assert table.groupby("mother_smokes")["children"].sum().tolist() == [350, 187]
    long = table.melt(["mother_smokes", "children"], var_name="age", value_name="wheezed")
    age = long["age"].str.removeprefix("age_").astype(int) - 9
    smokes = long["mother_smokes"]
    design = np.column_stack([np.ones(len(long)), age, smokes, age * smokes])

    def minus(b):
        eta = design @ b
        return np.sum(long["children"] * (np.logaddexp(0, eta) - long["wheezed"] * eta))

    found = optimize.minimize(minus, np.zeros(4)).x
    np.testing.assert_allclose(found, [-1.9005, -0.1412, 0.3138, 0.0708], atol=5e-4)


def test_strikes():
    """As in LIMDEP's and Greene's listings: 62 strikes of 1 to 216 days, 2646 in all."""
    table = data.load_strikes()
    assert (table["days"].min(), table["days"].max(), table["days"].sum()) == (1, 216, 2646)


def test_floods():
    """Dumonceaux and Antle (1973): the flood of March 1936, 0.740, is the greatest."""
    flow = data.load_floods()["flow"]
    assert (flow.min(), flow.max(), flow.median()) == (0.265, 0.740, pytest.approx(0.407))


def test_apple_shoots():
    """Ridout, Demetrio and Hinde (1998): 140 shoots under short days, 2 without roots; 130, 62."""
    table = data.load_apple_shoots()
    assert table.groupby("hours")["shoots"].sum().tolist() == [140, 130]
    assert table[table["roots"] == 0].groupby("hours")["shoots"].sum().tolist() == [2, 62]


def test_horseshoe_crabs():
    """Agresti (2002), section 4.3: the Poisson regression on width, -3.305 + 0.164 width."""
    table = data.load_horseshoe_crabs()
    assert (len(table), (table["satellites"] == 0).sum()) == (173, 62)
    width, y = table["width"].to_numpy(), table["satellites"].to_numpy()

    def minus(b):
        eta = b[0] + b[1] * (width - 26)
        return np.sum(np.exp(eta) - y * eta)

    level, slope = optimize.minimize(minus, [1, 0]).x
    np.testing.assert_allclose((level - 26 * slope, slope), (-3.305, 0.164), atol=5e-4)


def test_transplants():
    """Klein and Moeschberger (2003), section 1.9: 50 allogeneic and 51 autologous ones."""
    table = data.load_transplants().groupby("transplant")
    assert table.size().to_dict() == {"allogeneic": 50, "autologous": 51}
    assert table["event"].sum().to_dict() == {"allogeneic": 22, "autologous": 28}


def test_fritillaries():
    """Kery and Schaub (2012): 95 sites, two counts on each of seven days, some not made."""
    sites = data.load_fritillaries().groupby("day")["sites"].sum()
    assert sites.tolist() == [75, 87, 95, 95, 95, 95, 87]
