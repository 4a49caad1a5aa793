"""Where the climbs of a run begin: parameters and statistics of every start."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..classes.assignments import Assign, at
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..step.expectation import Expectation, statistics_of
from ..step.maximisation import FIRST_STEPS, m_step
from ..step.objective import evaluate
from .first_guess import first_guess
from .starting import begin, revised
from .starts import Found, Start


def all_starts(
    program: Program,
    assign: Assign,
    start: Start,
    number_of_starts: int,
    rows: Rows,
    rng_key: jax.Array,
    given: Any,
) -> tuple[Params, Expectation, jax.Array]:
    """Where climbs begin: (r, ...) parameters and statistics, and a key for each."""
    hard, free = assign.hard, {p.name for p in program.structure.free}
    keys = jax.random.split(rng_key, number_of_starts)
    fixed_start = {} if given is None or not isinstance(given, dict) else given

    def first(key: jax.Array) -> Assign:
        return at(assign, jnp.zeros((), int), key)

    def one(numbered: tuple[jax.Array, jax.Array]) -> tuple[Params, Expectation]:
        number, key = numbered
        if set(fixed_start) == free and fixed_start:
            return fixed_start, evaluate(program, first(key), fixed_start, rows)
        begun = begin(program, rows, start, hard, key, number)
        units = begun.units if given is None or isinstance(given, dict) else given
        if isinstance(given, Found):
            units = revised(program, rows, start, hard, key, given)
        expected = statistics_of(program, units, rows, hard, begun.given)
        jitter = jax.random.fold_in(key, 1)
        guess = first_guess(program, rows, expected, jitter, number)
        if not fixed_start:
            return guess, expected
        params = m_step(program, expected, guess, rows, FIRST_STEPS) | fixed_start
        return params, evaluate(program, first(key), params, rows)

    params, expected = jax.lax.map(one, (jnp.arange(number_of_starts), keys))
    return params, expected, keys
