"""NUTS from a fit: NumPyro's sampler, started and scaled by what EM found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer import MCMC, NUTS

from ..em import Fit
from ..em.program import Params
from .posterior import Posterior, posterior_of

_STATISTICS = {
    "potential_energy": "lp",
    "energy": "energy",
    "num_steps": "n_steps",
    "accept_prob": "acceptance_rate",
    "diverging": "diverging",
    "adapt_state.step_size": "step_size",
}


def sample(
    fit: Fit,
    rng_key: jax.Array,
    num_warmup: int,
    num_samples: int,
    num_chains: int,
    progress_bar: bool,
    nuts: Mapping[str, Any] | None,
    mcmc: Mapping[str, Any] | None,
) -> tuple[Params, dict[str, np.ndarray]]:
    posterior = posterior_of(fit)
    key_start, key_run = jax.random.split(rng_key)
    options = {
        "dense_mass": True,
        "inverse_mass_matrix": jnp.asarray(posterior.covariance),
        "adapt_mass_matrix": not posterior.regular,
        **(nuts or {}),
    }
    sampler = MCMC(
        NUTS(potential_fn=posterior.energy, **options),
        num_warmup=num_warmup,
        num_samples=num_samples,
        num_chains=num_chains,
        **{"chain_method": "vectorized", "progress_bar": progress_bar, **(mcmc or {})},
    )
    start = starts(posterior, key_start, num_chains)
    if num_chains == 1:
        start = {n: v[0] for n, v in start.items()}
    sampler.run(key_run, init_params=start, extra_fields=tuple(_STATISTICS))
    extra = sampler.get_extra_fields(group_by_chain=True)
    statistics = {_STATISTICS[n]: np.asarray(v) for n, v in extra.items() if n in _STATISTICS}
    statistics["lp"] = -statistics["lp"]
    return posterior.constrain(sampler.get_samples(group_by_chain=True)), statistics


def starts(posterior: Posterior, rng_key: jax.Array, num_chains: int) -> Params:
    """u of each chain's start, (c, ...): the mode, jittered by the posterior's scale.

    A start without a finite density is drawn in towards the mode.
    """
    centre = posterior.normal(rng_key, (num_chains,), 0.0)
    away = posterior.normal(rng_key, (num_chains,)) - centre
    energies = jax.jit(jax.vmap(posterior.energy))
    for _ in range(20):
        found = posterior.unravel(centre + away)
        bad = ~np.isfinite(np.asarray(energies(found)))
        if not bad.any():
            break
        away = jnp.where(jnp.asarray(bad)[:, None], away / 4, away)
    return found
