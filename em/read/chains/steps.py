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
import numpyro.distributions as dist
from numpyro import handlers
from numpyro.contrib.control_flow.scan import scan_wrapper
from numpyro.ops.provenance import track_deps_jaxpr
from numpyro.ops.pytree import PytreeTrace
from numpyro.primitives import CondIndepStackFrame, Messenger

from .over_time import masks, narrowed, over_time, pruned, with_time

Values = dict[str, jax.Array]


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
        fn: Callable,
        forced: Mapping[str, Any],
        before: Before | None,
        steady: frozenset[str],
    ) -> None:
        super().__init__(fn)
        self.forced, self.before, self.steady = forced, before, steady
        self.scans: list[dict[str, int]] = []

    def process_message(self, msg: dict) -> None:
        """Run a scan over a class; leave others to NumPyro."""
        if msg["type"] != "control_flow" or msg["fn"] is not scan_wrapper:
            return
        scan = _Scan(msg, self.forced)
        if not scan.classes:
            return
        scan.refuse()
        self.scans.append(scan.ranks)
        msg["value"] = scan.unrolled(self.before, self.steady)


class _Body(Messenger):
    """One step: classes have chosen values, and what it declares is noted instead of scored."""

    def __init__(self, fn: Callable, values: Mapping[str, Any]) -> None:
        super().__init__(fn)
        self.values = values
        self.sites: dict[str, dict] = {}

    def process_message(self, msg: dict) -> None:
        """Choose a class."""
        if msg["type"] != "sample":
            return
        fn = msg["fn"]
        finite = fn.is_discrete and not fn.event_shape and fn.has_enumerate_support
        if msg["name"] in self.values:
            msg["value"] = self.values[msg["name"]]
        elif not msg["is_observed"] and finite:
            msg["value"] = jnp.zeros(fn.batch_shape, int)

    def postprocess_message(self, msg: dict) -> None:
        """Note a site."""
        if "name" in msg and msg["type"] in ("sample", "param", "deterministic", "control_flow"):
            self.sites[msg["name"]] = dict(msg)


