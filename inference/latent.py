"""The latent class given posterior draws: z of each draw, and averaged responsibilities."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..em import Fit
from ..em.classes.assignments.stochastic import Drawn
from ..em.classes.chain import smooth
from ..em.classes.posterior import Classes, posterior
from ..em.options import a_fit, as_key, flag
from ..em.plan.program import Params
from ..em.read.reader import Reader
from ..em.report.precision import in_precision
from .draws import site_draws

# Numbers that a batch of draws may hold: about 64 MB in double precision.
_NUMBERS = 8_000_000


class Rows(NamedTuple):
    """The rows given posterior draws; what was not asked for is None.

    Where the model has several latent classes, all but ``log_likelihood`` are dictionaries by the
    latents' names. In a chain the rows are its steps, time first, z whole paths, and
    ``log_likelihood`` that of the sequences; a class of whole sequences has these as its rows.

    Attributes:
        responsibilities: (n, k) ``p(z_n = k | data)``, the mean over draws of ``p(z_n = k | x_n,
            params)`` (Rao-Blackwellised: no z is drawn for it).
        spread: (n, k) their standard deviation over the draws.
        z: (c, s, n) a draw of each row's class for each draw of the parameters, of several
            latents jointly.
        log_likelihood: (c, s, n) ``log p(x_n | params)``, unweighted.
        each: (c, s, n, k) the responsibilities of every draw.
    """

    responsibilities: Any
    spread: Any
    z: Any = None
    log_likelihood: np.ndarray | None = None
    each: Any = None


@in_precision
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
    a_fit("fit", fit, Fit)
    flag("each", each)
    rng_key = None if rng_key is None else as_key(rng_key)
    found = rows_given(site_draws(draws, fit), fit, rng_key, each=each)
    if len(fit.program.structure.latents) > 1:
        return found
    only = {n: next(iter(v.values())) for n, v in found._asdict().items() if isinstance(v, dict)}
    return found._replace(**only)


def rows_given(
    draws: dict[str, np.ndarray],
    fit: Fit,
    rng_key: jax.Array | None = None,
    *,
    log_likelihood: bool = False,
    each: bool = False,
) -> Rows:
    """One pass over the draws, a batch of them at a time; all by the latents' names."""
    program = fit.program
    numbers = sum(
        level.num_rows * program.structure.num_priors(number)
        for number, level in enumerate(program.structure.levels)
    )
    c, s = next(iter(draws.values())).shape[:2]
    names = [p.name for p in program.structure.free]
    flat = {name: np.reshape(draws[name], (c * s, *draws[name].shape[2:])) for name in names}
    size = max(1, min(c * s, _NUMBERS // numbers))
    padded = -(-c * s // size) * size
    index = np.arange(padded).clip(max=c * s - 1)
    keys = jax.random.split(jax.random.key(0) if rng_key is None else rng_key, padded)
    key = ("rows given", rng_key is not None, log_likelihood, each)
    make = partial(_batch, fit, rng_key is not None, log_likelihood, each)
    compiled = program.compiled(key, lambda: jax.jit(make()))
    sums: list[Any] = []
    kept: list[dict[str, Any]] = []
    for first in range(0, padded, size):
        part = index[first : first + size]
        params = {name: jnp.asarray(v[part], float) for name, v in flat.items()}
        real = jnp.asarray(np.arange(first, first + size) < c * s, float)
        found = compiled(params, keys[first : first + size], real, fit.call.arrays)
        total, rows = jax.tree.map(np.asarray, found)
        sums.append(jax.tree.map(lambda v: v.astype(float), total))
        kept.append(rows)
    first_moments, squares = jax.tree.map(lambda *v: sum(v) / (c * s), *sums)
    spread = {
        name: np.sqrt(np.maximum(squares[name] - (mean - 0.5) ** 2, 0))
        for name, mean in first_moments.items()
    }
    joined = jax.tree.map(lambda *v: np.concatenate(v)[: c * s], *kept)
    rest = jax.tree.map(lambda v: v.reshape(c, s, *v.shape[1:]), joined)
    return Rows(first_moments, spread, **rest)


def _batch(fit: Fit, with_z: bool, log_likelihood: bool, each: bool) -> Any:
    program = fit.program

    def one(params: Params, key: jax.Array, arrays: tuple) -> tuple[dict, dict]:
        found = posterior(program, params, arrays)
        rows: dict[str, Any] = {}
        if with_z:
            rows["z"] = draw_classes(program, found, key)
        if log_likelihood:
            rows["log_likelihood"] = found.log_density
        return found.marginals(program), rows

    def batch(params: Params, keys: jax.Array, real: jax.Array, arrays: tuple) -> tuple:
        resp, rows = jax.vmap(one, (0, 0, None))(params, keys, arrays)
        if each:
            rows["each"] = resp
        # Squares of what lies away from one half lose fewer digits near 0 and 1 alike.
        first = {n: jnp.einsum("s,snk->nk", real, r) for n, r in resp.items()}
        second = {n: jnp.einsum("s,snk->nk", real, (r - 0.5) ** 2) for n, r in resp.items()}
        return (first, second), rows

    return batch


def draw_classes(reader: Reader, found: Classes, rng_key: jax.Array) -> dict[str, jax.Array]:
    """{latent: (n,)} classes drawn from their joint posterior: units first, then rows in them.

    Of a chain whole paths, drawn backwards.
    """
    if reader.structure.chain is not None:
        return _path(reader, found, rng_key)
    keys = jax.random.split(rng_key, 1 + len(found.given))
    units = jax.random.categorical(keys[0], jnp.log(found.units), 0)
    drawn = {0: units}
    for key, (level, given) in zip(keys[1:], found.given.items(), strict=True):
        own = given.reshape(len(found.units), -1, given.shape[-1])
        outer = units[found.owners[level]]
        mine = jnp.take_along_axis(own, outer[None, None], 0)[0]
        drawn[level] = outer * len(mine) + jax.random.categorical(key, jnp.log(mine), 0)
    return {
        z.name: reader.structure.classes(drawn[z.level], z.level)[z.name]
        for z in reader.structure.latents
    }


def _path(reader: Reader, found: Classes, rng_key: jax.Array) -> dict[str, jax.Array]:
    """{latent: (n,)} a path of each sequence, given all of it."""
    assert reader.structure.chain is not None
    assert found.log_pairs is not None
    joint = found.joints[0]
    drawn = Drawn(rng_key, jnp.ones((), joint.dtype))
    ones = jnp.ones(joint.shape[1:], joint.dtype)
    path = smooth(drawn, joint, found.log_pairs, ones, reader.structure.chain.length)
    classes = reader.structure.classes(path.responsibilities.argmax(0))
    return {
        z.name: classes[z.name][: reader.structure.own_rows(z)] for z in reader.structure.latents
    }
