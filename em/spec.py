"""What was understood of a model, in words: ``print(fit.spec)``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .program import CLOSED, Program, Site, StatisticalSite
from .structure import Parameter, plain_name


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter site; ``free`` counts its dimensions (0 if it is held fixed)."""

    name: str
    shape: tuple[int, ...]
    support: str
    free: int


@dataclass(frozen=True)
class SiteSpec:
    """One site of the likelihood and where each argument of its distribution comes from."""

    name: str
    distribution: str
    arguments: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class BlockSpec:
    """Parameters that are maximised together, and the rung of the ladder that does it."""

    parameters: tuple[str, ...]
    m_step: str


@dataclass(frozen=True)
class Spec:
    """A model as EM reads it: static, hashable, printable."""

    latent: str
    latent_distribution: str
    observed: str
    num_components: int
    num_rows: int
    parameters: tuple[ParameterSpec, ...]
    sites: tuple[SiteSpec, ...]
    blocks: tuple[BlockSpec, ...]

    @property
    def num_free_params(self) -> int:
        """Free dimensions: simplex and covariance constraints counted, fixed parameters not."""
        return sum(p.free for p in self.parameters)

    @property
    def closed_form(self) -> bool:
        """Whether every block has a closed-form M-step."""
        return all(b.m_step == CLOSED for b in self.blocks)

    def __str__(self) -> str:
        lines = [
            f"Mixture of {self.num_components} components over {self.num_rows} rows",
            f"  latent class  {self.latent} ~ {self.latent_distribution}, {self.observed}",
            "",
        ]
        parameters = [
            (p.name, str(p.shape), p.support, str(p.free) if p.free else "fixed")
            for p in self.parameters
        ]
        lines += [*_table(("parameter", "shape", "support", "free"), parameters), ""]
        sites = [
            (s.name, s.distribution, ", ".join(f"{n} = {source}" for n, source in s.arguments))
            for s in self.sites
        ]
        lines += [*_table(("site", "distribution", "arguments"), sites), ""]
        blocks = [(", ".join(b.parameters), b.m_step) for b in self.blocks]
        lines += _table(("M-step of", "by"), blocks) if blocks else ["nothing to estimate"]
        return "\n".join(lines)


def describe(program: Program) -> Spec:
    """The `Spec` of a program."""
    structure, latent = program.structure, program.structure.latent
    observed = "not observed"
    if latent.labels is not None:
        observed = "observed in part" if latent.partly else "observed"
    return Spec(
        latent=latent.name,
        latent_distribution=plain_name(latent.distribution),
        observed=observed,
        num_components=latent.num_components,
        num_rows=latent.num_rows,
        parameters=tuple(_parameter(p) for p in structure.parameters),
        sites=tuple(_site(program, s) for s in (program.prior, *program.sites)),
        blocks=tuple(BlockSpec(b.parameters, b.rung) for b in program.blocks),
    )


_SUPPORTS = {
    "unitinterval": "(0, 1)",
    "positivedefinite": "positive definite",
    "lowercholesky": "lower Cholesky",
    "corrcholesky": "Cholesky of a correlation",
    "softpluspositive": "positive",
    "zerosum": "sum 0",
    "orderedvector": "ordered",
    "positiveorderedvector": "positive, ordered",
}


def _parameter(p: Parameter) -> ParameterSpec:
    support = _SUPPORTS.get(p.constraint, p.constraint)
    return ParameterSpec(p.name, p.shape, support, p.size * p.free)


def _site(program: Program, site: Site) -> SiteSpec:
    names = [p.name for p in program.layout.parameters if p.name in site.depends]
    if isinstance(site, StatisticalSite):
        order = list(site.family.domains)
        arguments = tuple(
            (n, _source(program, e.cells) if e is not None else _function(names, ""))
            for n, e in sorted(site.entries.items(), key=lambda item: order.index(item[0]))
        )
    else:
        rows = " and of the rows" if _by_row(program, site) else ""
        arguments = (("arguments", _function(names, rows)),)
    return SiteSpec(site.name, site.distribution, arguments)


def _by_row(program: Program, site: Site) -> bool:
    return site.data is not None or program.structure.prior_rowwise


def _function(names: list[str], rows: str) -> str:
    return f"a function of {', '.join(names)}{rows}" if names else "fixed"


def _source(program: Program, cells: np.ndarray) -> str:
    """How an argument (k, c, e) is made of parameters: ``loc[z]``, ``scale``, ``fixed``, ..."""
    free = cells >= 0
    if not free.any():
        return "fixed"
    owners: dict[str, None] = {}
    for place in np.unique(cells[free]):
        owners[program.layout.owner(int(place))[0].name] = None
    text = " or ".join(owners)
    k = cells.shape[0]
    shared = all(np.array_equal(cells[0], cells[j]) for j in range(k)) and k > 1
    if not shared and cells.shape[0] > 1:
        text = f"{text}[z]" if len(owners) == 1 else f"{text}, by z"
    return text if free.all() else f"{text}, fixed in part"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
    return [
        "  " + "  ".join(cell.ljust(w) for cell, w in zip(r, widths, strict=True)).rstrip()
        for r in [head, *rows]
    ]
