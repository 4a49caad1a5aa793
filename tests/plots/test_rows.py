"""Pictures of the rows: what is drawn is compared with numbers worked out here."""

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from matplotlib.colors import to_rgba
from matplotlib.contour import QuadContourSet
from scipy import stats

from mixpyro import em, models
from mixpyro.plots import _style
from mixpyro.plots.clusters import ellipse

from .conftest import KEY, PLANE, N

pytestmark = pytest.mark.usefixtures("x64")


def joint(fit, x):
    """(n, k) log of weight times density of normals."""
    weights, loc, cov = (np.asarray(fit.params[n]) for n in ("weights", "loc", "covariance_matrix"))
    each = [stats.multivariate_normal(m, c).logpdf(x) for m, c in zip(loc, cov, strict=True)]
    return np.stack(each, -1) + np.log(weights)


def test_clusters_are_the_rows_by_their_class(plane):
    axes = plane.plot.clusters()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("length", "<wait>")
    log_joint = joint(plane, PLANE)
    best = log_joint.argmax(1)
    sure = 1 / (1 + np.exp(-np.abs(log_joint[:, 0] - log_joint[:, 1]))) >= 0.8
    drawn = axes.collections[:4]
    expected = [PLANE[(best == k) & (sure == s)] for k in (0, 1) for s in (True, False)]
    assert [len(d.get_offsets()) for d in drawn] == [len(e) for e in expected]
    assert sum(len(e) for e in expected[1::2]) > 0  # some are hollow
    for points, rows in zip(drawn, expected, strict=True):
        np.testing.assert_allclose(points.get_offsets(), rows, rtol=1e-6)
    np.testing.assert_allclose(drawn[0].get_facecolor()[0, :3], to_rgba(_style.COLOURS[0])[:3])
    assert len(drawn[1].get_facecolor()) == 0
    names = [t.get_text() for t in axes.get_legend().get_texts()]
    assert names == ["class 0", "class 1", "hollow: below 0.8 sure"]


def test_ellipses_hold_what_they_say(plane):
    axes = plane.plot(classes=["short", "long"]).clusters()
    curves = [line for line in axes.get_lines() if len(line.get_xdata()) == 200]
    pairs = [(k, mass) for k in (0, 1) for mass in (0.5, 0.95)]
    for line, (k, mass) in zip(curves, pairs, strict=True):
        gap = np.stack(line.get_data(), 1) - plane.params["loc"][k]
        inverse = np.linalg.inv(plane.params["covariance_matrix"][k])
        distance = np.einsum("ni,ij,nj->n", gap, inverse, gap)
        np.testing.assert_allclose(distance, stats.chi2.ppf(mass, 2), rtol=1e-6)
    assert [t.get_text() for t in axes.get_legend().get_texts()][:2] == ["short", "long"]


def test_the_ellipse_of_a_students_t_holds_its_share():
    rng = np.random.default_rng(0)
    matrix = np.array([[2.0, 0.5], [0.5, 1.0]])
    x = stats.multivariate_t(np.zeros(2), matrix, df=3, seed=rng).rvs(20_000)
    radius = np.einsum("ni,ij,nj->n", x, np.linalg.inv(matrix), x)
    edge = ellipse(np.zeros(2), matrix, 3.0, 0.9)[:, 0]
    inside = np.mean(radius <= edge @ np.linalg.solve(matrix, edge))
    assert inside == pytest.approx(0.9, abs=0.01)


def test_the_boundary_is_where_classes_are_even(plane):
    axes = plane.plot.clusters()
    (line,) = (c for c in axes.collections if isinstance(c, QuadContourSet))
    points = np.concatenate([p.vertices for p in line.get_paths()])
    log_joint = joint(plane, points)
    assert len(points) > 20
    np.testing.assert_allclose(log_joint[:, 0], log_joint[:, 1], atol=0.02)


def test_pairs_of_more_columns():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N, 3)) + np.where(np.arange(N) < 30, 0, 4)[:, None]
    fit = em.EM(models.gaussian_mixture).run(KEY, x, num_components=2, covariance="diagonal")
    axes = fit.plot.clusters()
    assert axes.shape == (3, 3)
    shown = np.concatenate([c.get_offsets() for c in axes[2, 1].collections])
    np.testing.assert_allclose(np.sort(shown, 0), np.sort(x[:, [1, 2]], 0), rtol=1e-6)
    assert not axes[0, 2].axison
    assert [a.get_xlabel() for a in axes[2]] == ["x[0]", "x[1]", "x[2]"]
    # Independent columns: the axes of the ellipses are those of the plane.
    width = np.ptp([q for line in axes[2, 1].get_lines() for q in line.get_xdata()][200:400])
    spread = 2 * np.sqrt(stats.chi2.ppf(0.95, 2)) * float(fit.params["scale"][0, 1])
    assert width == pytest.approx(spread, rel=1e-3)
    two = fit.plot.clusters(columns=["x[2]", 0])
    assert (two.get_xlabel(), two.get_ylabel()) == ("x[2]", "x[0]")
    with pytest.raises(ValueError, match="no column 'y'; the columns are 'x\\[0\\]'"):
        fit.plot.clusters(columns=["y", 0])
    with pytest.raises(ValueError, match="array of 3 x 3 matplotlib Axes"):
        fit.plot.clusters(ax=plt.figure().add_subplot())


