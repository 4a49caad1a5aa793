"""NumPyro's scan over a class, run as rows along time: all steps at once, with chosen classes.

A chain of the first order needs no run along itself to be scored: what a step declares depends on
its own class, on the class before, and on what the carry holds besides, which no class reaches. So
the carry is split by what its parts depend on; the free ones are run ahead, and one step is
evaluated for all times together, given a class and the class before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from numpyro.ops.pytree import PytreeTrace
from numpyro.primitives import Messenger

from .body import Scan, Values, is_scan, merge
from .messages import each_time, message, parts_of, with_prior
from .over_time import over_time


class Before(NamedTuple):
    """The class before a step: {class: value} as classes are forced, or none (the first step)."""

    classes: Mapping[str, Any]
    first: Any  # whether there is none


class Steps(Messenger):
    """Gives the sites of a scan over a finite class the axis of time, before their own dimensions.

    ``forced`` {class: value} as `Replay` has them; without a value a class is 0. What the priors of
    the classes are given depends on the class ``before``: at the first step there is none, and the
    carry is the scan's own. Priors that are ``steady`` are the same at all later steps (and in all
    sequences), so that they are worked out at one.

    Raises:
        ValueError: classes that remember more than the one before; a scan backwards, with a
            history, with parameters in it, or with sites that a handler outside observes.
    """

    def __init__(
        self,
        fn: Callable | None,
        forced: Mapping[str, Any],
        before: Before | None,
        steady: frozenset[str],
    ) -> None:
        super().__init__(fn)
        self.forced, self.before, self.steady = forced, before, steady
        self.scans: list[dict[str, int]] = []

    def process_message(self, msg: dict) -> None:
        """Run a scan over a class; leave others to NumPyro."""
        if not is_scan(msg):
            return
        scan = Scan(msg, self.forced)
        if not scan.classes:
            return
        scan.refuse()
        self.scans.append(scan.ranks)
        msg["value"] = _Unrolled(scan).run(self.before, self.steady)


class _Unrolled:
    """All steps of a scan at once."""

    def __init__(self, scan: Scan) -> None:
        self.scan, self.follows = scan, scan.follows()

    def run(self, before: Before | None, steady: frozenset[str]) -> tuple:
        """What NumPyro's scan gives: the last carry, the sites and what the steps return."""
        scan = self.scan
        own, each = scan.split(scan.forced)
        moving = {"free": scan.run_ahead(self.follows), "x": scan.xs, "z": each}
        left = self._left(before, moving)
        first = True if before is None else before.first
        late = jax.tree.map(lambda a: jnp.concatenate([a[:1], a[:-1]]), left.moving)
        carried = left._replace(moving=late).after(first)
        sites, carry, y = self._at(moving, own, carried)
        priors = self._priors(moving, own, left, first, steady)
        messages = {n: with_prior(sites[n], priors.get(n)) for n in scan.sites}
        return (scan.length, None, carry), (PytreeTrace(messages), y)

    def _left(self, before: Before | None, moving: dict) -> _Left:
        """What the class before leaves in the carry."""
        init = [jnp.asarray(v) for v, f in zip(self.scan.leaves, self.follows, strict=True) if f]
        if before is None:
            return _Left(init, [], [False] * len(init), init)
        still, each = self.scan.split({n: before.classes[n] for n in self.scan.classes})

        def leave(moving: dict, still: Values) -> list:
            leaves = merge(self.follows, moving["free"], init)
            out = self.scan.step(leaves, moving["x"], still | moving["z"])[0]
            return [v for v, f in zip(out, self.follows, strict=True) if f]

        found, moves = over_time(leave, moving | {"z": each}, still)
        fixed = [v for v, m in zip(found, moves, strict=True) if not m]
        return _Left(init, [v for v, m in zip(found, moves, strict=True) if m], moves, fixed)

    def _at(self, moving: dict, own: Values, left: _Left) -> tuple:
        """The sites, the carry and what is returned, of all times."""

        def one(moving: dict, still: dict) -> tuple:
            carried = merge(left.moves, still["left"], moving["left"])
            leaves = merge(self.follows, moving["free"], carried)
            out, y, sites = self.scan.step(leaves, moving["x"], still["z"] | moving["z"])
            return {n: parts_of(s) for n, s in sites.items()}, out, y

        found, moves = over_time(
            one, moving | {"left": left.moving}, {"z": own, "left": left.fixed}
        )
        flags = jax.tree.unflatten(jax.tree.structure(found), moves)
        (parts, carry, y), (marks, carry_marks, y_marks) = found, flags
        messages = {n: message(self.scan, n, p, marks[n]) for n, p in parts.items()}
        last = jax.tree.map(lambda v, m: v[-1] if m else v, carry, carry_marks)
        y = jax.tree.map(lambda v, m: v if m else each_time(self.scan, v), y, y_marks)
        return messages, jax.tree.unflatten(self.scan.tree, last), y

    def _priors(
        self,
        moving: dict,
        own: Values,
        left: _Left,
        first: Any,
        steady: frozenset[str],
    ) -> dict[str, dict]:
        """The classes' sites: of the first step, or of the later ones, at all times alike."""
        if set(self.scan.classes) <= steady:
            here = jnp.where(first, 0, 1)
            now = jax.tree.map(lambda a: a[here], moving)
            carried = left._replace(moving=[v[0] for v in left.moving]).after(first)
            leaves = merge(
                self.follows, now["free"], merge(left.moves, carried.fixed, carried.moving)
            )
            sites = self.scan.step(leaves, now["x"], own | now["z"])[2]
            parts = {n: parts_of(sites[n]) for n in self.scan.classes}
            still = jax.tree.map(lambda _: False, parts)
            return {n: message(self.scan, n, p, still[n], narrow=True) for n, p in parts.items()}
        times = jnp.where(first, 0, jnp.maximum(jnp.arange(self.scan.length), 1))
        now = jax.tree.map(lambda a: a[times], moving)
        earlier = [v[jnp.maximum(times - 1, 0)] for v in left.moving]
        found = self._at(now, own, left._replace(moving=earlier).after(first))[0]
        return {n: found[n] for n in self.scan.classes}


class _Left(NamedTuple):
    """What is left in the carry by the class before: ``init`` if there is none.

    ``moving`` (T, ...) after each step, ``fixed`` what is the same after all of them; ``moves``
    says of each leaf which it is.
    """

    init: list[jax.Array]
    moving: list[jax.Array]
    moves: list[bool]
    fixed: list[jax.Array]

    def after(self, first: Any) -> _Left:
        """What the next step finds: the carry that the scan begins with, if it is the ``first``."""
        if first is True:
            return _Left(self.init, [], [False] * len(self.init), self.init)
        begin: dict[bool, list] = {True: [], False: []}
        for value, m in zip(self.init, self.moves, strict=True):
            begin[m].append(value)

        def choose(values: list, init: list) -> list:
            return [
                jnp.where(first, b, v).astype(v.dtype) for b, v in zip(init, values, strict=True)
            ]

        return self._replace(
            moving=choose(self.moving, begin[True]), fixed=choose(self.fixed, begin[False])
        )
