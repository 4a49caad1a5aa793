import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.distributions import constraints
from scipy import optimize, special, stats

from mixpyro import em
from mixpyro.em.families import Ties, find

from .case import Case


def by_quantile(x, loc, scale, quantile):
    asymmetry = np.sqrt(quantile / (1 - quantile))
    # SciPy's kappa is the same, its scale multiplies both sides alike.
    return stats.laplace_asymmetric.logpdf(x, asymmetry, loc, scale * asymmetry / quantile)


def draw(rng, loc, left, right):
    return loc - left * rng.exponential(size=loc.shape) + right * rng.exponential(size=loc.shape)


CASES = [
    Case(
        distribution=dist.AsymmetricLaplace,
        params={"loc": [-3.0, 6.0], "scale": [0.7, 1.0], "asymmetry": [0.8, 1.5]},
        supports={
            "loc": constraints.real,
            "scale": constraints.positive,
            "asymmetry": constraints.positive,
        },
        make=dist.AsymmetricLaplace,
        draw=lambda rng, loc, scale, asymmetry: draw(
            rng, loc, scale * asymmetry, scale / asymmetry
        ),
        log_density=lambda x, loc, scale, asymmetry: stats.laplace_asymmetric.logpdf(
            x, asymmetry, loc, scale
        ),
        m_step="likelihood equations, on rows",
        smooth=False,
        slow=True,
    ),
    Case(
        distribution=dist.AsymmetricLaplaceQuantile,
        params={"loc": [-3.0, 6.0], "scale": [0.4, 0.5], "quantile": [0.4, 0.7]},
        supports={
            "loc": constraints.real,
            "scale": constraints.positive,
            "quantile": constraints.unit_interval,
        },
        make=dist.AsymmetricLaplaceQuantile,
        draw=lambda rng, loc, scale, quantile: draw(
            rng, loc, scale / (1 - quantile), scale / quantile
        ),
        log_density=by_quantile,
        m_step="likelihood equations, on rows",
        smooth=False,
        slow=True,
    ),
]
KINDS = pytest.mark.parametrize("case", CASES, ids=str)


def improved(case, x, weights, args, ties):
    family = find(case.distribution)
    assert family.solves(ties)
    data = jnp.asarray(x)[None]
    reference = family.reference(data, jnp.ones(len(x)), args, ties)
    u = family.coordinates(data, reference)
    return family.improve(u, jnp.asarray(weights)[:, None], {}, args, ties, reference)


def arguments(case):
    return {n: jnp.asarray(v)[:, None] for n, v in case.values.items()}


def pattern(shared=False, fixed=False):
    groups = np.zeros((2, 1), int) if shared else np.array([[0], [1]])
    return Ties(groups, np.full((2, 1), fixed))


def value(case, x, weights, args):
    args = {n: np.asarray(v)[:, 0] for n, v in args.items()}
    own = [case.log_density(x, **{n: v[k] for n, v in args.items()}) for k in range(2)]
    return (weights * np.stack(own)).sum(1)


@KINDS
def test_all_arguments_at_once_are_the_best_there_are(case, x64):
    """By trying every row as the loc, with a simplex search over scale and shape."""
    rng = np.random.default_rng(3)
    x, weights = rng.standard_t(3, 25), rng.random((2, 25))
    shape = next(n for n in case.params if n not in ("loc", "scale"))
    outer = np.exp if shape == "asymmetry" else special.expit
    found = improved(case, x, weights, arguments(case), dict.fromkeys(case.params, pattern()))
    reached = value(case, x, weights, found)
    for k in range(2):

        def cost(v, loc, k=k):
            args = {"loc": loc, "scale": np.exp(v[0]), shape: outer(v[1])}
            return -(weights[k] * case.log_density(x, **args)).sum()

        settings = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000}
        by_row = [
            -optimize.minimize(cost, np.zeros(2), (loc,), "Nelder-Mead", options=settings).fun
            for loc in np.r_[x, (x[1:] + x[:-1]) / 2]
        ]
        np.testing.assert_allclose(reached[k], max(by_row), rtol=1e-9)


