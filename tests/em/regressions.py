"""Covariates, a response on two crossing lines, and a check that a fit is at a maximum."""

import jax
import numpy as np
import pytest
from scipy import optimize, special

from mixpyro import em

KEY = jax.random.key(0)
CLOSED, STATISTICS, ROWS = "closed form", "numeric, on statistics", "numeric, on rows"
N, P = 300, 2
RNG = np.random.default_rng(8)
X = np.column_stack([np.ones(N), RNG.uniform(-2, 2, N)])
Z = (RNG.random(N) < 0.6).astype(int)
OFFSET = RNG.uniform(-0.5, 0.5, N)


def rungs(fit):
    return {name: block.m_step for block in fit.spec.blocks for name in block.parameters}


def mixture(log_weights, conditional):
    return special.logsumexp(log_weights + conditional, axis=-1)


def check_maximum(fit, log_likelihood, theta, starts=()):
    """The fit is where it says, rose all the way, and SciPy finds nothing higher near or far."""
    assert fit.status is em.Status.CONVERGED, fit.message
    assert np.all(np.diff(fit.trace) >= -1e-9 * abs(fit.log_likelihood))
    # JAX's betaln, behind the negative binomial, is good to eight digits.
    assert log_likelihood(theta) == pytest.approx(fit.log_likelihood, rel=1e-7)
    for start in (theta, *starts):
        found = optimize.minimize(lambda t: -log_likelihood(t), start, jac="3-point", method="BFGS")
        assert -found.fun < log_likelihood(theta) + 1e-5
    slope = optimize.approx_fprime(theta, log_likelihood, 1e-6)
    np.testing.assert_allclose(slope, 0, atol=2e-2)  # a thousandth of a standard error, or less
    return found


def pack(fit, *names, logs=("scale",)):
    p = {n: np.asarray(v) for n, v in fit.params.items()}
    parts = [np.log(p["weights"][:1] / p["weights"][1:])]
    return np.concatenate(parts + [np.ravel(np.log(p[n]) if n in logs else p[n]) for n in names])


def free(theta, p=P):
    return theta[: 2 * p].reshape(2, p), np.exp(theta[2 * p :])