def test_densities_are_weighted_normals(plane):
    _, own = plt.subplots(1, 2)
    axes = plane.plot.density(ax=own)
    assert axes[0, 0] is own[0]
    for j, here in enumerate(axes.ravel()):
        *parts, whole = here.get_lines()
        total = 0
        for k, line in enumerate(parts):
            sd = np.sqrt(plane.params["covariance_matrix"][k, j, j])
            law = stats.norm(plane.params["loc"][k, j], sd)
            expected = plane.params["weights"][k] * law.pdf(line.get_xdata())
            np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-8, atol=1e-12)
            total = total + expected
        np.testing.assert_allclose(whole.get_ydata(), total, rtol=1e-8)
        area = sum(bar.get_width() * bar.get_height() for bar in here.patches)
        assert area == pytest.approx(1)


def test_the_density_of_a_regression_is_averaged_over_rows_and_weights():
    """Of rows whose weights and gaps count too."""

    def lines(x, y, weights):
        shares = numpyro.sample("shares", dist.Dirichlet(jnp.ones(2)))
        with numpyro.plate("classes", 2):
            slope = numpyro.sample("slope", dist.Normal(0, 5))
        with numpyro.plate("rows", len(y)), numpyro.handlers.scale(scale=weights):
            z = numpyro.sample("z", dist.Categorical(shares))
            numpyro.sample("y", dist.Normal(slope[z] * x, 1.0), obs=y)

    rng = np.random.default_rng(1)
    x, weights = rng.uniform(-2, 2, N), rng.integers(1, 4, N).astype(float)
    y = np.where(np.arange(N) < 30, 2, -2) * x + rng.normal(size=N)
    y[4] = np.nan
    fit = em.EM(lines).run(KEY, x, y, weights)
    first, _, whole = fit.plot.density().get_lines()
    there = ~np.isnan(y)
    law = stats.norm(np.asarray(fit.params["slope"])[:, None, None] * x[there], 1.0)
    parts = law.pdf(whole.get_xdata()[:, None]) @ weights[there] / weights[there].sum()
    parts = parts * np.asarray(fit.params["shares"])[:, None]
    np.testing.assert_allclose(first.get_ydata(), parts[0], rtol=1e-6)
    np.testing.assert_allclose(whole.get_ydata(), parts.sum(0), rtol=1e-6)


def test_a_rootogram_hangs(counts):
    axes = counts.plot.rootogram()
    x = np.asarray(counts.call.arrays[0])
    values = np.arange(x.max() + 1)
    law = stats.poisson(np.asarray(counts.params["rate"]).reshape(2, 1))
    expected = N * np.asarray(counts.params["weights"]) @ law.pmf(values)
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), np.sqrt(expected), rtol=1e-7)
    top = [bar.get_y() + bar.get_height() for bar in axes.patches]
    height = [bar.get_height() for bar in axes.patches]
    np.testing.assert_allclose(top, np.sqrt(expected), rtol=1e-7)
    np.testing.assert_allclose(height, np.sqrt(np.bincount(x.astype(int))), rtol=1e-7)


def test_uncertainty_is_sorted(plane):
    axes = plane.plot.uncertainty()
    line = axes.get_lines()[0]
    gap = np.abs(np.subtract(*joint(plane, PLANE).T))
    np.testing.assert_allclose(line.get_ydata(), np.sort(1 / (1 + np.exp(gap))), atol=1e-9)
    np.testing.assert_allclose(line.get_xdata(), np.arange(1, N + 1) / N)


@pytest.mark.parametrize(
    ("which", "picture", "words"),
    [
        ("counts", "clusters", "this fit has one; fit.plot.density"),
        ("items", "clusters", "are categories; fit.plot.profiles"),
        ("plane", "rootogram", "this fit has none; fit.plot.density"),
        ("plane", "states", "the rows of this fit have no order; fit.plot.clusters"),
    ],
)
def test_a_picture_that_means_nothing_is_refused(which, picture, words, request):
    fit = request.getfixturevalue(which)
    with pytest.raises(ValueError, match=words):
        getattr(fit.plot, picture)()


def test_wrong_names_and_axes_are_refused(plane):
    with pytest.raises(ValueError, match="3 names of columns are given; the fit has 2"):
        plane.plot(columns=["a", "b", "c"]).density()
    with pytest.raises(ValueError, match="ax must be one matplotlib Axes for this picture, not a"):
        plane.plot.uncertainty(ax=plt.figure())
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        plane.plot.profiles(level=95)


def test_few_columns_of_many_are_those_that_tell_most():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N, 12))
    x[:, [3, 7]] += np.where(np.arange(N) < 30, 0, 5)[:, None]
    fit = em.EM(models.gaussian_mixture).run(KEY, x, num_components=2, covariance="spherical")
    axes = fit.plot.density()
    shown = {a.get_xlabel() for a in axes.ravel()}
    assert len(shown) == 9
    assert {"x[3]", "x[7]"} <= shown
    assert "9 of 12 columns" in axes[0, 0].figure.get_suptitle()
    pair = fit.plot.clusters(most=2)
    assert (pair.get_xlabel(), pair.get_ylabel()) == ("x[3]", "x[7]")
    assert "2 of 12 columns" in pair.get_title()
    # Nobody says that columns tell most which the user named.
    assert fit.plot.clusters(columns=["x[0]", "x[1]"]).get_title() == ""
    with pytest.raises(ValueError, match="most=1 leaves one"):
        fit.plot.clusters(most=1)
    with pytest.raises(ValueError, match="most"):
        fit.plot.density(most=0)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 7])
def test_classes_are_told_apart_in_grey(k):
    grey = [np.dot(to_rgba(_style.style(j).color)[:3], [0.299, 0.587, 0.114]) for j in range(k)]
    marks = [(_style.style(j).marker, round(g, 1)) for j, g in enumerate(grey)]
    assert len(set(marks)) == k
    assert k > 3 or min(np.diff(np.sort(grey)), default=1) > 0.15
