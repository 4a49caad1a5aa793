"""The scripts of examples/ run, and find what was published; the page of models is complete."""

import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import gamma

from mixpyro import models

from .published_chains import (
    hidden_markov,
    latent_transition,
    markov_chain_mixture,
    multilevel_latent_class,
    switching_regression,
)
from .published_classes import PUBLISHED as CLASSES
from .published_counts import PUBLISHED as COUNTS
from .published_measurements import PUBLISHED as MEASUREMENTS
from .published_numbers import OURS

ROOT = Path(__file__).parents[1]
SCRIPTS = {path.stem: path for path in sorted((ROOT / "examples").glob("*.py"))}
PAGE = (ROOT / "docs" / "models.md").read_text()

# {example: (published, ours)} of the page's second table.
SHOWN = {
    name: (published, ours)
    for name, published, ours in re.findall(
        r"^\| \[(\w+)\]\([^)]*\) \|[^|]*\| (\S+) \| (\S+) \|", PAGE, re.MULTILINE
    )
}


def bernoulli_mixture(found):
    """Goodman (1974): G squared 2.72 on 6 degrees; poLCA's help page: -504.4677."""
    assert found["fits"][2].log_likelihood == pytest.approx(-504.4677, abs=5e-5)
    assert round(float(found["deviance"]), 2) == 2.72


def binomial_mixture(found):
    """Wikipedia, "Beta-binomial distribution", of these families: an AIC of 25070.34."""
    assert found["fits"][1].aic == pytest.approx(25070.34, abs=0.005)


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


def gamma_mixture(found):
    """Davison and Hinkley (1997), example 2.9: a mean of 108.083 hours, a shape of 0.707."""
    assert found["shape"] == pytest.approx(0.707, abs=6e-4)
    assert found["shape"] / found["rate"] == pytest.approx(108.083, abs=5e-4)
    assert found["shape"] == pytest.approx(gamma.fit(found["hours"], floc=0)[0], rel=1e-4)


def gamma_regression_mixture(found):
    """Davison and Hinkley (1997), example 7.1: 8.477 - 1.109 x, by an exponential law.

    Whatever the shape, the mean's equations are those of that law; SciPy solves them.
    """
    level, slope = found["fits"][1].params["coefficients"][0]
    middle = found["cells"].mean()
    assert (round(float(level - slope * middle), 3), round(float(slope), 3)) == (8.477, -1.109)
    design, weeks = found["design"], found["weeks"]
    solved = minimize(lambda b: np.sum(design @ b + weeks * np.exp(-design @ b)), [4.0, -1.0])
    np.testing.assert_allclose(found["fits"][1].params["coefficients"][0], solved.x, rtol=1e-4)


def gaussian_mixture(found):
    """Pearson (1894), by moments: near the likelihood's solution, within its standard errors."""
    order = np.argsort(np.asarray(found["two"].params["loc"])[:, 0])
    errors = found["two"].standard_errors()
    for name, published in [("loc", [0.6326, 0.6566]), ("scale", [0.0179, 0.0125])]:
        away = np.asarray(found["two"].params[name])[order, 0] - published
        assert np.all(np.abs(away) < 2 * np.asarray(errors[name])[order, 0]), name


def growth_mixture(found):
    """Pinheiro and Bates (2000): 16.7611 + 0.6602 age, by least squares with an error of 2.537."""
    one = found["fits"][1].params
    np.testing.assert_allclose(one["coefficients"][0], [16.76111, 0.66019], atol=5e-6)
    assert float(one["scale"][0]) * np.sqrt(108 / 106) == pytest.approx(2.537151, abs=5e-7)


def hurdle_poisson(found):
    """Meng (1997): the rate of the infected households is 0.972, by the positive counts alone."""
    assert round(float(found["fit"].params["rate"][0]), 3) == 0.972
    assert float(found["fit"].params["gate"]) == pytest.approx(168 / 223, rel=1e-6)


def kmeans_mixture(found):
    """The sum of squares of R's help page of kmeans; mclust's BIC of VEV with two (its sign)."""
    assert float(found["clusters"].inertia) == pytest.approx(78.85144, abs=5e-6)
    assert found["fits"][2].bic == pytest.approx(561.7285, abs=1e-3)


def latent_class(found):
    """Linzer and Lewis (2011), section 5.1, and the help page of poLCA."""
    two, three, four = (fit.log_likelihood for fit in found["sweep"].fits[1:])
    np.testing.assert_allclose((two, three, four), (-317.2568, -293.705, -289.2858), atol=5e-5)
    assert found["three"].bic == pytest.approx(697.1357, abs=5e-5)
    shares = np.asarray(found["three"].params["weights"])
    np.testing.assert_allclose(shares, [0.4447, 0.3736, 0.1817], atol=1e-4)


def linear_regression_mixture(found):
    """Benaglia, Chauveau, Hunter and Young (2009), section 5: mixtools."""
    assert found["fit"].log_likelihood == pytest.approx(-66.93977, abs=2e-5)


