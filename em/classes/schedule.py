"""Assignments that change as a climb goes on: stochastic and annealed EM, both ending as EM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from .assignment import Assign, Soft


@runtime_checkable
class Schedule(Protocol):
    """What assigns rows at each step; from ``num_steps`` on it is soft EM's own `Soft`.

    Until then the objective (the log-likelihood, whatever the assignment) may fall.
    """

    @property
    def num_steps(self) -> int:
        """How many steps differ from soft EM's."""
        ...

    def at(self, step: jax.Array, rng_key: jax.Array) -> Assign:
        """The assignment of one step, which is counted from 0."""
        ...


class Drawn(NamedTuple):
    """``r = (1 - noise) p(z | x) + noise e_z`` with the class z drawn from ``p(z | x)``."""

    rng_key: jax.Array
    noise: jax.Array
    hard: bool = False

    def __call__(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Responsibilities (k, n), and the log-likelihood (n,)."""
        soft, log_likelihood = Soft()(log_joint)
        gumbel = jax.random.gumbel(self.rng_key, log_joint.shape, log_joint.dtype)
        drawn = (log_joint + gumbel).argmax(0)
        one_hot = jax.nn.one_hot(drawn, len(log_joint), dtype=log_joint.dtype, axis=0)
        return (1 - self.noise) * soft + self.noise * one_hot, log_likelihood

    def in_chunk(self, number: Any) -> Drawn:
        """Drawn by a key of the chunk's own."""
        return self._replace(rng_key=jax.random.fold_in(self.rng_key, number))


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
class Stochastic:
    """Stochastic EM, then EM: classes are drawn, the noise fades, and EM climbs from there.

    Celeux & Diebolt (1985, Computational Statistics Quarterly 2:73) draw each row's class from its
    responsibilities, which leaves saddles and poor maxima behind but never settles. Here the first
    half of ``num_steps`` draws, in the second half the draws are mixed with the responsibilities
    in parts that fade to 0 (simulated annealing EM: Celeux & Diebolt 1992, Stochastics 41:119),
    and then EM runs to its end, so that the fit is a maximum like any other.
    """

    num_steps: int = 100
    hard: bool = False

    def at(self, step: jax.Array, rng_key: jax.Array) -> Drawn:
        """Noise 1, then less and less."""
        noise = jnp.clip(2 - 2 * step / self.num_steps, 0, 1)
        return Drawn(rng_key, noise.astype(jnp.result_type(float)))

    def __call__(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        """As at the end."""
        return Soft()(log_joint)


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

    start: float = 0.3
    growth: float = 1.15
    every: int = 5
    noise: float = 0.05
    hard: bool = False

    def __post_init__(self) -> None:
        if not (0 < self.start <= 1 and self.growth > 1 and self.every >= 1):
            raise ValueError(
                f"annealing needs 0 < start <= 1, growth > 1 and every >= 1, not {self}"
            )

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


def at(assign: Assign, step: jax.Array, rng_key: jax.Array) -> Assign:
    """The assignment of one step."""
    if isinstance(assign, Schedule):
        return assign.at(step, jax.random.fold_in(rng_key, step))
    return assign


def settles_after(assign: Assign) -> int:
    """From which step on the stopping rules apply."""
    return assign.num_steps if isinstance(assign, Schedule) else 0
