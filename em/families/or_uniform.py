"""Normals beside uniform noise: the statistics of the noise's rows are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from ... import distributions
from ._family import Args, Family, Statistics, Ties
from ._ties import each_by_itself
from .eigen_normal import EigenNormal
from .multivariate_normal import MultivariateNormal
from .normal import Normal

_BOX = {"uniform": "real", "low": "real", "high": "real"}
# The log density of a row outside the box: finite, since it is multiplied by 0 elsewhere.
_NEVER = -1e30


class _OrUniform(Family):
    """A normal family in whose uniform cells ``log f = -log volume`` inside the box, and 0 outside.

    The normal's features get one more, that the row lies outside; uniform cells are constant in
    the others. The estimate is the normal's from the other components' statistics. One box is
    read: classes with another make the objective NaN.
    """

    distributions: ClassVar[tuple[type[dist.Distribution], ...]] = ()

    def arguments(self, fn: dist.Distribution) -> dict:
        flag = jnp.asarray(fn.uniform, jnp.result_type(float))
        own = super().arguments(fn.base_dist)
        return own | {"uniform": flag, "low": fn.low, "high": fn.high}

    def solves(self, ties: Mapping[str, Ties]) -> bool:
        """What the normal can do, with a given box."""
        return all(ties[n].fixed.all() for n in _BOX) and super().solves(_of_normal(ties))

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        noise = self._wide(_noise(args))
        box = {
            "low": jnp.where(noise, args["low"], -jnp.inf).max(0),
            "high": jnp.where(noise, args["high"], jnp.inf).min(0),
        }
        own = super().reference(x, weights, _of_normal(args), _of_normal(ties))
        return {**own, **box}

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        """The normal's, (c, e, n), and whether the row lies outside the box."""
        u = super().coordinates(x, reference)
        low, high = reference["low"][..., None], reference["high"][..., None]
        outside = (x < low) | (x > high)
        if self._scalar:
            return jnp.stack([u, outside.astype(u.dtype)], 1)
        return jnp.concatenate([u, outside.any(1, keepdims=True).astype(u.dtype)], 1)

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        return jnp.concatenate([super().features(self._inner(u), known, reference), u[:, -1:]], 1)

    def num_own(self, ties: Mapping[str, Ties], size: int) -> int | None:
        return None  # those of uniform cells are 0

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return super().view(self._inner(u), known, weights, reference)

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        eta, normaliser = super().natural(_of_normal(args), reference)
        noise = _noise(args)
        low, high = args["low"], args["high"]
        extent = high - low
        off = jnp.maximum(jnp.abs(low - reference["low"]), jnp.abs(high - reference["high"]))
        log_volume = jnp.where(off <= 1e-4 * extent, jnp.log(extent), jnp.nan)
        log_volume = log_volume if self._scalar else log_volume.sum(-1)
        # What `base` adds to every row is taken back.
        base = super().base(reference["centre"][..., None], {}, reference)[:, 0]
        eta = jnp.where(noise[..., None], 0, eta)
        outside = jnp.where(noise, jnp.asarray(_NEVER, eta.dtype), 0)[..., None]
        normaliser = jnp.where(noise, log_volume + base, normaliser)
        return jnp.concatenate([eta, outside], -1), normaliser

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        own = _without_noise(stats, args)
        own = Statistics(own.count, own.sums[..., :-1])
        given = own, _of_normal(args), _of_normal(ties), reference
        return super().estimate(*given) | {n: args[n] for n in _BOX}

    def pseudo(
        self, name: str, terms: Mapping[str, jax.Array], args: Args, reference: Args
    ) -> Statistics:
        added = super().pseudo(name, terms, args, reference)
        return Statistics(added.count, jnp.pad(added.sums, ((0, 0), (0, 0), (0, 1))))

    def conditional(
        self,
        name: str,
        terms: Mapping[str, jax.Array] | None,
        stats: Statistics,
        args: Args,
        ties: Mapping[str, Ties],
        reference: Args,
    ) -> Args:
        # The cell that has a prior's statistics may be noise: they stay, its rows do not.
        none = {**args, "uniform": jnp.zeros_like(args["uniform"])}
        own = _without_noise(stats, args)
        new = super().conditional(name, terms, own, none, ties, reference)
        return {**new, "uniform": args["uniform"]}

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        # Beside noise, which takes all other rows, even a scale that all share may vanish.
        alone = {n: each_by_itself(t.fixed) for n, t in _of_normal(ties).items()}
        own = super().relative_scale(_of_normal(args), alone, reference)
        return None if own is None else jnp.where(_noise(args).all(-1), jnp.inf, own)

    @property
    def _scalar(self) -> bool:
        return not self.rank.get("loc", 0)

    def _inner(self, u: jax.Array) -> jax.Array:
        return u[:, 0] if self._scalar else u[:, :-1]

    def _wide(self, flag: jax.Array) -> jax.Array:
        return flag if self._scalar else flag[..., None]


def _of_normal(named: Mapping) -> dict:
    return {n: v for n, v in named.items() if n not in _BOX}


def _without_noise(stats: Statistics, args: Args) -> Statistics:
    noise = _noise(args)
    return Statistics(jnp.where(noise, 0, stats.count), jnp.where(noise[..., None], 0, stats.sums))


def _noise(args: Args) -> jax.Array:
    """(k, c) which cells are uniform."""
    return args["uniform"] > 0


class NormalOrUniform(_OrUniform, Normal):
    """`Normal` beside uniform noise."""

    distributions = (distributions.NormalOrUniform,)
    domains = {**Normal.domains, **_BOX}


class MultivariateNormalOrUniform(_OrUniform, MultivariateNormal):
    """`MultivariateNormal` beside uniform noise."""

    distributions = (distributions.MultivariateNormalOrUniform,)
    domains = {**MultivariateNormal.domains, **_BOX}
    rank = {**MultivariateNormal.rank, "low": 1, "high": 1}


class EigenNormalOrUniform(_OrUniform, EigenNormal):
    """`EigenNormal` beside uniform noise."""

    distributions = (distributions.EigenNormalOrUniform,)
    domains = {**EigenNormal.domains, **_BOX}
    rank = {**EigenNormal.rank, "low": 1, "high": 1}
