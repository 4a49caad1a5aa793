"""Data sets that ship with the package."""

import csv
from importlib import resources

import numpy as np
from jaxtyping import Float


def load_old_faithful() -> Float[np.ndarray, "272 2"]:
    """Load eruptions of the Old Faithful geyser, the classic example of a two-part mixture.

    Returns:
        Float64 array, one row an eruption. Column 0 is its duration, column 1 the waiting time to
        the next one, both in minutes.

    Source:
        Azzalini and Bowman (1990), A look at some data on the Old Faithful geyser, Applied
        Statistics 39, 357-365; the 272 rows are those of `faithful` in R.
    """
    return _table("old_faithful.csv")


def load_earthquakes() -> Float[np.ndarray, "107 2"]:
    """Load the number of major earthquakes of each year, the classic example of a hidden chain.

    Returns:
        Float64 array, one row a year from 1900 to 2006. Column 0 is the year, column 1 how many
        earthquakes of magnitude 7 or more the world had in it.

    Source:
        Zucchini and MacDonald (2009), Hidden Markov Models for Time Series, table 1.1.
    """
    return _table("earthquakes.csv")


def _table(name: str) -> Float[np.ndarray, "n d"]:
    """The numbers of a file of comma-separated values; lines that begin with # are comments."""
    text = resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    _header, *rows = csv.reader(lines)
    return np.array(rows, dtype=np.float64)
