"""What a careful reader would notice in a column: codes for gaps, numbers written as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

# -9, -99, 999 ...: what SPSS, SAS and surveys write where nobody answered.
_NINES = re.compile(r"-9|-?99+")


def codes(columns: Mapping[str, np.ndarray]) -> list[str]:
    """A sentence for each number that may stand for a gap: nines, far from all that a column has.

    Farther from the nearest other number than these are from each other.
    """
    out = []
    for name, values in columns.items():
        there = values[~np.isnan(values)]
        ends = there.min(initial=np.inf), there.max(initial=-np.inf)
        for code in dict.fromkeys(ends):
            if not _NINES.fullmatch(f"{code:.17g}"):
                continue
            rest = np.unique(there[there != code])
            if len(rest) > 2 and np.abs(rest - code).min() > np.ptp(rest):
                number = int((there == code).sum())
                many = f"{number} rows have" if number > 1 else "One row has"
                out.append(
                    f"{many} {code:g} for {name!r}, far from all others: if that is a code for a "
                    f"gap, say --missing {code:g}."
                )
    return out


# 12.3%, $ 1,234.50, 1'234: a number with a sign, a unit or separators of thousands; no date and no
# address, 12.03.2024 or 192.168.1.1.
_WRITTEN = re.compile(r"[$€£]?\s*[-+]?\s*[$€£]?\s*\d+([,.' ]\d{3})*([.,]\d+)?\s*[%$€£]?")


def as_text(values: Sequence[str]) -> str:
    """Why texts that are mostly numbers are none; empty if they are not."""
    plain = [re.fullmatch(r"[-+]?[0-9.,]+", v.strip()) is not None for v in values]
    if np.mean(plain) > 0.8 and not all(plain):
        odd = values[plain.index(False)]
        return f"it holds numbers, but also text such as {odd!r}; pass that by --missing if a gap"
    if np.mean([_WRITTEN.fullmatch(v.strip()) is not None for v in values]) > 0.8:
        return f"it holds numbers written as {values[0]!r}; write digits and a decimal point alone"
    return ""
