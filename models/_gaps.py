"""Observations that may have gaps."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax.typing import ArrayLike


def observe(name: str, law: dist.Distribution, x: ArrayLike | None, event_rank: int = 0) -> Any:
    """The site of independent entries; NaN of a discrete one is masked, as no integer is a gap."""
    if x is None or not law.is_discrete or not jnp.issubdtype(jnp.result_type(x), jnp.floating):
        return numpyro.sample(name, law.to_event(event_rank), obs=x)
    values = jnp.asarray(x)
    known = ~jnp.isnan(values)
    whole = jnp.where(known, values, 0).astype(int)
    # No support has -1: a fraction is refused, not rounded.
    whole = jnp.where(known & (whole != values), -1, whole)
    return numpyro.sample(name, law.mask(known).to_event(event_rank), obs=whole)
