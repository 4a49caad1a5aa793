"""Processes that have a part of the rows each return the same fit, also after they were killed."""

import ast
from pathlib import Path

import numpy as np
import pytest

from .spawned import Spawned

SCRIPT = Path(__file__).with_name("several_processes.py")
pytestmark = pytest.mark.slow


def told(number, folder, checkpoint=""):
    found = Spawned(SCRIPT, number, folder, checkpoint, 0).ended()
    return [ast.literal_eval(lines[-1]) for lines in found]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    (found,) = told(1, tmp_path_factory.mktemp("whole"))
    return found


def same(found, whole):
    params, steps, log_likelihood, bic, _ = whole
    assert found[0][:4] == found[1][:4]
    # Sums in another order may stop a step sooner or later, where 1e-9 is left of the climb.
    assert abs(found[0][1] - steps) <= 1
    np.testing.assert_allclose(found[0][2:4], [log_likelihood, bic], rtol=1e-12)
    for name, value in params.items():
        np.testing.assert_allclose(found[0][0][name], value, rtol=1e-6, atol=1e-6)
    resp = np.concatenate([f[4] for f in found])
    np.testing.assert_allclose(resp, whole[4], atol=1e-6)


def test_two_processes_return_the_fit_of_one(whole, tmp_path):
    same(told(2, tmp_path), whole)


def test_killed_and_started_again_they_end_there_too(whole, tmp_path):
    path = tmp_path / "fit.ckpt"
    Spawned(SCRIPT, 2, tmp_path, path, 0).killed_once_there_is(path)
    same(told(2, tmp_path, path), whole)
