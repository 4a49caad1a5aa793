"""Parameters that a model is tried with."""

import numpy as np
import pytest

from mixpyro import models
from mixpyro.em.calls.arguments import split
from mixpyro.em.programs import program_for
from mixpyro.em.read.examples import example


@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_wide_matrices_can_be_inverted(spread):
    """Else rounding decides whether a reading of them is right."""
    x = np.random.default_rng(0).normal(size=(40, 48))
    model = models.gaussian_mixture
    call = split((x,), {"num_components": 3}, model)
    found = example(program_for(model, call), call.arrays, (1, 2), 1, spread)
    covariances = np.asarray(found["covariance_matrix"], float)
    assert (np.linalg.cond(covariances) < 1e4).all()
    entries = covariances[:, *np.tril_indices(48)]
    assert np.unique(entries).size == entries.size
