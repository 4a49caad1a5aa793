"""`mixpyro.distributions`: rotations as parameters, and the normal that they serve."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.distributions import biject_to
from numpyro.distributions.transforms import Transform
from scipy import integrate, linalg, stats

from mixpyro.distributions import (
    CensoredWeibull,
    ConditionalRasch,
    EigenNormal,
    HaarRotation,
    HurdlePoisson,
    MultivariateNormalOrUniform,
    NormalOrUniform,
    PositiveBinomial,
    or_uniform,
    rotation,
)
from mixpyro.em.machine.by_numpy.interpret import interpreted


@pytest.mark.parametrize("d", [1, 5])
def test_a_rotation_and_its_coordinates(d, precision):
    size = d * (d - 1) // 2
    transform = biject_to(rotation)
    assert isinstance(transform, Transform)
    assert transform.inverse_shape((4, d, d)) == (4, size)
    assert transform.forward_shape((4, size)) == (4, d, d)
    x = np.random.default_rng(0).normal(size=(4, size)).astype(precision)

    @interpreted
    def there_and_back(x):
        rotations = transform(x)
        return rotations, transform.inv(rotations), rotation(rotations), transform(0 * x)

    rotations, back, inside, neutral = there_and_back(x)
    assert rotations.shape == (4, d, d)
    assert rotations.dtype == precision
    assert np.all(inside)
    rtol = 1e-4 if precision == "float32" else 1e-12
    np.testing.assert_allclose(back, x, rtol=rtol, atol=rtol)
    np.testing.assert_array_equal(neutral, np.broadcast_to(np.eye(d), (4, d, d)))


def test_what_is_no_rotation(precision):
    matrices = jnp.array(
        [[[1.0, 0.0], [0.0, -1.0]], [[1.0, 0.01], [0.0, 1.0]], [[0.0, -1.0], [1.0, 0.0]]]
    )
    np.testing.assert_array_equal(
        interpreted(lambda x: rotation(x))(matrices), [False, False, True]
    )


@interpreted
def rotated(x):
    """The rotations of some coordinates, and the log density of these if they are uniform."""
    y = biject_to(rotation)(x)
    return y, biject_to(rotation).log_abs_det_jacobian(x, y)


@pytest.mark.parametrize("d", [3, 4])
def test_the_jacobian_grows_as_that_of_the_matrix_entries(d, x64):
    """The metric of the entries is a multiple of Haar's: the volumes have a constant ratio."""
    size, step = d * (d - 1) // 2, 1e-5
    x = np.random.default_rng(1).normal(size=(6, 1, 1, size))
    moved = x + np.array([[step], [-step]])[..., None] * np.eye(size)
    entries = np.asarray(rotated(moved.reshape(-1, size))[0]).reshape(6, 2, size, d * d)
    jacobian = (entries[:, 0] - entries[:, 1]) / (2 * step)
    volume = np.linalg.slogdet(jacobian @ jacobian.swapaxes(1, 2))[1] / 2
    difference = rotated(x[:, 0, 0])[1] - volume
    np.testing.assert_allclose(difference, difference[0], rtol=1e-7)


def test_the_coordinate_of_a_plane_rotation_is_cauchy(x64):
    x = np.linspace(-20, 20, 41)
    np.testing.assert_allclose(np.exp(rotated(x[:, None])[1]), stats.cauchy.pdf(x), rtol=1e-12)


def test_the_coordinates_in_three_dimensions_have_a_density_of_mass_one(x64):
    angle = np.linspace(0, np.pi / 2, 402)[1:-1]
    radius = np.tan(angle)  # the density depends on the length alone
    density = np.exp(rotated(radius[:, None] * [1.0, 0.0, 0.0])[1])
    mass = integrate.simpson(4 * np.pi * radius**2 * density * (1 + radius**2), x=angle)
    assert mass == pytest.approx(1, abs=1e-2)


