"""What was understood of a model, in words: ``print(fit.spec)``."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from ..read.latents import Latent, plain_name
from ..read.structure import Parameter
from .blocks import FamilySite, Site, StratifiedSite
from .program import Program

# What a terminal shows in one line.
_WIDTH = 100


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter site; ``free`` counts its dimensions (0 if it is held fixed).

    ``hyper`` says that only priors reach it.
    """

    name: str
    shape: tuple[int, ...]
    support: str
    free: int
    hyper: bool = False


@dataclass(frozen=True)
class SiteSpec:
    """One site of the likelihood and where each argument of its distribution comes from."""

    name: str
    distribution: str
    arguments: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class BlockSpec:
    """Parameters that are maximised together, and the rung of the ladder that does it.

    ``closed`` says that this is a formula.
    """

    parameters: tuple[str, ...]
    m_step: str
    closed: bool


@dataclass(frozen=True)
class LatentSpec:
    """One latent class: its site, how it is observed, and how many values it has."""

    name: str
    distribution: str
    observed: str
    num_components: int
    num_rows: int


@dataclass(frozen=True)
class Spec:
    """A model as EM reads it: static, hashable, printable."""

    latents: tuple[LatentSpec, ...]
    num_components: int
    num_rows: int
    parameters: tuple[ParameterSpec, ...]
    sites: tuple[SiteSpec, ...]
    blocks: tuple[BlockSpec, ...]
    auxiliary: tuple[str, ...] = ()
    num_sequences: int = 0  # in whose steps the classes follow one another; 0 without a chain

    @property
    def num_free_params(self) -> int:
        """Free dimensions: simplex and covariance constraints counted, fixed parameters not.

        Nor hyperparameters: the likelihood has no dimension for them. This is what the model
        declares; `Fit.num_free_params` leaves out what the data never show.
        """
        return sum(p.free for p in self.parameters if not p.hyper)

    @property
    def latent(self) -> str:
        """The (first) latent class of the units."""
        return self.latents[0].name

    @property
    def latent_distribution(self) -> str:
        """The distribution of the (first) latent class of the units."""
        return self.latents[0].distribution

    @property
    def observed(self) -> str:
        """Whether the (first) latent class of the units is observed, wholly or in part."""
        return self.latents[0].observed

    def _latent_lines(self) -> list[str]:
        lines = []
        for z in self.latents:
            line = f"  latent class  {z.name} ~ {z.distribution}, {z.observed}"
            if len(self.latents) > 1:
                line += f", {z.num_components} classes of {z.num_rows} rows"
            lines.append(line)
        return lines

    @property
    def closed_form(self) -> bool:
        """Whether every block has a closed-form M-step."""
        return all(b.closed for b in self.blocks)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    def __str__(self) -> str:
        head = f"Mixture of {self.num_components} components over {self.num_rows} rows"
        if self.num_sequences:
            own = "1 sequence" if self.num_sequences == 1 else f"{self.num_sequences} sequences"
            steps = self.num_rows // self.num_sequences
            head = f"Chain of {self.num_components} states over {steps} steps of {own}"
        lines = [
            head,
            *self._latent_lines(),
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
        if self.auxiliary:
            lines += [f"  beside the rows: {', '.join(self.auxiliary)}", ""]
        blocks = [(", ".join(b.parameters), b.m_step) for b in self.blocks]
        lines += _table(("M-step of", "by"), blocks) if blocks else ["nothing to estimate"]
        return "\n".join(lines)


def describe(program: Program, num_rows: int | None = None) -> Spec:
    """The `Spec` of a program; ``num_rows`` are those of all batches, of which it has one."""
    structure = program.structure
    num_rows = program.num_rows if num_rows is None else num_rows
    hyper = {n for b in program.blocks if b.hyper for n in b.parameters}
    return Spec(
        latents=tuple(
            _latent(z, structure.own_rows(z) * num_rows // program.num_rows)
            for z in structure.latents
        ),
        num_components=program.num_components,
        num_rows=num_rows,
        parameters=tuple(_parameter(p, p.name in hyper) for p in structure.parameters),
        sites=tuple(_site(program, s) for s in (*program.priors, *program.sites)),
        blocks=tuple(BlockSpec(b.parameters, b.rung.name, b.rung.closed) for b in program.blocks),
        auxiliary=tuple(a.name for a in structure.auxiliary),
        num_sequences=0 if structure.chain is None else structure.chain.number,
    )


def _latent(latent: Latent, num_rows: int) -> LatentSpec:
    observed = "not observed"
    if latent.labels is not None:
        observed = "observed in part" if latent.partly else "observed"
    return LatentSpec(
        latent.name,
        plain_name(latent.distribution),
        observed,
        latent.num_components,
        num_rows,
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


def _parameter(p: Parameter, hyper: bool) -> ParameterSpec:
    support = _SUPPORTS.get(p.constraint, p.constraint)
    return ParameterSpec(p.name, p.shape, support, p.size * p.free, hyper)


def _site(program: Program, site: Site) -> SiteSpec:
    names = [p.name for p in program.layout.parameters if p.name in site.depends]
    if isinstance(site, FamilySite):
        order = list(site.family.domains)
        arguments = tuple(
            (
                n,
                _source(program, e.cells, _classes(program, site))
                if e is not None
                else _function(names, ""),
            )
            for n, e in sorted(site.entries.items(), key=lambda item: order.index(item[0]))
        )
    elif isinstance(site, StratifiedSite):
        arguments = tuple((n, f"{', '.join(names)}, by row") for n in site.entries)
    else:
        rows = " and of the rows" if _by_row(program, site) else ""
        arguments = (("arguments", _function(names, rows)),)
    return SiteSpec(site.name, site.distribution, arguments)


def _by_row(program: Program, site: Site) -> bool:
    if site.latent is None:
        return True
    return site.latent.rowwise and site.name not in program.constant


def _function(names: list[str], rows: str) -> str:
    return f"a function of {', '.join(names)}{rows}" if names else "fixed"


def _classes(program: Program, site: Site) -> str:
    """The classes that index a site's arguments."""
    own = site.latent.name if site.latent is not None else ""
    latents = [z.name for z in program.structure.latents]
    return ", ".join(z for z in latents if z in site.depends and z != own) or latents[0]


def _source(program: Program, cells: np.ndarray, classes: str) -> str:
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
        text = f"{text}[{classes}]" if len(owners) == 1 else f"{text}, by {classes}"
    return text if free.all() else f"{text}, fixed in part"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
    last = 2 + sum(w + 2 for w in widths[:-1])
    whole = [
        "  " + "  ".join(cell.ljust(w) for cell, w in zip(r, widths, strict=True)).rstrip()
        for r in [head, *rows]
    ]
    return [
        part
        for line in whole
        for part in ([line] if len(line) <= _WIDTH else _folded(line, min(last, _WIDTH // 2)))
    ]


def _folded(line: str, indent: int) -> list[str]:
    """A line in several, those after the first under its last column."""
    return textwrap.wrap(
        line,
        _WIDTH,
        subsequent_indent=" " * indent,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )
