"""Parameters that are pytrees: each leaf is a parameter of its own.

``numpyro.param("nn", {"w": ..., "b": ...})`` has the leaves ``nn['w']`` and ``nn['b']``. They are
named by the expression that reads them, so that no two leaves of a model share a name. Networks
(``flax_module``, ``nnx_module``) declare such parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import PyTreeDef, keystr, tree_flatten_with_path
from numpyro import primitives
from numpyro.primitives import Messenger


@dataclass(frozen=True)
class Tree:
    """A parameter site that is a pytree, and the names of its leaves.

    Leaves that sample sites have replaced (``random_flax_module``) are placeholders within
    ``treedef``, as in what NumPyro's SVI returns.
    """

    name: str
    leaves: tuple[str, ...]
    treedef: PyTreeDef

    def join(self, values: Mapping[str, Any]) -> Any:
        """The pytree of the values of its leaves."""
        return jax.tree.unflatten(self.treedef, [values[leaf] for leaf in self.leaves])

    def split(self, value: Any) -> dict[str, Any]:
        """{leaf: value} of a pytree."""
        return {self.name + keystr(path): v for path, v in tree_flatten_with_path(value)[0]}


def is_tree(value: Any) -> bool:
    """Whether a value is a container of values, and no array or number."""
    return value is not None and not jax.tree_util.all_leaves([value])


def find_trees(sites: Mapping[str, dict]) -> tuple[Tree, ...]:
    """The parameters among the sites of a run that are pytrees.

    To be called after the run: a module may put sample sites in the place of leaves.

    Raises:
        ValueError: a leaf that is no array, or is named as another site; a module with state.
    """
    found = []
    for name, site in sites.items():
        if site["type"] != "param" or not is_tree(site["value"]):
            continue
        pairs, treedef = tree_flatten_with_path(site["value"])
        tree = Tree(name, tuple(name + keystr(path) for path, _ in pairs), treedef)
        for leaf, (_, value) in zip(tree.leaves, pairs, strict=True):
            if not _is_numeric(value):
                raise ValueError(
                    f"{leaf} of the parameter {name!r} is no array of numbers but {value!r}; keep "
                    "other things outside of numpyro.param"
                )
            if leaf in sites:
                raise ValueError(
                    f"site {leaf!r} is named as a leaf of the parameter {name!r}; rename one of "
                    "them"
                )
        found.append(tree)
    state = [n for n, s in sites.items() if s["type"] == "mutable"]
    if found and state:
        raise ValueError(
            f"site {state[0]!r} is mutable state beside the parameter {found[0].name!r}: the "
            "likelihood would change from run to run. Use layers without state (LayerNorm in the "
            "place of BatchNorm)"
        )
    return tuple(found)


def _is_numeric(value: Any) -> bool:
    try:
        return jnp.issubdtype(jnp.result_type(value), jnp.number)
    except (TypeError, ValueError):
        return False


def by_leaves(model: Callable, trees: tuple[Tree, ...]) -> Callable:
    """The model with one parameter site for each leaf of its ``trees``, in the place of each."""
    return _ByLeaves(model, trees) if trees else model


class _ByLeaves(Messenger):
    """Ask the outer handlers for the leaves of a pytree, each as a parameter site of its own."""

    def __init__(self, model: Callable, trees: tuple[Tree, ...]) -> None:
        super().__init__(model)
        self.trees = {tree.name: tree for tree in trees}

    def process_message(self, msg: dict) -> None:
        """Set the value of a pytree; nothing outside sees it."""
        tree = self.trees.get(msg["name"]) if msg["type"] == "param" else None
        if tree is None:
            return
        given, initial = msg["value"], None
        if given is None:  # a module asks without an initial value, and makes one if there is none
            initial = msg["fn"](*msg["args"], **msg["kwargs"])
        preset = {} if given is None else tree.split(given)
        first = {} if initial is None else tree.split(initial)
        values = {n: self._ask(msg, n, preset.get(n), first.get(n)) for n in tree.leaves}
        if not any(v is None for v in values.values()):
            msg["value"] = tree.join(values)
        msg["stop"] = True

    def _ask(self, msg: dict, leaf: str, value: Any, initial: Any) -> Any:
        """The value of a leaf by the handlers around this one: the model's own know the site."""
        stack = primitives._PYRO_STACK
        place = stack.index(self)
        inside = stack[place:]
        del stack[place:]
        try:
            own = {**msg, "name": leaf, "value": value, "args": (initial,), "tree": msg["name"]}
            own |= {"fn": _identity, "kwargs": dict(msg["kwargs"])}
            return primitives.apply_stack(own)["value"]
        finally:
            stack[place:] = inside


def _identity(value: Any, **_: Any) -> Any:
    return value


def split(values: Mapping[str, Any], trees: tuple[Tree, ...]) -> dict[str, Any]:
    """{parameter: value} of values in which pytrees may be given whole.

    Raises:
        ValueError: a pytree with other leaves than the site's.
    """
    named, found = {tree.name: tree for tree in trees}, dict[str, Any]()
    for name, value in values.items():
        if name not in named:
            found[name] = value
            continue
        leaves = named[name].split(value)
        if set(leaves) != set(named[name].leaves):
            raise ValueError(
                f"{name!r} is given with the leaves {', '.join(leaves) or 'none'}; the site has "
                f"{', '.join(named[name].leaves) or 'none'}"
            )
        found |= leaves
    return found


def join(values: Mapping[str, Any], trees: tuple[Tree, ...]) -> dict[str, Any]:
    """{site: value} of the values of all parameters, pytrees put together."""
    owners = {leaf: tree for tree in trees for leaf in tree.leaves}
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name not in owners:
            found[name] = value
        elif owners[name].name not in found:
            found[owners[name].name] = owners[name].join(values)
    return found | {tree.name: tree.join({}) for tree in trees if not tree.leaves}
