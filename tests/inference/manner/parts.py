"""What the models of this folder are made of."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy import special


def mixed(weights, by_class):
    """The log-likelihood of rows; ``by_class`` (n, k) are log densities."""
    return special.logsumexp(np.log(weights) + by_class, axis=-1).sum()


def shares(k=2, concentration=2.0):
    return numpyro.sample("weights", dist.Dirichlet(jnp.full(k, concentration)))
