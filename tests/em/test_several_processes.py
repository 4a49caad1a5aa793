"""Processes that have a part of the rows each return the same fit, also after they were killed."""

import ast
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("several_processes.py")
pytestmark = pytest.mark.slow


def started(processes, checkpoint="", every=0):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    return [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), *map(str, (i, processes, port, checkpoint, every))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": str(i + 1)},
        )
        for i in range(processes)
    ]


def ended(processes):
    found = []
    for process in processes:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err[-3000:]
        found.append(ast.literal_eval(out.splitlines()[-1]))
    return found


@pytest.fixture(scope="module")
def whole():
    return ended(started(1))[0]


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


def test_two_processes_return_the_fit_of_one(whole):
    same(ended(started(2)), whole)


def test_killed_and_started_again_they_end_there_too(whole, tmp_path):
    path = tmp_path / "fit.ckpt"
    processes = started(2, path)
    began = time.monotonic()
    while not path.exists() and time.monotonic() - began < 200:
        time.sleep(0.01)
    time.sleep(0.05)
    for process in processes:
        process.kill()
    for process in processes:
        process.communicate()
    assert path.exists()
    same(ended(started(2, path)), whole)
