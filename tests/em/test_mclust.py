"""The iris data against mclust (Scrucca, Fop, Murphy & Raftery 2016, The R Journal 8:289)."""

import functools

import jax
import numpy as np
import pytest
from sklearn.datasets import load_iris

from mixpyro import distributions, em, models

KEY = jax.random.key(0)

# Mclust(iris[, 1:4], G = 1:4)$BIC as mclust 5 prints it, in its sign, with the number of parameters
# of each covariance structure by its nVarParams: g components, d features, r = d (d - 1) / 2
# rotations. Where there is no entry, the structures that are special cases give the bound.
MCLUST = {
    "EII": (lambda g, d, r: 1, [-1804.0854, -1123.4117, -878.7650, -893.6140]),
    "VII": (lambda g, d, r: g, [-1804.0854, -1012.2352, -853.8144, -812.6048]),
    "EEI": (lambda g, d, r: d, [-1522.1202, -1042.9679, -813.0504, -827.4036]),
    "VEI": (lambda g, d, r: g + d - 1, [-1522.1202, -956.2823, -779.1566, -748.4529]),
    "EVI": (lambda g, d, r: 1 + g * (d - 1), [-1522.1202, -1007.3082, -797.8342, -837.5452]),
    "VVI": (lambda g, d, r: g * d, [-1522.1202, -857.5515, -744.6382, -751.0198]),
    "EEE": (lambda g, d, r: d + r, [-829.9782, -688.0972, -632.9647, -646.0258]),
    "VEE": (lambda g, d, r: g + d - 1 + r, [-829.9782, -656.3270, -605.3982, -604.8371]),
    "EVE": (lambda g, d, r: 1 + g * (d - 1) + r, [-829.9782, -657.2263, None, None]),
    "VVE": (lambda g, d, r: g * d + r, [-829.9782, None, -636.4259, None]),
    "EEV": (lambda g, d, r: d + g * r, [-829.9782, -644.5997, None, None]),
    "VEV": (lambda g, d, r: g + d - 1 + g * r, [-829.9782, -561.7285, -562.5522, None]),
    "EVV": (lambda g, d, r: 1 + g * (d - 1 + r), [-829.9782, -658.3306, -656.0359, -725.2925]),
    "VVV": (lambda g, d, r: g * (d + r), [-829.9782, -574.0178, -580.8396, -630.6000]),
}
QUICK = {("EVI", 3)}


@functools.cache
def fitted(name, k, dtype="float64"):
    with jax.enable_x64(dtype == "float64"):
        x = load_iris().data.astype(dtype)
        return em.EM(models.gaussian_mixture).run(KEY, x, num_components=k, covariance=name)


def published(name, k):
    """The number of parameters, and mclust's log-likelihood, from its BIC; None without one."""
    own, bic = MCLUST[name]
    x = load_iris().data
    n, d = x.shape
    free = k - 1 + k * d + own(k, d, d * (d - 1) // 2)
    return free, None if bic[k - 1] is None else (bic[k - 1] + free * np.log(n)) / 2


def special_cases(name):
    """The structures that restrict this one: I, then E, then V in each place; itself included."""
    return [
        n
        for n in MCLUST
        if all("IEV".index(a) <= "IEV".index(b) for a, b in zip(n, name, strict=True))
    ]


def pairs(table, quick=QUICK):
    return [
        pytest.param(
            *pair, id="-".join(map(str, pair)), marks=[] if pair in quick else [pytest.mark.slow]
        )
        for pair in table
    ]


# One component has no volumes to differ in; the benchmark `waiting` fits four by all structures.
ONE, FOUR = ("EII", "EEI", "EEE", "VVE"), ("EII", "VVI", "EEE", "VEE", "VVV")
PAIRS = [(n, k) for n in MCLUST for k in (2, 3)] + [(n, 1) for n in ONE] + [(n, 4) for n in FOUR]


@pytest.mark.parametrize(("name", "k"), pairs(PAIRS))
def test_no_lower_than_mclust(name, k, x64):
    fit = fitted(name, k)
    free, theirs = published(name, k)
    bounds = [published(other, k)[1] for other in special_cases(name)]
    assert fit.base_status is em.Status.CONVERGED
    assert fit.spec.closed_form
    assert fit.num_free_params == free
    assert fit.log_likelihood > max(b for b in bounds if b is not None) - 5e-5
    if k <= 2 and theirs is not None:  # beyond two, mclust misses better optima
        assert fit.log_likelihood == pytest.approx(theirs, abs=5e-4)
    rounding = 1e-12 * np.abs(fit.trace).max()
    assert np.all(np.diff(fit.trace) >= -rounding)
    assert fit.counts.min() > 8, "a peak that rests on a few rows"


# Every structure and those one step larger: E to V, or I to E.
LARGER = [
    (a, b)
    for a in MCLUST
    for b in MCLUST
    if [x + y for x, y in zip(a, b, strict=True) if x != y] in (["EV"], ["IE"])
]


@pytest.mark.slow
@pytest.mark.parametrize(("small", "large"), LARGER)
def test_a_larger_structure_goes_on_rising(small, large, x64):
    """From the responsibilities of the smaller one, EM of the larger cannot end lower."""
    x = load_iris().data
    fit = fitted(small, 3)
    model = em.EM(models.gaussian_mixture)
    start = fit.responsibilities()
    more = model.run(KEY, x, num_components=3, covariance=large, init_responsibilities=start)
    assert more.log_likelihood > fit.log_likelihood
    assert more.num_free_params > fit.num_free_params


@pytest.mark.slow
@pytest.mark.parametrize("name", ["EEI", "VEI", "EVI", "VEE", "EVV"])
def test_units_of_the_columns_do_not_matter(name, x64):
    """To the structures that a change of units maps to themselves; it costs its Jacobian."""
    units = np.array([100.0, 1.0, 0.01, 3.0])
    fit = fitted(name, 2)
    x = load_iris().data * units
    other = em.EM(models.gaussian_mixture).run(KEY, x, num_components=2, covariance=name)
    expected = fit.log_likelihood - len(x) * np.log(units).sum()
    assert other.log_likelihood == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["EVE", "VEV", "VEI"])
def test_single_precision(name):
    fit = fitted(name, 2, "float32")
    assert fit.params["loc"].dtype == "float32"
    # The objective rounds as the squares around the data's mean do, from which it is made.
    centred = load_iris().data - load_iris().data.mean(0)
    sites = {"orientation": np.eye(4, dtype="float32")} | fit.params
    normals = distributions.EigenNormal(**{n: v for n, v in sites.items() if n != "weights"})
    covariance = normals.covariance_matrix
    squares = np.einsum("ni,kij,nj->nk", centred, np.linalg.inv(covariance), centred)
    terms = (fit.responsibilities() * squares).sum()
    assert np.all(np.diff(fit.trace) >= -2 * np.finfo(np.float32).eps * terms)
    assert fit.base_status is em.Status.CONVERGED
    assert fit.log_likelihood == pytest.approx(published(name, 2)[1], rel=2e-5)
