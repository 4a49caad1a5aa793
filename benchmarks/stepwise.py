"""How far one pass of stepwise EM comes, and how many ordinary ones follow.

The rows are those of `scale.py`:

    python benchmarks/stepwise.py --rows 10000000

In double precision, from the same parameters far from the optimum: accelerated passes alone, and
after one of stepwise EM (`em.Stepwise`).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
from scale import model, start, write

from mixpyro import em


def main() -> None:
    """Fit both ways, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10**6)
    parser.add_argument("--batches", type=int, default=77)
    parser.add_argument("--decay", type=float, nargs="+", default=[0.6])
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    path = Path(tempfile.mkdtemp()) / "rows.npy"
    write(path, options.rows, np.float64)
    size = -(-options.rows // options.batches)
    ways = {"accelerated": "auto"} | {f"stepwise, {d}": em.Stepwise(decay=d) for d in options.decay}
    fits, seconds = {}, {}
    for name, accelerate in ways.items():
        began = time.perf_counter()
        rows = em.Batches(path, batch_size=size)
        fits[name] = em.EM(model, accelerate=accelerate).run(0, rows, init_params=start())
        seconds[name] = time.perf_counter() - began
    begin, top = fits["accelerated"].trace[0], max(f.log_likelihood for f in fits.values())
    print("| passes | ordinary ones | within 1% after | left at first | s | log-likelihood |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, fit in fits.items():
        left = (top - np.asarray(fit.trace)) / (top - begin)
        near = int(np.argmax(left < 0.01)) + 1
        print(
            f"| {name} | {fit.num_steps} | {near} | {left[0]:.2%} | {seconds[name]:.0f} | "
            f"{fit.log_likelihood:.3f} |"
        )


if __name__ == "__main__":
    main()
