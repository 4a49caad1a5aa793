"""A model whose chain begins before its scan, written as one scan.

The first state may be drawn before the scan, with observations of its own, and whole sequences may
have classes. Such a model is that of one scan: of one step more, the first of which is what stands
before it, and with classes that stay what they are at the first step. What stands before the scan
is run again within each step, given the classes there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro import handlers, primitives
from numpyro.primitives import Messenger

from .body import is_scan
from .joined import at_first_only, joined, staying


@dataclass(frozen=True)
class Outside:
    """What stands before a scan and belongs to its chain.

    ``constant`` names the classes of whole sequences, ``first`` {class of the scan: the state
    before the scan that it follows}, ``beginnings`` {site of the scan: the observed site that is
    its first}, of which those in ``same`` have the same distribution; ``own`` are observed sites
    before the scan that are none of these.
    """

    constant: tuple[str, ...]
    first: tuple[tuple[str, str], ...]
    beginnings: tuple[tuple[str, str], ...]
    own: tuple[str, ...]
    same: frozenset[str] = frozenset()

    @property
    def classes(self) -> frozenset[str]:
        """All classes before the scan."""
        return frozenset((*self.constant, *(name for _, name in self.first)))

    @property
    def hidden(self) -> frozenset[str]:
        """The sites that are met within the scan only."""
        return self.classes | {name for _, name in self.beginnings} | set(self.own)


class Reached(NamedTuple):
    """The sites before a scan, and what it is given."""

    sites: dict[str, dict]
    body: Callable
    init: Any
    xs: Any


class _Stop(Exception):
    pass


class _Until(Messenger):
    """Give sites values until there is a scan, and stop there."""

    def __init__(self, values: Mapping[str, Any], default: Callable | None) -> None:
        super().__init__()
        self.values, self.default, self.scan = values, default, None

    def process_message(self, msg: dict) -> None:
        """Choose a value, or stop."""
        if is_scan(msg):
            self.scan = msg["args"]
            raise _Stop
        if msg["type"] not in ("sample", "param"):
            return
        if msg["name"] in self.values:
            msg["value"] = self.values[msg["name"]]
        elif msg["value"] is None and self.default is not None:
            msg["value"] = self.default(msg)


def until_scan(
    model: Callable,
    args: tuple,
    kwargs: dict,
    values: Mapping[str, Any],
    default: Callable | None = None,
) -> Reached:
    """The model run up to its first scan, with these values; nothing outside sees it."""
    until = _Until(values, default)
    seeded = handlers.seed(rng_seed=0)
    stack = primitives._PYRO_STACK
    around = list(stack)
    with suppress(_Stop), handlers.block(), seeded, handlers.trace() as trace, until:
        model(*args, **kwargs)
    # A handler around the model may stand there twice, and leaves at the first when it is stopped.
    stack[:] = around
    scan: Any = until.scan
    body, init, xs, *_ = scan
    return Reached(dict(trace), body, init, xs)


class Gathered(Messenger):
    """The model as one scan."""

    def __init__(self, fn: Callable, outside: Outside) -> None:
        super().__init__(fn)
        self.outside = outside

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model."""
        assert self.fn is not None
        with _Gather(self.fn, self.outside, args, kwargs):
            return self.fn(*args, **kwargs)

    def __enter__(self) -> Any:
        raise RuntimeError("a model, and no handler")


