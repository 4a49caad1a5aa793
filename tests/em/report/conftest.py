"""Fits that many tests of reports ask, each made once."""

import jax
import numpy as np
import pytest

from mixpyro import em, models

from ..two_normals import INIT, KEY, N, X, normals


@pytest.fixture(scope="session")
def fit():
    with jax.enable_x64(True):
        return em.EM(normals, tolerance=1e-12).run(KEY, X, num_components=2, init_params=INIT)


@pytest.fixture(scope="session")
def counts_fit():
    with jax.enable_x64(True):
        x = np.random.default_rng(24).poisson(np.where(np.arange(N) < 30, 2.0, 14.0))
        return em.EM(models.poisson_mixture, num_restarts=2).run(KEY, x, num_components=2)
