"""Counts with many zeros have second derivatives, and so standard errors, in both precisions."""

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers

from mixpyro import models


def test_structural_zeros_have_second_derivatives(precision):
    """Of a negative binomial count y with mean m: -(y + c) m c / (m + c)^2 by the log mean."""
    design, z, y = np.ones((2, 1)), np.array([0, 1]), np.array([3, 0])
    c, gate, level = 4.0, -0.5, 1.5

    def log_density(theta):
        names = ("concentration", "inflation_coefficients", "coefficients")
        params = dict(zip(names, (theta[0], theta[1:2], theta[2:]), strict=True))
        model = handlers.substitute(models.zero_inflated_regression, params | {"z": z})
        trace = handlers.trace(model).get_trace(y, covariates=design, overdispersed=True)
        return jnp.sum(trace["y"]["fn"].log_prob(y))

    found = np.asarray(jax.jit(jax.hessian(log_density))(jnp.array([c, gate, level])))
    assert np.isfinite(found).all()
    m = np.exp(level)
    np.testing.assert_allclose(found[2, 2], -(3 + c) * m * c / (m + c) ** 2, rtol=1e-5)
