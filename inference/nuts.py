"""NUTS from a fit: NumPyro's sampler, started and scaled by what EM found."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer import MCMC, NUTS

from ..em import Fit
from ..em.program import Params
from .arviz import STATISTICS, sampler_statistics, tree
from .density import energies, energy, quick_jit
from .posterior import Posterior, posterior_of

if TYPE_CHECKING:
    from xarray import DataTree


def run_nuts(
    fit: Fit,
    rng_key: jax.Array,
    *,
    num_warmup: int = 500,
    num_samples: int = 1000,
    num_chains: int = 4,
    progress_bar: bool = False,
    kernel: Mapping[str, Any] | None = None,
    mcmc: Mapping[str, Any] | None = None,
    **output: Any,
) -> DataTree:
    """Sample the posterior of a fitted model, z summed out, by NumPyro's NUTS.

    From the fit, Newton's method leads to the posterior mode beside it. Each chain starts at a
    draw of its own from the normal approximation there, whose covariance (the inverse of the
    observed information, priors included) is the inverse mass matrix. It stays fixed if the
    information is positive definite, so that warm-up only has to find the step size; otherwise
    directions without curvature are given some and NUTS adapts the matrix. Chains advance together
    (``chain_method="vectorized"``). The draws are relabelled to match the fit's components.

    Args:
        fit: the fit; every free parameter needs a prior.
        rng_key: a JAX key.
        num_warmup: steps of each chain that are thrown away.
        num_samples: draws of each chain that are kept.
        num_chains: c.
        progress_bar: show NumPyro's.
        kernel: further arguments of ``numpyro.infer.NUTS``, such as ``target_accept_prob``.
        mcmc: further arguments of ``numpyro.infer.MCMC``, such as ``chain_method``.
        output: what goes into the tree, as in `to_arviz`.

    Returns:
        A DataTree, see `to_arviz`.

    Raises:
        ValueError: a parameter without a prior, nothing to sample, or a density without finite
            derivatives at the fit.
    """
    posterior = posterior_of(fit)
    key_start, key_run = jax.random.split(rng_key)
    options: dict[str, Any] = {
        "dense_mass": True,
        "inverse_mass_matrix": jnp.asarray(posterior.covariance, float),
        "adapt_mass_matrix": not posterior.regular,
        **(kernel or {}),
    }
    sampler = MCMC(
        CompiledNUTS(posterior, **options),
        num_warmup=num_warmup,
        num_samples=num_samples,
        num_chains=num_chains,
        **{"chain_method": "vectorized", "progress_bar": progress_bar, **(mcmc or {})},
    )
    start = starts(posterior, key_start, num_chains)
    if num_chains == 1:
        start = {n: v[0] for n, v in start.items()}
    began = time.perf_counter()
    sampler.run(key_run, init_params=start, extra_fields=tuple(STATISTICS))
    draws = posterior.constrain(sampler.get_samples(group_by_chain=True))
    attrs = {"num_warmup": num_warmup, "sampling_time": time.perf_counter() - began}
    return tree(draws, fit, "NUTS", sampler_statistics(sampler), attrs=attrs, **output)


class CompiledNUTS(NUTS):
    """NumPyro's NUTS, its start compiled whole instead of operation by operation."""

    def __init__(self, posterior: Posterior, **options: Any) -> None:
        super().__init__(potential_fn=partial(energy, posterior.fit), **options)
        self.program = posterior.fit.program

    def init(
        self,
        rng_key: jax.Array,
        num_warmup: int,
        init_params: Any = None,
        model_args: tuple = (),
        model_kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """The first state of every chain."""

        def first(rng_key: jax.Array, init_params: Any) -> Any:
            return NUTS.init(
                self, rng_key, num_warmup, init_params, model_args, dict(model_kwargs or {})
            )

        return quick_jit(self.program, first)(rng_key, init_params)


def starts(posterior: Posterior, rng_key: jax.Array, num_chains: int) -> Params:
    """u of each chain's start, (c, ...): the mode, jittered by the posterior's scale.

    A start without a finite density is drawn in towards the mode.
    """
    away = jax.random.normal(rng_key, (num_chains, posterior.size))
    for _ in range(20):
        found = posterior.unravel(posterior.from_white(away))
        bad = ~np.isfinite(energies(posterior.fit, found))
        if not bad.any():
            break
        away = jnp.where(jnp.asarray(bad)[:, None], away / 4, away)
    return found
