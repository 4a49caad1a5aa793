"""Run a NumPyro model with chosen values at its sites."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers, validation_enabled
from numpyro.distributions import biject_to, constraints
from numpyro.ops.pytree import PytreeTrace
from numpyro.primitives import Messenger

from .chains.steps import Before, Steps
from .trees import is_tree


def site_constraint(message: dict) -> constraints.Constraint:
    """Where the values of a parameter site live."""
    if message["type"] == "param":
        return message["kwargs"].get("constraint", constraints.real)
    return message["fn"].support


def leave_prior(message: dict) -> None:
    """Take row weights away from a parameter's prior.

    ``handlers.scale`` with one weight a row may stand around a whole model: it is about rows, and
    no prior has any. A scale that a prior's own shape can take is its own.
    """
    scale = message["scale"]
    if scale is None or jnp.ndim(scale) == 0:
        return
    if not _takes(_batch_of(message), jnp.shape(scale)):
        message["scale"] = None


def _batch_of(message: dict) -> tuple[int, ...]:
    """The shape of a site's log density: observations may have more rows than what they are of."""
    fn, value = message["fn"], message["value"]
    if not message["is_observed"]:
        return fn.batch_shape
    rank = jnp.ndim(value) - fn.event_dim
    return jnp.broadcast_shapes(fn.batch_shape, jnp.shape(value)[: max(rank, 0)])


class RowMask(Messenger):
    """``handlers.mask`` with one entry a row around a whole model: the observations of rows.

    The class of a row without observations has its prior, which sums to 1, and parameters keep
    theirs: neither has anything to leave out.
    """

    def __init__(self, fn: Callable, mask: Any) -> None:
        self.mask = mask
        super().__init__(fn)

    def process_message(self, msg: dict) -> None:
        """Mask what has rows."""
        observed = msg["type"] == "sample" and msg["is_observed"]
        if observed and _takes(_batch_of(msg), jnp.shape(self.mask)):
            msg["fn"] = msg["fn"].mask(self.mask)


