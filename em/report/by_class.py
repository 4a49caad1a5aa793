"""Parameters by class: a tidy table of profiles, and classes in another order."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from ..calls.numbers import plain
from ..step.objective import own_log_likelihood
from .of_classes.axes import axes_of, class_axes
from .of_classes.names import numbered, renamed_call
from .of_classes.reference import class_logits
from .summary import summary
from .words import label, places

if TYPE_CHECKING:
    import pandas as pd

    from .result import Result


def profiles(fit: Result, level: float, kind: str) -> pd.DataFrame:
    """One row an entry and class (see `Fit.profiles`)."""
    import pandas as pd

    _single(fit)
    table, axes = summary(fit, level, kind, "wald"), class_axes(fit)
    classes, out = numbered(fit.call, fit.program.num_components), []
    for name, axis in axes.items():
        shape = np.shape(fit.leaves[name])
        for index in np.ndindex(shape):
            rest = places(fit.program, fit.call, name, index)
            if rest is None:
                continue
            row = table.loc[label(fit.program, fit.call, name, index)]
            out.append(
                (
                    _entry(name, rest, axis),
                    classes[index[axis]],
                    *row[["estimate", "standard_error", "lower", "upper"]],
                )
            )
    columns = ["entry", "class", "estimate", "standard_error", "lower", "upper"]
    return pd.DataFrame(out, columns=columns).set_index(["entry", "class"])


def in_order[R: Result](fit: R, by: str | Sequence[int]) -> R:
    """The same fit with its classes renamed (see `Fit.sorted`)."""
    latent, k = _single(fit), fit.program.num_components
    order = _order(fit, by, k)
    axes = axes_of(fit)
    leaves = dict(fit.leaves)
    for name, axis in ((n, a) for n, every in axes.items() for a in every):
        leaves[name] = jnp.take(jnp.asarray(leaves[name]), order, axis)
    if (logits := class_logits(fit)) is not None:
        for name in logits.sites:
            moved = logits.renamed(np.asarray(leaves[name]), order)
            leaves[name] = jnp.asarray(moved, leaves[name].dtype)
    free = {p.name: leaves[p.name] for p in fit.program.structure.free}
    own = own_log_likelihood(fit.program, free, fit.rows)
    if not own.agrees(fit.log_likelihood, np.dtype(fit.rows.weights.dtype)):
        raise ValueError(
            f"the classes of {latent!r} cannot be renamed by moving entries of the parameters "
            f"{sorted(axes)}: others tell them apart (fixed values, labels, covariates of the "
            "classes, or parameters of several classes)"
        )
    labels = None if fit.labels is None else jnp.argsort(order)[fit.labels]
    fields = {f.name: getattr(fit, f.name) for f in dataclasses.fields(fit)}
    if names := fit.call.classes.names:
        call = renamed_call(fit, tuple(names[j] for j in order))
        fields |= {"call": call}
    fields |= {"leaves": leaves, "counts": np.asarray(fit.counts)[order], "labels": labels}
    return type(fit)(**fields)


def _order(fit: Result, by: str | Sequence[int], k: int) -> np.ndarray:
    if not isinstance(by, str):
        order = plain(by, "by")
        if (
            order.shape != (k,)
            or order.dtype.kind not in "iu"
            or set(order.tolist()) != {*range(k)}
        ):
            raise ValueError(f"by must be a permutation of 0, ..., {k - 1}, not {by!r}")
        return order
    if by == "size":
        return np.argsort(-np.asarray(fit.counts, float), kind="stable")
    values = _by_entry(fit)
    if by not in values:
        known = [*list(values)[:8], *["..."] * (len(values) > 8)]
        raise ValueError(
            f"by must be 'size', a permutation, or an entry with one number a class "
            f"({', '.join(known)}), not {by!r}"
        )
    return np.argsort([values[by][j] for j in range(k)], kind="stable")


def _by_entry(fit: Result) -> dict[str, dict[int, float]]:
    """{entry: {class: its value}}, as `profiles` calls them."""
    found: dict[str, dict[int, float]] = {}
    for name, axis in class_axes(fit).items():
        value = np.asarray(fit.leaves[name], float)
        for index in np.ndindex(value.shape):
            rest = places(fit.program, fit.call, name, index)
            if rest is not None:
                found.setdefault(_entry(name, rest, axis), {})[index[axis]] = float(value[index])
    return {entry: own for entry, own in found.items() if len(own) == fit.program.num_components}


def _entry(name: str, words: list[str], axis: int) -> str:
    """What an entry is called without its class."""
    rest = words[:axis] + words[axis + 1 :]
    return name + (f"[{', '.join(rest)}]" if rest else "")


def _single(fit: Result) -> str:
    structure = fit.program.structure
    if len(structure.latents) > 1:
        names = ", ".join(z.name for z in structure.latents)
        raise ValueError(
            f"this is of models with one latent class a row; this one has several ({names})"
        )
    return structure.latents[0].name