def logistic_regression_mixture(found):
    """Dobson (2002), section 7.3: -60.72 (5.18) and 34.27 (2.91)."""
    one = found["fits"][1]
    np.testing.assert_array_equal(np.round(one.params["coefficients"][0], 2), [-60.72, 34.27])
    errors = one.standard_errors()["coefficients"][0]
    np.testing.assert_array_equal(np.round(errors, 2), [5.18, 2.91])


def mixed_rasch(found):
    """The conditional likelihood by SciPy; Rizopoulos (2006), by normal abilities, is near it."""
    told, fit = found["told"], found["fits"][1]

    def minus(free):  # easiness of items, by elementary symmetric functions as a polynomial
        e = np.append(free, -free.sum())
        symmetric = np.poly(-np.exp(e))
        return np.sum(np.log(symmetric[told.sum(1)])) - np.sum(told @ e)

    solved = -minimize(minus, np.zeros(4)).x
    np.testing.assert_allclose(fit.params["difficulty"][0, :4], solved, atol=1e-4)
    marginal = 0.7551 * np.array([-3.6153, -1.3224, -0.3176, -1.7301, -2.7802])
    np.testing.assert_allclose(found["difficulty"], marginal - marginal.mean(), atol=0.003)


def negative_binomial_mixture(found):
    """Bliss and Fisher (1953): k = 1.02459."""
    assert float(found["fit"].params["concentration"][0]) == pytest.approx(1.02459, abs=1e-5)


def occupancy(found):
    """MacKenzie et al. (2006), page 99: 0.5946 and 0.2587, AIC 165.7586 (PRESENCE)."""
    assert (round(found["lives"], 4), round(found["found"], 4)) == (0.5946, 0.2587)
    assert found["fit"].aic == pytest.approx(165.7586, abs=5e-5)


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


def robust_regression(found):
    """Rousseeuw and Leroy (1987), page 26: -260.1 + 5.04 x by least squares; who lies outside."""
    np.testing.assert_allclose(found["least_squares"], [-260.1, 5.04], atol=0.05)
    outside = found["year"][found["outlying"] > 0.5]
    np.testing.assert_array_equal(outside, np.arange(63, 71))  # 1963 and 1970 in part, they say


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


def weibull_mixture(found):
    """Dekking et al. (2005), of Lieblein and Zelen (1956): a shape of 2.102."""
    assert round(found["shape"], 3) == 2.102


def zero_inflated_poisson(found):
    """Meng (1997): the rate of the infected households is 0.972."""
    assert round(found["rate"], 3) == 0.972


PUBLISHED = [
    bernoulli_mixture,
    binomial_mixture,
    capture_recapture,
    changepoint,
    dawid_skene,
    gamma_mixture,
    gamma_regression_mixture,
    gaussian_mixture,
    growth_mixture,
    hidden_markov,
    hurdle_poisson,
    kmeans_mixture,
    latent_class,
    latent_transition,
    linear_regression_mixture,
    logistic_regression_mixture,
    markov_chain_mixture,
    mixed_rasch,
    multilevel_latent_class,
    negative_binomial_mixture,
    occupancy,
    poisson_mixture,
    poisson_regression_mixture,
    robust_regression,
    survival_mixture,
    switching_regression,
    two_coins,
    von_mises_mixture,
    weibull_mixture,
    zero_inflated_poisson,
    *CLASSES,
    *COUNTS,
    *MEASUREMENTS,
]


@pytest.mark.slow
@pytest.mark.parametrize("check", PUBLISHED, ids=lambda check: check.__name__)
def test_an_example_finds_what_was_published(check, x64, capsys, monkeypatch):
    shown = []
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: shown.append(_drawn(plt.gcf())))
    found = runpy.run_path(str(SCRIPTS[check.__name__]))
    check(found)
    if check.__name__ in SHOWN:
        published, ours = SHOWN[check.__name__]
        own = float(OURS[check.__name__](found))
        assert f"{own:.{len(published.partition('.')[2])}f}" == published
        assert own == pytest.approx(float(ours), abs=10.0 ** -len(ours.partition(".")[2]))
    assert capsys.readouterr().out.count("\n") >= 2
    assert shown


def _drawn(figure):
    """A picture with its axes named, drawn to the end."""
    axes = figure.axes
    assert all(ax.get_xlabel() or ax.get_ylabel() for ax in axes)
    assert any(ax.get_xlabel() and ax.get_ylabel() for ax in axes)
    figure.canvas.draw()
    plt.close(figure)
    return True


def test_every_example_is_short_and_has_its_number():
    assert {check.__name__ for check in PUBLISHED} == set(SCRIPTS)
    for path in SCRIPTS.values():
        assert 20 <= len(path.read_text().splitlines()) <= 60, path.name


def test_the_page_shows_two_dozen_published_numbers():
    assert SHOWN.keys() == OURS.keys()
    assert len(SHOWN) >= 24


def test_the_page_of_models_is_complete():
    rows = re.findall(r"^\| `(\w+)` \|(.*)$", PAGE, re.MULTILINE)
    assert [name for name, _ in rows] == list(models.CATALOGUE)
    linked = {name for name, row in rows if f"(../examples/{name}.py)" in row}
    assert linked == set(SCRIPTS)
