"""Label switching: components of draws renamed so that they match those of a fit."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..em import Fit
from ..em.classes.posterior import posterior
from ..em.machine.arrays import product
from ..em.options import a_fit, one_of
from ..em.report.precision import in_precision
from .draws import site_draws
from .posterior import posterior_of
from .symmetry import Symmetry, symmetries_of

_BY = ("responsibilities", "parameters")
_BATCH = 16
# Up to this many components all permutations are compared at once.
_ALL = 4


@dataclass(frozen=True, eq=False)
class Relabelling:
    """Draws whose components carry the names that EM gave them.

    Attributes:
        draws: {site: (c, s, ...)} of c chains of s draws, renamed.
        permutations: {latent: (c, s, k)}: class k of a renamed draw was permutations[..., k].
        symmetries: {latent: which of its classes may be renamed, and what that does to each site}.
        before: {site: (R-hat, bulk ESS)}, each of the site's shape, of the draws as they came.
        after: the same of the renamed draws.
    """

    draws: dict[str, np.ndarray]
    permutations: dict[str, np.ndarray]
    symmetries: dict[str, Symmetry]
    before: dict[str, tuple[np.ndarray, np.ndarray]]
    after: dict[str, tuple[np.ndarray, np.ndarray]]

    @property
    def moved(self) -> float:
        """The share of draws that were renamed."""
        moved = [(p != np.arange(p.shape[-1])).any(-1) for p in self.permutations.values()]
        return float(np.any(moved, 0).mean())

    @property
    def message(self) -> str:
        """What was done, and whether chains agree now, in sentences."""
        worst = [largest(d, 0) for d in (self.before, self.after)]
        if self.moved:
            parts = [f"{self.moved:.1%} of the draws were relabelled."]
            change = f"went from {worst[0]:.3f} to {worst[1]:.3f}"
        else:
            parts, change = ["No draw needed another labelling."], f"is {worst[1]:.3f}"
        if np.isfinite(worst[1]):
            parts.append(f"The largest R-hat {change}.")
        for name, symmetry in self.symmetries.items():
            if symmetry.reason:
                words = symmetry.reason[0].upper() + symmetry.reason[1:]
                parts.append(f"{words}." if len(self.symmetries) == 1 else f"{name!r}: {words}.")
        if worst[1] > 1.05:
            parts.append(
                "The chains still disagree: they visit modes that are no renaming of each other, "
                "or have not mixed. Run longer, or read the chains one by one."
            )
        return " ".join(parts)


@in_precision
def relabel(draws: Any, fit: Fit, by: str = "responsibilities") -> Relabelling:
    r"""Rename the components of each posterior draw so that they match those of the fit.

    The likelihood does not know the components' names, so chains may settle on, or wander
    between, equal modes that differ in names alone (label switching). Each draw s gets the
    permutation that costs least, an assignment problem over pairs of components::

        by="responsibilities"   cost[a, b] = -sum_n w_n r_na log r_nb(s)
        by="parameters"         cost[a, b] = the squared distance of component b of the draw from
                                component a of the fit, in posterior standard deviations

    with r the fit's responsibilities, r(s) those of the draw, w row weights (Stephens 2000, JRSS-B
    62:795, with the fit in place of his running mean). Only names that leave the posterior density
    unchanged are exchanged, checked at random parameters (see `Symmetry`): components that labels,
    fixed values or their priors anchor stay. Every site that has the component axis, once or more
    often, is renamed with it. Where a model has several latent classes, each is matched by itself.

    Args:
        draws: {site: (c, s, ...)} of c chains of s draws; or a NumPyro ``MCMC`` that has run, or a
            DataTree with a posterior group.
        fit: the fit of the same model and data.
        by: what is compared.

    Raises:
        ValueError: an unknown ``by``; draws that lack a parameter or have another shape.
    """
    a_fit("fit", fit, Fit)
    one_of("by", by, _BY)
    found = site_draws(draws, fit)
    symmetries = symmetries_of(fit)
    c, s = next(iter(found.values())).shape[:2]
    flat = {n: v.reshape(c * s, *v.shape[2:]) for n, v in found.items()}
    costs: dict[str, np.ndarray] = {}
    if any(len(group) > 1 for symmetry in symmetries.values() for group in symmetry.classes):
        costs = _by_rows(flat, fit) if by == "responsibilities" else _by_values(flat, fit)
    permutations, renamed = {}, found
    for latent in fit.program.structure.latents:
        name, k = latent.name, latent.num_components
        chosen = np.broadcast_to(np.arange(k), (c, s, k))
        if name in costs:
            chosen = assign(costs[name], symmetries[name].classes).reshape(c, s, k)
        permutations[name] = chosen
        renamed = symmetries[name].apply(renamed, chosen)
    unmoved = all((p == np.arange(p.shape[-1])).all() for p in permutations.values())
    before = diagnostics(found)
    after = before if unmoved else diagnostics(renamed)
    return Relabelling(renamed, permutations, symmetries, before, after)


def assign(cost: np.ndarray, classes: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """(s, k) the cheapest permutations within ``classes`` for costs (s, k, k).

    ``cost[s, a, b]`` is the price of calling component b of draw s by the name a.
    """
    from scipy.optimize import linear_sum_assignment

    best = np.broadcast_to(np.arange(cost.shape[-1]), cost.shape[:2]).copy()
    for group in classes:
        members = np.array(group)
        part = cost[:, members[:, None], members]
        size = len(members)
        if size == 1:
            continue
        if size <= _ALL:
            orders = np.array(list(itertools.permutations(range(size))))
            totals = part[:, np.arange(size), orders].sum(-1)
            best[:, members] = members[orders[totals.argmin(-1)]]
        else:
            for draw, table in enumerate(part):
                best[draw, members] = members[linear_sum_assignment(table)[1]]
    return best


def diagnostics(draws: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{site: (R-hat, bulk effective sample size)}, rank-normalised (Vehtari et al. 2021).

    One chain has no R-hat: NaN.
    """
    # ArviZ's own, without the plotting that it imports.
    from arviz_stats.base import array_stats

    found = {}
    for name, values in draws.items():
        values = np.asarray(values, float)
        c, s, *shape = values.shape
        flat = values.reshape(c, s, -1)
        constant = np.ptp(flat.reshape(c * s, -1), axis=0) == 0
        rhat = np.full(flat.shape[-1], 1.0 if c > 1 else np.nan)
        ess = np.full(flat.shape[-1], float(c * s))
        if not constant.all() and s >= 4:
            rest = flat[..., ~constant]
            if c > 1:
                rhat[~constant] = array_stats.rhat(rest, chain_axis=0, draw_axis=1)
            ess[~constant] = array_stats.ess(rest, chain_axis=0, draw_axis=1)
        found[name] = (rhat.reshape(shape), ess.reshape(shape))
    return found


