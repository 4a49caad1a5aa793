"""Families whose estimate solves equations: the estimate by itself, for one component."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.distributions import constraints
from scipy import special

from mixpyro.em.families import Statistics, Ties, find
from mixpyro.em.loop import scale_floor

FILES = ("gamma", "dirichlet", "beta", "von_mises", "zero_inflated_poisson")
ALL = [
    case
    for name in FILES
    for case in importlib.import_module(f"{__package__}.test_{name}").CASES
    if case.m_step == "likelihood equations, on statistics"
]
LIKE_OTHERS = {"InverseGamma[concentration-rate]", "Chi2[df]"}
BOUNDED = {"Chi2[df]", "ZeroInflatedPoisson[gate-rate]"}


def cases(among):
    """Cases as parameters; those solved by another family's equations are slow."""
    like = [[pytest.mark.slow] * (str(case) in LIKE_OTHERS) for case in among]
    params = [pytest.param(c, id=str(c), marks=m) for c, m in zip(among, like, strict=True)]
    return pytest.mark.parametrize("case", params)


every_case = cases(ALL)
unbounded_cases = cases([case for case in ALL if str(case) not in BOUNDED])
single = pytest.param("float32", id="float32")
double = pytest.param("float64", id="float64", marks=pytest.mark.slow)
mostly_single = pytest.mark.parametrize("precision", [single, double], indirect=True)


def to_line(support, value):
    """Values of a support, unconstrained."""
    base = getattr(support, "base_constraint", support)
    if base is constraints.positive:
        return np.log(value)
    return special.logit(value) if base is constraints.unit_interval else value


def from_line(support, u):
    """The values back."""
    base = getattr(support, "base_constraint", support)
    if base is constraints.positive:
        return np.exp(u)
    return special.expit(u) if base is constraints.unit_interval else u


def simulate(case, component, n=400):
    """Rows of one component, and weights for them."""
    rng = np.random.default_rng(3)
    args = {name: np.repeat(v[[component]], n, 0) for name, v in case.values.items()}
    return case.draw(rng, **args), rng.random(n)


def summarised(case, x, weights):
    """The family; then reference, statistics, arguments and no ties for one component."""
    family = find(case.distribution)
    args = {n: in_cells(family, n, v[0])[None] for n, v in case.values.items()}
    values, weights = observations(case, x), jnp.asarray(weights, float)
    places = np.arange(values.shape[0])[None]
    ties = {n: Ties(places, np.zeros(places.shape, bool)) for n in args}
    reference = family.reference(values, jnp.ones_like(weights), args, ties)
    features = family.features(family.coordinates(values, reference), {}, reference)
    count = jnp.broadcast_to(weights.sum(), places.shape)
    return family, reference, Statistics(count, (features @ weights)[None]), args, ties


def in_cells(family, name, value):
    """An argument of one component, (c, event...)."""
    rank = family.rank.get(name, 0)
    return jnp.asarray(value, float).reshape(-1, *value.shape[value.ndim - rank :])


def observations(case, x):
    """Rows (n, ...) as (c, event..., n)."""
    values = jnp.moveaxis(jnp.asarray(x, float), 0, -1)
    return values if values.ndim - 1 > (case.distribution is dist.Dirichlet) else values[None]


def estimate(case, x, weights):
    """{argument: value} of highest weighted likelihood."""
    family, reference, stats, args, ties = summarised(case, x, weights)
    found = jax.jit(lambda s, a, r: family.estimate(s, a, ties, r))(stats, args, reference)
    return {n: np.asarray(v, float).reshape(case.values[n].shape[1:]) for n, v in found.items()}


@every_case
@pytest.mark.parametrize("component", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_the_estimate_is_the_maximum_of_scipys_likelihood(case, component, x64):
    x, weights = simulate(case, component)
    found = estimate(case, x, weights)
    line = {n: to_line(case.supports[n], v) for n, v in found.items()}

    def log_likelihood(u):
        args = {n: from_line(case.supports[n], v) for n, v in u.items()}
        return weights @ case.log_density(x, **args)

    # What is left to gain along each argument, by the parabola there, is nothing.
    middle, h = log_likelihood(line), 1e-4
    for name, value in line.items():
        for index in np.ndindex(value.shape):
            step = np.zeros(value.shape)
            step[index] = h
            up, down = (log_likelihood(line | {name: value + s * step}) for s in (1, -1))
            slope, curvature = (up - down) / (2 * h), (2 * middle - up - down) / h**2
            assert curvature > 0
            assert slope**2 / (2 * curvature) < 1e-9, (name, index)


@every_case
@mostly_single
def test_the_density_by_statistics_is_scipys(case, precision):
    x, weights = simulate(case, 1, n=50)
    family, reference, _, args, _ = summarised(case, x, weights)
    values = observations(case, x)
    features = family.features(family.coordinates(values, reference), {}, reference)
    eta, normaliser = family.natural(args, reference)
    cells = jnp.einsum("cq,cqn->cn", eta[0], features, precision="highest") - normaliser[0][:, None]
    found = (cells + family.base(values, {}, reference)).sum(0)
    expected = case.log_density(x, **{n: v[0] for n, v in case.values.items()})
    tolerance = 1e-12 if precision == "float64" else 3e-6
    np.testing.assert_allclose(found, expected, tolerance, 20 * tolerance)


@every_case
def test_single_precision_finds_the_same(case):
    x, weights = simulate(case, 1)
    single = estimate(case, x, weights)
    with jax.enable_x64(True):
        double = estimate(case, x, weights)
    for name, value in double.items():
        np.testing.assert_allclose(single[name], value, 1e-4, err_msg=name)


@every_case
@mostly_single
def test_without_rows_the_arguments_stay(case, precision):
    x, weights = simulate(case, 1)
    for name, value in estimate(case, x, 0 * weights).items():
        np.testing.assert_allclose(value, case.values[name][0], 1e-6)


@unbounded_cases
@mostly_single
def test_equal_rows_are_a_collapse_in_finite_numbers(case, precision):
    x, weights = simulate(case, 1)
    family, reference, stats, args, ties = summarised(case, x, np.eye(len(weights))[5])
    found = family.estimate(stats, args, ties, reference)
    assert all(np.isfinite(v).all() and np.all(v != 0) for v in found.values())
    eta, normaliser = family.natural(found, reference)
    assert np.isfinite(eta).all()
    assert np.isfinite(normaliser).all()
    scale = family.relative_scale(found, ties, reference)
    assert scale.shape == (1,)
    assert scale[0] < scale_floor(precision)
