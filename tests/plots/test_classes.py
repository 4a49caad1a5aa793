"""Pictures of the classes, of climbs, sweeps and posteriors."""

import arviz_plots
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray
from scipy import stats

from mixpyro import em, models

from .conftest import KEY, PLANE, N

pytestmark = pytest.mark.usefixtures("x64")


def test_profiles_of_one_normal_are_its_mean_with_its_interval():
    x = PLANE[:, 0]
    fit = em.EM(models.gaussian_mixture).run(KEY, x[:, None], num_components=1)
    axes = fit.plot.profiles()
    (mean,), (half,) = errorbar(axes, 0)
    assert mean == pytest.approx(x.mean())
    assert half == pytest.approx(1.959964 * x.std() / np.sqrt(N), rel=1e-4)
    assert axes.get_legend().get_texts()[0].get_text() == "class 0 (100%)"


def errorbar(axes, number):
    """The points of an error bar, and half of their intervals."""
    data, caps, _ = axes.containers[number]
    lower, upper = (cap.get_ydata() for cap in caps)
    return data.get_ydata(), (upper - lower) / 2


def test_profiles_of_several_columns_are_standardised(plane):
    axes = plane.plot.profiles()
    for k in (0, 1):
        means, half = errorbar(axes, k)
        wanted = (plane.params["loc"][k] - PLANE.mean(0)) / PLANE.std(0)
        np.testing.assert_allclose(means, wanted, rtol=1e-6)
        errors = np.asarray(plane.standard_errors()["loc"])[k] / PLANE.std(0)
        np.testing.assert_allclose(half, stats.norm.ppf(0.975) * errors, rtol=1e-5)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["length", "<wait>"]


def test_profiles_of_categories_are_their_shares(items):
    axes = items.plot.profiles().ravel()
    x = np.asarray(items.call.arrays[0]).astype(int)
    (share,), (half,) = errorbar(axes[0], 0)
    p = x[:, 0].mean()
    assert share == pytest.approx(p)
    assert half == pytest.approx(stats.norm.ppf(0.975) * np.sqrt(p * (1 - p) / N), rel=1e-4)
    for j in (1, 2):
        wanted = np.bincount(x[:, j], minlength=3) / N
        widths = [bars.patches[j - 1].get_width() for bars in axes[1].containers]
        np.testing.assert_allclose(widths, wanted, atol=1e-6)
    named = items.plot(categories={"x[2]": ["north", "south", "overseas territories"]})
    words = [t.get_text() for t in named.profiles().ravel()[1].texts]
    assert words[:1] == ["0"]
    assert {"north", "south"} < set(words)
    assert any(w.startswith("over") and w.endswith("…") for w in words)
    ticks = named.density().ravel()[2].get_xticklabels()
    assert [t.get_text() for t in ticks] == ["north", "south", "overseas territories"]
    with pytest.raises(ValueError, match="'town', which is not there"):
        items.plot(categories={"town": ["a"]}).profiles()


def test_states_are_the_decoded_path_and_smoothed_probabilities(chain):
    upper, lower = chain.plot.states()
    y = np.asarray(chain.call.arrays[0])
    initial, transition, rate = (
        np.asarray(chain.params[n], float) for n in ("initial", "transition", "rate")
    )
    likelihood = stats.poisson(rate.reshape(1, 2)).pmf(y[:, None])
    ahead, back = np.zeros((N, 2)), np.ones((N, 2))
    best, came = np.zeros((N, 2)), np.zeros((N, 2), int)
    for t in range(N):
        before = initial if t == 0 else ahead[t - 1] @ transition
        ahead[t] = likelihood[t] * before / (likelihood[t] * before).sum()
        steps = np.log(initial)[None] if t == 0 else best[t - 1][:, None] + np.log(transition)
        came[t], best[t] = steps.argmax(0), steps.max(0) + np.log(likelihood[t])
    for t in range(N - 2, -1, -1):
        back[t] = transition @ (likelihood[t + 1] * back[t + 1])
        back[t] /= back[t].sum()
    smooth = ahead * back / (ahead * back).sum(1, keepdims=True)
    path = [int(best[-1].argmax())]
    for t in range(N - 1, 0, -1):
        path.insert(0, int(came[t, path[0]]))
    _, level, *marks = upper.get_lines()
    np.testing.assert_allclose(level.get_ydata(), rate[path], rtol=1e-7)
    for k, line in enumerate(marks):
        np.testing.assert_array_equal(line.get_xdata(), np.flatnonzero(np.array(path) == k))
        np.testing.assert_array_equal(line.get_ydata(), y[np.array(path) == k])
    areas = [area(c) for c in lower.collections]
    # Steps are in the middle of their times: the ends have half a unit.
    width = np.ones(N) - 0.5 * np.isin(np.arange(N), [0, N - 1])
    np.testing.assert_allclose(areas, width @ smooth, rtol=1e-6)
    with pytest.raises(ValueError, match="sequence must be a whole number from 0 to 0"):
        chain.plot.states(sequence=1)