def largest(found: Mapping[str, tuple[np.ndarray, np.ndarray]], which: int) -> float:
    """The largest R-hat (which = 0); or the smallest ESS (which = 1)."""
    values = np.concatenate([np.ravel(v[which]) for v in found.values()])
    values = values[np.isfinite(values)]
    return float(values.max() if which == 0 else values.min()) if values.size else np.nan


def _by_rows(flat: Mapping[str, np.ndarray], fit: Fit) -> dict[str, np.ndarray]:
    """{latent: (s, k, k) the cross entropies of the fit's classes and a draw's}."""
    program = fit.program

    def marginals(params: dict, arrays: tuple) -> dict[str, jax.Array]:
        return posterior(program, params, arrays).marginals(program)

    def costs(draws: dict, fitted: dict, weights: dict, arrays: tuple) -> dict[str, jax.Array]:
        own = marginals(fitted, arrays)
        reference = {n: r.T * weights[n][: len(r)] for n, r in own.items()}

        def one(params: dict) -> dict[str, jax.Array]:
            found = {}
            for name, resp in marginals(params, arrays).items():
                log = jnp.log(resp + jnp.finfo(resp.dtype).tiny ** 0.25)
                found[name] = -product(reference[name], log)
            return found

        return jax.lax.map(one, draws, batch_size=_BATCH)

    weights = {z.name: fit.rows.weights_of(z.level) for z in program.structure.latents}
    free = {p.name: fit.leaves[p.name] for p in program.structure.free}
    draws = {n: jnp.asarray(flat[n], float) for n in free}
    found = program.compiled("relabel", lambda: jax.jit(costs))(
        draws, free, weights, fit.call.arrays
    )
    return {n: np.asarray(v, float) for n, v in found.items()}


def _by_values(flat: Mapping[str, np.ndarray], fit: Fit) -> dict[str, np.ndarray]:
    """{latent: (s, k, k) squared distances of components, in posterior standard deviations}."""
    spread = {n: np.maximum(v, np.finfo(float).tiny) for n, v in posterior_of(fit).spread.items()}
    free = {n: np.asarray(fit.leaves[n]) for n in spread}
    size = len(next(iter(flat.values())))
    found = {}
    for latent in fit.program.structure.latents:
        symmetry, k = symmetries_of(fit)[latent.name], latent.num_components
        total = np.zeros((size, k, k))
        for a, b in itertools.product(range(k), range(k)):
            # Bring component b to the place of a, and compare the entries at that place.
            order = np.arange(k)
            order[[a, b]] = order[[b, a]]
            moved = symmetry.apply(flat, np.broadcast_to(order, (size, k)))
            for name, axes in symmetry.axes.items():
                rank = free[name].ndim
                if a >= free[name].shape[axes[0]]:
                    continue  # it numbers the first components only
                pick = (slice(None), *(a if i == axes[0] else slice(None) for i in range(rank)))
                difference = (moved[name] - free[name])[pick] / spread[name][pick[1:]]
                total[:, a, b] += (difference**2).reshape(size, -1).sum(1)
            for sites in symmetry.swaps:
                difference = (moved[sites[a]] - free[sites[a]]) / spread[sites[a]]
                total[:, a, b] += (difference**2).reshape(size, -1).sum(1)
        found[latent.name] = total
    return found
