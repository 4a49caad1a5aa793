"""Rows a second in memory and in batches, and the memory that each takes.

    python benchmarks/scale.py --rows 1000000 10000000 --formats npy parquet

Rows of 8 columns in single precision are made in a folder, block by block. Each measurement is a
process of its own: its peak is what the kernel says of it (``VmHWM``; ``ru_maxrss`` would be that
of the process that started it, if that was larger). A pass is what one more
step of EM takes: the time of a run of many steps less that of a run of few, from the same start.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from mixpyro import em

K, D = 8, 8
BLOCK = 1 << 18
# Steps of a short and of a long run: single precision ends the climb a few steps later.
FEW, MANY = 2, 10


def blocks(rows: int):
    """The rows of 8 overlapping normals, the same at every call."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 2, (K, D)).astype(np.float32)
    factors = rng.normal(0, 0.5, (K, D, D)).astype(np.float32) + np.eye(D, dtype=np.float32)
    for first in range(0, rows, BLOCK):
        n = min(BLOCK, rows - first)
        z = rng.integers(0, K, n)
        noise = rng.standard_normal((n, D), dtype=np.float32)
        yield centres[z] + np.einsum("nij,nj->ni", factors[z], noise)


def write(path: Path, rows: int, dtype: type) -> None:
    """Write them into a ``.npy`` file, block by block."""
    out = np.lib.format.open_memmap(path, "w+", dtype, (rows, D))
    first = 0
    for block in blocks(rows):
        out[first : first + len(block)] = block
        first += len(block)
    out.flush()


def make(path: Path, rows: int) -> None:
    """Write them, unless they are there."""
    if path.exists():
        return
    if path.suffix == ".npy":
        write(path, rows, np.float32)
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for block in blocks(rows):
        table = pa.table({f"x{j}": block[:, j] for j in range(D)})
        writer = writer or pq.ParquetWriter(path, table.schema, compression="none")
        writer.write_table(table)
    writer.close()


def start() -> dict:
    """Parameters to start from, the same in every run."""
    some = next(blocks(BLOCK))
    return {
        "weights": np.full(K, 1 / K),
        "loc": some[:K].astype(float),
        "covariance": np.tile(np.cov(some.T), (K, 1, 1)),
    }


def model(x):
    """Normals with any covariance."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(K)))
    loc = numpyro.param("loc", jnp.zeros((K, D)))
    covariance = numpyro.param(
        "covariance",
        jnp.tile(jnp.eye(D), (K, 1, 1)),
        constraint=dist.constraints.positive_definite,
    )
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.MultivariateNormal(loc[z], covariance[z]), obs=x)


def fitted(steps: int, data: Any) -> Any:
    """So many steps of EM from `start`."""
    options = {"max_steps": steps, "accelerate": None, "tolerance": 0.0}
    return em.EM(model, **options).run(0, data, init_params=start())


def seconds_a_pass(data: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    """What one more step takes, the median of so many; and the fit of a few."""
    found, fit = [], None
    for _ in range(times):
        taken = []
        for steps in (MANY, FEW):
            given = data()
            began = time.perf_counter()
            fit = fitted(steps, given)
            taken.append(time.perf_counter() - began)
            assert fit.num_steps == steps
        found.append((taken[0] - taken[1]) / (MANY - FEW))
    return float(np.median(found)), fit


def measure(path: Path, way: str, rows: int) -> None:
    """Fit, and print what it took."""
    given = em.Batches if way == "batches" else np.load
    for steps in (FEW, MANY):  # these compile: a batch's program is that of any number of batches
        fitted(steps, em.Batches(next(blocks(BLOCK))) if way == "batches" else given(path))
    a_pass, fit = seconds_a_pass(lambda: given(path), 3 if rows < 3e7 else 1)
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    value = float(fit.trace[-1])
    print(json.dumps({"pass_s": a_pass, "peak_mb": peak, "objective": value}), flush=True)


def child(path: Path, way: str, rows: int) -> dict:
    """What a process of its own measures."""
    command = [sys.executable, __file__, "--one", str(path), way, str(rows)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(ran.stdout.splitlines()[-1])


def main() -> None:
    """Make the data, measure in processes of their own, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10**6])
    parser.add_argument("--formats", nargs="+", default=["npy", "parquet"])
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--in-memory-up-to", type=int, default=10**7)
    parser.add_argument("--one", nargs=3, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(Path(options.one[0]), options.one[1], int(options.one[2]))
        return
    folder = options.folder or Path(tempfile.mkdtemp())
    print("| rows | source | Mrows/s | peak MB | objective after two steps |")
    print("| --- | --- | --- | --- | --- |")
    for rows in options.rows:
        jobs = [(f, "batches") for f in options.formats]
        if rows <= options.in_memory_up_to:
            jobs.insert(0, ("npy", "memory"))
        for kind, way in jobs:
            path = folder / f"{rows}.{kind}"
            make(path, rows)
            found = child(path, way, rows)
            speed = rows / found["pass_s"] / 1e6
            name = "in memory" if way == "memory" else f"batches, .{kind}"
            print(
                f"| {rows:.0e} | {name} | {speed:.2f} | {found['peak_mb']:.0f} | "
                f"{found['objective']:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