def _takes(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    try:
        return jnp.broadcast_shapes(shape, other) == shape
    except ValueError:
        return False


def by_rows(model: Callable) -> Callable:
    """The model with masks of rows around it as `RowMask`."""
    inner = getattr(model, "fn", None)
    if not isinstance(model, Messenger) or inner is None:
        return model
    within = by_rows(inner)
    if type(model) is handlers.mask and jnp.ndim(model.mask):
        return RowMask(within, model.mask)
    if within is inner:
        return model
    outer = copy.copy(model)
    outer.fn = within
    return outer


class Replay(Messenger):
    """Give sites values: parameters (constrained or not), and forced values for the latent class.

    ``values`` go to sites that have no value yet, as with ``handlers.substitute``.
    ``unconstrained`` go through the bijection of the site's support first (which may depend on
    earlier sites). ``forced`` replace whatever is there, observed or not: that is how a labelled
    z, or the deterministic z of ``obs_mask``, is replaced by a component's number.

    After a run ``chained`` names the sites within scans, ``scans`` {site: batch dimensions of a
    step} has those over classes, and ``preset`` the sites whose value an inner handler had set
    already. A site whose value has more rows than its distribution (by
    ``sample_shape``, or observations without a plate) gets the distribution of all of them.
    """

    def __init__(
        self,
        fn: Callable,
        *,
        values: Mapping[str, Any] | None = None,
        unconstrained: Mapping[str, Any] | None = None,
        forced: Mapping[str, Any] | None = None,
        default: Callable[[dict], Any] | None = None,
    ) -> None:
        super().__init__(fn)
        self.values = values or {}
        self.unconstrained = unconstrained or {}
        self.forced = forced or {}
        self.default = default
        self.preset: set[str] = set()
        self.chained: set[str] = set()
        self.scans: list[dict[str, int]] = []

    def process_message(self, msg: dict) -> None:
        """Set the value of one site."""
        if msg["type"] == "plate":  # the rows of a subsampled one
            msg["value"] = self.values.get(msg["name"], msg["value"])
            return
        if msg["type"] not in ("sample", "param", "deterministic"):
            return
        name = msg["name"]
        if msg["type"] == "sample":
            _expand(msg)
            if not (msg["is_observed"] or msg["fn"].is_discrete):
                leave_prior(msg)
        if name in self.forced:
            msg["value"] = self.forced[name]
        elif msg["type"] == "deterministic":
            return
        elif msg["value"] is not None:
            self.preset.add(name)
            if isinstance(msg["value"], np.ndarray):  # a model may index it by the class
                msg["value"] = jnp.asarray(msg["value"])
        elif name in self.values:
            msg["value"] = self.values[name]
        elif name in self.unconstrained:
            msg["value"] = biject_to(site_constraint(msg))(self.unconstrained[name])
        elif self.default is not None:
            value = self.default(msg)
            if value is not None:
                msg["value"] = value

    def postprocess_message(self, msg: dict) -> None:
        """Note the sites of a scan, which come with its result."""
        if msg["type"] == "control_flow":
            found = jax.tree.leaves(msg["value"], is_leaf=lambda v: isinstance(v, PytreeTrace))
            for part in found:
                if isinstance(part, PytreeTrace):
                    self.chained.update(part.trace)


def _expand(msg: dict) -> None:
    """Give a site the distribution of its whole value."""
    fn = msg["fn"]
    shape = (*(msg["kwargs"].get("sample_shape") or ()), *fn.batch_shape)
    if msg["is_observed"] and msg["value"] is not None:
        value = jnp.shape(msg["value"])
        try:
            shape = jnp.broadcast_shapes(shape, value[: len(value) - fn.event_dim])
        except ValueError:
            return  # NumPyro says itself that they do not fit
    if shape != fn.batch_shape:
        msg["fn"], msg["kwargs"] = fn.expand(shape), {**msg["kwargs"], "sample_shape": ()}


def run(
    model: Callable,
    call: tuple[tuple, dict],
    before: Before | None = None,
    steady: frozenset[str] = frozenset(),
    **chosen: Any,
) -> tuple[dict, Replay]:
    """One run of ``model``: its trace, and the replay handler that set the values.

    Sites that are given no value are drawn from a fixed seed. Scans over classes are run by
    `Steps`, which takes the class ``before`` and what is ``steady``.
    """
    steps = Steps(model, chosen.get("forced") or {}, before, steady)
    replay = Replay(steps, **chosen)
    args, kwargs = call
    # Probing values need not be admissible, and observations are checked by `checks`.
    with validation_enabled(False), handlers.seed(rng_seed=0), handlers.trace() as trace:
        replay(*args, **kwargs)
    replay.scans = steps.scans
    return dict(trace), replay


def prototype(message: dict) -> Any:
    """A value of the right shape and support for a parameter site: unconstrained zeros."""
    if message["type"] == "param":
        initial = message["args"][0] if message["args"] else None
        if initial is None or callable(initial) or is_tree(initial):
            return None
        return jnp.asarray(initial)
    if message["is_observed"]:
        return None
    fn = message["fn"]
    if fn.is_discrete:
        if is_finite(fn) and fn.enumerate_support(expand=False).shape[0] == 0:
            raise ValueError(f"site {message['name']!r} has no components; at least one is needed")
        return None
    if 0 in message["fn"].shape():
        return jnp.zeros(message["fn"].shape())
    transform = biject_to(message["fn"].support)
    return transform(jnp.zeros(transform.inverse_shape(message["fn"].shape())))


def is_finite(fn: Any) -> bool:
    """Whether a distribution is discrete, of single values with a support that can be listed."""
    return bool(fn.is_discrete and not fn.event_shape and fn.has_enumerate_support)