def test_the_density_has_mass_one_against_draws_in_four_dimensions(x64):
    """``E[g(x) / p(x)] = 1`` over draws x of p, for another density g."""
    sample = interpreted(
        lambda key: biject_to(rotation).inv(HaarRotation(4).sample(key, (10_000,)))
    )
    x = np.asarray(sample(jax.random.key(0)))
    other = stats.multivariate_normal.pdf(x, np.zeros(6), 0.3 * np.eye(6))
    ratio = other / np.exp(rotated(x)[1])
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(len(ratio))
    assert ratio.std() / np.sqrt(len(ratio)) < 0.05


def test_uniform_rotations():
    uniform = HaarRotation(3)

    @interpreted
    def sample(key):
        draws = uniform.sample(key, (2000,))
        return draws, uniform.support(draws), uniform.log_prob(draws)

    draws, inside, log_prob = map(np.asarray, sample(jax.random.key(1)))
    assert np.all(inside)
    np.testing.assert_array_equal(log_prob, np.zeros(2000))
    # The angle of a uniform rotation has density (1 - cos t) / pi; its axis is uniform.
    angles = np.arccos(np.clip((np.trace(draws, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert stats.kstest(angles, lambda t: (t - np.sin(t)) / np.pi).pvalue > 1e-3
    assert stats.kstest(draws[:, 2, 0], stats.uniform(-1, 2).cdf).pvalue > 1e-3
    with pytest.raises(ValueError, match="dimension must be 1 or more"):
        HaarRotation(0)


LOC = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])
VOLUME = np.array([0.4, 2.5])
LOG_SHAPE = np.array([[1.2, -0.2, -1.0], [0.3, 0.1, -0.4]])
AXES = np.stack(
    [linalg.expm([[0, a, b], [-a, 0, 0.3], [-b, -0.3, 0]]) for a, b in [(0.5, 1), (2, 0)]]
)
MATRICES = [
    v * a @ np.diag(np.exp(s)) @ a.T for v, a, s in zip(VOLUME, AXES, LOG_SHAPE, strict=True)
]


def test_the_density_is_scipys(precision):
    x = np.random.default_rng(0).normal(size=(7, 1, 3)).astype(precision)
    expected = [
        stats.multivariate_normal.logpdf(x[:, 0], m, c) for m, c in zip(LOC, MATRICES, strict=True)
    ]
    rtol = 1e-5 if precision == "float32" else 1e-12

    @interpreted
    def everything(*arguments):
        fn = EigenNormal(*arguments)
        assert fn.batch_shape == (2,)
        assert fn.event_shape == (3,)
        return fn.log_prob(x), fn.covariance_matrix, fn.variance, fn.mean

    arguments = [np.asarray(a, precision) for a in (LOC, VOLUME, LOG_SHAPE, AXES)]
    log_prob, matrices, variance, mean = everything(*arguments)
    np.testing.assert_allclose(log_prob, np.stack(expected, 1), rtol=rtol)
    np.testing.assert_allclose(matrices, MATRICES, rtol=100 * rtol, atol=rtol)
    np.testing.assert_allclose(variance, [np.diag(c) for c in MATRICES], rtol=10 * rtol)
    np.testing.assert_allclose(mean, LOC, rtol=rtol)


def test_draws_have_the_mean_and_covariance(x64):
    fn = EigenNormal(LOC, VOLUME, LOG_SHAPE, AXES)
    draws = np.asarray(fn.sample(jax.random.key(0), (20_000,)))
    assert draws.shape == (20_000, 2, 3)
    for k in range(2):
        np.testing.assert_allclose(draws[:, k].mean(0), LOC[k], atol=0.06)
        np.testing.assert_allclose(np.cov(draws[:, k].T), MATRICES[k], atol=0.12)


def test_shared_parts_broadcast(x64):
    @interpreted
    def both(x):
        fn = EigenNormal(LOC, VOLUME[0], LOG_SHAPE[0], AXES[0])
        apart = EigenNormal(LOC, VOLUME[[0, 0]], LOG_SHAPE[[0, 0]], AXES[[0, 0]])
        return fn.log_prob(x), apart.log_prob(x), fn.sample(jax.random.key(0))

    together, apart, draw = both(np.ones((5, 1, 3)))
    np.testing.assert_allclose(together, apart, rtol=1e-14)
    assert draw.shape == (2, 3)


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="must end in"):
        EigenNormal(jnp.zeros(2), 1.0, jnp.zeros(3), jnp.eye(3))


def test_inadmissible_arguments_are_refused():
    good = {"loc": LOC[0], "volume": 1.0, "log_shape": np.zeros(3), "orientation": np.eye(3)}
    EigenNormal(**good, validate_args=True)
    for name, bad in {"volume": -1.0, "log_shape": np.ones(3), "orientation": -np.eye(3)}.items():
        with pytest.raises(ValueError, match=f"invalid {name} parameter"):
            EigenNormal(**good | {name: bad}, validate_args=True)


NOISE = np.array([False, True])


def test_a_normal_or_uniform_is_either(precision):
    """A row inside the box, one at its corner, one outside: by SciPy."""
    covariance = np.array([[2.0, 0.5], [0.5, 1.0]])
    low, high = np.array([-1.0, 0.0]), np.array([3.0, 2.0])
    x = np.array([[0.5, 1.0], [3.0, 2.0], [3.1, 1.0]])[:, None].astype(precision)

    @interpreted
    def both(x, noise):
        normal = dist.MultivariateNormal(jnp.zeros(2), covariance_matrix=covariance)
        whole = or_uniform(normal, noise, low, high)
        by_entry = or_uniform(dist.Normal(jnp.zeros(2), jnp.ones(2)).to_event(1), noise, low, high)
        assert type(whole) is MultivariateNormalOrUniform
        assert type(by_entry.base_dist) is NormalOrUniform
        assert whole.batch_shape == by_entry.batch_shape == (2,)
        assert whole.event_shape == by_entry.event_shape == (2,)
        return whole.log_prob(x), by_entry.log_prob(x)

    noise = np.where([True, True, False], -np.log(4 * 2), -np.inf)
    whole, by_entry = both(x, NOISE)
    own = stats.multivariate_normal.logpdf(x[:, 0], np.zeros(2), covariance)
    np.testing.assert_allclose(whole, np.stack([own, noise], 1), rtol=1e-5)
    own = stats.norm.logpdf(x[:, 0]).sum(-1)
    np.testing.assert_allclose(by_entry, np.stack([own, noise], 1), rtol=1e-5)


def test_draws_of_a_normal_or_uniform(x64):
    fn = or_uniform(dist.Normal(4.0, 0.5), NOISE, -1.0, 2.0)
    draws = np.asarray(fn.sample(jax.random.key(1), (4000,)))
    assert draws.shape == (4000, 2)
    assert stats.kstest(draws[:, 0], stats.norm(4.0, 0.5).cdf).pvalue > 1e-3
    assert stats.kstest(draws[:, 1], stats.uniform(-1.0, 3.0).cdf).pvalue > 1e-3
    np.testing.assert_allclose(fn.mean, [4.0, 0.5])
    np.testing.assert_allclose(fn.variance, [0.25, 9 / 12])


def test_other_bases_are_refused():
    with pytest.raises(ValueError, match="no uniform noise beside a Poisson"):
        or_uniform(dist.Poisson(2.0), NOISE, 0.0, 9.0)
    with pytest.raises(ValueError, match="NormalOrUniform needs a Normal"):
        NormalOrUniform(dist.Cauchy(), NOISE, 0.0, 9.0)


def test_hurdle_counts_are_zero_by_the_gate_and_else_truncated_poisson():
    gate, rate = np.array([0.2, 0.7, 0.4]), np.array([0.01, 2.5, 40.0])
    law = HurdlePoisson(gate, rate)
    x = np.arange(200)[:, None]
    probs = np.exp(np.asarray(jax.jit(law.log_prob)(x), float))
    truncated = stats.poisson.pmf(x, rate) / stats.poisson.sf(0, rate)
    np.testing.assert_allclose(probs, np.where(x == 0, gate, (1 - gate) * truncated), 2e-4, 1e-7)
    np.testing.assert_allclose((probs * x).sum(0), law.mean, rtol=1e-4)
    np.testing.assert_allclose((probs * (x - law.mean) ** 2).sum(0), law.variance, rtol=1e-3)


def test_hurdle_draws_have_the_shares_of_the_density():
    law = HurdlePoisson(0.3, 1.5)
    draws = np.asarray(jax.jit(lambda: law.sample(jax.random.key(0), (20_000,)))())
    expected = np.exp(np.asarray(law.log_prob(np.arange(8)), float))
    counts = np.append(np.bincount(draws, minlength=8)[:7], (draws >= 7).sum())
    expected[7] = 1 - expected[:7].sum()
    assert stats.chisquare(counts, expected * len(draws)).pvalue > 1e-4


def test_a_positive_binomial_has_no_zeros():
    law = PositiveBinomial(np.array([0.02, 0.6]), 5)
    x = np.arange(1, 6)
    binomial = stats.binom(5, [0.02, 0.6])
    expected = binomial.pmf(x[:, None]) / binomial.sf(0)
    np.testing.assert_allclose(np.exp(law.log_prob(x[:, None])), expected, rtol=1e-4)
    draws = np.asarray(jax.jit(lambda: law.sample(jax.random.key(1), (20_000,)))())
    for column, probs in zip(draws.T, expected.T, strict=True):
        counts = np.bincount(column, minlength=6)[1:]
        pooled = [*counts[:2], counts[2:].sum()], [*probs[:2], probs[2:].sum()]
        assert stats.chisquare(pooled[0], 20_000 * np.array(pooled[1])).pvalue > 1e-4


def test_a_censored_weibull_lives_to_its_limit_at_most():
    law = CensoredWeibull(3.0, 1.5, np.array([2.0, np.inf]))
    theirs = stats.weibull_min(1.5, scale=3.0)
    np.testing.assert_allclose(law.log_prob(1.0), theirs.logpdf(1.0), rtol=1e-5)
    np.testing.assert_allclose(law.log_prob(2.0), [theirs.logsf(2.0), theirs.logpdf(2.0)], 1e-5)
    draws = np.asarray(jax.jit(lambda: law.sample(jax.random.key(2), (4000,)))())
    assert stats.kstest(draws[:, 1], theirs.cdf).pvalue > 1e-4
    alive = (draws[:, 0] == 2.0).sum()
    assert stats.binomtest(int(alive), 4000, theirs.sf(2.0)).pvalue > 1e-4
    endless = CensoredWeibull(1e30, 1.5, 2.0)
    np.testing.assert_allclose(endless.log_prob(2.0), 0.0, atol=1e-6)
    assert endless.log_prob(1.0) < -50


def test_conditional_rasch_draws_have_the_shares_of_the_density():
    law = ConditionalRasch(np.array([-1.0, 0.5, 0.5]), np.array([0.3, 0.7]))
    answers = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, -1).T
    probs = np.exp(np.asarray(jax.jit(law.log_prob)(answers), float))
    assert probs[[0, 7]].tolist() == [0, 0]
    np.testing.assert_allclose(probs[answers.sum(1) == 1].sum(), 0.3, rtol=1e-5)
    np.testing.assert_allclose(probs[4] / probs[2], np.exp(1.5), rtol=1e-5)
    draws = np.asarray(jax.jit(lambda: law.sample(jax.random.key(0), (20_000,)))())
    counts = np.bincount(draws @ [4, 2, 1], minlength=8)
    expected = probs[1:7] / probs[1:7].sum()  # single precision is not exactly 1
    assert stats.chisquare(counts[1:7], 20_000 * expected).pvalue > 1e-4
