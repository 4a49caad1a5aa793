"""The body of `mixpyro demo`."""

from pathlib import Path


def run(out: Path) -> None:
    """Write the demo's tables and figures into the folder `out`."""
    raise NotImplementedError("the demo is not written yet")
