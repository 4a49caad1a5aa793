"""Long fits survive: killed at any moment, the same call ends where it would have ended."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("surviving.py")


def started(path, every):
    command = [sys.executable, str(SCRIPT), str(path), str(every)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout.readline() == "begun\n"
    return process


def ended(process):
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return out


def killed(path, seconds):
    """Whether a run was killed so long after it began to read the model."""
    process = started(path, 0)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()  # SIGKILL: nothing is cleaned up
    process.communicate()
    return process.returncode != 0


def survives(tmp_path, kills, seed):
    rng = np.random.default_rng(seed)
    whole = ended(started(tmp_path / "whole.ckpt", 60))
    began = time.monotonic()
    ended(started(tmp_path / "timed.ckpt", 0))
    seconds = time.monotonic() - began
    path = tmp_path / "fit.ckpt"
    hits = 0
    while hits < kills:
        if killed(path, rng.uniform(0.1, 0.7) * seconds):
            hits += 1
        else:
            path.unlink()  # it had ended: from the beginning
    assert ended(started(path, 0)) == whole
    return path


def test_killed_once_it_ends_at_the_same_bits(tmp_path):
    survives(tmp_path, 1, 0)


@pytest.mark.slow
def test_killed_at_twenty_moments_it_ends_at_the_same_bits(tmp_path):
    path = survives(tmp_path, 20, 1)
    assert [p.name for p in tmp_path.iterdir() if p.suffix != ".ckpt"] in (
        [],
        [f".{path.name}.tmp"],
    )
