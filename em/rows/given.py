"""What a user gives to start from, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..calls.numbers import numbers, plain
from ..machine.jit import once_jit
from ..plan.program import Params, Program
from ..read import layout
from ..read.replay import site_constraint
from ..read.trees import split


def check_params(program: Program, given: Mapping[str, Any], arrays: tuple) -> Params:
    """Given parameters as arrays of the sites' shapes.

    Raises:
        ValueError: an unknown site, a wrong shape, a value not finite or outside the support.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"init_params must be {{site: value}}, not {given!r:.200}")
    sites = {p.name: p for p in program.structure.free}
    params = {}
    for name, value in split(given, program.structure.trees).items():
        if name not in sites:
            raise ValueError(
                f"init_params names {name!r}, which is no free parameter of the model; those are "
                f"{', '.join(map(repr, sites))}"
            )
        array = jnp.asarray(numbers(value, f"init_params[{name!r}]"), layout.float_type())
        if array.shape != sites[name].shape:
            raise ValueError(
                f"init_params[{name!r}] has shape {array.shape}; the site has {sites[name].shape}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"init_params[{name!r}] is not finite everywhere")
        params[name] = array
    for name, inside in _within_support(program, params, arrays).items():
        if not inside:
            raise ValueError(
                f"init_params[{name!r}] lies outside the support of its site "
                f"({sites[name].constraint})"
            )
    return params


def _within_support(program: Program, params: Params, arrays: tuple) -> dict[str, bool]:
    def within(params: Params, arrays: tuple) -> dict[str, jax.Array]:
        trace = program.run({**program.prototype(arrays), **params}, arrays, 0)
        return {n: jnp.all(site_constraint(trace[n])(v)) for n, v in params.items()}

    compiled = program.compiled("within support", lambda: once_jit(program, within))
    return {n: bool(v) for n, v in compiled(params, arrays).items()}


def check_responsibilities(program: Program, given: Any) -> jax.Array:
    """Given starting responsibilities (n, k), rows normalised.

    Raises:
        ValueError: a wrong shape, negative or non-finite entries, a row that sums to 0.
    """
    array = np.asarray(plain(given, "init_responsibilities"), np.dtype(layout.float_type()))
    shape = (program.num_rows, program.num_components)
    if program.structure.chain is not None and array.ndim > 2:  # as `Fit.responsibilities` has them
        array = array.reshape(-1, array.shape[-1])
    if array.shape != shape:
        raise ValueError(
            f"init_responsibilities has shape {array.shape}; {shape} (rows, components) is needed"
        )
    if not np.isfinite(array).all() or (array < 0).any():
        raise ValueError("init_responsibilities must be finite and >= 0 everywhere")
    total = array.sum(1, keepdims=True)
    if (total <= 0).any():
        row = int(np.argmax(total[:, 0] <= 0))
        raise ValueError(f"init_responsibilities sums to 0 in row {row}; each row needs some")
    return jnp.asarray(array / total)
