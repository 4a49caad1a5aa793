"""Fits that many pictures are drawn of, each made once; figures are closed."""

import jax
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mixpyro import em, models

KEY = jax.random.key(0)
N = 60
RNG = np.random.default_rng(5)
FIRST = np.arange(N) < 25
PLANE = RNG.normal(size=(N, 2)) * np.array([1.0, 10.0]) + np.where(FIRST, 0, 2.0)[:, None] * [1, 10]


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def plane():
    """Two normals in two named columns."""
    frame = pd.DataFrame(PLANE, columns=["length", "<wait>"])
    with jax.enable_x64(True):
        return em.EM(models.gaussian_mixture).run(KEY, frame, num_components=2)


@pytest.fixture(scope="session")
def counts():
    """Two Poisson laws."""
    x = np.random.default_rng(24).poisson(np.where(np.arange(N) < 30, 2.0, 9.0))
    with jax.enable_x64(True):
        return em.EM(models.poisson_mixture).run(KEY, x, num_components=2)


@pytest.fixture(scope="session")
def items():
    """One class of a binary and two polytomous items: the estimates are the shares."""
    rng = np.random.default_rng(7)
    x = np.stack([rng.integers(0, m, N) for m in (2, 3, 3)], 1)
    with jax.enable_x64(True):
        return em.EM(models.latent_class).run(KEY, x, num_components=1, num_categories=3)


@pytest.fixture(scope="session")
def chain():
    """A chain of two states with Poisson counts."""
    rng = np.random.default_rng(8)
    rate = np.repeat([2.0, 12.0, 2.0], 20)
    with jax.enable_x64(True):
        return em.EM(models.hidden_markov).run(KEY, rng.poisson(rate), num_components=2)
