"""Which classes before a scan begin its chain, and which are of whole sequences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.interpreters.partial_eval import dce_jaxpr
from numpyro import handlers

from ...calls.call import Call
from .. import replay
from ..latents import log_prob, unwrap
from ..provenance import dependencies
from .body import Body
from .chain import ClassesOutside
from .gathered import Outside, Reached, until_scan

_WHERE = "declare it before the scan, which is where EM looks for what depends on its class"


def find_outside(model: Callable, call: Call, names: ClassesOutside) -> Outside:
    """What stands before the scan and belongs to its chain.

    Raises:
        ValueError: classes outside that are no first states, and of no whole sequences.
    """
    reading = _Outer(model, call, names)
    reached = reading.reached()
    first, constant = {}, []
    for name in names.outside:
        where = {key for key, found in reached.items() if name in found}
        starts = [i for kind, i in where if kind == "init"]
        within = [kind for kind, _ in where if kind in ("step", "xs")]
        follow = {z for i in starts for z in reached["carry", i] if z in names.inside}
        late = sorted(i for kind, i in where if kind == "after")
        if late:
            raise ValueError(
                f"site {late[0]!r} depends on the class {name!r} and stands after the scan; "
                f"{_WHERE}"
            )
        if not within and len(follow) == 1:
            first[follow.pop()] = name
        elif not starts and "step" in within and "xs" not in within:
            constant.append(name)
        else:
            raise _strange(name, names, bool(starts), "xs" in within)
    if first and set(first) != set(names.inside):
        missing = ", ".join(repr(n) for n in names.inside if n not in first)
        raise ValueError(
            f"{', '.join(map(repr, first.values()))} begins a chain before the scan, and {missing} "
            "has no state there; begin all chains of a step alike"
        )
    observed = [
        n for kind, n in reached if kind == "density" and reached[kind, n] & set(names.outside)
    ]
    beginnings = _beginnings(reading, observed) if first else {}
    found = Outside(
        tuple(constant),
        tuple(first.items()),
        tuple(beginnings.items()),
        tuple(n for n in observed if n not in beginnings.values()),
    )
    alike = {n for n, start in beginnings.items() if reading.same(n, start, first)}
    return replace(found, same=frozenset(alike))


def _strange(name: str, names: ClassesOutside, starts: bool, xs: bool) -> ValueError:
    chain = " and ".join(map(repr, names.inside))
    if xs:
        return ValueError(
            f"what the scan of {chain} runs over (xs) depends on the class {name!r}; let the step "
            "use that class itself"
        )
    if starts:
        return ValueError(
            f"the scan of {chain} begins with a carry made of the class {name!r}, which is not the "
            "state that it follows; EM reads a first state drawn before the scan, which its carry "
            "begins with, and classes of whole sequences, which the step uses as they are: leave "
            f"{name!r} out of the carry, or draw the first state in the scan, by "
            "jnp.where(t == 0, initial, transition[z]) with the time t in the carry"
        )
    return ValueError(
        f"the model has the chain of {chain} within a scan, and the class {name!r} outside of it "
        "that the steps do not depend on; fit what depends on it by a model of its own"
    )


def _beginnings(reading: _Outer, observed: list[str]) -> dict[str, str]:
    """{site of the scan: the observed one before it that is of the same kind}, in order."""
    inside = dict(reading.kinds_within())
    found: dict[str, str] = {}
    for name in observed:
        kind = reading.kinds[name]
        fitting = [n for n, other in inside.items() if other == kind and n not in found]
        # Of several the one whose name it begins with: x_0 is the first x.
        fitting.sort(key=lambda n: not name.startswith(n))
        if fitting:
            found[fitting[0]] = name
    return found


def _kind(site: dict) -> tuple:
    fn = site["fn"]
    return type(unwrap(fn)[0]), fn.batch_shape, fn.event_shape


class _Outer:
    """The model before its scan, and one step of it, as functions of classes."""

    def __init__(self, model: Callable, call: Call, names: ClassesOutside) -> None:
        self.model, self.call, self.names = model, call, names
        self.kinds: dict[str, tuple] = {}
        self.shapes: dict[str, tuple] = {}
        self.within: dict[str, tuple] = {}

        def look(arrays: tuple) -> None:
            reached = self.before({}, arrays)
            sites = self.step(reached, {})[2]
            observed = {n: s for n, s in reached.sites.items() if _observed(s)}
            self.kinds.update({n: _kind(s) for n, s in observed.items()})
            self.within.update({n: _kind(s) for n, s in sites.items() if _observed(s)})
            every = reached.sites | sites
            names = (*self.names.inside, *self.names.outside)
            self.shapes.update({n: every[n]["fn"].batch_shape for n in names if n in every})

        jax.eval_shape(look, call.arrays)
        missing = [n for n in names.outside if n not in self.shapes]
        if missing:
            raise ValueError(f"the class {missing[0]!r} stands after the scan of a chain; {_WHERE}")

    def kinds_within(self) -> dict[str, tuple]:
        """{observed site of the scan: its type and shapes}."""
        return self.within

    def before(self, classes: Mapping[str, Any], arrays: tuple) -> Reached:
        """The model up to its scan."""
        args, kwargs = self.call.rebuild(arrays)
        return until_scan(self.model, args, kwargs, classes, replay.prototype)

    def step(self, reached: Reached, classes: Mapping[str, Any]) -> tuple[Any, Any, dict]:
        """One step: the carry, what is returned, the sites."""
        body = Body(reached.body, classes)
        carry = jax.tree.map(jnp.zeros_like, reached.init)
        x = jax.tree.map(lambda a: jnp.asarray(a)[0], reached.xs)
        with handlers.block(), handlers.seed(rng_seed=0):
            out, y = body(carry, x)
        return out, y, body.sites

    def reached(self) -> dict:
        """{(what, which): the classes that it depends on}."""
        values = {n: jnp.zeros(shape, int) for n, shape in self.shapes.items()}
        outer = {n: values[n] for n in self.names.outside}
        inner = {n: values[n] for n in self.names.inside}

        def evaluate(outer: dict, inner: dict, arrays: tuple) -> dict:
            reached = self.before(outer, arrays)
            out, y, sites = self.step(reached, inner)
            found: dict[tuple[str, Any], Any] = {
                ("density", n): log_prob(reached.sites[n]) for n in self.kinds
            }
            found |= {("init", i): v for i, v in enumerate(jax.tree.leaves(reached.init))}
            found |= {("carry", i): v for i, v in enumerate(jax.tree.leaves(out))}
            densities = [log_prob(s) for s in sites.values() if s["type"] == "sample"]
            found["step", 0] = [densities, jax.tree.leaves(y), jax.tree.leaves(out)]
            found["xs", 0] = jax.tree.leaves(reached.xs)
            trace, handler = replay.run(
                self.model, self.call.rebuild(arrays), forced=outer, default=replay.prototype
            )
            late = set(trace) - set(reached.sites) - handler.chained
            return found | {("after", n): log_prob(trace[n]) for n in late if _observed(trace[n])}

        labels = {id(v): n for n, v in values.items()}
        named = dependencies(_by_text(evaluate), (outer, inner, self.call.arrays), labels)
        return {_keys(key): found for key, found in named.outputs.items()}

    def same(self, name: str, start: str, first: Mapping[str, str]) -> bool:
        """Whether a site and its beginning have one distribution, computed in the same way."""
        classes = {n: jnp.zeros(self.shapes[n], int) for n in self.names.inside}
        outer = {n: jnp.zeros(self.shapes[n], int) for n in self.names.outside}

        def both(classes: dict, outer: dict, arrays: tuple) -> tuple:
            given = outer | {first[n]: v for n, v in classes.items()}
            reached = self.before(given, arrays)
            later = self.step(reached, classes)[2][name]["fn"]
            begin = reached.sites[start]["fn"]
            return jax.tree.leaves(begin), jax.tree.leaves(later)

        closed, shapes = jax.make_jaxpr(both, return_shape=True)(classes, outer, self.call.arrays)
        begin, later = shapes
        number = len(begin)
        if number != len(later):
            return False
        return all(_text(closed, i) == _text(closed, number + i) for i in range(number))


def _text(closed: Any, place: int) -> tuple[str, tuple]:
    """How an output is computed, in words, and of which inputs and constants."""
    wanted = [i == place for i in range(len(closed.jaxpr.outvars))]
    jaxpr, used = dce_jaxpr(closed.jaxpr, wanted)
    constants = tuple(map(id, closed.consts)) if jaxpr.constvars else ()
    return str(jaxpr), (*used, *constants)


def _by_text(function: Callable[..., dict]) -> Callable[..., dict]:
    """Keys of one type, which JAX can sort."""
    return lambda *args: {f"{kind} {which}": v for (kind, which), v in function(*args).items()}


def _keys(text: str) -> tuple[str, Any]:
    kind, which = text.split(" ", 1)
    return kind, int(which) if kind in ("init", "carry", "step", "xs") else which


def _observed(site: dict) -> bool:
    return site["type"] == "sample" and site["is_observed"]
