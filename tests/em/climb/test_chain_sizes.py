"""Chains of other lengths, and of other numbers, find what was compiled for their size class."""

import jax
import numpy as np
import pytest
from scipy import stats

from mixpyro import em

from ..chain_forms import ragged
from ..test_chains import forward

KEY = jax.random.key(0)

pytestmark = pytest.mark.usefixtures("x64")


def test_other_lengths_and_numbers_of_a_size_class_compile_nothing(watch_jax):
    """9 x 17 and 10 x 20 are one; the same steps of the same sequences are the same fit."""
    rng = np.random.default_rng(9)
    x, lengths = rng.normal(size=(10, 20)), rng.integers(3, 10, 20)
    lengths[17:] = 0  # these three are not there
    fitter = em.EM(ragged, max_steps=3, accelerate=None)
    start = {
        "initial": [0.6, 0.4],
        "transition": [[0.7, 0.3], [0.4, 0.6]],
        "loc": [-1.0, 1.0],
        "scale": [1.0, 1.0],
    }
    whole = fitter.run(KEY, x, lengths, init_params=start)
    with watch_jax() as work:
        fit = fitter.run(KEY, x[:9, :17], lengths[:17], init_params=start)
    assert work.compiled == []
    for name, value in whole.params.items():
        np.testing.assert_allclose(fit.params[name], value, atol=1e-12)
    log_density = [
        stats.norm(fit.params["loc"], fit.params["scale"]).logpdf(v[:, None])
        for v in (x[:n, s] for s, n in enumerate(lengths[:17]))
    ]
    initial, transition = (np.asarray(fit.params[n]) for n in ("initial", "transition"))
    expected = [forward(range(len(d)), initial, transition, d.__getitem__) for d in log_density]
    np.testing.assert_allclose(fit.log_prob(), expected, atol=1e-10)
    hard = em.EM(ragged, assign="hard", max_steps=3, accelerate=None)
    found = hard.run(KEY, x[:9, :17], lengths[:17], init_params=start)
    there = np.arange(9)[:, None] < lengths[:17]
    np.testing.assert_array_equal(
        np.asarray(found.labels)[there], np.asarray(found.decode())[there]
    )
