"""Row weights: frequencies are repeated rows, rows of weight 0 are dropped."""

import numpy as np
import pytest
from scipy import special

from mixpyro import em

from ..two_normals import INIT, KEY, N, X, joint, normals

pytestmark = pytest.mark.usefixtures("x64")


def test_rows_of_weight_0_are_dropped():
    """Even where they hold nonsense."""
    weights = np.where(np.arange(N) % 4 == 0, 0.0, 1.0 + np.arange(N) % 3)
    x = np.where(weights == 0, 1e3, X)
    used = weights > 0
    fits = [
        em.EM(normals).run(KEY, a, num_components=2, weights=w, init_params=INIT)
        for a, w in ((x, weights), (X[used], weights[used]))
    ]
    for name, value in fits[1].params.items():
        np.testing.assert_allclose(fits[0].params[name], value, rtol=1e-6)
    assert fits[0].log_likelihood == pytest.approx(fits[1].log_likelihood, abs=1e-7)
    rows = special.logsumexp(joint(X, fits[0].params), axis=1)
    assert fits[0].log_likelihood == pytest.approx(weights @ rows, abs=1e-7)
    assert fits[0].total_weight == weights.sum()
    assert fits[0].bic == pytest.approx(
        -2 * fits[0].log_likelihood + 5 * np.log(weights.sum()), abs=1e-7
    )
    resp = np.exp(joint(X, fits[0].params) - rows[:, None])[used]
    price = -2 * weights[used] @ np.log(resp.max(1))
    assert fits[0].icl == pytest.approx(fits[0].bic + price, abs=1e-6)
    np.testing.assert_allclose(np.asarray(fits[0].log_prob())[used], rows[used], atol=1e-8)
    assert np.isfinite(np.asarray(fits[0].responsibilities())).all()


def test_frequency_weights_are_repeated_rows():
    weights = 1 + np.arange(N) % 3
    one = em.EM(normals).run(
        KEY, X, num_components=2, weights=weights.astype(float), init_params=INIT
    )
    other = em.EM(normals).run(KEY, np.repeat(X, weights), num_components=2, init_params=INIT)
    for name, value in other.params.items():
        np.testing.assert_allclose(one.params[name], value, rtol=1e-5)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-6)
    assert one.bic == pytest.approx(other.bic, abs=1e-5)
