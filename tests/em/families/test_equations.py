"""Families whose estimate solves equations: the estimate by itself, for one component."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.distributions import constraints
from scipy import special

from mixpyro.em.climb.stopping import scale_floor
from mixpyro.em.families import Statistics, Ties, find

FILES = (
    *("gamma", "dirichlet", "beta", "von_mises", "zero_inflated_poisson"),
    *("student_t", "weibull", "negative_binomial", "dirichlet_multinomial"),
)
ALL = [
    case
    for name in FILES
    for case in importlib.import_module(f"{__package__}.test_{name}").CASES
    if case.m_step.startswith("likelihood equations")
]
ON_STATISTICS = [case for case in ALL if case.m_step.endswith("on statistics")]
LIKE_OTHERS = {
    *("InverseGamma[concentration-rate]", "Chi2[df]", "Gumbel[loc-scale]"),
    *("NegativeBinomialProbs[total_count-probs]", "NegativeBinomialLogits[total_count-logits]"),
    *("BetaBinomial[concentration1-concentration0]", "MultivariateStudentT[df-loc-scale_tril]"),
}
BOUNDED = {"Chi2[df]", "ZeroInflatedPoisson[gate-rate]"}
COUNTS = {"NegativeBinomial2", "NegativeBinomialProbs", "DirichletMultinomial", "BetaBinomial"}
ROUNDS = 60
VECTORS = [dist.Dirichlet, dist.DirichletMultinomial, dist.MultivariateStudentT]


def cases(among, rows_too=False):
    """Cases as parameters; those solved by another's equations, or on many rows, are slow."""
    quick = [str(c) not in LIKE_OTHERS and (rows_too or c in ON_STATISTICS) for c in among]
    marks = [[] if q else [pytest.mark.slow] for q in quick]
    params = [pytest.param(c, id=str(c), marks=m) for c, m in zip(among, marks, strict=True)]
    return pytest.mark.parametrize("case", params)


every_case = cases(ALL)
cases_on_statistics = cases(ON_STATISTICS)
unbounded_cases = cases([case for case in ON_STATISTICS if str(case) not in BOUNDED])
overdispersed_cases = cases([case for case in ALL if case.distribution.__name__ in COUNTS])
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
    given = known_of(case, n)
    return case.draw(rng, **given, **args), rng.random(n)


def known_of(case, n=400):
    """An argument that is data, where there is one."""
    return {} if case.known is None else {"known": case.known(np.random.default_rng(4), n)}


def summarised(case, x):
    """The family; then reference, coordinates, arguments and no ties for one component."""
    family = find(case.distribution)
    args = {n: in_cells(family, n, v[0])[None] for n, v in case.values.items()}
    values = observations(case, x)
    places = np.arange(values.shape[0])[None]
    ties = {n: Ties(places, np.zeros(places.shape, bool)) for n in args}
    reference = family.reference(values, jnp.ones(len(x)), args, ties)
    return family, reference, family.coordinates(values, reference), args, ties


def statistics(family, u, weights, reference):
    """The statistics (1, c, q) of one component."""
    features = family.features(u, {}, reference)
    count = jnp.broadcast_to(weights.sum(), (1, u.shape[0]))
    return Statistics(count, (features @ weights)[None])


def in_cells(family, name, value):
    """An argument of one component, (c, event...)."""
    rank = family.rank.get(name, 0)
    return jnp.asarray(value, float).reshape(-1, *value.shape[value.ndim - rank :])


def observations(case, x):
    """Rows (n, ...) as (c, event..., n)."""
    values = jnp.moveaxis(jnp.asarray(x, float), 0, -1)
    return values if values.ndim - 1 > VECTORS.count(case.distribution) else values[None]


def estimate(case, x, weights):
    """{argument: value} of highest weighted likelihood."""
    family, reference, u, args, ties = summarised(case, x)
    weights = jnp.asarray(weights, float)
    if case in ON_STATISTICS:
        stats = statistics(family, u, weights, reference)
        found = jax.jit(lambda s, a, r: family.estimate(s, a, ties, r))(stats, args, reference)
    else:
        own = {n: jnp.asarray(v, float)[None] for n, v in known_of(case).items()}
        known = dict(zip(family.known, own.values(), strict=True))

        def improved(_, args):
            return family.improve(u, weights[None, None], known, args, ties, reference)

        found = jax.jit(lambda args: jax.lax.fori_loop(0, ROUNDS, improved, args))(args)
    return {n: np.asarray(v, float).reshape(case.values[n].shape[1:]) for n, v in found.items()}


@cases(ALL, rows_too=True)
@pytest.mark.parametrize("component", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_the_estimate_is_the_maximum_of_scipys_likelihood(case, component, x64):
    x, weights = simulate(case, component)
    found = estimate(case, x, weights)
    line = {n: to_line(case.supports[n], v) for n, v in found.items()}

    def log_likelihood(u):
        args = {n: from_line(case.supports[n], v) for n, v in u.items()}
        return weights @ case.log_density(x, **known_of(case), **args)

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


@cases_on_statistics
@mostly_single
def test_the_density_by_statistics_is_scipys(case, precision):
    x, _ = simulate(case, 1, n=50)
    family, reference, u, args, _ = summarised(case, x)
    values, features = observations(case, x), family.features(u, {}, reference)
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
        # Zeros among the entries come back through the data's scale: rounding of the largest entry.
        expected = np.asarray(case.values[name][0])
        np.testing.assert_allclose(value, expected, 1e-5, 4e-6 * max(np.abs(expected).max(), 1))


@unbounded_cases
@mostly_single
def test_equal_rows_are_a_collapse_in_finite_numbers(case, precision):
    x, weights = simulate(case, 1)
    family, reference, u, args, ties = summarised(case, x)
    stats = statistics(family, u, jnp.eye(len(weights))[5], reference)
    found = family.estimate(stats, args, ties, reference)
    assert all(np.isfinite(v).all() and np.all(v != 0) for v in found.values())
    eta, normaliser = family.natural(found, reference)
    assert np.isfinite(eta).all()
    assert np.isfinite(normaliser).all()
    scale = family.relative_scale(found, ties, reference)
    assert scale.shape == (1,)
    assert scale[0] < scale_floor(precision)


@overdispersed_cases
@mostly_single
def test_counts_that_vary_too_little_stop_at_the_limit(case, precision):
    x, weights = simulate(case, 1)
    middle = np.round(np.mean(x, 0))
    if case.known is not None:
        middle = np.round(known_of(case)["known"] * 0.4)
    found = estimate(case, np.broadcast_to(middle, x.shape), weights)
    limits = find(case.distribution).limits(precision)
    for name, most in limits.items():
        assert np.isfinite(found[name]).all()
        assert found[name].sum() >= 0.3 * most
        assert found[name].max() <= 11 * most
