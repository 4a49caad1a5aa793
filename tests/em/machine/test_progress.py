"""Progress bars: each run has its own."""

from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

from mixpyro import em, models
from mixpyro.em.machine.progress import Progress


class Bar:
    """What tqdm is asked to do."""

    def __init__(self, total, **_):
        self.total, self.n, self.closed, self.objectives = total, 0, False, []
        BARS.append(self)

    def update(self, steps):
        self.n += steps

    def set_postfix_str(self, text):
        self.objectives.append(float(text.removeprefix("objective ")))

    def close(self):
        self.closed = True


BARS = []


@pytest.fixture(autouse=True)
def bars(monkeypatch):
    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    BARS.clear()


def test_runs_at_the_same_time_do_not_mix():
    with Progress(10, True) as one, Progress(10, True) as other:
        Progress.report(np.int32(one.number), 3, -5.0)
        Progress.report(np.int32(other.number), 7, -9.0)
        Progress.report(np.int32(one.number), 4, -4.0)
    assert [(b.n, b.objectives) for b in BARS] == [(4, [-5.0, -4.0]), (7, [-9.0])]
    assert all(b.closed and b.total == b.n for b in BARS)
    Progress.report(np.int32(one.number), 5, -3.0)  # a run that has ended
    assert BARS[0].n == 4


def test_two_threads():
    x = np.random.default_rng(0).normal(size=(2, 40)) + np.repeat([0, 4], 20)
    fitter = em.EM(models.poisson_mixture, progress_bar=True, num_restarts=1)
    x = np.floor(np.abs(x) * 3)

    def run(data):
        return fitter.run(jax.random.key(0), data, num_components=2)

    run(x[0])  # NumPyro does not trace in two threads at once
    BARS.clear()
    with ThreadPoolExecutor(2) as pool:
        fits = list(pool.map(run, x))
    assert sorted(b.n for b in BARS) == sorted(f.num_steps for f in fits)
    last = sorted(b.objectives[-1] for b in BARS)
    np.testing.assert_allclose(last, sorted(f.objective for f in fits), rtol=1e-5)
