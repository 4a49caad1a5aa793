"""Long fits survive: killed at any moment, the same call ends where it would have ended.

``MIXPYRO_KILLS=20 pytest tests/em/test_survives.py -m slow`` kills more often.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("surviving.py")
KILLS = int(os.environ.get("MIXPYRO_KILLS", "1"))


@pytest.fixture(scope="module")
def server():
    """Runs a fit in a process of its own, and kills it after some seconds."""
    command = [sys.executable, "-W", "ignore", str(SCRIPT)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:

        def ask(kind, path, every, seconds="never"):
            process.stdin.write(f"{kind} {path} {every} {seconds}\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        yield ask
        process.stdin.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["memory", "batches"])
def test_killed_at_any_moment_it_ends_at_the_same_bits(tmp_path, server, kind):
    rng = np.random.default_rng(KILLS)
    began = time.monotonic()
    whole = server(kind, tmp_path / "whole.ckpt", 0)
    seconds = time.monotonic() - began
    path = tmp_path / "fit.ckpt"
    hits = 0
    while hits < KILLS:
        if server(kind, path, 0, rng.uniform(0.2, 0.8) * seconds) == "killed":
            hits += 1
        else:
            path.unlink()  # it had ended: from the beginning
    assert server(kind, path, 0) == whole
    assert whole.split()[0].isdigit()
    # What is written beside the file leaves one trace at most.
    left = {p.name for p in tmp_path.iterdir() if p.suffix != ".ckpt"}
    assert left <= {f".{path.name}.tmp"}
