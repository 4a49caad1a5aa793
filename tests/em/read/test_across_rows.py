"""z used across rows: refused, or right. The answers are sums over all assignments."""

import itertools

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy import special, stats

from mixpyro import em

from .mixtures import KEY

pytestmark = pytest.mark.usefixtures("x64")


M = 6
GROUPS = np.array([0, 0, 1, 1, 2, 2])
PERMUTED = np.array([2, 0, 1, 5, 3, 4])
SMALL = np.array([0.1, -0.4, 1.9, 2.2, 0.3, 2.6])
WEIGHTS = np.array([0.55, 0.45])


def _cell(mean):
    """A model of ``SMALL`` whose mean is ``mean(loc, z)``; z has one value for each of rows."""

    def model(x, num_latent):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        with numpyro.plate("latent", num_latent):
            z = numpyro.sample("z", dist.Categorical(weights))
        with numpyro.plate("latent" if num_latent == len(x) else "rows", len(x)):
            numpyro.sample("x", dist.Normal(mean(loc, z), 1.0), obs=x)

    return model


CASES = {
    "groups": (3, lambda loc, z: loc[z[GROUPS]]),
    "groups, after indexing": (3, lambda loc, z: loc[z][GROUPS]),
    "groups, by a matrix": (3, lambda loc, z: jnp.eye(3)[GROUPS] @ loc[z]),
    "permuted": (M, lambda loc, z: loc[z[PERMUTED]]),
    "permuted after indexing": (M, lambda loc, z: loc[z][PERMUTED]),
    "reversed": (M, lambda loc, z: loc[z[::-1]]),
    "rolled": (M, lambda loc, z: loc[jnp.roll(z, 1)]),
    "neighbours": (M, lambda loc, z: (loc[z] + loc[jnp.roll(z, 1)]) / 2),
    "sum": (M, lambda loc, z: loc[z] + 0.1 * z.sum()),
    "mean of the indexed": (M, lambda loc, z: loc[z] + 0.1 * loc[z].mean()),
    "largest": (M, lambda loc, z: loc[z] + 0.1 * z.max()),
    "smoothed by a matrix": (
        M,
        lambda loc, z: (0.9 * jnp.eye(M) + 0.1 * jnp.ones((M, M)) / M) @ loc[z],
    ),
    "cumulative": (M, lambda loc, z: loc[z] + 0.1 * jnp.cumsum(z)),
    "sorted": (M, lambda loc, z: loc[jnp.sort(z)]),
    "counted": (M, lambda loc, z: loc[z] + 0.1 * jnp.bincount(z, length=2)[1]),
    "first row": (M, lambda loc, z: loc[z] + 0.1 * z[0]),
    "reshaped": (M, lambda loc, z: loc[z.reshape(2, 3).T.reshape(-1)]),
}


def _sum_over_all_assignments(num_latent, mean, locs):
    terms = []
    for z in itertools.product((0, 1), repeat=num_latent):
        z = np.array(z)
        density = stats.norm.logpdf(SMALL, np.asarray(mean(locs, jnp.asarray(z))), 1)
        terms.append(np.log(WEIGHTS)[z].sum() + density.sum())
    posterior = np.exp(terms - special.logsumexp(terms))
    ones = posterior @ list(itertools.product((0, 1), repeat=num_latent))
    return special.logsumexp(terms), np.column_stack([1 - ones, ones])


@pytest.mark.parametrize("name", CASES)
def test_z_used_across_rows_is_refused_or_right(name):
    num_latent, mean = CASES[name]
    held = handlers.condition(_cell(mean), {"weights": jnp.asarray(WEIGHTS)})
    refusal = fit = None
    try:
        fit = em.EM(held, max_steps=3).run(
            KEY, SMALL, num_latent, init_params={"loc": np.array([0.0, 2.0])}
        )
    except ValueError as error:
        refusal = str(error)
    if refusal is not None:
        assert "'z'" in refusal or "'x'" in refusal
        return
    expected, posterior = _sum_over_all_assignments(num_latent, mean, fit.params["loc"])
    assert fit.log_likelihood == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(fit.responsibilities(), posterior, atol=1e-6)
