"""Annealed EM: responsibilities are tempered at first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ...options import flag, number, whole
from .soft import Soft
from .stochastic import Drawn


class Tempered(NamedTuple):
    """``r`` proportional to ``p(x, z)^power``, a part ``noise`` of it drawn.

    The objective is the log-likelihood.
    """

    power: jax.Array
    rng_key: jax.Array
    noise: jax.Array
    hard: bool = False

    def __call__(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Responsibilities (k, n), and the log-likelihood (n,)."""
        resp, _ = Drawn(self.rng_key, self.noise)(self.power * log_joint)
        return resp, Soft()(log_joint)[1]

    def in_chunk(self, number: Any) -> Tempered:
        """Drawn by a key of the chunk's own."""
        return self._replace(rng_key=jax.random.fold_in(self.rng_key, number))


@dataclass(frozen=True)
class Annealed:
    """Deterministic annealing EM (Ueda & Nakano 1998, Neural Networks 11:271).

    Responsibilities are proportional to ``p(x, z)^power``. The power (an inverse temperature)
    starts at ``start`` and grows by the factor ``growth`` every ``every`` steps up to 1, where EM
    runs to its end. At low powers the objective is smooth and has few maxima, and components may
    become one; a part ``noise`` of the responsibilities, drawn, lets them part again as the power
    grows. That needs scales that are fixed or shared: components that are free to be wide have
    nothing to part for.
    """

    name = "annealed"
    start: float = 0.3
    growth: float = 1.15
    every: int = 5
    noise: float = 0.05
    hard: bool = False

    def __post_init__(self) -> None:
        number("start", self.start, above=0)
        number("growth", self.growth, above=1)
        whole("every", self.every)
        number("noise", self.noise, least=0)
        flag("hard", self.hard)
        if self.start > 1 or self.noise > 1:
            raise ValueError(f"annealing needs start <= 1 and noise <= 1, not {self}")

    @property
    def num_steps(self) -> int:
        """The length of the ladder of temperatures."""
        power, steps = self.start, 0
        while power < 1:
            power, steps = power * self.growth, steps + self.every
        return steps

    def at(self, step: jax.Array, rng_key: jax.Array) -> Tempered:
        """The power of that step."""
        power = self.start * self.growth ** (step // self.every).astype(jnp.result_type(float))
        over = step >= self.num_steps
        noise = jnp.where(over, 0, self.noise).astype(power.dtype)
        return Tempered(jnp.where(over, 1, jnp.minimum(power, 1)), rng_key, noise)

    def __call__(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        """As at the end."""
        return Soft()(log_joint)