class _Scan:
    """A scan's message, and what one abstract step of it shows."""

    def __init__(self, msg: dict, forced: Mapping[str, Any]) -> None:
        self.body, self.init, self.xs, length, self.reverse = msg["args"]
        self.stack, self.history = msg["kwargs"]["substitute_stack"], msg["kwargs"]["history"]
        self.length = length
        if length is None:
            self.length = jax.tree.leaves(self.xs)[0].shape[0]
        self.xs = jax.tree.map(jnp.asarray, self.xs)
        self.leaves, self.tree = jax.tree.flatten(self.init)
        self.sites: dict[str, dict] = {}
        self._look({})
        hidden = [n for n, s in self.sites.items() if _is_class(s)]
        self.classes = [n for n in self.sites if n in hidden or n in forced]
        self.forced = {n: jnp.asarray(v) for n, v in forced.items() if n in self.classes}
        samples = {n: s for n, s in self.sites.items() if s["type"] == "sample"}
        self.ranks = {n: len(s["fn"].batch_shape) for n, s in samples.items()}
        self.rank = max(self.ranks.values(), default=0)
        # Where classes have no value yet, or one of their natural shape, so has what is returned.
        self.wide = len(self.forced) < len(self.classes) or any(
            v.ndim > self.rank and len(v) == self.length for v in self.forced.values()
        )

    def _look(self, values: Values) -> None:
        def abstract() -> None:
            _, _, found = self.step(self.leaves, self._first_x(), values)
            self.sites = found

        jax.eval_shape(abstract)

    def _first_x(self) -> Any:
        return jax.tree.map(lambda a: a[0], self.xs)

    def step(self, leaves: list, x: Any, values: Values) -> tuple[list, Any, dict[str, dict]]:
        """One step with chosen classes: the leaves of the carry, what it returns, its sites."""
        body = _Body(self.body, values)
        with handlers.block(), handlers.seed(rng_seed=0):
            carry, y = body(jax.tree.unflatten(self.tree, leaves), x)
        out, tree = jax.tree.flatten(carry)
        if tree != self.tree:
            raise ValueError(f"a scan's carry changes its structure, from {self.tree} to {tree}")
        return out, y, body.sites

    def refuse(self) -> None:
        """Raise for what is not read, by name."""
        names = " and ".join(map(repr, self.classes))
        if self.reverse or self.history != 1:
            how = "backwards (reverse=True)" if self.reverse else f"with history={self.history}"
            raise ValueError(
                f"the chain of {names} runs {how}; EM reads scans that run forwards and remember "
                "the one state before: turn the data round, or put what is needed in the carry"
            )
        for name, site in self.sites.items():
            continuous = site["type"] == "sample" and not site["is_observed"]
            if site["type"] == "param" or (continuous and name not in self.classes):
                raise ValueError(
                    f"site {name!r} within the scan of {names} is a parameter or a continuous "
                    "latent of each step; EM sums over classes only: move parameters out of the "
                    "scan, or observe the site"
                )
        for _, given in self.stack:
            touched = set(self.sites) if callable(given) else set(self.sites) & set(given)
            if touched:
                raise ValueError(
                    f"a handler around the model gives values to {', '.join(sorted(touched))} "
                    f"within the scan of {names}; give observations with obs=... in the step"
                )
        if self.length < 2:
            raise ValueError(
                f"the chain of {names} has {self.length} step; at least two are needed"
            )

    # ---- all steps at once -----------------------------------------------------------------

    def unrolled(self, before: Before | None, steady: frozenset[str]) -> tuple:
        """What NumPyro's scan gives: the last carry, the sites and what the steps return."""
        follows = self._follows()
        own, each = self._split(self.forced)
        moving = {"free": self._run_ahead(follows), "x": self.xs, "z": each}
        left = self._left(before, follows, moving)
        first = True if before is None else before.first
        late = jax.tree.map(lambda a: jnp.concatenate([a[:1], a[:-1]]), left.moving)
        carried = left._replace(moving=late).after(first)
        sites, carry, y = self._at(follows, moving, own, carried)
        priors = self._priors(follows, moving, own, left, first, steady)
        messages = {n: _with_prior(s, priors.get(n)) for n, s in sites.items()}
        return (self.length, None, carry), (PytreeTrace(messages), y)

    def _follows(self) -> list[bool]:
        """Which leaves of the carry a class reaches.

        Raises:
            ValueError: one of these depends on the class before as well.
        """
        z = {n: jnp.zeros(jnp.shape(self.sites[n]["value"]), int) for n in self.classes}

        def carried(leaves: list, x: Any, z: Values) -> list:
            return self.step(leaves, x, z)[0]

        closed = jax.make_jaxpr(carried)(self.leaves, self._first_x(), z)
        names: list[frozenset] = [frozenset({i}) for i in range(len(self.leaves))]
        names += [frozenset()] * len(jax.tree.leaves(self.xs)) + [frozenset({"class"})] * len(z)
        found = track_deps_jaxpr(closed.jaxpr, names)
        follows = ["class" in reached for reached in found]
        for reached in found:
            if any(i != "class" and follows[i] for i in reached):
                classes = " and ".join(map(repr, self.classes))
                raise ValueError(
                    f"the scan over {classes} carries more than the class of the step before (a "
                    "second state, or something made of both); EM reads chains of the first "
                    "order: let the carry have the new class alone, or make one class of the "
                    "combinations"
                )
        return follows

    def _run_ahead(self, follows: list[bool]) -> list[jax.Array]:
        """The leaves of the carry (T, ...) before each step that no class reaches."""
        own = [v for v, f in zip(self.leaves, follows, strict=True) if not f]
        if not own:
            return []
        rest = [v for v, f in zip(self.leaves, follows, strict=True) if f]

        def advance(free: list, x: Any) -> list:
            out = self.step(_merge(follows, free, rest), x, {})[0]
            return [v for v, f in zip(out, follows, strict=True) if not f]

        alone = pruned(advance, own, self._first_x())
        return jax.lax.scan(lambda c, x: (alone(c, x), c), own, self.xs, self.length)[1]

    def _split(self, given: Mapping[str, Any]) -> tuple[Values, Values]:
        """{class: one value for all steps}, and those that have one for each (T, ...)."""
        still, each = {}, {}
        for name, value in given.items():
            value = jnp.asarray(value)
            shape = value.shape[value.ndim - self.ranks[name] :]
            if value.ndim > self.rank and value.shape[0] == self.length:
                each[name] = value.reshape(self.length, *shape)
            else:  # no squeeze: that would look like the choice of one row's class
                still[name] = jax.lax.reshape(value, shape)
        return still, each

    def _left(self, before: Before | None, follows: list[bool], moving: dict) -> _Left:
        """What the class before leaves in the carry."""
        init = [jnp.asarray(v) for v, f in zip(self.leaves, follows, strict=True) if f]
        if before is None:
            return _Left(init, [], [False] * len(init), init)
        still, each = self._split({n: before.classes[n] for n in self.classes})

        def leave(moving: dict, still: Values) -> list:
            leaves = _merge(follows, moving["free"], init)
            out = self.step(leaves, moving["x"], still | moving["z"])[0]
            return [v for v, f in zip(out, follows, strict=True) if f]

        found, moves = over_time(leave, moving | {"z": each}, still)
        fixed = [v for v, m in zip(found, moves, strict=True) if not m]
        return _Left(init, [v for v, m in zip(found, moves, strict=True) if m], moves, fixed)

    def _at(self, follows: list[bool], moving: dict, own: Values, left: _Left) -> tuple:
        """The sites, the carry and what is returned, of all times."""

        def one(moving: dict, still: dict) -> tuple:
            carried = _merge(left.moves, still["left"], moving["left"])
            leaves = _merge(follows, moving["free"], carried)
            out, y, sites = self.step(leaves, moving["x"], still["z"] | moving["z"])
            return {n: _parts(s) for n, s in sites.items()}, out, y

        found, moves = over_time(
            one, moving | {"left": left.moving}, {"z": own, "left": left.fixed}
        )
        flags = jax.tree.unflatten(jax.tree.structure(found), moves)
        (parts, carry, y), (marks, carry_marks, y_marks) = found, flags
        messages = {n: self._message(n, p, marks[n]) for n, p in parts.items()}
        last = jax.tree.map(lambda v, m: v[-1] if m else v, carry, carry_marks)
        y = jax.tree.map(lambda v, m: v if m else self._each(v), y, y_marks)
        return messages, jax.tree.unflatten(self.tree, last), y

    def _each(self, value: Any) -> jax.Array:
        """What a step returns at all times where it is the same: along time if classes are."""
        length = self.length if self.wide else 1
        return jnp.broadcast_to(value, (length, *jnp.shape(value)))

    def _priors(
        self,
        follows: list[bool],
        moving: dict,
        own: Values,
        left: _Left,
        first: Any,
        steady: frozenset[str],
    ) -> dict[str, dict]:
        """The classes' sites: of the first step, or of the later ones, at all times alike."""
        if set(self.classes) <= steady:
            here = jnp.where(first, 0, 1)
            now = jax.tree.map(lambda a: a[here], moving)
            carried = left._replace(moving=[v[0] for v in left.moving]).after(first)
            leaves = _merge(follows, now["free"], _merge(left.moves, carried.fixed, carried.moving))
            sites = self.step(leaves, now["x"], own | now["z"])[2]
            parts = {n: _parts(sites[n]) for n in self.classes}
            still = jax.tree.map(lambda _: False, parts)
            return {n: self._message(n, p, still[n], narrow=True) for n, p in parts.items()}
        times = jnp.where(first, 0, jnp.maximum(jnp.arange(self.length), 1))
        now = jax.tree.map(lambda a: a[times], moving)
        earlier = [v[jnp.maximum(times - 1, 0)] for v in left.moving]
        found = self._at(follows, now, own, left._replace(moving=earlier).after(first))[0]
        return {n: found[n] for n in self.classes}

    def _message(self, name: str, parts: dict, moves: dict, narrow: bool = False) -> dict:
        """A site as NumPyro's scan leaves it, with time before all batch dimensions."""
        site = self.sites[name]
        value = parts["value"]
        if site["type"] != "sample":
            value = value if moves["value"] else self._each(value)
            return {**_PLAIN, "type": site["type"], "name": name, "value": value, "fn": _identity}
        if moves["scale"] is True:
            raise ValueError(
                f"the scale of site {name!r} within its scan changes over time; a chain has one "
                "weight for each sequence"
            )
        fn = with_time(parts["fn"], moves["fn"], self.rank, self.length)
        if narrow:
            fn = narrowed(fn)
        batch = (self.length, *(1,) * (self.rank - self.ranks[name]), *site["fn"].batch_shape)
        fn = fn if fn.batch_shape == batch else fn.expand(batch)
        if name in self.classes:
            value = self.forced.get(name, jnp.zeros(batch, int))
        elif moves["value"]:
            own = jnp.ndim(value) - 1 - fn.event_dim
            value = value.reshape(len(value), *(1,) * (self.rank - own), *value.shape[1:])
        frame = CondIndepStackFrame(f"time of {self.classes[0]}", -self.rank - 1, self.length)
        return {
            **_PLAIN,
            "type": "sample",
            "name": name,
            "fn": fn,
            "value": value,
            "kwargs": {"rng_key": None, "sample_shape": ()},
            "is_observed": site["is_observed"],
            "intermediates": [],
            "scale": parts["scale"],
            "cond_indep_stack": [*site["cond_indep_stack"], frame],
        }


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
        begin = {True: [], False: []}
        for value, m in zip(self.init, self.moves, strict=True):
            begin[m].append(value)

        def choose(values: list, init: list) -> list:
            return [
                jnp.where(first, b, v).astype(v.dtype) for b, v in zip(init, values, strict=True)
            ]

        return self._replace(
            moving=choose(self.moving, begin[True]), fixed=choose(self.fixed, begin[False])
        )


