"""The normal approximation at the posterior mode, and how good it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from ..em import Fit
from ..em.options import a_fit, as_key, whole
from ..em.report.precision import in_precision
from .arviz import check_output, tree
from .density import energies
from .posterior import Posterior, posterior_of

if TYPE_CHECKING:
    from xarray import DataTree

# A tail of five draws needs so many.
_FEWEST = 25


@in_precision
def run_laplace(
    fit: Fit, rng_key: jax.Array, *, num_samples: int = 1000, **output: Any
) -> DataTree:
    r"""Draws from the Laplace approximation of the posterior, z summed out.

    ::

        u ~ Normal(u*, H^-1),    H = -d^2 log p(u | data) / du du' at the mode u*

    in unconstrained coordinates u (NumPyro's bijections), to which Newton's method leads from the
    fit. How far the draws can be trusted is judged by importance ratios ``p(u | data) / q(u)``:
    their Pareto shape k (Yao et al. 2018, ICML; Vehtari et al. 2024, JMLR 25:72) is the attribute
    ``pareto_k``; above 0.7 the approximation is poor.

    Args:
        fit: the fit; every free parameter needs a prior.
        rng_key: a JAX key.
        num_samples: how many independent draws.
        output: what goes into the tree, as in `to_arviz`.

    Returns:
        A DataTree of one chain, see `to_arviz`; ``sample_stats`` has ``lp`` and ``log_q``, up to
        constants.

    Raises:
        ValueError: a parameter without a prior, nothing to sample, or a density without finite
            derivatives at the fit.
    """
    a_fit("fit", fit, Fit)
    check_output(output)
    whole("num_samples", num_samples)
    rng_key = as_key(rng_key)
    posterior = posterior_of(fit)
    v = np.asarray(jax.random.normal(rng_key, (num_samples, posterior.size)), float)
    log_q = -0.5 * (v**2).sum(1)
    return from_guide(posterior, posterior.from_white(v), log_q, method="Laplace", **output)


def from_guide(
    posterior: Posterior, u: np.ndarray, log_q: np.ndarray, *, method: str, **output: Any
) -> DataTree:
    """The tree of independent draws u (s, m) from an approximation of log density ``log_q``."""
    log_p = -energies(posterior.fit, u)
    statistics = {"lp": log_p[None], "log_q": np.asarray(log_q, float)[None]}
    draws = posterior.constrain(u[None])
    attrs = {"pareto_k": pareto_k(log_p - log_q), **output.pop("attrs", {})}
    return tree(draws, posterior.fit, method, statistics, attrs=attrs, **output)


def pareto_k(log_ratios: np.ndarray) -> float:
    """The Pareto shape of importance ratios: below 0.7 they can be trusted; NaN of too few."""
    from arviz_stats.base import array_stats

    if len(log_ratios) < _FEWEST:
        return np.nan
    log_ratios = np.where(np.isfinite(log_ratios), log_ratios, -1e300)
    if np.ptp(log_ratios) < 1e-12:
        return 0.0
    return float(array_stats.psislw(-log_ratios)[1])
