"""Each example of `models`, fitted from the default start: the climb, and where it ends."""

import functools
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from numpyro import handlers
from scipy.optimize import linear_sum_assignment

from mixpyro import em, models
from mixpyro.em.machine.by_numpy.interpret import interpreted

from ...examples import FEW, NEW, OF_ROWS, every

gaussian = every(
    [e for e in models.EXAMPLES if e.model in (models.gaussian_mixture, models.kmeans_mixture)],
    quick=lambda e: e is models.examples(models.gaussian_mixture)[0],
)


@functools.cache
def drawn(example):
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, example.simulate(jax.random.key(11), interpreted))


@functools.cache
def fitted(example, assign, dtype):
    assert jnp.result_type(float) == dtype
    fitter, x = fitter_of(example, assign), jax.tree.map(jnp.asarray, drawn(example)[example.data])
    return fitter.run(jax.random.key(0), x, **example.kwargs)


def fitter_of(example, assign):
    """Which start is the best is the subject of other tests."""
    return em.EM(example.model, assign=assign, num_restarts="auto" if example in FEW else 4)


def matching(example, labels):
    """The fitted component of each true one: the permutation with most rows in agreement."""
    k = example.num_classes
    table = np.zeros((k, k))
    np.add.at(table, (drawn(example)["z"], np.asarray(labels)), 1)
    rows, columns = linear_sum_assignment(-table)
    return columns, table[rows, columns].sum() / table.sum()


@functools.cache
def plates(example):
    """{site: the names of its plates}."""
    found = {}

    def look():
        trace = handlers.trace(handlers.seed(example.model, 0)).get_trace(**example.kwargs)
        stacks = ((name, site.get("cond_indep_stack", ())) for name, site in trace.items())
        found.update({name: {frame.name for frame in own} for name, own in stacks})

    jax.eval_shape(look)
    return found


def aligned(example, arrays, labels):
    """Arrays by site with the components in the order of the truth."""
    order, _ = matching(example, labels)
    if example.model is models.two_coins:
        if order[0] == 0:
            return dict(arrays)
        # Swapping the coins: pi becomes 1 - pi, which has the same standard error.
        return {"pi": arrays["pi"], "p": arrays["q"], "q": arrays["p"]}
    plates_of = plates(example)
    out = {}
    for name, array in arrays.items():
        if name == "class_coefficients":
            # Log odds against the first of two classes: swapped they change sign, errors do not.
            swapped = order[0] == 1 and not isinstance(array, np.ma.MaskedArray)
            out[name] = -array if swapped else array
            continue
        numbered = name == "weights" or "components" in plates_of[name]
        out[name] = array[order[: len(array)]] if numbered else array
    return out


# From the least to the most that a rung of the M-step takes.
RUNGS = (
    "closed form",
    "closed form, by stratum",
    "likelihood equations, on statistics",
    "likelihood equations, on rows",
    "numeric, on statistics",
    "numeric, on rows",
)
PAGE = (Path(__file__).parents[3] / "docs" / "models.md").read_text()


def the_page_has_its_m_step(example):
    blocks = fitted(example, "soft", jnp.float64).spec.blocks
    most = max((block.m_step for block in blocks), key=RUNGS.index)
    row = re.search(rf"^\| `{example.model.__name__}` \|(.*)$", PAGE, re.MULTILINE)
    assert row[1].split("|")[2].strip() == most


@every(OF_ROWS, quick=lambda e: e in FEW)
@pytest.mark.parametrize(("assign", "precision"), [("soft", "float64")], indirect=["precision"])
def test_the_climb(example, assign, precision):
    check_climb(example, assign, precision)
    if example in NEW:  # in one test, so that one fit serves
        the_truth_lies_within_the_errors(example)
        the_fit_is_no_lower_than_the_truth(example)
    if example is models.examples(example.model)[0]:
        the_page_has_its_m_step(example)


