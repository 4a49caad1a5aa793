"""How states follow one another: the sites and the prior that models of chains share."""

from __future__ import annotations

import jax.numpy as jnp
import numpyro
from jax import Array

from ._priors import weights_prior


def states(k: int, concentration: float, stationary: bool) -> tuple[Array, Array]:
    """Sample ``initial`` (k,) and ``transition`` (k, k); a stationary chain has no first site."""
    if stationary:
        transition = _transition(k, concentration)
        return stationary_distribution(transition), transition
    initial = numpyro.sample("initial", weights_prior(k, concentration))
    return initial, _transition(k, concentration)


def stationary_distribution(transition: Array) -> Array:
    """(k,) with ``pi P = pi`` and sum 1: ``pi (I - P + U) = 1``, U a matrix of ones.

    Zucchini and MacDonald (2009), exercise 8 of chapter 1. Solved by elimination without pivots,
    which are positive wherever the solution is unique: no leading minor of ``I - P`` is negative.
    (LAPACK's solver takes one small matrix after another.)
    """
    k = transition.shape[-1]
    system = jnp.concatenate([(jnp.eye(k) - transition + 1).T, jnp.ones((k, 1))], 1)
    for pivot, unit in enumerate(jnp.eye(k)):
        row = system[pivot] / system[pivot, pivot]
        system = system - (system[:, pivot] - unit)[:, None] * row
    return system[:, -1]


def _transition(k: int, concentration: float) -> Array:
    with numpyro.plate("components", k):
        return numpyro.sample("transition", weights_prior(k, concentration))
