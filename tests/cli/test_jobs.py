"""Candidates that are screened in several processes are those of one process."""

import os

import numpy as np
import pytest

from mixpyro.cli import jobs
from mixpyro.cli.modelling import load_model

CELLS = [{"num_components": k} for k in (1, 2)]
OPTIONS = {"num_restarts": 2, "tolerance": 1e-3}


class Heard:
    """Who counts."""

    def __init__(self):
        self.cells = []

    def begun(self, cell):
        self.cells.append(("begun", cell["num_components"]))

    def done(self, cell):
        self.cells.append(("done", cell["num_components"]))


def job_of(name, x):
    return jobs.Job(name, load_model(name)[0], 0, {"x": x}, OPTIONS)


@pytest.fixture
def counts():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.poisson(1, 40), rng.poisson(9, 40)])


@pytest.fixture
def own_model(tmp_path):
    """A file with a model that ends every process but this one, if it is told to."""
    path = tmp_path / "own.py"
    path.write_text(
        "import multiprocessing, os\n"
        "from mixpyro.models import poisson_mixture\n"
        "if multiprocessing.parent_process() and os.environ.get('MIXPYRO_TEST_ENDS'):\n"
        "    os._exit(3)\n"
        "def own(x=None, num_components=2):\n"
        "    return poisson_mixture(x, num_components=num_components)\n"
    )
    return f"{path}:own"


def same(found, wanted):
    assert [row["status"] for row in found] == [row["status"] for row in wanted]
    for row, other in zip(found, wanted, strict=True):
        numbers = [n for n in row if n != "status"]
        np.testing.assert_allclose([row[n] for n in numbers], [other[n] for n in numbers])


@pytest.mark.slow
def test_processes_find_what_one_finds(counts, own_model, x64):
    before, heard = dict(os.environ), Heard()
    job = job_of(own_model, counts)
    found = jobs.screened(job, CELLS, heard, 2)
    same(found, jobs.screened(job, CELLS, Heard(), 1))
    assert found[1]["num_free_params"] == 3
    assert heard.cells == [("begun", 1), ("done", 1), ("begun", 2), ("done", 2)]
    assert dict(os.environ) == before


@pytest.mark.slow
def test_processes_that_end_are_done_without(counts, own_model, x64, monkeypatch):
    monkeypatch.setenv("MIXPYRO_TEST_ENDS", "1")
    found = jobs.screened(job_of(own_model, counts), CELLS, Heard(), 2)
    assert [row["status"] for row in found] == ["CONVERGED", "CONVERGED"]


@pytest.mark.slow
def test_what_a_process_refuses_is_told(counts, x64):
    with pytest.raises(ValueError, match="num_components"):
        jobs.screened(job_of("poisson_mixture", counts), [{"num_components": 0}] * 2, Heard(), 2)


def test_processes_are_started_where_they_pay(monkeypatch, counts, x64):
    asked = []
    monkeypatch.setattr(jobs, "affordable", lambda fits, rows: asked.append((fits, rows)) or 1)
    jobs.screened(job_of("poisson_mixture", counts), CELLS, Heard())
    assert asked == [(2, 80)]
