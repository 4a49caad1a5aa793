"""Log densities and estimators at extreme arguments, against arithmetic of fifty digits."""

import jax
import mpmath as mp
import numpy as np
import pytest

from mixpyro import em, models

from .densities import poisson
from .extremes import EXTREMES, FAR, LEFT, SPREAD, judged

# The first in both precisions, the others in turn; `benchmarks/evidence/numerics.py` has all in
# both.
BOTH = list(EXTREMES)[:6]
SHARE = [(name, bits) for name in BOTH for bits in (64, 32)] + [
    pytest.param(name, (64, 32)[i % 2], marks=pytest.mark.slow)
    for i, name in enumerate(EXTREMES)
    if name not in BOTH
]


@pytest.mark.parametrize(("name", "bits"), SHARE)
def test_a_fit_at_extreme_arguments_has_its_digits_and_its_maximum(name, bits):
    case = EXTREMES[name]
    status, error, left = judged(case, bits)
    if not status.ok:
        assert (bits, status) == (32, case.single)
        return
    assert error <= FAR[bits]
    assert case.edge or left <= LEFT[bits]


@pytest.mark.parametrize("total", [1e-12, 1e-6, 1e6, 1e12])
def test_the_size_of_weights_changes_no_estimate(total, x64):
    x = np.concatenate([SPREAD, SPREAD + 9])
    weights = 1.0 + np.arange(32) % 3

    def fitted(scale):
        own = em.kmeans(x, 2, 0, weights=weights * scale)
        return np.sort(np.ravel(own.centroids)), own.inertia / scale

    (centroids, inertia), (expected, same) = fitted(total), fitted(1.0)
    np.testing.assert_allclose(centroids, expected, rtol=1e-12)
    assert inertia == pytest.approx(same, rel=1e-12)


@pytest.mark.parametrize("offset", [1e6, 1e8, 1e10])
def test_an_offset_moves_the_answer_along(offset, x64):
    rng = np.random.default_rng(8)
    x = np.round(rng.normal(size=200) * 2**10) / 2**10 + 6.0 * (np.arange(200) % 2)
    fitter = em.EM(models.gaussian_mixture, num_restarts=1)
    near, far = (fitter.run(0, (x + b)[:, None], num_components=2) for b in (0.0, offset))
    assert far.log_likelihood == pytest.approx(near.log_likelihood, rel=1e-9)
    loc = np.sort(np.ravel(far.params["loc"])) - offset
    np.testing.assert_allclose(loc, np.sort(np.ravel(near.params["loc"])), atol=1e-4)


@pytest.mark.slow
def test_a_million_rows_of_one_value():
    for x64 in (False, True):
        with jax.enable_x64(x64):
            fit = em.EM(models.poisson_mixture, num_restarts=1).run(
                0, np.full(1_000_000, 7), num_components=1
            )
            assert fit.status.ok
            assert fit.params["rate"] == pytest.approx(7.0, rel=1e-6)
            exact = 1_000_000 * float(poisson(mp.mpf(7), mp.mpf(7)))
            assert fit.log_likelihood == pytest.approx(exact, rel=2e-6 if not x64 else 1e-12)