# Single precision differs by how a family adds and solves: one of each kind.
SINGLE = [
    e
    for e in NEW
    if e.model
    in (
        models.bernoulli_mixture,
        models.beta_mixture,
        models.changepoint,
        models.contaminated_mixture,
        models.gamma_mixture,
        models.gaussian_mixture,
        models.latent_class,
        models.linear_regression_mixture,
        models.poisson_mixture,
        models.poisson_regression_mixture,
        models.student_t_mixture,
        models.von_mises_mixture,
        models.zero_inflated_poisson,
    )
]


@every(SINGLE, quick=lambda e: e in FEW)
@pytest.mark.parametrize(("assign", "precision"), [("soft", "float32")], indirect=["precision"])
def test_the_climb_in_single_precision(example, assign, precision):
    check_climb(example, assign, precision)


# Hard EM differs by how rows are assigned, hardly by family: one of each kind of statistics.
hard_examples = every(
    [
        models.examples(m)[0]
        for m in (
            models.gaussian_mixture,
            models.kmeans_mixture,
            models.bernoulli_mixture,
            models.latent_class,
            models.poisson_mixture,
            models.linear_regression_mixture,
            models.contaminated_mixture,
            models.student_t_mixture,
        )
    ],
    quick=lambda e: e.model is models.poisson_mixture,
)


@hard_examples
@pytest.mark.parametrize(
    ("assign", "precision"), [("hard", "float64"), ("hard", "float32")], indirect=["precision"]
)
def test_the_climb_by_hard_assignment(example, assign, precision):
    check_climb(example, assign, precision)


def check_climb(example, assign, precision):
    fit = fitted(example, assign, str(precision))
    n, k = len(drawn(example)["z"]), example.num_classes
    assert fit.base_status is em.Status.CONVERGED, fit.message
    assert fit.trace.shape == (fit.num_steps,)
    assert np.all(np.isfinite(fit.trace))
    # A step that re-seeds an emptied cluster may lower the objective; no other one may.
    assert fit.reseeded == 0 or assign == "hard"
    # The parts of a row's density are of size one, though they may cancel.
    rounding = 16 * jnp.finfo(precision).eps * max(np.abs(fit.trace).max(), n)
    assert (np.diff(fit.trace) < -rounding).sum() <= fit.reseeded
    assert fit.objective == fit.trace[-1]

    rtol = example.density_rtol if precision == "float64" else 1e-5
    log_prob = np.asarray(fit.log_prob(), float)
    assert log_prob.shape == (n,)
    # As with `rounding`, a row counts for one at least.
    size = max(abs(log_prob.sum()), n)
    assert fit.log_likelihood == pytest.approx(log_prob.sum(), abs=rtol * size)
    responsibilities = np.asarray(fit.responsibilities(), float)
    assert responsibilities.shape == (n, k)
    np.testing.assert_allclose(responsibilities.sum(1), 1, rtol=rtol)
    assert responsibilities.min() >= 0
    np.testing.assert_array_equal(fit.predict(), responsibilities.argmax(1))
    if assign == "soft":
        assert fit.objective == pytest.approx(fit.log_likelihood, rel=1e-12)
        np.testing.assert_allclose(
            responsibilities.mean(0), np.asarray(fit.counts) / n, atol=max(1e-4, 10 * rtol)
        )
    else:
        # log p(x, z) at the best z, by Bayes' theorem from log p(x) and p(z | x).
        classified = log_prob + np.log(responsibilities.max(1))
        assert fit.objective == pytest.approx(classified.sum(), rel=10 * rtol)
        # Equal where every row is in one component for certain (probabilities of 0 and 1).
        assert fit.objective <= fit.log_likelihood * (1 - rtol)
        np.testing.assert_array_equal(fit.labels, fit.predict())
        np.testing.assert_array_equal(np.bincount(fit.labels, minlength=k), fit.counts)
    assert matching(example, fit.predict())[1] > 0.85


def the_truth_lies_within_the_errors(example):
    fit = fitted(example, "soft", "float64")
    labels = fit.predict()
    assert fit.status is em.Status.CONVERGED, fit.message
    found = aligned(example, {n: np.asarray(v) for n, v in fit.params.items()}, labels)
    errors = aligned(example, fit.standard_errors(), labels)
    assert set(found) == set(example.params) == set(errors)
    for name, truth in example.params.items():
        assert not np.ma.getmaskarray(errors[name]).any(), name
        # Zeros above a diagonal are no parameters.
        moves = (truth != 0) | (found[name] != 0)
        error = np.asarray(errors[name])[moves]
        assert np.all(error > 0), name
        # 4 standard errors: once in 16,000 entries, of about 100.
        away = np.abs(found[name] - truth)[moves] / error
        assert np.all(away < 4), (name, away)


