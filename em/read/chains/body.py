"""One step of a scan over classes: what it declares, and how its carry is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from numpyro import handlers
from numpyro.contrib.control_flow.scan import scan_wrapper
from numpyro.ops.provenance import track_deps_jaxpr
from numpyro.primitives import Messenger

from .over_time import pruned

Values = dict[str, jax.Array]


def is_scan(msg: dict) -> bool:
    """Whether a message is a scan's."""
    return msg["type"] == "control_flow" and msg["fn"] is scan_wrapper


class Body(Messenger):
    """One step: classes have chosen values, and what it declares is noted instead of scored."""

    def __init__(self, fn: Callable, values: Mapping[str, Any]) -> None:
        super().__init__(fn)
        self.values = values
        self.sites: dict[str, dict] = {}
        self.plates: dict[str, tuple] = {}

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
        """Note a site, or a plate."""
        if msg["type"] == "plate":
            self.plates[msg["name"]] = msg["args"]
        if "name" in msg and msg["type"] in ("sample", "param", "deterministic"):
            self.sites[msg["name"]] = dict(msg)


class Scan:
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
        self.plates: dict[str, tuple] = {}
        self._look()
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

    def _look(self) -> None:
        def abstract() -> None:
            self.sites = self.step(self.leaves, self._first_x(), {})[2]

        jax.eval_shape(abstract)

    def _first_x(self) -> Any:
        return jax.tree.map(lambda a: a[0], self.xs)

    def step(self, leaves: list, x: Any, values: Values) -> tuple[list, Any, dict[str, dict]]:
        """One step with chosen classes: the leaves of the carry, what it returns, its sites."""
        body = Body(self.body, values)
        with handlers.block(), handlers.seed(rng_seed=0):
            carry, y = body(jax.tree.unflatten(self.tree, leaves), x)
        self.plates = body.plates
        out, tree = jax.tree.flatten(carry)
        if str(tree) != str(self.tree):
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
        for _, given in self.stack:
            touched = set(self.sites) if callable(given) else set(self.sites) & set(given)
            if touched:
                raise ValueError(
                    f"a handler around the model gives values to {', '.join(sorted(touched))} "
                    f"within the scan of {names}; give observations with obs=... in the step"
                )
        for name, (size, part) in self.plates.items():
            if part not in (None, size):
                raise ValueError(
                    f"plate {name!r} within the scan of {names} is subsampled ({part} of {size}); "
                    "a chain is read with all of its sequences: leave subsample_size out"
                )
        for name, site in self.sites.items():
            continuous = site["type"] == "sample" and not site["is_observed"]
            if site["type"] == "param" or (continuous and name not in self.classes):
                raise ValueError(
                    f"site {name!r} within the scan of {names} is a parameter or a continuous "
                    "latent of each step; EM sums over classes only: move parameters out of the "
                    "scan, or observe the site"
                )
        if self.length < 2:
            raise ValueError(
                f"the chain of {names} has {self.length} step; at least two are needed"
            )

    def follows(self) -> list[bool]:
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

    def run_ahead(self, follows: list[bool]) -> list[jax.Array]:
        """The leaves of the carry (T, ...) before each step that no class reaches."""
        own = [v for v, f in zip(self.leaves, follows, strict=True) if not f]
        if not own:
            return []
        rest = [v for v, f in zip(self.leaves, follows, strict=True) if f]

        def advance(free: list, x: Any) -> list:
            out = self.step(merge(follows, free, rest), x, {})[0]
            return [v for v, f in zip(out, follows, strict=True) if not f]

        alone, used = pruned(advance, own, self._first_x())
        leaves, tree = jax.tree.flatten(self.xs)
        needed = used[len(own) :]
        some = [v for v, n in zip(leaves, needed, strict=True) if n]

        def turn(carry: list, x: list) -> tuple[list, list]:
            given = merge(needed, [0] * len(leaves), x)
            return alone(carry, jax.tree.unflatten(tree, given)), carry

        return jax.lax.scan(turn, own, some, self.length)[1]

    def split(self, given: Mapping[str, Any]) -> tuple[Values, Values]:
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


def merge(second: list[bool], a: list, b: list) -> list:
    """One list of two: the next of ``b`` where ``second`` says so, else the next of ``a``."""
    parts = iter(a), iter(b)
    return [next(parts[int(flag)]) for flag in second]


def _is_class(site: dict) -> bool:
    fn = site["fn"]
    hidden = site["type"] == "sample" and not site["is_observed"]
    return hidden and fn.is_discrete and not fn.event_shape and fn.has_enumerate_support
