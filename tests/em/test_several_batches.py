"""Processes that read files of their own each return the fit of one process that reads all."""

import ast
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import special, stats

from .spawned import Spawned

SCRIPT = Path(__file__).with_name("several_batches.py")
OWN = runpy.run_path(str(SCRIPT))
ROWS = [OWN["CUT"], OWN["ROWS"] - OWN["CUT"]]
pytestmark = pytest.mark.slow


def told(processes):
    lines = processes.ended()
    return [dict(ast.literal_eval(v) for v in own if v.startswith("(")) for own in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    OWN["write"](folder)
    return folder


@pytest.fixture(scope="module")
def whole(folder):
    (found,) = told(Spawned(SCRIPT, 1, folder, folder, ""))
    return found


@pytest.fixture(scope="module")
def two(folder):
    return told(Spawned(SCRIPT, 2, folder, folder, ""))


def same(found, whole, digits=1e-6):
    same_numbers(found, whole, digits)
    parts = [np.array(f[3]) for f in found]
    assert [len(p) for p in parts] == ROWS
    np.testing.assert_allclose(np.concatenate(parts), whole[3], atol=digits)


def same_numbers(found, whole, digits):
    assert found[0][:3] == found[1][:3]
    params, errors, (steps, *numbers), _ = whole
    for mine, value in ((found[0][0], params), (found[0][1], errors)):
        assert mine.keys() == value.keys()
        for name in value:
            np.testing.assert_allclose(mine[name], value[name], rtol=digits, atol=digits)
    # Sums in another order may stop a step sooner or later, where 1e-10 is left of the climb.
    assert abs(found[0][2][0] - steps) <= 1
    np.testing.assert_allclose(found[0][2][1:], numbers, rtol=digits**1.5)


@pytest.mark.parametrize("case", ["gaps and weights", "from parameters"])
def test_two_processes_return_the_fit_of_one(two, whole, case):
    same([t[case] for t in two], whole[case])


def test_single_precision_too(two, whole, folder):
    """A step sooner or later is 3e-5 of the log-likelihood: responsibilities are those by hand."""
    found, alone = [t["single precision"] for t in two], whole["single precision"]
    same_numbers(found, alone, 1e-4)
    counts = np.load(folder / "rows.npy")[:, 3:]
    for parts in (found, [alone]):
        params = parts[0][0]
        joint = stats.poisson.logpmf(counts, params["rate"]) + np.log(params["weights"])
        told = np.concatenate([np.array(part[3]) for part in parts])
        np.testing.assert_allclose(told, special.softmax(joint, 1), atol=1e-5)
    assert [len(part[3]) for part in found] == ROWS


def test_stepwise_em_takes_a_batch_of_each(two, whole):
    """Its way is another one, as batches are twice as large; ordinary passes follow to the top."""
    found, alone = [t["stepwise"] for t in two], whole["stepwise"]
    assert found[0][:3] == found[1][:3]
    for name, value in alone[0].items():
        np.testing.assert_allclose(found[0][0][name], value, atol=1e-4)
    np.testing.assert_allclose(found[0][2][1], alone[2][1], rtol=1e-9)


@pytest.mark.parametrize(
    ("case", "kind", "words"),
    [
        ("the same rows", "ValueError", "processes 0 and 1 have read the same rows"),
        ("other columns", "ValueError", r"[[2], []] in process 0 and [[3], []] in process 1"),
        ("other numbers", "ValueError", "process 1 has other values than process 0 for settings"),
        ("no file", "ValueError", "the rows of this fit are with several processes"),
    ],
)
def test_what_is_no_run_of_all_is_refused_by_all(two, case, kind, words):
    for found in two:
        assert found[case][0] == kind
        assert words in found[case][1]


def test_a_bad_row_of_one_process_is_told_by_all(two):
    row = ROWS[1] - 3
    words = f"rows {row // 100 * 100} to {ROWS[1] - 1}, which"
    (first, told), (second, own) = (t["a bad row"] for t in two)
    assert (first, second) == ("RuntimeError", "ValueError")
    assert told.startswith("process 1 of this run stopped: ")
    for message in (told, own):
        assert words in message
        assert f"the value -1 at row {row % 100}" in message


def test_killed_and_started_again_they_end_there_too(whole, folder, tmp_path):
    path = tmp_path / "fit.ckpt"
    Spawned(SCRIPT, 2, tmp_path, folder, path).killed_once_there_is(path)
    found = told(Spawned(SCRIPT, 2, tmp_path, folder, path))
    same([f["gaps and weights"] for f in found], whole["gaps and weights"])
