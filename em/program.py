"""A model bound to its structure: pure functions of parameters and data, ready to be compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import constraints

from . import conjugate, layout, replay, ties
from .blocks import (
    CLOSED,
    EQUATIONS,
    ROW_EQUATIONS,
    ROWS,
    STATISTICS,
    WITH_PRIOR,
    Block,
    FamilySite,
    RowSite,
    Site,
    StatisticalSite,
)
from .call import Call
from .edges import differentiable
from .families import Args, Augmented, Family, RowFamily, Statistics, find, incomplete
from .families.linear_regression import LinearRegression
from .latents import Latent, plain_name
from .pooling import Pool, find_pool
from .provenance import dependencies
from .quick import once_jit
from .reader import Params, Reader, Reading
from .regression import coefficients, find_linear
from .separable import is_separable
from .structure import Auxiliary, Data

if TYPE_CHECKING:
    from .rows import Chunk, Rows

__all__ = ["Params", "Program"]


_FAR, _FAR_SINGLE = 18.0, 8.0


class Program(Reader):
    """What EM computes with: built once for a model and the shapes of its arguments.

    ``posterior`` says that priors are added to the objective.
    """

    def __init__(self, reading: Reading, call: Call, posterior: bool = False) -> None:
        super().__init__(reading)
        self.posterior = posterior
        self._whole = self._same_in_every_row(call)
        self.constant = frozenset(
            z.name for z in self.structure.latents if self._whole.get(z.name, frozenset())
        )
        affine = self._affine(call)
        found = {
            d.name: find_linear(self, call, d, self._varying(d))
            for d in self.structure.data
            if affine.get((d.name, "loc"))
        }
        self.linear = {n: linear for n, linear in found.items() if linear is not None}
        arguments = once_jit(self, self.arguments)
        probed, self.layout = ties.probe(
            lambda params: arguments(params, call.arrays), self.structure.free, affine
        )
        self.direct = {
            site: {n: entry for n, entry in args.items() if entry is not None}
            for site, args in probed.items()
            if None not in args.values()
        }
        self.functions = bool(set(probed) - set(self.direct))
        self.bounds = self._bounds(call)
        self.sites = tuple(self._site(d, probed) for d in self.structure.data)
        self.priors = tuple(self._prior(z, probed) for z in self.structure.latents)
        self.pools: dict[str, tuple[Pool, ...]] = {}
        self.blocks = tuple(self._blocks(call))
        self.blocks = tuple(
            replace(b, separable=is_separable(self, b, call)) if b.numeric else b
            for b in self.blocks
        )
        if posterior:
            self.blocks = conjugate.with_priors(self, call)
        self.varies = self._varies_by_row(call)

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

    def _varies_by_row(self, call: Call) -> bool:
        """Whether an argument of some data site, such as a mean or a number of trials, does."""
        found = []

        def look(arrays: tuple) -> None:
            for data in self.structure.data:
                trace = self.run(self.probe_values, arrays, 0, level=data.level)
                fn, level = layout.family_of(trace[data.name]), self.structure.levels[data.level]
                for name, constraint in fn.arg_constraints.items():
                    value = getattr(fn, name, None)
                    if value is not None:
                        unknown = isinstance(constraint, type(constraints.dependent))
                        event_dim = fn.event_dim if unknown else constraint.event_dim
                        rows = layout.argument(value, level, data, event_dim).shape[0]
                        found.append(rows > 1)

        jax.eval_shape(look, call.arrays)
        return any(found)

    def _component(
        self, params: Mapping, arrays: tuple, level: int, component: Any
    ) -> dict[str, dict]:
        """The family arguments (1 or n, c, event...) of a level's sites, for one component."""

        def arguments(params: Mapping) -> dict[str, dict]:
            return self._read_arguments(params, arrays, level, component)

        return differentiable(arguments, params)

    def _read_arguments(
        self, params: Mapping, arrays: tuple, level: int, component: Any
    ) -> dict[str, dict]:
        trace, rows = self.run(params, arrays, component, level=level), self.structure.levels[level]
        out: dict[str, dict] = {}
        for data in self.structure.data:
            family = _family(data)
            if family is not None and data.level == level:
                given = family.arguments(layout.family_of(trace[data.name]))
                out[data.name] = {
                    n: layout.argument(v, rows, data, family.rank.get(n, 0))
                    for n, v in given.items()
                }
        for latent in self.structure.latents:
            fn = layout.family_of(trace[latent.prior])
            family = find(type(fn))
            if family is not None and latent.level == level:
                out[latent.name] = {
                    n: layout.rows_first(v, rows, latent.batch_rank, 0, family.rank.get(n, 0))
                    for n, v in family.arguments(fn).items()
                }
        return out

    def _components(self, params: Mapping, arrays: tuple) -> dict[str, dict]:
        """{site: {argument: (k, 1 or n, c, event...)}} of all levels."""
        found: dict[str, dict] = {}
        for level in range(len(self.structure.levels)):
            one = partial(self._component, params, arrays, level)
            found |= jax.vmap(one)(jnp.arange(self.structure.num_components(level)))
        return found

    def _same_in_every_row(self, call: Call) -> dict[str, frozenset[str]]:
        """{site: the arguments that vary by no row}.

        With z at its natural shape every argument has rows; whether they differ is then tried.
        """
        shapes = jax.eval_shape(self._components, self.probe_values, call.arrays)
        same = {
            site: {n for n, v in args.items() if v.shape[1] == 1} for site, args in shapes.items()
        }
        if not self.structure.pointwise:

            def tried(arrays: tuple) -> Any:
                found = self._components(self.example(arrays, 6), arrays)
                return jax.tree.map(lambda v: (v == v[:, :1]).all(), found)

            equal = once_jit(self, tried)(call.arrays)
            same = {s: {n for n, flag in args.items() if bool(flag)} for s, args in equal.items()}
        return {site: frozenset(names) for site, names in same.items()}

    def _affine(self, call: Call) -> dict[tuple[str, str], bool]:
        """{(site, argument): whether it is an affine function of the parameters}."""

        def evaluate(params: Params, arrays: tuple) -> dict[tuple[str, str], jax.Array]:
            found = self._components(params, arrays)
            return {(site, n): v for site, args in found.items() for n, v in args.items()}

        values = self.probe_values
        labels = {id(value): name for name, value in values.items()}
        affine = dependencies(evaluate, (values, call.arrays), labels).affine
        for site, names in self._remade().items():
            affine |= dict.fromkeys([(site, n) for n in names], True)
        return affine

    def _remade(self) -> dict[str, frozenset[str]]:
        """{site: arguments that its distribution keeps in other terms}."""
        families = {d.name: _family(d) for d in self.structure.data}
        return {name: family.remade for name, family in families.items() if family is not None}

    def _varying(self, data: Data) -> set[str]:
        """The arguments of a site's family that vary by row."""
        family = _family(data)
        if family is None:
            return set()
        return set(family.domains) - self._whole[data.name]

    def _is_whole(self, site: str, args: Mapping) -> bool:
        return bool(args) and set(args) <= self._whole[site]

    def arguments(self, params: Mapping, arrays: tuple) -> dict[str, Args]:
        """{site: {argument: (k, c, event...)}} for the sites whose arguments vary by no row."""
        found = self._components(params, arrays)
        out: dict[str, Args] = {
            site: {n: v[:, 0] for n, v in args.items()}
            for site, args in found.items()
            if self._is_whole(site, args)
        }
        for site, linear in self.linear.items():
            scale = found[site]["scale"][:, 0]
            out[site] = {"coefficients": coefficients(self, linear, params), "scale": scale}
        return out

    # ---- what the probes say ---------------------------------------------------------------

    def _bounds(self, call: Call) -> dict[str, tuple[float, float]]:
        intervals = [p.name for p in self.structure.free if p.constraint == "interval"]
        if not intervals:
            return {}

        def evaluate(params: Params) -> dict[str, tuple[Any, Any]]:
            trace = self.run(params, call.arrays, 0)
            found: dict[str, tuple[Any, Any]] = {}
            for name in intervals:
                support = replay.site_constraint(trace[name])
                while hasattr(support, "base_constraint"):
                    support = support.base_constraint
                found[name] = (jnp.asarray(support.lower_bound), jnp.asarray(support.upper_bound))
            return found

        bounds = once_jit(self, evaluate)(self.probe_values)
        return {
            n: (float(jnp.min(low)), float(jnp.max(high)))
            for n, (low, high) in bounds.items()
            if low.size == high.size == 1
        }

    def _site(self, data: Data, probed: Mapping) -> Site:
        family = _family(data)
        if family is not None and data.partial:
            family = incomplete(data.distribution)
        if data.name in self.linear:
            family = LinearRegression()
        return self._with_family(
            Site(data.name, plain_name(data.distribution), data.depends, data, None), family, probed
        )

    def _prior(self, latent: Latent, probed: Mapping) -> Site:
        site = Site(latent.name, plain_name(latent.distribution), latent.depends, None, latent)
        return self._with_family(site, find(latent.distribution), probed)

    def _with_family(self, site: Site, family: Family | None, probed: Mapping) -> Site:
        if family is None or site.name not in probed:
            return site
        entries = probed[site.name]
        found = ties.direct(family, entries, self.layout, self.bounds)
        what = site.name, site.distribution, site.depends, site.data, site.latent
        if not isinstance(family, RowFamily):
            return StatisticalSite(*what, family, entries, found)
        if found is None or not family.solves(found):
            return site
        return RowSite(*what, family, entries, found)

    def _blocks(self, call: Call) -> list[Block]:
        free = {p.name for p in self.structure.free}
        beside = self.structure.auxiliary
        groups: list[set[str]] = []
        terms: tuple[Site | Auxiliary, ...] = (*self.priors, *self.sites, *beside)
        for term in terms:
            joined = set(term.depends & free)
            if not joined:
                continue
            touching = [g for g in groups if g & joined]
            groups = [g for g in groups if not g & joined]
            groups.append(joined.union(*touching))
        order = [p.name for p in self.structure.free]
        blocks = []
        for group in groups:
            sites = [s for s in (*self.priors, *self.sites) if s.depends & group]
            auxiliary = tuple(a.name for a in beside if a.depends & group)
            names = tuple(n for n in order if n in group)
            rung = self._rung(sites, False)
            if auxiliary and not self._pooled(sites, rung, auxiliary, call):
                rung = self._rung(sites, True)
            elif auxiliary:
                auxiliary = ()
            own = tuple(s.name for s in sites)
            blocks.append(Block(names, own, rung, auxiliary=auxiliary))
        return sorted(blocks, key=lambda b: order.index(b.parameters[0]))

    def _pooled(self, sites: list[Site], rung: str, auxiliary: tuple[str, ...], call: Call) -> bool:
        """Whether what is beside the rows pools with the one site that a family estimates."""
        if rung not in (CLOSED, EQUATIONS):
            return False
        (site,) = sites
        assert isinstance(site, StatisticalSite)
        pools = [find_pool(self, name, site, call) for name in auxiliary]
        found = tuple(pool for pool in pools if pool is not None)
        if len(found) == len(pools):
            self.pools[site.name] = found
        return len(found) == len(pools)

    def _rung(self, sites: list[Site], auxiliary: bool) -> str:
        only = sites[0] if len(sites) == 1 and not auxiliary else None  # else several terms
        if isinstance(only, RowSite):
            return ROW_EQUATIONS
        if any(self._by_row(s) for s in sites):
            return ROWS
        if not isinstance(only, StatisticalSite) or only.ties is None:
            return STATISTICS
        if not only.family.solves(only.ties):
            return STATISTICS
        return CLOSED if only.family.closed else EQUATIONS

    def _by_row(self, site: Site) -> bool:
        if site.latent is not None:
            return site.latent.rowwise and site.name not in self.constant
        return not isinstance(site, StatisticalSite)

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
    def rowwise(self) -> tuple[str, ...]:
        """The names of the data sites without finite statistics."""
        return tuple(s.name for s in self.sites if not isinstance(s, StatisticalSite))

    @cached_property
    def scored(self) -> tuple[RowSite, ...]:
        """The sites that work row by row by their family's density instead of NumPyro's."""
        solved = {n for b in self.blocks if b.rung in (ROW_EQUATIONS, WITH_PRIOR) for n in b.sites}
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
        return bool(self.rowwise) or bool(self.inner_levels) or self.prior_by_row(0)

    def prior_by_row(self, level: int) -> bool:
        """Whether the prior of a level's classes depends on covariates."""
        return any(self._by_row(site) for site in self.priors if site.level == level)

    def limit(self, name: str, rows: Rows) -> jax.Array:
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
        solved = {n for b in self.blocks if b.rung == ROW_EQUATIONS for n in b.sites}
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
    ) -> dict[str, Statistics]:
        """Counts (k,) of each level and each site's sums (k, c q), as the families take them."""
        out = {}
        for site in self.statistical:
            shape = (self.structure.num_components(site.level), cells[site.name])
            total = sums[site.name].reshape(*shape, -1)
            count = jnp.broadcast_to(counts[site.level][:, None], shape)
            if site.name in self.incomplete:
                total, count = total[..., :-1], total[..., -1]
            out[site.name] = Statistics(count, total)
        return out


def _family(data: Data) -> Family | None:
    """The family of a site; none where the mask or the data depend on the class or parameters.

    Such a site is scored row by row.
    """
    return find(data.distribution) if data.steady and not data.choice else None