class _Gather(Messenger):
    """Hides what stands before the scan, and has it in the scan."""

    def __init__(self, model: Callable, outside: Outside, args: tuple, kwargs: dict) -> None:
        super().__init__()
        self.model, self.outside, self.args, self.kwargs = model, outside, args, kwargs
        self.values: dict[str, Any] = {}

    def process_message(self, msg: dict) -> None:
        """Hide a site, or gather at the scan."""
        name = msg.get("name")
        if is_scan(msg):
            self._gather(msg)
        elif msg["type"] == "sample" and name in self.outside.hidden:
            if name in self.outside.classes:
                msg["value"] = jnp.zeros(msg["fn"].batch_shape, int)
            msg["stop"] = True

    def postprocess_message(self, msg: dict) -> None:
        """Note the values of other sites; leave of the scan what the model knows."""
        if is_scan(msg):
            (length, key, (carry, *_)), (trace, y) = msg["value"]
            for name in (*self.outside.constant, *self.outside.own):
                self._declare_outside(trace.trace.pop(name))
            if self.outside.first:
                y = jax.tree.map(lambda v: v[1:], y)
            msg["value"] = (length, key, carry), (trace, y)
        elif msg["type"] in ("sample", "param") and msg["name"] not in self.outside.hidden:
            self.values[msg["name"]] = msg["value"]

    def _gather(self, msg: dict) -> None:
        _, init, xs, length, reverse = msg["args"]
        before = self.before({})
        if self.outside.first:
            if length is None:
                length = len(jax.tree.leaves(xs)[0])
            length += 1
            xs = jax.tree.map(lambda a: jnp.concatenate([jnp.asarray(a)[:1], jnp.asarray(a)]), xs)
        classes = {
            n: jnp.zeros(before.sites[n]["fn"].batch_shape, int) for n in self.outside.constant
        }
        begin = (jax.tree.map(jnp.asarray, init), classes, jnp.asarray(0))
        msg["args"] = (self._step, begin, xs, length, reverse)

    def _declare_outside(self, msg: dict) -> None:
        """Show a site of the scan to the handlers around the model: its own saw it before."""
        stack = primitives._PYRO_STACK
        place = stack.index(self)
        inside = stack[place:]
        del stack[place:]
        try:
            primitives.apply_stack(msg)
        finally:
            stack[place:] = inside

    def before(self, classes: Mapping[str, Any]) -> Reached:
        """What stands before the scan, given classes (and what is observed there)."""
        return until_scan(self.model, self.args, self.kwargs, {**self.values, **classes})

    def _step(self, carry: tuple, x: Any) -> tuple:
        carry, classes, time = carry
        here = _Here(self, time == 0)
        for name in self.outside.constant:
            site = here.site(name)
            fn = staying(site["fn"], classes[name], here.first)
            here.values[name] = _declare(site, fn, None)
        for name in self.outside.own:
            site = here.site(name)
            _declare(site, at_first_only(site["fn"], here.first), site["value"])
        body = self.before(here.values).body
        with here:
            out, y = body(carry, x)
        if self.outside.first:
            begin = self.before(here.values).init
            out = jax.tree.map(lambda b, v: jnp.where(here.first, b, v), begin, out)
        return (out, {n: here.values[n] for n in self.outside.constant}, time + 1), y


class _Here(Messenger):
    """One step: at the first, its sites are those before the scan."""

    def __init__(self, gather: _Gather, first: jax.Array) -> None:
        super().__init__()
        self.gather, self.first = gather, first
        self.values: dict[str, Any] = {}
        outside = gather.outside
        self.beginnings = {**dict(outside.first), **dict(outside.beginnings)}

    def site(self, name: str) -> dict:
        """A site before the scan, given what is known of the step by now."""
        return self.gather.before(self.values).sites[name]

    def process_message(self, msg: dict) -> None:
        """Choose the distribution, and the observation."""
        if msg["type"] != "sample":
            return
        name = msg["name"]
        if name in self.beginnings:
            site = self.site(self.beginnings[name])
            if name not in self.gather.outside.same:
                msg["fn"] = joined(name, site["fn"], msg["fn"], self.first)
            if msg["is_observed"]:
                msg["value"] = jnp.where(self.first, site["value"], msg["value"])
        elif self.gather.outside.first and msg["is_observed"]:
            msg["fn"] = msg["fn"].mask(~self.first)

    def postprocess_message(self, msg: dict) -> None:
        """Note what stands before the scan, as it is here."""
        if msg["type"] == "sample" and msg["name"] in self.beginnings:
            self.values[self.beginnings[msg["name"]]] = msg["value"]


def _declare(site: dict, fn: dist.Distribution, value: Any) -> Any:
    """A site once more, in the plates that it stood in."""
    with ExitStack() as around:
        if site["scale"] is not None:
            around.enter_context(handlers.scale(scale=site["scale"]))
        for frame in site["cond_indep_stack"]:
            around.enter_context(numpyro.plate(frame.name, frame.size, dim=frame.dim))
        return numpyro.sample(site["name"], fn, obs=value)
