"""What a fit puts into the groups of a DataTree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from ..em import Fit
from ..em.machine.jit import quick_jit
from ..em.plan.program import Params

if TYPE_CHECKING:
    pass


def scored_site(fit: Fit) -> str:
    """The name of the rows' log-likelihood: that of the data, or "rows" for several sites."""
    data = fit.program.structure.data
    return data[0].name if len(data) == 1 else "rows"


def observations(fit: Fit) -> dict[str, np.ndarray]:
    """{site: the observed values}, labels included."""
    program = fit.program
    names = [d.name for d in program.structure.data]

    def values(params: Params, arrays: tuple) -> dict[str, jax.Array]:
        trace = program.run(params, arrays, 0)
        return {n: jnp.asarray(trace[n]["value"]) for n in names}

    observed = quick_jit(program, values)(fit.leaves, fit.call.arrays)
    found = {n: np.asarray(v) for n, v in observed.items()}
    for level in range(len(program.structure.levels)):
        labels = program.labels(fit.call.arrays, level)
        found |= {name: np.asarray(values) for name, values in labels.items()}
    return found


def estimates_of(fit: Fit) -> dict[str, np.ndarray]:
    """Estimates, and their standard errors where there are some."""
    found = {n: np.asarray(v) for n, v in fit.leaves.items()}
    for name, error in fit.standard_errors().items():
        found[f"{name}_se"] = np.ma.filled(np.ma.asarray(error, float), np.nan)
    return found


def classes_of(fit: Fit) -> dict[str, np.ndarray]:
    """{latent: (n, k) the fit's responsibilities}, however many latents there are."""
    found = fit.responsibilities()
    if not isinstance(found, dict):
        found = {fit.program.structure.latent.name: found}
    return {n: np.reshape(v, (-1, np.shape(v)[-1])) for n, v in found.items()}


def attributes_of(fit: Fit) -> dict[str, Any]:
    """The numbers of a fit, and its status."""
    numbers = ["log_likelihood", "aic", "bic", "icl", "num_free_params", "num_steps"]
    if fit.program.structure.chain is not None:
        numbers.remove("icl")  # it is of independent rows
    return {
        **{n: getattr(fit, n) for n in numbers},
        "status": fit.status.name,
        "ok": int(fit.status.ok),
        "message": fit.message,
    }
