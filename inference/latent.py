"""The latent class given posterior draws: z of each draw, and averaged responsibilities."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..em import Fit
from ..em.program import Params
from .draws import site_draws
from .marginal import scores

# Numbers that a batch of draws may hold: about 64 MB in double precision.
_NUMBERS = 8_000_000


class Rows(NamedTuple):
    """The rows given posterior draws; what was not asked for is None.

    Attributes:
        responsibilities: (n, k) ``p(z_n = k | data)``, the mean over draws of ``p(z_n = k | x_n,
            params)`` (Rao-Blackwellised: no z is drawn for it).
        spread: (n, k) their standard deviation over the draws.
        z: (c, s, n) a draw of each row's class for each draw of the parameters.
        log_likelihood: (c, s, n) ``log p(x_n | params)``, unweighted.
        each: (c, s, n, k) the responsibilities of every draw.
    """

    responsibilities: np.ndarray
    spread: np.ndarray
    z: np.ndarray | None = None
    log_likelihood: np.ndarray | None = None
    each: np.ndarray | None = None


def draw_latent(
    draws: Any, fit: Fit, rng_key: jax.Array | None = None, *, each: bool = False
) -> Rows:
    """Classes and responsibilities of the training rows under posterior draws.

    Relabel the draws first (every ``run_*`` has), or component numbers mean nothing.

    Args:
        draws: {site: (c, s, ...)}, an ``MCMC`` that has run, or a DataTree.
        fit: the fit of the same model and data.
        rng_key: draws z where given. Rows whose label is known keep it.
        each: keep the responsibilities of every draw, (c, s, n, k).

    Returns:
        `Rows`, with ``responsibilities`` and, where asked for, ``z`` and ``each``.

    Raises:
        ValueError: draws that lack a parameter or have another shape.
    """
    return rows_given(site_draws(draws, fit), fit, rng_key, each=each)


def rows_given(
    draws: dict[str, np.ndarray],
    fit: Fit,
    rng_key: jax.Array | None = None,
    *,
    log_likelihood: bool = False,
    each: bool = False,
) -> Rows:
    """One pass over the draws, a batch of them at a time."""
    program = fit.program
    n, k = program.num_rows, program.num_components
    c, s = next(iter(draws.values())).shape[:2]
    names = [p.name for p in program.structure.free]
    flat = {name: np.reshape(draws[name], (c * s, *draws[name].shape[2:])) for name in names}
    size = max(1, min(c * s, _NUMBERS // (n * k)))
    padded = -(-c * s // size) * size
    index = np.arange(padded).clip(max=c * s - 1)
    keys = jax.random.split(jax.random.key(0) if rng_key is None else rng_key, padded)
    key = ("rows given", rng_key is not None, log_likelihood, each)
    if key not in program.compiled:
        program.compiled[key] = jax.jit(_batch(fit, rng_key is not None, log_likelihood, each))
    kept: list[dict[str, np.ndarray]] = []
    total, square = np.zeros((n, k)), np.zeros((n, k))
    for first in range(0, padded, size):
        part = index[first : first + size]
        params = {name: jnp.asarray(v[part], float) for name, v in flat.items()}
        real = jnp.asarray(np.arange(first, first + size) < c * s, float)
        sums, rows = program.compiled[key](
            params, keys[first : first + size], real, fit.call.arrays
        )
        total += np.asarray(sums[0], float)
        square += np.asarray(sums[1], float)
        kept.append({name: np.asarray(v) for name, v in rows.items()})
    found = {name: np.concatenate([part[name] for part in kept])[: c * s] for name in kept[0]}
    mean = total / (c * s)
    spread = np.sqrt(np.maximum(square / (c * s) - (mean - 0.5) ** 2, 0))
    return Rows(mean, spread, **{m: v.reshape(c, s, *v.shape[1:]) for m, v in found.items()})


def _batch(fit: Fit, with_z: bool, log_likelihood: bool, each: bool) -> Any:
    program = fit.program

    def batch(params: Params, keys: jax.Array, real: jax.Array, arrays: tuple) -> tuple:
        resp, log_density = jax.vmap(lambda p: scores(program, p, arrays))(params)
        rows = {}
        if with_z:
            rows["z"] = jax.vmap(lambda key, r: jax.random.categorical(key, jnp.log(r), 0))(
                keys, resp
            )
        if log_likelihood:
            rows["log_likelihood"] = log_density
        if each:
            rows["each"] = jnp.moveaxis(resp, 1, 2)
        # Squares of what lies away from one half lose fewer digits near 0 and 1 alike.
        first = jnp.einsum("s,skn->nk", real, resp)
        return (first, jnp.einsum("s,skn->nk", real, (resp - 0.5) ** 2)), rows

    return batch
