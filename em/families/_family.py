"""What a family of distributions tells EM: its statistics, its density in them, its estimator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from ._ties import Ties

Args = Mapping[str, jax.Array]


@partial(jax.tree_util.register_dataclass, data_fields=["count", "sums"], meta_fields=[])
@dataclass(frozen=True)
class Statistics:
    """Additive sufficient statistics of the k components and c cells of a site.

    ``count`` (k, c) is the responsibility-weighted number of rows, ``sums`` (k, c, q) the weighted
    sum of the family's q features.
    """

    count: jax.Array
    sums: jax.Array


class Family:
    """A family with finite sufficient statistics, for data of n rows and c cells.

    The density of one cell is ``log f(x | args) = features(x) . eta(args) - A(args) + base(x)``
    with q features. Rows come last, so that a chunk of them is contiguous and every operation on
    it is a vector operation. One file a family; a family is found by being in this folder.

    Attributes:
        distributions: the NumPyro types that it reads.
        domains: its arguments and the natural domain of each (see ``DOMAINS``).
        alternatives: arguments of which exactly one is given, such as probs or logits.
        known: arguments that are data (``total_count``), which may differ from row to row.
        remade: arguments that NumPyro keeps in other terms, so that `arguments` makes them anew.
        rank: the number of event dimensions of each argument.
        closed: whether `estimate` is a formula; if not, it solves the likelihood equations.
        conjugate: {argument: the terms of a log prior that it takes in} (``plan/conjugate.py``).
    """

    distributions: ClassVar[tuple[type[dist.Distribution], ...]]
    domains: ClassVar[Mapping[str, str]]
    known: ClassVar[tuple[str, ...]] = ()
    remade: ClassVar[frozenset[str]] = frozenset()
    rank: ClassVar[Mapping[str, int]] = {}
    closed: ClassVar[bool] = True
    conjugate: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def arguments(self, fn: dist.Distribution) -> dict[str, Any]:
        """The arguments that were given to ``fn``, by name."""
        return {name: vars(fn)[name] for name in self.domains if name in vars(fn)}

    def admits(self, x: jax.Array) -> jax.Array:
        """Which observations have a finite log density, of those in the support: True for all."""
        return jnp.asarray(True)

    def solves(self, ties: Mapping[str, Ties]) -> bool:
        """Whether `estimate` can do with these ties; if not, a numeric M-step takes its place."""
        return True

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        """What the features are measured from: a centre, a scale, from data (c, ..., n)."""
        return {}

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        """Data (c, ..., n) as the features want them: computed once a run, not once a step."""
        return x

    def features(self, u: jax.Array, known: Args, reference: Args) -> jax.Array:
        """The sufficient statistics (c, q, n) of rows given by their coordinates ``u``."""
        raise NotImplementedError

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        """The part of the log density (c, n) that depends on no parameter."""
        raise NotImplementedError

    def natural(self, args: Args, reference: Args) -> tuple[jax.Array, jax.Array]:
        """Natural parameters eta (k, c, q) and log normaliser A (k, c)."""
        raise NotImplementedError

    def categories(self, args: Args) -> jax.Array | None:
        """(k, c, m) the probabilities of 0, ..., m - 1, where these are all there is; else None."""
        return None

    def num_own(self, ties: Mapping[str, Ties], size: int) -> int | None:
        """How many features of a cell of ``size`` coordinates differ between components, if told.

        They come first; the natural parameters of the others are the same in all components, so
        that a log joint needs one product of those, and an M-step their totals only.
        """
        return None

    def shared(self, eta: jax.Array, u: jax.Array) -> jax.Array:
        """(n,) what the features add that all components share, by their parameters (c, q)."""
        raise NotImplementedError

    def form(self, args: Args, reference: Args) -> jax.Array | None:
        """(k, w), where a density is ``-(form u)^2 / 2 - A`` in the w coordinates of one cell.

        That costs less than a product with all features; None where it is not so.
        """
        return None

    def estimate(
        self, stats: Statistics, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> dict[str, jax.Array]:
        """The maximum-likelihood arguments from weighted statistics, ties and fixed values kept."""
        raise NotImplementedError

    def pseudo(
        self, name: str, terms: Mapping[str, jax.Array], args: Args, reference: Args
    ) -> Statistics:
        """What a conjugate prior of one argument adds to the statistics, given the others.

        ``terms`` {term: (k, c, event...)} are the coefficients of the argument's functions in the
        log prior (see `conjugate`).
        """
        raise NotImplementedError

    def conditional(
        self,
        name: str,
        terms: Mapping[str, jax.Array] | None,
        stats: Statistics,
        args: Args,
        ties: Mapping[str, Ties],
        reference: Args,
    ) -> Args:
        """The arguments with one of them at its maximum given the others, its prior included."""
        held = {
            n: tie if n == name else Ties(tie.groups, np.ones_like(tie.fixed))
            for n, tie in ties.items()
        }
        if terms:
            added = self.pseudo(name, terms, args, reference)
            stats = jax.tree.map(jnp.add, stats, added)
        return self.estimate(stats, args, held, reference)

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        """The rows (m, n) as points whose squared distances mean something, for starts."""
        return standardise(u, weights)

    def width(self, name: str, shape: tuple[int, ...]) -> int:
        """How many numbers of a row an argument of shape (k, c, e) must be told from.

        As many rows, and one more, a component needs at least: d for a matrix (d, d).
        """
        return round(shape[-1] ** 0.5) if self.rank.get(name, 0) == 2 else 1

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        """(k,) each component's own smallest scale, as a fraction of the data's.

        It tends to 0 where the likelihood is unbounded. Scales that are fixed, or shared with
        other components, count as infinite; None where the likelihood is bounded anyway.
        """
        return None


class Augmented(Family):
    """A family whose statistics need a latent part of each row, given the current parameters.

    Its density is no linear function of fixed features, but given the arguments of a component
    the expected features of a row are, so that EM's sums stay additive. ``patterns`` (P, c, e)
    are the distinct patterns of observed entries and ``pattern`` (n,) says which a row has.

    ``completes`` are the NumPyro types of whose events single entries may be missing by it.
    """

    completes: ClassVar[tuple[type[dist.Distribution], ...]] = ()

    def context(self, args: Args, patterns: jax.Array, reference: Args) -> Any:
        """What the rows need of one component's arguments (c, ...): made once a step."""
        raise NotImplementedError

    def log_density(self, u: jax.Array, pattern: jax.Array, context: Any) -> jax.Array:
        """The log density (n,) of the rows, without ``base_of``."""
        raise NotImplementedError

    def sums(self, u: jax.Array, pattern: jax.Array, weight: jax.Array, context: Any) -> jax.Array:
        """The weighted sums (c, q) of the expected features."""
        raise NotImplementedError

    def base_of(self, seen: jax.Array, reference: Args) -> jax.Array:
        """The part of the log density (c, n) without parameters, by what is seen (c, e, n)."""
        raise NotImplementedError

    def scored(self, fn: Any, x: jax.Array, seen: jax.Array) -> jax.Array:
        """The log density of the entries of ``x`` that are seen, by NumPyro's arguments ``fn``."""
        raise NotImplementedError


