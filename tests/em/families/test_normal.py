import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.distributions import constraints
from scipy import stats

from mixpyro.em.families import Ties, find

from .case import Case

SUPPORTS = {"loc": constraints.real, "scale": constraints.positive}

CASES = [
    Case(
        distribution=dist.Normal,
        params={"loc": [-2.0, 4.0], "scale": [0.5, 2.0]},
        supports=SUPPORTS,
        make=lambda loc, scale: dist.Normal(loc, scale),
        draw=lambda rng, loc, scale: rng.normal(loc, scale),
        log_density=lambda x, loc, scale: stats.norm.logpdf(x, loc, scale),
    ),
    Case(
        distribution=dist.LogNormal,
        params={"loc": [0.0, 2.0], "scale": [0.2, 0.8]},
        supports=SUPPORTS,
        make=lambda loc, scale: dist.LogNormal(loc, scale),
        draw=lambda rng, loc, scale: rng.lognormal(loc, scale),
        log_density=lambda x, loc, scale: stats.lognorm.logpdf(x, scale, scale=np.exp(loc)),
    ),
]


@pytest.mark.parametrize("scale", [0.1, 1e-9])
def test_a_shared_scale_counts_as_a_collapse_only_when_rounding_is_left_of_it(scale, x64):
    shared = Ties(np.zeros((2, 1), int), np.zeros((2, 1), bool))
    args = {"loc": jnp.zeros((2, 1)), "scale": jnp.full((2, 1), scale)}
    ties, reference = {"loc": shared, "scale": shared}, {"spread": jnp.ones(1)}
    found = find(dist.Normal).relative_scale(args, ties, reference)
    np.testing.assert_array_equal(found, np.full(2, np.inf if scale == 0.1 else scale))