@KINDS
@pytest.mark.parametrize("free", ["loc", "scale", "shape"])
@pytest.mark.parametrize("shared", [False, True])
def test_one_argument_is_the_best_given_the_others(case, free, shared, x64):
    rng = np.random.default_rng(4)
    x, weights = rng.standard_t(3, 40), rng.random((2, 40))
    shape = next(n for n in case.params if n not in ("loc", "scale"))
    name = shape if free == "shape" else free
    ties = {n: pattern(shared, n != name) for n in case.params}
    args = arguments(case)
    if shared:
        args[name] = jnp.broadcast_to(args[name][:1], (2, 1))
    found = improved(case, x, weights, args, ties)
    for other in case.params:
        if other != name:
            np.testing.assert_array_equal(found[other], args[other])
    inner, outer = {
        "loc": (np.asarray, np.asarray),
        "scale": (np.log, np.exp),
        "asymmetry": (np.log, np.exp),
        "quantile": (special.logit, special.expit),
    }[name]

    def cost(v, k):
        new = args | {name: np.full((2, 1), outer(v))}
        each = value(case, x, weights, new)
        return -each.sum() if shared else -each[k]

    for k in range(2):
        if free == "loc":
            best = min(cost(v, k) for v in x)
        else:
            best = optimize.minimize_scalar(cost, (-1, 1), args=(k,), tol=1e-12).fun
        reached = cost(inner(float(found[name][k, 0])), k)
        np.testing.assert_allclose(reached, best, rtol=1e-10)


@functools.cache
def mixture():
    """Data of two asymmetric Laplaces, and the best likelihood of many simplex searches."""
    data = CASES[0].simulate(150, 11)["x"] * 0.4

    def cost(v):
        weight, args = special.expit(v[0]), (v[1:3], np.exp(v[3:5]), np.exp(v[5:7]))
        own = [CASES[0].log_density(data, *(a[k] for a in args)) for k in range(2)]
        return -np.logaddexp(np.log(weight) + own[0], np.log1p(-weight) + own[1]).sum()

    rng = np.random.default_rng(0)
    start = np.array([0.0, -1.2, 2.4, -1.2, -1.0, 0.0, 0.0])
    settings = {"maxiter": 6000, "maxfev": 6000, "adaptive": True, "xatol": 1e-7, "fatol": 1e-9}
    starts = [start + 0.3 * rng.standard_normal(7) for _ in range(10)]
    found = [optimize.minimize(cost, s, method="Nelder-Mead", options=settings) for s in starts]
    return data, max(-end.fun for end in found)


@KINDS
@pytest.mark.slow
def test_a_mixture_reaches_the_best_of_many_simplex_searches(case, x64):
    """The likelihood by hand; the corners are at rows, where quasi-Newton methods stop."""
    data, best = mixture()
    fit = em.EM(case.model()).run(jax.random.key(0), data)
    assert fit.base_status.ok
    assert fit.log_likelihood > best - 1e-6
    assert fit.log_likelihood < best + 0.5


def test_rows_on_one_side_only_leave_a_finite_estimate(x64):
    """The best loc of these is their least, where the side to the left has no rows."""
    x = 1.0 + np.r_[0.0, np.random.default_rng(5).exponential(size=30)]
    case, ties = CASES[0], dict.fromkeys(CASES[0].params, pattern())
    found = improved(case, x, np.ones((2, 31)), arguments(case), ties)
    reached = value(case, x, np.ones((2, 31)), found)
    exponential = stats.expon.logpdf(x, 1.0, (x - 1.0).mean()).sum()
    assert (reached >= exponential - 1e-5).all()
    assert all(np.isfinite(v).all() for v in found.values())