def standardise(x: jax.Array, weights: jax.Array) -> jax.Array:
    """Columns (m, n) of mean 0 and variance 1 (or 0, where a column is constant)."""
    x = x.reshape(-1, x.shape[-1])
    total = weights.sum()
    centred = x - (x @ weights / total)[:, None]
    spread = jnp.sqrt(centred**2 @ weights / total)
    return centred / jnp.where(spread > 0, spread, 1)[:, None]


def shares(x: jax.Array, total: jax.Array, weights: jax.Array) -> jax.Array:
    """Counts (c, ..., n) as standardised parts of their totals: how many there were is no class."""
    return standardise(x / jnp.maximum(total, 1), weights)


def safe_log(p: jax.Array) -> jax.Array:
    """log p, with log 0 replaced by the log of the smallest normal number (so 0 * log 0 = 0).

    Its derivatives of every order are 0 there: the 0 is no parameter, but written in the model.
    """
    tiny = jnp.finfo(p.dtype).tiny
    edge = p <= tiny
    return jnp.where(edge, jnp.log(tiny), jnp.log(jnp.where(edge, 1, p)))


def safe_log1m(p: jax.Array) -> jax.Array:
    """``log(1 - p)`` without cancellation for small p, with log 0 as in `safe_log`."""
    edge = p >= 1
    tiny = jnp.log(jnp.finfo(p.dtype).tiny)
    return jnp.where(edge, tiny, jnp.log1p(-jnp.where(edge, 0, p)))


def ratio(numerator: jax.Array, denominator: jax.Array, otherwise: jax.Array) -> jax.Array:
    """``numerator / denominator`` where the denominator is positive: an empty component keeps."""
    good = denominator > 0
    return jnp.where(good, numerator / jnp.where(good, denominator, 1), otherwise)


def own_scale(scale: jax.Array, tie: Ties) -> jax.Array:
    """(k,) the smallest of the relative scales (k, c) that each component has to itself.

    A scale that is shared counts only once rounding is all that is left of it.
    """
    gone = (scale <= 4 * jnp.finfo(scale.dtype).eps ** 0.5) & ~tie.fixed
    return jnp.where(tie.across_components & ~gone, jnp.inf, scale).min(-1)


def linked(groups: np.ndarray, values: jax.Array) -> jax.Array:
    """Averages of ``values`` (c, ...) over the cells that any row of ``groups`` ties together."""
    cells = np.arange(groups.shape[1])
    for row in groups:
        for group in np.unique(row):
            members = np.nonzero(row == group)[0]
            cells[np.isin(cells, cells[members])] = cells[members].min()
    unique, inverse = np.unique(cells, return_inverse=True)
    if len(unique) == len(cells):
        return values
    sizes = np.bincount(inverse).reshape(-1, *[1] * (values.ndim - 1))
    return (jax.ops.segment_sum(values, inverse, len(unique)) / sizes)[inverse]
