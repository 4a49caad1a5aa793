"""Answers to a test, given how many are right."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from numpyro.distributions import Categorical, Distribution, constraints
from numpyro.distributions.util import validate_sample


class ConditionalRasch(Distribution):
    r"""d right (1) or wrong (0) answers: the score is drawn first, then which items make it up.

    ``p(x) = score_probs[s - 1] exp(-x . difficulty) / gamma_s`` for scores s = 1, ..., d - 1, with
    gamma_s the elementary symmetric function of ``exp(-difficulty)`` of order s: the conditional
    likelihood of the Rasch model, in which abilities play no part (Andersen, 1972, "The numerical
    solution of a set of conditional estimation equations", JRSS-B 34:42). All wrong and all right
    have probability 0.

    Args:
        difficulty: (..., d), of which a common shift changes nothing.
        score_probs: (..., d - 1), summing to 1.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "difficulty": constraints.real_vector,
        "score_probs": constraints.simplex,
    }
    support = constraints.independent(constraints.boolean, 1)
    pytree_data_fields = ("difficulty", "score_probs")

    def __init__(
        self, difficulty: ArrayLike, score_probs: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self.difficulty, self.score_probs = jnp.asarray(difficulty), jnp.asarray(score_probs)
        batch = jnp.broadcast_shapes(self.difficulty.shape[:-1], self.score_probs.shape[:-1])
        super().__init__(batch, self.difficulty.shape[-1:], validate_args=validate_args)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draws (*sample_shape, ..., d), item by item."""
        d = self.event_shape[0]
        of_score, of_items = jax.random.split(key)
        scores = Categorical(self.score_probs).expand(self.batch_shape)
        left = 1 + scores.sample(of_score, sample_shape)
        easiness = jnp.broadcast_to(jnp.exp(-self.difficulty), (*self.batch_shape, d))
        answers = []
        for j, own in enumerate(jax.random.split(of_items, d)):
            here, rest = _symmetric(easiness[..., j:]), _symmetric(easiness[..., j + 1 :])
            # Of the ways to get `left` items right from here on, those in which this one is.
            ways = _pick(rest, jnp.maximum(left - 1, 0)) * easiness[..., j]
            chance = jnp.where(left > 0, ways / _pick(here, left), 0.0)
            right = (jax.random.uniform(own, chance.shape) < chance).astype(int)
            answers.append(right)
            left = left - right
        return jnp.stack(answers, axis=-1)

    @validate_sample
    def log_prob(self, value: jax.Array) -> jax.Array:
        """The log probability (...)."""
        d = self.event_shape[0]
        score = jnp.sum(value, axis=-1).astype(int)
        inside = (score > 0) & (score < d)
        score = jnp.clip(score, 1, d - 1)
        ways = _pick(_symmetric(jnp.exp(-self.difficulty)), score)
        right = -jnp.sum(value * self.difficulty, axis=-1)
        log_prob = jnp.log(_pick(self.score_probs, score - 1)) + right - jnp.log(ways)
        return jnp.where(inside, log_prob, -jnp.inf)


def _symmetric(values: jax.Array) -> jax.Array:
    """The elementary symmetric functions (..., d + 1) of order 0 to d of values (..., d)."""
    d = values.shape[-1]
    found = jnp.zeros((*values.shape[:-1], d + 1)).at[..., 0].set(1.0)
    for j in range(d):
        shifted = jnp.roll(found, 1, axis=-1).at[..., 0].set(0.0)
        found = found + values[..., j, None] * shifted
    return found


def _pick(table: jax.Array, index: jax.Array) -> jax.Array:
    """The entries of the last axis at an index (...) that broadcasts with the others."""
    shape = jnp.broadcast_shapes(table.shape[:-1], index.shape)
    wide = jnp.broadcast_to(table, (*shape, table.shape[-1]))
    where = jnp.minimum(jnp.broadcast_to(index, shape), table.shape[-1] - 1)
    return jnp.take_along_axis(wide, where[..., None], axis=-1)[..., 0]