def area(collection):
    """Of a filled polygon, by the shoelace formula."""
    (path,) = collection.get_paths()
    x, y = path.vertices.T
    return abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


def test_the_objective_is_the_trace(plane, counts):
    axes = plane.plot.objective(label="soft")
    assert counts.plot.objective(axes, label="other") is axes
    first, second = axes.get_lines()
    np.testing.assert_array_equal(first.get_ydata(), plane.trace)
    np.testing.assert_array_equal(second.get_xdata(), np.arange(1, counts.num_steps + 1))
    assert first.get_color() != second.get_color()


def test_starts_by_how_far_below_they_ended(plane):
    axes = plane.plot.restarts()
    table = plane.restarts
    ended = table[np.isfinite(table["objective"])]
    best = table["objective"][table["chosen"]].item()
    *by_status, chosen = axes.get_lines()
    drawn = np.concatenate([line.get_ydata() for line in by_status])
    wanted = np.maximum(best - ended["objective"], 0.01)
    np.testing.assert_allclose(np.sort(drawn), np.sort(wanted))
    assert {line.get_label() for line in by_status} == set(ended["status"])
    (place,) = chosen.get_xdata()
    assert table["objective"].iloc[plane.restart_results.ranking[place - 1]] == best


def test_a_sweep_draws_its_criterion():
    x = PLANE[:, :1]
    fitter = em.EM(models.gaussian_mixture, num_restarts=2)
    found = em.sweep(fitter, KEY, x, num_components=[1, 2], covariance=["full", "tied"])
    axes = found.plot()
    curves = [line for line in axes.get_lines() if len(line.get_xdata()) == 2]
    assert axes.get_xlabel() == "num_components"
    one = -2 * stats.norm(x.mean(), x.std()).logpdf(x).sum() + 2 * np.log(N)
    for line in curves[:1]:
        assert line.get_ydata()[0] == pytest.approx(one)
    table = found.table
    for line, name in zip(curves[::2], ("full", "tied"), strict=True):
        np.testing.assert_allclose(line.get_ydata(), table["bic"][table["covariance"] == name])
    labels = [t.get_text() for t in axes.get_legend().get_texts()]
    best = table.loc[table["bic"].idxmin()]
    assert f"best: {best['num_components']}, {best['covariance']}" in labels
    other = plt.figure().add_subplot()
    assert found.plot(other, criterion="aic") is other
    assert other.get_ylabel() == "AIC (lower is better)"
    with pytest.raises(ValueError, match="criterion must be one of"):
        found.plot(criterion="wald")
    # Every criterion that the table has, by the formula of Sclove (1987).
    sabic = found.plot(criterion="sabic")
    expected = [
        -2 * fit.log_likelihood + fit.num_free_params * np.log((len(x) + 2) / 24)
        for fit in found.fits
    ]
    drawn = np.concatenate(
        [line.get_ydata() for line in sabic.get_lines() if line.get_ls() == "None"]
    )
    assert set(np.round(expected, 6)) <= set(np.round(drawn, 6))
    assert "SABIC (lower is better)" in sabic.get_ylabel()


def test_of_a_crowd_of_lines_that_of_the_best_stands_out(plane, counts):
    names = [f"kind {i}" for i in range(9)]
    fits = [counts if n == "kind 4" else plane for n in names]
    axes = em.Sweep(
        tuple({"num_components": 2, "covariance": n} for n in names), tuple(fits)
    ).plot()
    labels = [t.get_text() for t in axes.get_legend().get_texts()]
    assert counts.bic < plane.bic
    assert labels == ["kind 4", "8 others", "best: 2, kind 4"]


def test_a_posterior_by_arviz_plots(plane):
    rng = np.random.default_rng(0)
    loc = np.asarray(plane.params["loc"]) + rng.normal(size=(1, 50, 2, 2))
    data = xarray.Dataset({"loc": (("chain", "draw", "component", "d"), loc)})
    tree = xarray.DataTree.from_dict({"posterior": data})
    collection = plane.plot.posterior(tree, backend="matplotlib")
    assert isinstance(collection, arviz_plots.PlotCollection)
    lines = collection.viz["ref_line"]["loc"]
    for k in (0, 1):
        for j in (0, 1):
            line = lines.values.reshape(2, 2, -1)[k, j, 0]
            assert np.ravel(line.get_xdata())[0] == pytest.approx(float(plane.params["loc"][k, j]))
    texts = collection.viz["point_estimate_text"]["loc"].values.ravel()
    words = {text.get_text() for text in texts}
    assert words == {f"{mean:.4g} mean" for mean in loc.mean((0, 1)).ravel()}
    with pytest.raises(ValueError, match="it is of another model"):
        plane.plot.posterior(tree.assign({"posterior": xarray.DataTree(data.rename(loc="other"))}))
    with pytest.raises(ValueError, match="a DataTree with a group 'posterior'"):
        plane.plot.posterior(None)


def test_the_pictures_are_listed(plane):
    assert "clusters, density, objective, posterior, profiles" in repr(plane.plot)
