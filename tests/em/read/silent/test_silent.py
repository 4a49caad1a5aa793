"""Models whose likelihood is easily misread: fitted right, or refused by name.

Each likelihood is written by hand in the modules of this folder, the optimum is SciPy's best of ten
starts.
"""

import pytest

from ..case import check_density, check_fit
from . import beside_the_rows, functions, networks, shapes, values

pytestmark = pytest.mark.usefixtures("x64")
CASES = {
    **beside_the_rows.CASES,
    **values.CASES,
    **functions.CASES,
    **shapes.CASES,
    **networks.CASES,
}


QUICK = ("square data, items by column", "z by sample_shape")


@pytest.mark.parametrize("name", CASES)
def test_the_density_is_that_written_by_hand(name):
    check_density(CASES[name])


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in CASES]
)
def test_the_fit_is_right_or_refused_by_name(name):
    check_fit(CASES[name])