_PLAIN: dict[str, Any] = {
    "args": (),
    "kwargs": {},
    "infer": {},
    "scale": None,
    "is_observed": False,
    "intermediates": [],
    "cond_indep_stack": [],
    "_control_flow_done": True,
}


def _with_prior(site: dict, prior: dict | None) -> dict:
    """A class's site with the distribution that was found apart, and its own masks."""
    if prior is None:
        return site
    fn = prior["fn"]
    while isinstance(fn, dist.MaskedDistribution):
        fn = fn.base_dist
    for mask in masks(site["fn"]):
        fn = fn.mask(mask)
    return {**site, "fn": fn}


def _identity(*args: Any, **kwargs: Any) -> Any:
    return args[0] if args else None


def _parts(site: dict) -> dict:
    """What of a site holds arrays."""
    if site["type"] != "sample":
        return {"value": site["value"]}
    return {"fn": site["fn"], "value": site["value"], "scale": site["scale"]}


def _merge(second: list[bool], a: list, b: list) -> list:
    """One list of two: the next of ``b`` where ``second`` says so, else the next of ``a``."""
    parts = iter(a), iter(b)
    return [next(parts[int(flag)]) for flag in second]


def _is_class(site: dict) -> bool:
    fn = site["fn"]
    hidden = site["type"] == "sample" and not site["is_observed"]
    return hidden and fn.is_discrete and not fn.event_shape and fn.has_enumerate_support
