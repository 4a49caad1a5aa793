"""What the M-step works on: sites of the likelihood, blocks of parameters, rungs of the ladder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import jax
import numpy as np

from ..families import Family, RowFamily, Ties
from ..read.latents import Latent
from ..read.structure import Data
from . import ties
from .strata import Strata
from .ties import Entries


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


@dataclass(frozen=True, eq=False)
class StratifiedSite(Site):
    """A site whose density is replayed row by row, but whose family estimates it by strata."""

    family: Family
    strata: Strata
    ties: Mapping[str, Ties]

    @property
    def entries(self) -> Mapping[str, Entries]:
        """{argument: the parameter entries that it is, stratum by stratum}."""
        return self.strata.entries


@dataclass(frozen=True, eq=False)
class Task:
    """What a rung is chosen for: the terms that some parameters enter.

    ``sites`` are those of the likelihood, ``auxiliary`` says that there are terms beside the rows;
    ``own`` is the one site that its family estimates, if that is all there is. ``rowwise`` says
    that a density of the sites is worked out row by row, ``prior`` that priors that are not flat
    are added, and ``absorbed`` that the family of ``own`` takes all of these in.
    """

    sites: tuple[Site, ...]
    own: StatisticalSite | RowSite | StratifiedSite | None
    rowwise: bool
    auxiliary: bool
    prior: bool = False
    absorbed: bool = False


class Rung(Protocol):
    """A way to maximise over a block's parameters: one file each in ``step/rungs/``.

    Attributes:
        name: what it is called in ``print(fit.spec)``.
        place: on the ladder; of all rungs that take a task the one of the lowest place has it.
        closed: whether its maximum is a formula.
        numeric: whether an optimiser climbs, from where the parameters are.
        estimates: whether the estimator of the task's ``own`` family has a part in it.
        rowwise: whether it needs the units' responsibilities row by row.
    """

    name: ClassVar[str]
    place: ClassVar[int]
    closed: ClassVar[bool] = False
    numeric: ClassVar[bool] = False
    estimates: ClassVar[bool] = False
    rowwise: ClassVar[bool] = False

    def takes(self, task: Task) -> bool:
        """Whether this rung can do it."""
        ...

    def maximise(self, work: Any) -> dict[str, jax.Array]:
        """The block's new parameters, no worse than the old; ``work`` is that of `step/work.py`."""
        ...


@dataclass(frozen=True)
class Block:
    """Parameters that share a likelihood, and the rung by which the M-step maximises over them.

    ``auxiliary`` names the sites beside the rows that are about them.
    """

    parameters: tuple[str, ...]
    sites: tuple[str, ...]
    rung: Rung
    separable: bool = False  # slice j of every parameter reaches component j alone
    prior: bool = False  # priors that are not flat enter its objective
    auxiliary: tuple[str, ...] = ()

    @property
    def numeric(self) -> bool:
        """Whether an optimiser maximises it, rather than its family."""
        return self.rung.numeric

    @property
    def hyper(self) -> bool:
        """Whether only priors reach its parameters."""
        return not (self.sites or self.auxiliary)


@dataclass(frozen=True, eq=False)
class Pool:
    """A site beside the rows: each of its entries is of component ``k`` and cell ``c`` (e,)."""

    name: str
    family: Family
    k: np.ndarray
    c: np.ndarray
