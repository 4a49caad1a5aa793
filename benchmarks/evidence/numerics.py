"""Fits at extreme arguments against fifty digits: the section "Numerics" of docs/evidence.md.

python benchmarks/evidence/numerics.py [CASE ...]

Of each case of `tests/trust/extremes.py`, in both precisions: the status, the relative error of the
log-likelihood at the fit's own parameters, and what a step of Newton's method could gain.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from trust.extremes import EXTREMES, judged

for name in sys.argv[1:] or EXTREMES:
    for bits in (64, 32):
        status, error, left = judged(EXTREMES[name], bits)
        print(f"{name:28s} {bits} {status.name:15s} {error:.0e} {left:.0e}", flush=True)
