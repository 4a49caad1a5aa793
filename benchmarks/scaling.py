"""What several devices, and several processes, make of a pass over the rows.

    python benchmarks/scaling.py --rows 1000000 --devices 1 2 4 8 --processes 1 2

Devices are simulated on the CPU (``--xla_force_host_platform_device_count``), rows are given to
`em.shard_rows`; processes are those of ``jax.distributed``, each with a file of its own for
`em.Batches`. Strong scaling is of the same rows by more of them, weak scaling of so many rows for
each. Data, model and what a pass is are those of `scale.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np
from scale import BLOCK, FEW, MANY, blocks, fitted, make, seconds_a_pass

from mixpyro import em


def on_devices(path: Path) -> None:
    """Seconds a pass, of rows in parts on all devices."""
    rows = np.load(path)

    def data():
        return em.shard_rows(rows)

    for steps in (FEW, MANY):
        fitted(steps, data())
    a_pass, fit = seconds_a_pass(data)
    print(json.dumps({"pass_s": a_pass, "objective": float(fit.trace[-1])}), flush=True)


def in_process(folder: Path, number: int, processes: int, port: int) -> None:
    """Seconds a pass, of rows of which each process reads its own file."""
    if processes > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(f"localhost:{port}", processes, number)
    path = folder / f"part{number}of{processes}.npy"
    for steps in (FEW, MANY):
        fitted(steps, em.Batches(next(blocks(BLOCK)) + np.float32(number)))
    a_pass, fit = seconds_a_pass(lambda: em.Batches(path))
    print(json.dumps({"pass_s": a_pass, "objective": float(fit.trace[-1])}), flush=True)


def ran(*words: object, devices: int = 1, processes: int = 1) -> dict:
    """What the first of the processes says; each has as many cores as there are."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    commands = [
        [sys.executable, __file__, "--one", *map(str, words), str(i), str(processes), str(port)]
        for i in range(processes)
    ]
    environment = os.environ | {"XLA_FLAGS": flags}
    running = [
        subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
        for c in commands
    ]
    told = [r.communicate()[0].decode() for r in running]
    if any(r.returncode for r in running):
        raise RuntimeError("a process failed: run its command to see why")
    return json.loads(told[0].splitlines()[-1])


def cut(folder: Path, rows: int, processes: int) -> None:
    """A file for each process, made of the rows of one."""
    make(folder / f"{rows}.npy", rows)
    whole = np.load(folder / f"{rows}.npy", mmap_mode="r")
    for i, part in enumerate(np.array_split(whole, processes)):
        np.save(folder / f"part{i}of{processes}.npy", part)


def main() -> None:
    """Measure one after the other, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10**6)
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--one", nargs=5, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        way, path, number, processes, port = options.one
        if way == "devices":
            on_devices(Path(path))
        else:
            in_process(Path(path), int(number), int(processes), int(port))
        return
    folder = Path(tempfile.mkdtemp())
    print("| | number | Mrows/s, the same rows | Mrows/s, so many rows each | objective |")
    print("| --- | --- | --- | --- | --- |")
    for number in options.devices:
        speeds, objective = [], 0.0
        for rows in (options.rows, options.rows * number):
            make(folder / f"{rows}.npy", rows)
            found = ran("devices", folder / f"{rows}.npy", devices=number)
            speeds.append(rows / found["pass_s"] / 1e6)
            objective = objective or found["objective"]
        print(f"| devices | {number} | {speeds[0]:.2f} | {speeds[1]:.2f} | {objective:.2f} |")
    for number in options.processes:
        speeds, objective = [], 0.0
        for rows in (options.rows, options.rows * number):
            cut(folder, rows, number)
            found = ran("processes", folder, processes=number)
            speeds.append(rows / found["pass_s"] / 1e6)
            objective = objective or found["objective"]
        print(f"| processes | {number} | {speeds[0]:.2f} | {speeds[1]:.2f} | {objective:.2f} |")


if __name__ == "__main__":
    main()
