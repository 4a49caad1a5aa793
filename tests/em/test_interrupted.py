"""Ctrl-C while a run climbs: the best fit so far is returned, and says so."""

import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from scipy.stats import norm

from mixpyro import em
from mixpyro.em import driver
from mixpyro.em.climb import legs
from mixpyro.em.machine.interruption import Interruption

from .two_normals import normals

pytestmark = pytest.mark.usefixtures("ctrl_c")

_rng = np.random.default_rng(2)
# Two classes so close that EM needs hundreds of steps.
X = np.concatenate([_rng.normal(size=120), _rng.normal(size=80) + 1.5])


class Pressed(Interruption):
    """Ctrl-C, so often, as soon as there is something to return; after so many looks."""

    times = 1
    patience = 0

    @property
    def ready(self):
        return self._is_ready

    @ready.setter
    def ready(self, value):
        self._is_ready = value
        if value and type(self).times and not self.asked:
            if self.looks == type(self).patience:
                for _ in range(type(self).times):
                    signal.raise_signal(signal.SIGINT)
            self.looks += 1

    looks = 0


def pressed(monkeypatch, times=1, patience=0):
    monkeypatch.setattr(Pressed, "times", times)
    monkeypatch.setattr(Pressed, "patience", patience)
    monkeypatch.setattr(driver, "Interruption", Pressed)
    monkeypatch.setattr(legs, "_MOST", 50)
    monkeypatch.setattr(legs, "_BY_NUMPY", 50)


def run(**options):
    options = {"accelerate": None, "num_restarts": 1, "tolerance": 0, **options}
    return em.EM(normals, **options).run(jax.random.key(1), X, num_components=2)


@pytest.mark.parametrize("patience", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_the_best_so_far_is_a_fit(patience, monkeypatch, x64):
    whole = run()
    pressed(monkeypatch, patience=patience)
    fit = run()
    assert fit.status is em.Status.INTERRUPTED
    assert not fit.status.ok
    assert "Ctrl-C" in fit.message
    assert 0 < fit.num_steps < whole.num_steps
    np.testing.assert_allclose(fit.trace, whole.trace[: fit.num_steps], rtol=1e-12)
    p = fit.params
    density = norm.pdf(X[:, None], p["loc"], p["scale"]) @ np.asarray(p["weights"])
    np.testing.assert_allclose(fit.log_likelihood, np.log(density).sum(), rtol=1e-9)
    assert fit.restarts.loc[fit.restarts.chosen, "status"].item() == "INTERRUPTED"


def test_one_can_go_on_from_it(monkeypatch, x64):
    whole = run(tolerance=1e-10)
    with monkeypatch.context() as patch:
        pressed(patch)
        fit = run()
    fitter = em.EM(normals)
    on = fitter.run(jax.random.key(0), X, num_components=2, init_params=fit.leaves)
    assert on.status.ok
    np.testing.assert_allclose(on.log_likelihood, whole.log_likelihood, atol=1e-5)


def test_a_search_that_was_cut_short_does_not_call_itself_converged(monkeypatch, x64):
    pressed(monkeypatch, patience=3)
    fit = run(num_restarts="auto", tolerance=1e-2)
    assert fit.status is em.Status.INTERRUPTED
    # What has converged already was chosen among others that had.
    assert "CONVERGED" in set(fit.restarts.status)


def test_twice_raises(monkeypatch):
    pressed(monkeypatch, times=2)
    with pytest.raises(KeyboardInterrupt):
        run()


def test_it_is_no_success_for_those_who_asked_for_one(monkeypatch):
    pressed(monkeypatch)
    with pytest.raises(em.FitError, match="interrupted"):
        run(throw=True)


def test_scikit_learn_is_stopped(monkeypatch):
    sklearn = pytest.importorskip("mixpyro.sklearn")
    pressed(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        sklearn.GaussianMixture(2, random_state=0).fit(X[:, None])


LONG = """
import sys, jax, numpy as np
from mixpyro import em, models
x = np.random.default_rng(0).normal(size=(300_000, 2))
print("begun", flush=True)
fit = em.EM(models.gaussian_mixture, tolerance=0, accelerate=None, max_steps=10**6).run(
    0, x, num_components=6)
print(fit.status, fit.num_steps > 0, np.isfinite(fit.log_likelihood), fit.base_status.ok)
"""


@pytest.mark.slow
def test_from_a_terminal():
    process = subprocess.Popen(
        [sys.executable, "-c", LONG], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout.readline() == "begun\n"
    time.sleep(20)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out == "INTERRUPTED True True False\n"
