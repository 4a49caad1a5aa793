"""Where the numeric M-steps of a start begin."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..step.expectation import Expectation
from ..step.expected import expected_log_likelihood
from ..step.prior import log_prior

# Two tries of each guess: the jitter of starts with an even number, and of those with an odd one.
_JITTER = ((0.01, 0.3), (0.1, 1.0))


def first_guess(
    program: Program, rows: Rows, expected: Expectation, key: jax.Array, number: jax.Array | int = 0
) -> Params:
    """Where the numeric M-steps of a start begin: the best of a few plain guesses, jittered.

    Unconstrained zeros, or parameters of the size of the observations (those on the real line at
    their mean, positive ones at their standard deviation), judged by the start's own ``expected``.
    Equal entries of one component (the parts of a mixture within a class, the units of a layer)
    would stay equal for ever: no gradient tells them apart. So every entry is moved, by a little in
    one start, by a lot in the next. Closed forms need no guess.
    """
    zero = rows.prototype
    blocks = [b for b in program.blocks if b.numeric]
    if not blocks:
        return zero
    names = tuple(n for b in blocks for n in b.parameters)
    support = {p.name: p.constraint for p in program.structure.free}
    size = {"real": rows.location, "positive": rows.spread}
    guesses, units = [], []
    for sizes in (set(), {"real"}, {"positive"}, {"real", "positive"}):
        guess = {
            n: jnp.full_like(v, size[support[n]]) for n, v in zero.items() if support[n] in sizes
        }
        guesses.append(zero | guess)
        units.append({n: rows.spread if support[n] in sizes & {"real"} else 1.0 for n in names})
    plain = _stack([guess for guess in guesses for _ in _JITTER])
    unit = _stack([unit for unit in units for _ in _JITTER])
    small, large = (jnp.asarray([pair[i] for pair in _JITTER] * len(guesses)) for i in (0, 1))
    jitter = jnp.where(jnp.asarray(number) % 2 == 0, small, large)
    parts = [expected_log_likelihood(program, b, expected, rows) for b in blocks if b.sites]

    def one(given: tuple) -> tuple[Params, jax.Array]:
        guess, unit, jitter, key = given
        start = program.unconstrain(guess, rows.arrays, names)
        keys = jax.random.split(key, len(names))
        moved = {
            n: start[n] + jitter * unit[n] * jax.random.normal(k, start[n].shape, start[n].dtype)
            for n, k in zip(names, keys, strict=True)
        }
        new = program.constrain(moved, guess, rows.arrays)
        score = sum((part(new) for part in parts), jnp.zeros(()))
        return new, score + log_prior(program, new, rows.arrays) if program.posterior else score

    tried, score = jax.lax.map(one, (plain, unit, jitter, jax.random.split(key, len(jitter))))
    finite = jnp.isfinite(score)
    best = jnp.where(finite, score, -jnp.inf).argmax()
    return jax.tree.map(lambda values, v: jnp.where(finite.any(), values[best], v), tried, zero)


def _stack(trees: list) -> Any:
    return jax.tree.map(lambda *values: jnp.stack([jnp.asarray(v) for v in values]), *trees)