def the_fit_is_no_lower_than_the_truth(example):
    fit = fitted(example, "soft", "float64")
    x = jax.tree.map(jnp.asarray, drawn(example)[example.data])

    def log_joint(component, params, x):
        z = jnp.full(example.num_units, component)
        model = handlers.substitute(example.model, params | {"z": z})
        sites = handlers.trace(model).get_trace(x, **example.kwargs)
        scores = {s: sites[s]["fn"].log_prob(sites[s]["value"]) for s in ("z", *example.columns)}
        rows = sum(scores[s] for s in example.columns)
        if example.group is not None:
            rows = jnp.zeros(example.num_units).at[example.group].add(rows)
        return scores["z"] + rows

    each = np.arange(example.num_classes), dict(example.params), x
    joint = interpreted(jax.vmap(log_joint, (0, None, None)))(*each)
    rise = fit.log_likelihood - scipy.special.logsumexp(np.asarray(joint), 0).sum()
    # Twice the rise is chi-squared, with as many degrees of freedom as there are parameters.
    assert 0 < 2 * rise < fit.num_free_params + 5 * np.sqrt(2 * fit.num_free_params)


OFFSET = 1e6  # in units of the components' standard deviations, more or less


@gaussian
@pytest.mark.parametrize("assign", ["soft", "hard"])
def test_data_far_from_zero_give_the_same_clusters(example, assign, x64):
    near = fitted(example, assign, "float64")
    x = jnp.asarray(drawn(example)["x"]) + OFFSET
    moved = fitter_of(example, assign).run(jax.random.key(0), x, **example.kwargs)
    order = linear_sum_assignment(
        ((np.asarray(near.params["loc"])[:, None] + OFFSET - moved.params["loc"]) ** 2).sum(-1)
    )[1]
    np.testing.assert_array_equal(order[np.asarray(near.predict())], moved.predict())
    assert moved.log_likelihood == pytest.approx(near.log_likelihood, abs=1e-4)
    for name, value in near.params.items():
        shift = OFFSET if name == "loc" else 0
        own = np.shape(example.params[name])[:1] == (len(order),)
        found = moved.params[name][order] if own else moved.params[name]
        np.testing.assert_allclose(found - shift, value, rtol=1e-4, atol=1e-4, err_msg=name)


def test_kmeans_far_from_zero(x64):
    (example,) = models.examples(models.kmeans_mixture)
    x = drawn(example)["x"]
    near = em.kmeans(x, 3, jax.random.key(0))
    moved = em.kmeans(x + 1e6, 3, jax.random.key(0))
    np.testing.assert_array_equal(near.labels, moved.labels)
    np.testing.assert_allclose(moved.centroids - 1e6, near.centroids, atol=1e-8)
    assert moved.inertia == pytest.approx(near.inertia, rel=1e-8)
    means = np.stack([x[np.asarray(near.labels) == k].mean(0) for k in range(3)])
    np.testing.assert_allclose(near.centroids, means, rtol=1e-10)


def test_the_params_go_back_into_the_model_under_jit(x64):
    """As `Fit.params` promises: ready for ``handlers.substitute``, where z may be traced."""
    example = models.examples(models.kmeans_mixture)[0]
    fit = fitted(example, "soft", "float64")
    x = jnp.asarray(drawn(example)["x"])

    @jax.jit
    def log_density(z):
        model = handlers.substitute(example.model, fit.params | {"z": z})
        site = handlers.trace(model).get_trace(x, **example.kwargs)["x"]
        return site["fn"].log_prob(x)

    z = np.asarray(fit.predict())
    distances = ((x - np.asarray(fit.params["loc"])[z]) ** 2).sum(1)
    np.testing.assert_allclose(log_density(z), -distances / 2 - np.log(2 * np.pi), rtol=1e-10)
