"""A model bound to its structure: pure functions of parameters and data, ready to be compiled."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol, Self

import jax
import jax.numpy as jnp
import numpy as np

from ..families import Args, Augmented, RowFamily, Statistics
from ..machine.kept import Compiled
from ..machine.recent import Recent
from ..machine.shards import Shards
from ..read.reader import MAX_READERS, Params, Reader
from ..read.reading import Reading
from .blocks import Block, FamilySite, Pool, RowSite, Site, StatisticalSite
from .chunks import Chunk, Grid, grid_class
from .regression import Linear
from .site_arguments import arguments
from .ties import Entries, Layout

__all__ = ["Params", "Program"]


_FAR, _FAR_SINGLE = 18.0, 8.0
# Steps of Newton's method in an M-step, times what a density costs beside a product.
_NEWTON = 50
# Densities that an M-step takes that solves an equation of sums over the rows.
_PASSES = 10


class Sized(Protocol):
    """Rows, as far as their size goes."""

    @property
    def spread(self) -> jax.Array:
        """That of the observations that a numeric M-step models."""
        ...


@dataclass(frozen=True, eq=False)
class Parts:
    """What was found of a reading's sites: see `build`.

    ``whole`` {site: its arguments that vary by no row}, ``linear`` {site: how its mean is linear in
    covariates}, ``direct`` {site: the places of its arguments, all of which are parameters},
    ``functions`` whether other sites' arguments are functions of these, ``bounds`` {parameter:
    those of its interval}, ``varies`` whether an argument of some data site varies by row.
    """

    whole: Mapping[str, frozenset[str]]
    linear: Mapping[str, Linear]
    layout: Layout
    direct: Mapping[str, Mapping[str, Entries]]
    functions: bool
    bounds: Mapping[str, tuple[float, float]]
    sites: tuple[Site, ...]
    priors: tuple[Site, ...]
    varies: bool


class Program(Reader):
    """What EM computes with: built once for a model and the shapes of its arguments (`build`).

    ``posterior`` says that priors are added to the objective.
    """

    def __init__(self, reading: Reading, parts: Parts, posterior: bool = False) -> None:
        super().__init__(reading)
        self.posterior = posterior
        self.whole, self.linear, self.layout = parts.whole, parts.linear, parts.layout
        self.direct, self.functions, self.bounds = parts.direct, parts.functions, parts.bounds
        self.sites, self.priors, self.varies = parts.sites, parts.priors, parts.varies
        self.constant = frozenset(z.name for z in self.structure.latents if self.whole.get(z.name))
        self.blocks: tuple[Block, ...] = ()
        self.pools: Mapping[str, tuple[Pool, ...]] = {}

    def having(self, **changes: Any) -> Self:
        """The same program with other attributes."""
        new = copy.copy(self)
        for name in list(vars(new)):
            if isinstance(getattr(type(new), name, None), cached_property):
                del vars(new)[name]
        vars(new).update(changes)
        new.compiled = Compiled(partial(new.unchanged.check, surely=True))
        new.readers = Recent(MAX_READERS)
        return new

    @cached_property
    def alone(self) -> bool:
        """Whether the steps of EM are a function of the plan and the rows, without the model."""
        ours = self.structure.free if not self.posterior else ()
        return bool(
            ours
            and all(p.support is not None for p in ours)
            and not (self.functions or self.replayed_sites or self.structure.auxiliary)
            and not (self.inner_levels or any(b.numeric for b in self.blocks))
            and all(isinstance(s, StatisticalSite) and s.name in self.direct for s in self.priors)
        )

    @cached_property
    def grid(self) -> Grid | None:
        """How the steps of a chain lie, filled up where steps of EM need no more than rows."""
        chain = self.structure.chain
        if chain is None:
            return None
        own = chain.length, chain.number
        return Grid(*own, grid_class(*own) if self.alone else own)

    @property
    def shards(self) -> Shards | None:
        """How rows lie that are on several devices."""
        return self.template.shards

    @cached_property
    def price(self) -> float:
        """About how many multiplications a step of EM takes for each start, M-steps included.

        A numeric one is a few steps of Newton's method, whose Hessian is as many derivatives of the
        rows' densities as there are parameters (of a component, where these are separate). One that
        solves an equation of sums over the rows takes several passes over them.
        """
        sizes = {p.name: p.size for p in self.structure.free}
        own = (
            sum(sizes[n] for n in b.parameters) // (self.num_components if b.separable else 1)
            for b in self.blocks
            if b.numeric
        )
        passes = _PASSES if any(isinstance(s, RowSite) for s in self.sites) else 0
        return self.work * (1 + _NEWTON * sum(own) + passes)

    def arguments(self, params: Params, arrays: tuple) -> dict[str, Args]:
        """{site: {argument: (k, c, event...)}} for the sites whose arguments vary by no row."""
        return arguments(self, params, arrays, self.whole, self.linear)

    @cached_property
    def statistical(self) -> tuple[StatisticalSite, ...]:
        """The data sites that have finite statistics."""
        return tuple(s for s in self.sites if isinstance(s, StatisticalSite))

    @cached_property
    def of_families(self) -> tuple[FamilySite, ...]:
        """The data sites of known families whose arguments are parameters directly."""
        return tuple(s for s in self.sites if isinstance(s, FamilySite) and s.ties is not None)

    @cached_property
    def augmented(self) -> frozenset[str]:
        """The names of the sites whose statistics need the current parameters."""
        return frozenset(s.name for s in self.statistical if isinstance(s.family, Augmented))

    @cached_property
    def incomplete(self) -> frozenset[str]:
        """The names of the sites of which whole cells may be missing: those count on their own."""
        data = (s.data for s in self.statistical if s.name not in self.augmented)
        return frozenset(d.name for d in data if d is not None and d.incomplete)

    @cached_property
    def own(self) -> dict[str, int]:
        """{site: how many of a cell's features, the first, differ between components}, if told."""
        out = {}
        for site in self.statistical:
            if site.ties is not None and site.name not in self.incomplete | self.augmented:
                assert site.data is not None
                size = site.data.shape[-1] if site.data.event_rank else 1
                number = site.family.num_own(site.ties, size)
                if number is not None:
                    out[site.name] = number
        return out

    @cached_property
    def rowwise(self) -> tuple[str, ...]:
        """The names of the data sites without finite statistics."""
        return tuple(s.name for s in self.sites if not isinstance(s, StatisticalSite))

    @cached_property
    def scored(self) -> tuple[RowSite, ...]:
        """The sites that work row by row by their family's density instead of NumPyro's."""
        solved = {n for b in self.blocks if b.rung.estimates for n in b.sites}
        own = (s for s in self.sites if isinstance(s, RowSite) and s.name in solved)
        return tuple(s for s in own if s.family.scores)

    @cached_property
    def replayed_sites(self) -> tuple[str, ...]:
        """The names of the data sites that NumPyro scores, row by row."""
        return tuple(n for n in self.rowwise if n not in {s.name for s in self.scored})

    @cached_property
    def numeric(self) -> frozenset[str]:
        """The names of the sites whose parameters have a numeric M-step."""
        return frozenset(n for b in self.blocks if b.numeric for n in b.sites)

    @cached_property
    def repeats(self) -> int:
        """How many rows a value of z has, in plates within its own: n counts all of them."""
        found = [s.data.repeats for s in self.sites if s.data is not None and self._alike(s)]
        return max(found, default=1)

    def _alike(self, site: Site) -> bool:
        """Whether all cells of a site have the same parameters, as far as its entries tell."""
        if not isinstance(site, FamilySite):
            return True
        return all(e is None or (e.cells == e.cells[:, :1]).all() for e in site.entries.values())

    @property
    def needs_rows(self) -> bool:
        """Whether anything needs the units' responsibilities one by one."""
        asked = any(b.rung.rowwise for b in self.blocks)
        return asked or bool(self.rowwise) or bool(self.inner_levels) or self.prior_by_row(0)

    def prior_by_row(self, level: int) -> bool:
        """Whether the prior of a level's classes depends on covariates."""
        return any(by_row(self, site) for site in self.priors if site.level == level)

    def limit(self, name: str, rows: Sized) -> jax.Array:
        """How far a logarithm or logit may go in a numeric M-step.

        Where the likelihood keeps rising towards infinity (the size of a negative binomial, say),
        densities turn to rounding noise long before: e^18 times the data's size is far enough
        (e^8 in single precision).
        """
        support = next(p.constraint for p in self.structure.free if p.name == name)
        if support not in ("positive", "nonnegative", "unitinterval", "interval"):
            return jnp.asarray(jnp.inf)
        far = _FAR if jnp.finfo(rows.spread.dtype).bits > 32 else _FAR_SINGLE
        return far + jnp.abs(jnp.log(jnp.where(rows.spread > 0, rows.spread, 1)))

    def ceiling(self, dtype: Any) -> dict[str, Any]:
        """{parameter: the largest value (shape) that its family's M-step gives it}."""
        places = np.full(int(self.layout.starts[-1]), np.inf)
        alone = (b for b in self.blocks if b.rung.estimates and not b.numeric)
        solved = {n for b in alone for n in b.sites}
        for site in self.of_families:
            if site.name in solved and isinstance(site.family, RowFamily):
                for name, most in site.family.limits(dtype).items():
                    entry = site.entries.get(name)
                    if entry is not None:
                        places[entry.index[entry.index >= 0]] = most
        starts = self.layout.starts
        return {
            p.name: places[a:b].reshape(p.shape)
            for p, a, b in zip(self.layout.parameters, starts, starts[1:], strict=False)
        }

    def features(
        self, chunk: Chunk, reference: Mapping[str, Args], augmented: bool = False
    ) -> dict[str, jax.Array]:
        """{site: (c q, rows)} the sufficient statistics of some rows.

        Where cells may be missing, that a cell is there is one feature more.
        """
        out = {}
        for site in self.statistical:
            if site.name not in chunk.u or (site.name in self.augmented and not augmented):
                continue
            u = chunk.u[site.name]
            values = site.family.features(u, chunk.known[site.name], reference[site.name])
            if site.name in self.incomplete:
                seen = chunk.seen[site.name][:, None]
                values = jnp.concatenate([values * seen, seen], 1)
            out[site.name] = values.reshape(-1, u.shape[-1])
        return out

    def statistics(
        self,
        counts: Mapping[int, jax.Array],
        sums: Mapping[str, jax.Array],
        cells: Mapping[str, int],
        only: Collection[str] | None = None,
    ) -> dict[str, Statistics]:
        """Counts (k,) of each level and each site's sums (k, c q), as the families take them."""
        out = {}
        for site in self.statistical:
            if only is not None and site.name not in only:
                continue
            shape = (self.structure.num_components(site.level), cells[site.name])
            total = sums[site.name].reshape(*shape, -1)
            count = jnp.broadcast_to(counts[site.level][:, None], shape)
            if site.name in self.incomplete:
                total, count = total[..., :-1], total[..., -1]
            out[site.name] = Statistics(count, total)
        return out


def by_row(program: Program, site: Site) -> bool:
    """Whether the density of a site is worked out row by row."""
    if site.latent is not None:
        return site.latent.rowwise and site.name not in program.constant
    return not isinstance(site, StatisticalSite)
