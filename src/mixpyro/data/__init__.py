"""Data sets that ship with the package."""

import csv
from importlib import resources

import numpy as np
from jaxtyping import Float

from ._tables import (
    load_air_conditioning,
    load_anaesthetists,
    load_ball_bearings,
    load_beetles,
    load_carcinoma,
    load_cholera,
    load_coal_disasters,
    load_crabs,
    load_death_notices,
    load_dental_growth,
    load_earthquakes,
    load_emissions,
    load_fabric,
    load_fed_funds,
    load_hares,
    load_iris,
    load_law_school,
    load_leading_crowd,
    load_leukaemia,
    load_phone_calls,
    load_red_mites,
    load_remissions,
    load_role_conflict,
    load_salamanders,
    load_sex_ratio,
    load_turtles,
    load_wheeze,
)

__all__ = [
    "load_air_conditioning",
    "load_anaesthetists",
    "load_ball_bearings",
    "load_beetles",
    "load_carcinoma",
    "load_cholera",
    "load_coal_disasters",
    "load_crabs",
    "load_death_notices",
    "load_dental_growth",
    "load_earthquakes",
    "load_emissions",
    "load_fabric",
    "load_fed_funds",
    "load_hares",
    "load_iris",
    "load_law_school",
    "load_leading_crowd",
    "load_leukaemia",
    "load_old_faithful",
    "load_phone_calls",
    "load_red_mites",
    "load_remissions",
    "load_role_conflict",
    "load_salamanders",
    "load_sex_ratio",
    "load_turtles",
    "load_wheeze",
]


def load_old_faithful() -> Float[np.ndarray, "272 2"]:
    """Load eruptions of the Old Faithful geyser, the classic example of a two-part mixture.

    Returns:
        Float64 array, one row an eruption. Column 0 is its duration, column 1 the waiting time to
        the next one, both in minutes.

    Source:
        Azzalini and Bowman (1990), A look at some data on the Old Faithful geyser, Applied
        Statistics 39, 357-365; the 272 rows are those of `faithful` in R.
    """
    text = resources.files(__name__).joinpath("old_faithful.csv").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    _header, *rows = csv.reader(lines)
    return np.array(rows, dtype=np.float64)
