"""The scripts of examples/ run, and find what was published; the page of models is complete."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from mixpyro import models

ROOT = Path(__file__).parents[1]
SCRIPTS = {path.stem: path for path in sorted((ROOT / "examples").glob("*.py"))}
PAGE = (ROOT / "docs" / "models.md").read_text()


def bernoulli_mixture(found):
    """Goodman (1974): G squared 2.72 on 6 degrees; poLCA's help page: -504.4677."""
    assert found["fits"][2].log_likelihood == pytest.approx(-504.4677, abs=5e-5)
    assert round(float(found["deviance"]), 2) == 2.72


def capture_recapture(found):
    """Baillargeon and Rivest (2007), model M0: 75.4 hares."""
    assert round(float(found["numbers"][1]), 1) == 75.4


def changepoint(found):
    """Carlin, Gelfand and Smith (1992): a mode of 41 years; 3.1 and 0.9 a year."""
    assert found["last"] == 1891
    np.testing.assert_allclose(found["fit"].params["rate"], [3.1, 0.9], atol=0.05)


def dawid_skene(found):
    """Dawid and Skene (1979): the shares of the grades, and how observer 1 grades 1, 2 and 3."""
    weights, confusion = (np.asarray(found["fit"].params[n]) for n in ("weights", "confusion"))
    np.testing.assert_array_equal(weights.round(2), [0.40, 0.42, 0.11, 0.07])
    published = [[0.89, 0.11, 0, 0], [0.07, 0.88, 0.05, 0], [0, 0.34, 0.66, 0]]
    np.testing.assert_allclose(confusion[:3, 0], published, atol=0.0051)


def gaussian_mixture(found):
    """Pearson (1894), by moments: near the likelihood's solution, within its standard errors."""
    order = np.argsort(np.asarray(found["two"].params["loc"])[:, 0])
    errors = found["two"].standard_errors()
    for name, published in [("loc", [0.6326, 0.6566]), ("scale", [0.0179, 0.0125])]:
        away = np.asarray(found["two"].params[name])[order, 0] - published
        assert np.all(np.abs(away) < 2 * np.asarray(errors[name])[order, 0]), name


def hurdle_poisson(found):
    """Meng (1997): the rate of the infected households is 0.972, by the positive counts alone."""
    assert round(float(found["fit"].params["rate"][0]), 3) == 0.972
    assert float(found["fit"].params["gate"]) == pytest.approx(168 / 223, rel=1e-6)


def linear_regression_mixture(found):
    """Benaglia, Chauveau, Hunter and Young (2009), section 5: mixtools."""
    assert found["fit"].log_likelihood == pytest.approx(-66.93977, abs=2e-5)


def negative_binomial_mixture(found):
    """Bliss and Fisher (1953): k = 1.02459."""
    assert float(found["fit"].params["concentration"][0]) == pytest.approx(1.02459, abs=1e-5)


def poisson_mixture(found):
    """Hasselblad (1969): 0.3599 of the days with 1.256 deaths, 0.6401 with 2.663."""
    fit = found["fit"]
    assert fit.log_likelihood == pytest.approx(-1989.94586, abs=5e-6)
    np.testing.assert_allclose(np.sort(fit.params["rate"]), [1.256, 2.663], atol=1e-3)


def poisson_regression_mixture(found):
    """Aitkin (1996): -4.173 (1.135) and 0.997 (0.176) for one component."""
    np.testing.assert_allclose(found["one"].params["coefficients"][0], [-4.173, 0.997], atol=5e-4)
    errors = found["one"].standard_errors()["coefficients"][0]
    np.testing.assert_allclose(errors, [1.135, 0.176], atol=5e-4)


def survival_mixture(found):
    """Venables and Ripley (2002), section 13.2: survreg, intercept only, -116.4."""
    assert round(found["fits"][1].log_likelihood, 1) == -116.4


def two_coins(found):
    """Do and Batzoglou (2008), figure 1b: 0.80 and 0.52."""
    assert round(float(found["fit"].params["p"]), 2) == 0.80
    assert round(float(found["fit"].params["q"]), 2) == 0.52


def von_mises_mixture(found):
    """Mardia and Jupp (2000): the two directions are nearly opposite, four in five the one way."""
    loc = np.rad2deg(np.asarray(found["fit"].params["loc"]))
    assert abs(abs(loc[0] - loc[1]) % 360 - 180) < 10
    assert np.asarray(found["fit"].params["weights"]).max() == pytest.approx(0.8, abs=0.05)


def zero_inflated_poisson(found):
    """Meng (1997): the rate of the infected households is 0.972."""
    assert round(found["rate"], 3) == 0.972


PUBLISHED = [
    bernoulli_mixture,
    capture_recapture,
    changepoint,
    dawid_skene,
    gaussian_mixture,
    hurdle_poisson,
    linear_regression_mixture,
    negative_binomial_mixture,
    poisson_mixture,
    poisson_regression_mixture,
    survival_mixture,
    two_coins,
    von_mises_mixture,
    zero_inflated_poisson,
]


@pytest.mark.slow
@pytest.mark.parametrize("check", PUBLISHED, ids=lambda check: check.__name__)
def test_an_example_finds_what_was_published(check, x64, capsys):
    found = runpy.run_path(str(SCRIPTS[check.__name__]))
    check(found)
    assert capsys.readouterr().out.count("\n") >= 2


def test_every_example_is_short_and_has_its_number():
    assert {check.__name__ for check in PUBLISHED} == set(SCRIPTS)
    for path in SCRIPTS.values():
        assert 20 <= len(path.read_text().splitlines()) <= 60, path.name


def test_the_page_of_models_is_complete():
    rows = re.findall(r"^\| `(\w+)` \|(.*)$", PAGE, re.MULTILINE)
    assert [name for name, _ in rows] == list(models.CATALOGUE)
    linked = {name for name, row in rows if f"(../examples/{name}.py)" in row}
    assert linked == set(SCRIPTS)
