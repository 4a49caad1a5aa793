"""Starts that take their steps one after the other end where they do side by side."""

import numpy as np
import pytest

from mixpyro import em, models
from mixpyro.em.climb import loop, opening

pytestmark = pytest.mark.usefixtures("x64")

_rng = np.random.default_rng(5)
X = np.concatenate([_rng.normal(-3, 1, (40, 2)), _rng.normal(2, 0.5, (60, 2))])


@pytest.mark.parametrize(
    "options",
    [
        {"accelerate": None},
        {"accelerate": "quasi-newton"},
        {"assign": "hard"},
        {"assign": "stochastic"},
    ],
)
def test_ends_of_starts(options, monkeypatch):
    found = []
    for one_by_one in (False, True):
        for module in (loop, opening):
            monkeypatch.setattr(module, "apart", lambda program, own=one_by_one: own)
        fitter = em.EM(models.gaussian_mixture, num_restarts=4, max_steps=300, **options)
        found.append(fitter.run(3, X, num_components=3).restarts)
    side_by_side, apart = found
    assert list(apart["status"]) == list(side_by_side["status"])
    regular = ~apart["status"].isin(["COLLAPSED", "NEARLY_SINGULAR"])  # these magnify rounding
    assert regular.any()
    objective = side_by_side["objective"][regular]
    np.testing.assert_allclose(apart["objective"][regular], objective, rtol=1e-7)
    assert (apart["num_steps"] > 1).all()
    assert apart["num_steps"].nunique() > 1  # some had ended while others went on
    np.testing.assert_allclose(apart["num_steps"], side_by_side["num_steps"], atol=1)
