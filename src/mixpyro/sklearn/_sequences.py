"""Sequences side by side, and the hidden Markov model of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro import handlers
from numpyro.contrib.control_flow import scan

from ..models._priors import center_and_spread, mean_of, weights_prior
from ..models.gaussian import structure

if TYPE_CHECKING:
    from jax import Array
    from jaxtyping import Bool, Int, Num

    Conditional = Callable[[Array], dist.Distribution]


def layout(num_rows: int, lengths: Sequence[int] | None) -> Int[np.ndarray, "t s"]:
    """Which row is at each time of each sequence; -1 after its end.

    Raises:
        ValueError: lengths that are no whole numbers >= 1, or do not add up to the rows.
    """
    each = np.asarray([num_rows] if lengths is None else lengths)
    if each.ndim != 1 or each.dtype.kind not in "iu" or (each < 1).any():
        raise ValueError(f"lengths must be whole numbers >= 1, one a sequence, not {lengths!r}")
    if each.sum() != num_rows:
        raise ValueError(f"lengths add up to {each.sum()}, but X has {num_rows} rows")
    time = np.arange(each.max())[:, None]
    return np.where(time < each, time + np.cumsum(each) - each, -1)


def sequences(
    x: Num[Array, "t s d"],
    there: Bool[Array, "t s"],
    *,
    num_components: int,
    emission: str,
    covariance: str,
    num_categories: int,
) -> None:
    """`models.hidden_markov` of several sequences, each of which ends where ``there`` does."""
    flat = x.reshape(-1, x.shape[-1])
    components = numpyro.plate("components", num_components)
    initial = numpyro.sample("initial", weights_prior(num_components, 1.0))
    with components:
        transition = numpyro.sample("transition", weights_prior(num_components, 1.0))
    given = EMISSIONS[emission](flat, components, covariance, num_categories)

    def step(carry: tuple[Any, Any], now: tuple[Any, Any]) -> tuple[tuple[Any, Any], Any]:
        z, time = carry
        row, present = now
        with numpyro.plate("sequences", row.shape[0]), handlers.mask(mask=present):
            probs = jnp.where(time == 0, initial, transition[z])
            z = numpyro.sample("z", dist.Categorical(probs))
            numpyro.sample("x", given(z), obs=row)
        return (z, time + 1), None

    scan(step, (jnp.zeros(x.shape[1], int), 0), (x, there))


def _gaussian(x: Array, components: Any, covariance: str, _: int) -> Conditional:
    center, spread = center_and_spread(x, x.shape[1], None, None)
    with components:
        loc = numpyro.sample("loc", dist.Normal(center, spread).to_event(1))
    return structure(covariance)(loc, spread, components)


def _poisson(x: Array, components: Any, covariance: str, _: int) -> Conditional:
    prior = dist.Exponential(1 / mean_of(x, x.shape[1:], mean=None)).to_event(1)
    with components:
        rate = numpyro.sample("rate", prior)
    return lambda z: dist.Poisson(rate[z]).to_event(1)


def _categorical(x: Array, components: Any, covariance: str, number: int) -> Conditional:
    prior = dist.Dirichlet(jnp.ones(number)).expand([x.shape[1]]).to_event(1)
    with components:
        probs = numpyro.sample("probs", prior)
    return lambda z: dist.Categorical(probs[z]).to_event(1)


EMISSIONS: dict[str, Callable[[Array, Any, str, int], Conditional]] = {
    "gaussian": _gaussian,
    "poisson": _poisson,
    "categorical": _categorical,
}
