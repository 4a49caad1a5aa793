"""Published tables of counts, each as a pandas frame. docs/data.md has their sources and units."""

from __future__ import annotations

from typing import Any

from ._tables import _frame


def load_apple_shoots() -> Any:
    """Load how many roots 270 apple shoots grew: columns hours, bap, roots, shoots.

    By the hours of light a day and the concentration of the cytokinin BAP (micromoles a litre).

    Source: Ridout, Demetrio and Hinde (1998), Models for count data with many zeros, International
    Biometric Conference, Cape Town, table 1.
    """
    return _frame("apple_shoots")


def load_fritillaries() -> Any:
    """Load how many fritillaries two counts of a site found: day, first, second, sites.

    95 sites on seven days, less 36 that were not visited; the last column says at how many sites
    of that day the two counts were these.

    Source: Kery and Schaub (2012), Bayesian Population Analysis using WinBUGS, section 12.3.
    """
    return _frame("fritillaries")


def load_horseshoe_crabs() -> Any:
    """Load how many males stayed by 173 nesting females: satellites, width, weight, colour, spines.

    Width of the shell in cm, weight in kg, colour (dark ones are old), condition of the spines.

    Source: Brockmann (1996), Ethology 102:1; Agresti (2002), Categorical Data Analysis, table 4.3.
    """
    return _frame("horseshoe_crabs")


def load_strikes() -> Any:
    """Load how long 62 strikes in United States manufacturing lasted: days, output.

    Output is the unanticipated part of aggregate industrial production, in logarithms.

    Source: Kennan (1985), Journal of Econometrics 28:5; Kiefer (1988), Journal of Economic
    Literature 26:646.
    """
    return _frame("strikes")
