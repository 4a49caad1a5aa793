"""Fits and `EM` objects pickle and copy where the model does."""

import copy
import pickle
import subprocess
import sys

import jax
import numpy as np
import pandas as pd
import pytest

from mixpyro import em, models

KEY = jax.random.key(0)
_rng = np.random.default_rng(1)
X = np.r_[_rng.poisson(2, 25), _rng.poisson(12, 15)]
FITTER = em.EM(models.poisson_mixture, num_restarts=2)


@pytest.fixture(scope="module")
def fit():
    return FITTER.run(KEY, X, num_components=2)


def test_a_copy_of_a_fit_says_the_same(fit):
    for other in (copy.deepcopy(fit), pickle.loads(pickle.dumps(fit))):
        np.testing.assert_array_equal(other.predict(), fit.predict())
        np.testing.assert_array_equal(other.responsibilities(X[:9]), fit.responsibilities(X[:9]))
        pd.testing.assert_frame_equal(other.summary(), fit.summary())
        assert (other.status, other.message, other.bic) == (fit.status, fit.message, fit.bic)
        assert other.program is fit.program


def test_a_copy_of_an_em_fits_the_same(fit):
    for other in (copy.deepcopy(FITTER), pickle.loads(pickle.dumps(FITTER))):
        again = other.run(KEY, X, num_components=2)
        assert again.log_likelihood == fit.log_likelihood


@pytest.mark.slow
def test_a_pickle_is_read_by_another_process(fit, tmp_path):
    path = tmp_path / "fit.pickle"
    path.write_bytes(pickle.dumps(fit))
    code = f"""
import pickle
fit = pickle.load(open({str(path)!r}, "rb"))
print(fit.predict().tolist(), fit.summary().to_json(double_precision=4))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = f"{fit.predict().tolist()} {fit.summary().to_json(double_precision=4)}"
    assert done.stdout.strip() == expected


def test_a_model_that_does_not_pickle_says_so():
    fit = em.EM(lambda x: models.poisson_mixture(x, num_components=2), num_restarts=2).run(KEY, X)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(fit)
    assert copy.deepcopy(fit).log_likelihood == fit.log_likelihood
