"""The algorithms that an `EM` is told by name: assignment, start, acceleration."""

from __future__ import annotations

from typing import NamedTuple

from .classes.assignments import CATALOGUE as ASSIGNMENTS
from .classes.assignments import Assign
from .classes.assignments.soft import Soft
from .climb.accelerations import CATALOGUE as ACCELERATIONS
from .climb.accelerations import Accelerate
from .climb.passes.stepwise import Stepwise
from .climb.starts import CATALOGUE as STARTS
from .climb.starts import Start
from .options import chosen


class Choices(NamedTuple):
    """``plain_first``: EM's own steps first, accelerated only where these crawl."""

    assign: Assign
    start: Start
    accelerate: Accelerate | None
    plain_first: bool
    stepwise: Stepwise | None


def choices(
    assign: str | Assign, start: str | Start, accelerate: str | Accelerate | Stepwise | None
) -> Choices:
    """What these names stand for.

    Raises:
        ValueError: an unknown name, or an acceleration of climbs that are not smooth.
    """
    own = chosen("assign", assign, ASSIGNMENTS, Assign)
    smooth = isinstance(own, Soft)
    stepwise = accelerate if isinstance(accelerate, Stepwise) else None
    plain_first = stepwise is not None or (isinstance(accelerate, str) and accelerate == "auto")
    if plain_first:
        accelerate = "quasi-newton" if smooth else None
    faster: Accelerate | None = None
    if accelerate is not None:
        faster = chosen("accelerate", accelerate, ACCELERATIONS, Accelerate)
        if not smooth:
            raise ValueError("accelerate needs assign='soft': other climbs are not smooth")
    return Choices(own, chosen("start", start, STARTS, Start), faster, plain_first, stepwise)
