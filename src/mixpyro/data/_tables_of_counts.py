"""Published tables of counts, each as a pandas frame. docs/data.md has their sources and units."""

from __future__ import annotations

from typing import Any

from ._tables import _frame


def load_strikes() -> Any:
    """Load how long 62 strikes in United States manufacturing lasted: days, output.

    Output is the unanticipated part of aggregate industrial production, in logarithms.

    Source: Kennan (1985), Journal of Econometrics 28:5; Kiefer (1988), Journal of Economic
    Literature 26:646.
    """
    return _frame("strikes")
