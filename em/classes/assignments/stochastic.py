"""Stochastic EM: classes are drawn at first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ...options import flag, whole
from .soft import Soft


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


@dataclass(frozen=True)
class Stochastic:
    """Stochastic EM, then EM: classes are drawn, the noise fades, and EM climbs from there.

    Celeux & Diebolt (1985, Computational Statistics Quarterly 2:73) draw each row's class from its
    responsibilities, which leaves saddles and poor maxima behind but never settles. Here the first
    half of ``num_steps`` draws, in the second half the draws are mixed with the responsibilities
    in parts that fade to 0 (simulated annealing EM: Celeux & Diebolt 1992, Stochastics 41:119),
    and then EM runs to its end, so that the fit is a maximum like any other.
    """

    name = "stochastic"
    num_steps: int = 100
    hard: bool = False

    def __post_init__(self) -> None:
        whole("num_steps", self.num_steps)
        flag("hard", self.hard)

    def at(self, step: jax.Array, rng_key: jax.Array) -> Drawn:
        """Noise 1, then less and less."""
        noise = jnp.clip(2 - 2 * step / self.num_steps, 0, 1)
        return Drawn(rng_key, noise.astype(jnp.result_type(float)))

    def __call__(self, log_joint: jax.Array) -> tuple[jax.Array, jax.Array]:
        """As at the end."""
        return Soft()(log_joint)
