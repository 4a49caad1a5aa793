"""Classification EM: a component that lost its rows takes those that are explained worst."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from mixpyro import em

pytestmark = pytest.mark.usefixtures("x64")
FAR = 1e3


def unit_normals(x, labels, weights):
    """Four of equal shares."""
    loc = numpyro.param("loc", jnp.zeros((4, x.shape[1])))
    with numpyro.plate("rows", len(x)), numpyro.handlers.scale(scale=weights):
        shares = dist.Categorical(jnp.full(4, 0.25))
        known = None if labels is None else labels >= 0
        z = numpyro.sample("z", shares, obs=labels, obs_mask=known)
        numpyro.sample("x", dist.Normal(loc[z], 1).to_event(1), obs=x)


# One chunk of rows, and several.
@pytest.mark.parametrize("n", [40, 70_001])
def test_empty_components_take_the_worst_rows(n):
    rng = np.random.default_rng(3)
    x = np.where(rng.random(n) < 0.4, -3.0, 3.0)[:, None] + rng.normal(size=(n, 2))
    weights = rng.uniform(0.5, 2, n)
    start = np.array([[-3.0, -3], [FAR, FAR], [3, 3], [-FAR, 0]])
    fit = em.EM(unit_normals, assign="hard", max_steps=2).run(
        jax.random.key(0), x, None, weights, init_params={"loc": start}
    )

    def nearest(loc):
        distance = ((x[:, None] - loc) ** 2).sum(-1)
        return distance.argmin(1), distance.min(1)

    def centres(own):
        members = [own == k for k in range(4)]
        return np.array(
            [
                np.average(x[rows], axis=0, weights=weights[rows]) if rows.any() else start[k]
                for k, rows in enumerate(members)
            ]
        )

    # By hand: the first step moves the two that have rows; then the two rows that are farthest from
    # their own centres go to the two that have none, and the second step moves all.
    own, distance = nearest(centres(nearest(start)[0]))
    assert set(own) == {0, 2}
    own[np.argsort(-distance)[:2]] = [1, 3]
    expected = centres(own)
    np.testing.assert_allclose(fit.params["loc"], expected, rtol=1e-9)
    assert "re-seeded 2 times" in fit.message
    log_density = -nearest(expected)[1] / 2 - np.log(2 * np.pi) + np.log(0.25)
    assert fit.trace[-1] == pytest.approx(weights @ log_density, rel=1e-9)


def test_labelled_rows_stay():
    """The row that is farthest from its centre is labelled, so that the next two move."""
    x = np.array([[0.0, 0], [0.2, 0], [9, 0], [7, 0], [20, 0], [21, 0]])
    labels = np.array([-1, -1, 0, -1, -1, -1])
    start = np.array([[0.0, 0], [FAR, 0], [20.4, 0], [-FAR, 0]])
    fit = em.EM(unit_normals, assign="hard", max_steps=2).run(
        jax.random.key(0), x, labels, np.ones(6), init_params={"loc": start}
    )
    # From the first centre at 4.05 they are 4.05, 3.85, 4.95 and 2.95 away.
    np.testing.assert_allclose(fit.params["loc"], [x[2:4].mean(0), x[0], x[4:].mean(0), x[1]])
