"""What the M-step works on: sites of the likelihood, blocks of parameters, rungs of the ladder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..families import Family, RowFamily, Ties
from ..read.latents import Latent
from ..read.structure import Data
from . import ties

CLOSED, EQUATIONS = "closed form", "likelihood equations, on statistics"
ROW_EQUATIONS = "likelihood equations, on rows"
STATISTICS, ROWS = "numeric, on statistics", "numeric, on rows"
ABSORBED = "closed form, with the prior"
CLOSED_FORMS = (CLOSED, ABSORBED)
WITH_PRIOR = "numeric with the prior, from the estimate without it"
PRIORS = "numeric, on priors"


@dataclass(frozen=True, eq=False)
class Site:
    """A site of the likelihood; without statistics its density is replayed row by row."""

    name: str
    distribution: str
    depends: frozenset[str]
    data: Data | None
    latent: Latent | None  # of the prior of a class, whose data are the responsibilities

    @property
    def level(self) -> int:
        """The level of its rows."""
        owner = self.data or self.latent
        assert owner is not None
        return owner.level


@dataclass(frozen=True, eq=False)
class FamilySite(Site):
    """A site of a known family, whose arguments vary by no row.

    ``entries`` {argument: which parameter entries it is, None where it is a function of them};
    ``ties`` where every argument is parameters directly, so that the family's M-step applies.
    """

    family: Family
    entries: Mapping[str, ties.Entries | None]
    ties: Mapping[str, Ties] | None


@dataclass(frozen=True, eq=False)
class StatisticalSite(FamilySite):
    """A site whose family has finite statistics."""


@dataclass(frozen=True, eq=False)
class RowSite(FamilySite):
    """A site whose density is replayed row by row, but whose family has an M-step of its own."""

    family: RowFamily
    ties: Mapping[str, Ties]


@dataclass(frozen=True)
class Block:
    """Parameters that share a likelihood, and how the M-step maximises over them.

    ``auxiliary`` names the sites beside the rows that are about them.
    """

    parameters: tuple[str, ...]
    sites: tuple[str, ...]
    rung: str
    separable: bool = False  # slice j of every parameter reaches component j alone
    prior: bool = False  # priors that are not flat enter its objective
    auxiliary: tuple[str, ...] = ()

    @property
    def numeric(self) -> bool:
        """Whether an optimiser maximises it, rather than its family."""
        return self.rung in (STATISTICS, ROWS, WITH_PRIOR, PRIORS)


@dataclass(frozen=True, eq=False)
class Pool:
    """A site beside the rows: each of its entries is of component ``k`` and cell ``c`` (e,)."""

    name: str
    family: Family
    k: np.ndarray
    c: np.ndarray
