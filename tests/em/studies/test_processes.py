"""Sweeps in several processes: the fits of one process, put together when they are asked for."""

import functools
import importlib
import os
import subprocess
import sys
import threading
import types
import warnings

import jax
import numpy as np
import pandas as pd
import pytest

from mixpyro import em, models
from mixpyro import processes as several_at_once
from mixpyro.em.studies import processes

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("x64")]

COUNTS = np.concatenate([np.random.default_rng(0).poisson(rate, 30) for rate in (1, 12, 40)])

NUMBERS = [1, 2, 3, 4, *3 * [2, 3, 4]]  # more than are searched one and all, and few to read


MODEL = """
from mixpyro import models


def own(x, num_components):
    return models.poisson_mixture(x, num_components=num_components)
"""

SCRIPT = """
import numpy as np

from mixpyro import em, models

print("once")
x = np.array([0, 1, 0, 9, 8, 7, 1, 0, 8, 9] * 3)
fitter = em.EM(models.poisson_mixture, num_restarts=2)
found = em.sweep(fitter, 0, x, num_components=[1, 2], processes=2)
print(found.best().program.num_components)
"""

AND_THEN = """
try:
    em.sweep(own, 0, x, num_components=[1, 2], processes=2)
except ValueError as error:
    print("the main module" if "the main module" in str(error) else error)
"""


@functools.cache
def swept(number):
    with jax.enable_x64(True):
        fitter = em.EM(models.poisson_mixture)
        return em.sweep(fitter, 0, COUNTS, num_components=NUMBERS, processes=number)


def test_tables_are_those_of_one_process():
    one, two = swept(1), swept(2)
    assert isinstance(two.fits, processes.Fits)
    two.fits._made.clear()  # what other tests have asked for
    pd.testing.assert_frame_equal(two.table, one.table, rtol=1e-6)
    assert NUMBERS[two.winner()] == NUMBERS[one.winner()] == 3
    np.testing.assert_array_equal(two.ok, one.ok)
    two.plot()
    assert not two.fits._made  # a table and its picture need no fit


def test_fits_are_those_of_one_process():
    one, two = swept(1), swept(2)
    assert [fit.restart_results.passed for fit in two.fits] == [
        fit.restart_results.passed for fit in one.fits
    ]
    again, best = two.best(), one.best()
    assert two.fits[two.winner()] is again
    assert again.params["rate"].dtype == np.float64
    np.testing.assert_allclose(np.sort(again.params["rate"]), np.sort(best.params["rate"]), 1e-5)
    assert again.message == best.message
    np.testing.assert_allclose(
        again.summary()["standard_error"].sort_values(),
        best.summary()["standard_error"].sort_values(),
        rtol=1e-3,
    )
    assert [fit.program.num_components for fit in two.fits[1:3]] == [2, 3]
    with pytest.raises(IndexError):
        two.fits[13]


def test_columns_and_options_go_along():
    frame = pd.DataFrame({"count": COUNTS, "other": COUNTS[::-1]})
    fitter = em.EM(models.poisson_mixture, num_restarts=2, objective="posterior")
    found = em.sweep(fitter, jax.random.PRNGKey(1), frame, num_components=[1, 2], processes=2)
    alone = fitter.run(jax.random.PRNGKey(1), frame, num_components=2)
    assert found.table["log_likelihood"][1] == pytest.approx(alone.log_likelihood, rel=1e-9)
    assert found.fits[1].objective == pytest.approx(alone.objective, rel=1e-9)
    assert found.fits[1].summary().index.tolist() == alone.summary().index.tolist()


def test_scripts_need_no_guard(tmp_path):
    """The main module is not run again, and what is of it is refused."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + MODEL + AND_THEN)
    told = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == ["once", "2", "the main module"]


def test_what_goes_wrong_elsewhere_is_told_here():
    with pytest.raises(ValueError, match="row 0"):
        em.sweep(models.poisson_mixture, 0, -COUNTS - 1, num_components=[1, 2], processes=2)
    short = em.EM(models.poisson_mixture, max_steps=1, throw=True)
    with pytest.raises(em.FitError, match="max_steps"):
        em.sweep(short, 0, COUNTS, num_components=[2, 3], processes=2)


def test_a_module_that_is_nowhere_else_is_told(monkeypatch, capfd):
    here = types.ModuleType("only_here")
    exec(MODEL, vars(here))
    monkeypatch.setitem(sys.modules, "only_here", here)
    with pytest.raises(ValueError, match="ended by itself: it cannot import the model"):
        em.sweep(here.own, 0, COUNTS, num_components=[1, 2], processes=2)
    assert "only_here" in capfd.readouterr().err  # Python says which


WARNING = MODEL.replace("\n    return", "\n    warnings.warn('by the model')\n    return").replace(
    "from mixpyro", "import warnings\n\nfrom mixpyro"
)


def test_several_are_taken_where_that_pays_and_can_be(monkeypatch, tmp_path, capfd):
    """They say here what they warn of; where they cannot be had one does it."""
    monkeypatch.setattr(several_at_once, "cores", lambda: 2)
    (tmp_path / "model_that_warns.py").write_text(WARNING)
    monkeypatch.syspath_prepend(tmp_path)
    own = importlib.import_module("model_that_warns").own

    def swept(model, number=12):
        fitter = em.EM(model, num_restarts=1)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            found = em.sweep(fitter, 0, COUNTS, num_components=number * [2])
        return found, [str(w.message) for w in warned]

    several, warned = swept(own)
    assert isinstance(several.fits, processes.Fits)
    assert warned == ["by the model"]
    for found, _ in (swept(own, 11), swept(lambda *a, **kw: own(*a, **kw))):
        assert isinstance(found.fits, tuple)
    (tmp_path / "model_that_warns.py").write_text("raise ImportError('nowhere else')")
    one, _ = swept(own)
    assert isinstance(one.fits, tuple)
    assert "nowhere else" in capfd.readouterr().err
    pd.testing.assert_frame_equal(one.table, several.table, rtol=1e-6)


@pytest.mark.parametrize(
    ("fits", "rows", "number"), [(5, 9, 1), (12, 9, 2), (99, 9, 4), (99, 10**6, 1)]
)
def test_how_many_pay(monkeypatch, fits, rows, number):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    assert several_at_once.affordable(fits, rows) == number


def test_what_cannot_be_is_refused(monkeypatch):
    sweep = functools.partial(em.sweep, models.poisson_mixture, 0, num_components=[1, 2])
    with pytest.raises(ValueError, match="processes must be a whole number"):
        sweep(COUNTS, processes=0)
    with pytest.raises(ValueError, match="Batches"):
        sweep(em.Batches(COUNTS), processes=2)
    lock = threading.Lock()
    with pytest.raises(ValueError, match="cannot be sent"):
        em.sweep(lambda x, num_components: lock, 0, COUNTS, num_components=[1], processes=2)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(ValueError, match="accelerator"):
        sweep(COUNTS, processes=2)
