"""Axes of structured covariances: plane rotations, and axes that are functions of parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from mixpyro import em
from mixpyro.distributions import EigenNormal, HaarRotation
from mixpyro.em.calls.arguments import split
from mixpyro.em.families import Ties
from mixpyro.em.families._axes import _rounds, plane_rotations, principal_axes, rotations
from mixpyro.em.machine.by_numpy.interpret import interpreted
from mixpyro.em.programs import program_for

# ---- axes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 8])
def test_the_rounds_meet_every_pair_once(d):
    pairs = [(a, int(b)) for partner in _rounds(d) for a, b in enumerate(partner) if a < b]
    assert sorted(pairs) == [(a, b) for a in range(d) for b in range(a + 1, d)]
    for partner in _rounds(d):
        np.testing.assert_array_equal(partner[partner], np.arange(d))


@pytest.mark.parametrize("d", [1, 2, 5])
def test_signs_make_a_rotation_far_from_half_a_turn(d, precision):
    draws = np.random.default_rng(0).normal(size=(200, d, d))
    axes = np.linalg.qr(draws)[0].astype(precision)
    found = np.asarray(interpreted(rotations)(axes))
    np.testing.assert_array_equal(np.abs(found), np.abs(axes))
    np.testing.assert_allclose(np.linalg.det(found), 1, rtol=1e-5)
    assert np.linalg.det(np.eye(d) + found).min() > 1 - 1e-5


def test_plane_rotations_of_one_matrix_find_its_eigenvectors(precision):
    rng = np.random.default_rng(1)
    half = rng.normal(size=(5, 5))
    matrix = jnp.asarray(half @ half.T, precision)[None, None]
    inverse = jnp.arange(1.0, 6.0)[None, None]  # the largest eigenvalue first
    single = Ties(np.zeros((1, 1), int), np.zeros((1, 1), bool))

    @interpreted
    def sweep(axes):
        axes = plane_rotations(axes, matrix, inverse, single)
        return axes, (jnp.einsum("...ip,...ij,...jp->...p", axes, matrix, axes) * inverse).sum()

    axes, values = jnp.eye(5)[None, None], []
    for _ in range(8):
        axes, value = sweep(axes)
        values.append(float(value))
    rounding = 1e-5 if precision == "float32" else 1e-12
    assert np.all(np.diff(values) <= rounding * values[0])
    expected = np.asarray(interpreted(principal_axes)(matrix))[0, 0][:, ::-1]
    overlap = np.abs(expected.T @ np.asarray(axes)[0, 0])
    np.testing.assert_allclose(overlap, np.eye(5), atol=100 * rounding)


# ---- arguments that are functions of parameters -------------------------------------------------


def two_axes(x, how):
    """Common axes of two components in the plane, by their angle or as a rotation."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(jnp.zeros(2), 5.0).to_event(1))
        volume = numpyro.sample("volume", dist.LogNormal(0.0, 2.0))
    if how == "summed over components too":
        log_shape = numpyro.sample("log_shape", dist.ZeroSumNormal(1.0, (2, 2)))
    else:
        with numpyro.plate("components", 2):
            log_shape = numpyro.sample("log_shape", dist.ZeroSumNormal(1.0, (2,)))
    if how == "by angle":
        angle = numpyro.sample("angle", dist.Normal(0.0, 1.0))
        c, s = jnp.cos(angle), jnp.sin(angle)
        orientation = jnp.stack([jnp.stack([c, -s]), jnp.stack([s, c])])
    else:
        orientation = numpyro.sample("orientation", HaarRotation(2))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", EigenNormal(loc[z], volume[z], log_shape[z], orientation), obs=x)


def test_shapes_of_sum_zero_over_components_too_are_not_closed_form(x64):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(30, 2)))
    rungs = {
        how: {b.parameters: b.rung.name for b in program_for(two_axes, split((x, how), {})).blocks}
        for how in ("plain", "summed over components too")
    }
    parts = ("loc", "volume", "log_shape", "orientation")
    assert rungs["plain"] == {("weights",): "closed form", parts: "closed form"}
    assert rungs["summed over components too"][parts] == "numeric, on statistics"


@pytest.mark.slow
def test_axes_by_their_angle_have_the_same_fit(x64):
    rng = np.random.default_rng(4)
    z = np.arange(200) % 2
    scaled = rng.normal(size=(200, 2)) * np.array([[2.0, 0.5], [1.0, 0.4]])[z]
    c, s = np.cos(0.5), np.sin(0.5)
    x = scaled @ np.array([[c, s], [-s, c]]) + np.array([[0.0, 0.0], [4.0, 4.0]])[z]
    closed, numeric = (
        em.EM(two_axes).run(jax.random.key(0), x, how) for how in ("plain", "by angle")
    )
    assert closed.spec.closed_form
    assert not numeric.spec.closed_form
    assert numeric.log_likelihood == pytest.approx(closed.log_likelihood, abs=1e-5)
    axes = np.array(closed.params["orientation"])
    angle = float(numeric.params["angle"]) % np.pi
    assert np.arctan2(axes[1, 0], axes[0, 0]) % (np.pi / 2) == pytest.approx(
        angle % (np.pi / 2), abs=1e-3
    )
