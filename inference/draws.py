"""Posterior draws in one form: {site: (c, s, ...)}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..em import Fit


def variable(site: str) -> str:
    """The variable of a site in a DataTree, which takes no slash: ``nn.b`` for ``nn/b``."""
    return site.replace("/", ".")


def site_draws(draws: Any, fit: Fit, name: str = "draws") -> dict[str, np.ndarray]:
    """The draws of the fit's free parameters, from whatever holds them; ``name`` is the argument.

    Raises:
        ValueError: a parameter is missing or has another shape.
    """
    if hasattr(draws, "get_samples"):
        draws = draws.get_samples(group_by_chain=True)
    elif hasattr(draws, "children"):
        if "posterior" not in draws.children:
            raise ValueError("the DataTree has no group 'posterior'")
        stored = {str(n): v.values for n, v in draws["posterior"].data_vars.items()}
        names = {variable(p.name): p.name for p in fit.program.structure.free}
        draws = {names.get(n, n): values for n, values in stored.items()}
    if not isinstance(draws, Mapping):
        raise ValueError(
            f"{name} must be {{site: (chains, draws, ...)}}, an MCMC that has run, or a DataTree, "
            f"not {type(draws).__name__}"
        )
    found = {}
    for p in fit.program.structure.free:
        if p.name not in draws:
            raise ValueError(f"{name} has no site {p.name!r}, only {', '.join(map(str, draws))}")
        value = np.asarray(draws[p.name])
        if value.ndim < 2 or value.shape[2:] != p.shape:
            raise ValueError(
                f"the draws of {p.name!r} have shape {value.shape}; (chains, draws"
                f"{''.join(f', {size}' for size in p.shape)}) is needed"
            )
        found[p.name] = value
    if len({v.shape[:2] for v in found.values()}) != 1:
        raise ValueError("the sites' draws differ in the number of chains or draws")
    return found
