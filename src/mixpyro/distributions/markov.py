"""Observed sequences of categories, each of which depends on the one before."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from numpyro.distributions import CategoricalProbs, Distribution, constraints
from numpyro.distributions.util import validate_sample


class MarkovChain(Distribution):
    r"""A sequence of categories 0, ..., m - 1 that is a Markov chain: an event of shape (t,).

    ::

        p(x_1, ..., x_t) = initial_probs[x_1] prod_{s = 2}^{length} transition_probs[x_{s-1}, x_s]

    Steps from ``length`` on are no part of the sequence: they are drawn as 0, and whatever category
    stands there does not matter.

    Args:
        initial_probs: (..., m), of the first category.
        transition_probs: (..., m, m), whose rows sum to 1.
        num_steps: t.
        length: (...), how many steps of each sequence there are, at least 1; all unless given.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "initial_probs": constraints.simplex,
        "transition_probs": constraints.independent(constraints.simplex, 1),
        "length": constraints.positive_integer,
    }
    pytree_data_fields = ("initial_probs", "transition_probs", "length")
    pytree_aux_fields = ("num_steps",)

    def __init__(
        self,
        initial_probs: jax.Array,
        transition_probs: jax.Array,
        num_steps: int,
        length: ArrayLike | None = None,
        *,
        validate_args: bool | None = None,
    ) -> None:
        length = num_steps if length is None else length
        first, rest = jnp.shape(initial_probs), jnp.shape(transition_probs)
        batch = jnp.broadcast_shapes(first[:-1], rest[:-2], jnp.shape(length))
        self.num_steps = num_steps
        # Of the same rank, not the same size: what all rows share stays one.
        self.initial_probs = _led(initial_probs, len(batch) + 1)
        self.transition_probs = _led(transition_probs, len(batch) + 2)
        self.length = _led(length, len(batch))
        super().__init__(batch, (num_steps,), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Any:
        """Categories."""
        last = self.initial_probs.shape[-1] - 1
        return constraints.independent(constraints.integer_interval(0, last), 1)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draws (*sample_shape, ..., t)."""
        first, *rest = jax.random.split(key, self.num_steps)
        law = CategoricalProbs(self.initial_probs).expand(self.batch_shape)
        steps = [law.sample(first, sample_shape)]
        m = self.initial_probs.shape[-1]
        table = jnp.broadcast_to(self.transition_probs, (*steps[0].shape, m, m))
        for key in rest:
            probs = jnp.take_along_axis(table, steps[-1][..., None, None], -2)[..., 0, :]
            steps.append(CategoricalProbs(probs).sample(key))
        there = jnp.arange(self.num_steps) < self.length[..., None]
        return jnp.where(there, jnp.stack(steps, -1), 0)

    @validate_sample
    def log_prob(self, value: jax.Array) -> jax.Array:
        """The log probability (...) of sequences (..., t)."""
        m = self.initial_probs.shape[-1]
        first, pairs = counts(value, self.length, m)
        initial, transition = jnp.log(self.initial_probs), jnp.log(self.transition_probs)
        # What never happens may be impossible.
        begun = jnp.where(first > 0, first * initial, 0).sum(-1)
        return begun + jnp.where(pairs > 0, pairs * transition, 0).sum((-2, -1))


def _led(value: ArrayLike, rank: int) -> jax.Array:
    value = jnp.asarray(value)
    return value.reshape((1,) * (rank - value.ndim) + value.shape)


def counts(x: jax.Array, length: jax.Array, m: int) -> tuple[jax.Array, jax.Array]:
    """(..., m) which category a sequence (..., t) begins with, (..., m, m) how often each pair is.

    ``length`` (...) steps count.
    """
    one_hot = (x[..., None] == jnp.arange(m)).astype(jnp.result_type(float))
    there = jnp.arange(1, x.shape[-1]) < length[..., None]
    before = one_hot[..., :-1, :] * there[..., None]
    return one_hot[..., 0, :], jnp.einsum("...ti,...tj->...ij", before, one_hot[..., 1:, :])
