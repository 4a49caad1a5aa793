"""A rotation by three angles."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import constraints
from scipy import linalg, optimize, stats

from mixpyro.distributions import EigenNormal, rotation
from mixpyro.em.families import Statistics, Ties, find
from mixpyro.em.machine.by_numpy.interpret import interpreted

from .case import Case

K, D, N = 3, 3, 60
FAMILY = find(EigenNormal)


def turned(*angles):
    """A rotation by three angles."""
    return linalg.expm(
        [[0, -angles[0], angles[1]], [angles[0], 0, -angles[2]], [-angles[1], angles[2], 0]]
    )


def covariance(volume, log_shape, orientation):
    scaled = orientation * np.exp(log_shape)[..., None, :]
    return np.asarray(volume)[..., None, None] * (scaled @ np.swapaxes(orientation, -1, -2))


def draw(rng, loc, **parts):
    factor = np.linalg.cholesky(covariance(**parts))
    return loc + (factor @ rng.normal(size=(*loc.shape, 1)))[..., 0]


def log_density(x, loc, **parts):
    return stats.multivariate_normal.logpdf(x, loc, covariance(**parts))


CASES = [
    Case(
        distribution=EigenNormal,
        params={
            "loc": [[-2.0, 0.0, 1.0], [5.0, 4.0, 0.0]],
            "volume": [0.5, 2.0],
            "log_shape": [[1.0, 0.1, -1.1], [0.8, -0.3, -0.5]],
            "orientation": [turned(0.4, -0.3, 0.2), turned(-0.5, 0.1, 0.6)],
        },
        supports={
            "loc": constraints.real_vector,
            "volume": constraints.positive,
            "log_shape": constraints.zero_sum(1),
            "orientation": rotation,
        },
        make=EigenNormal,
        draw=draw,
        log_density=log_density,
    )
]

NAMES = ["EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV"]
# I is held fixed: a volume of 1.5, a shape that is no sphere where axes are free, the identity.
NAMES += ["VVV", "IVV", "VIV", "IVE", "EIE", "IIV"]
QUICK = {"VVE"}
# The skew-symmetric matrices of three dimensions, flat.
SKEW = np.array(
    [[0, -1, 0, 1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, -1, 0, 0], [0, 0, 0, 0, 0, -1, 0, 1, 0]]
)
FIXED_SHAPE = np.array([[-0.7, 0.2, 0.5], [0.4, 0.1, -0.5], [0.9, -1.2, 0.3]])


def patterns(names):
    return [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in names]


def tie(letter):
    groups = np.arange(K) if letter == "V" else np.zeros(K, int)
    return Ties(groups[:, None], np.full((K, 1), letter == "I"))


@functools.cache
def problem():
    """Rows in columns of very different size, responsibilities, and their statistics."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N, D)) @ rng.normal(size=(D, D)) * [1.0, 5.0, 0.2] + [3.0, -2.0, 0.5]
    x[:20] *= 2
    resp = rng.dirichlet(np.full(K, 0.3), N).T
    centre, spread = x.mean(0), x.std(0)
    u = jnp.asarray(((x - centre) / spread).T[None])
    features = FAMILY.features(u, {}, {})
    sums = jnp.einsum("cqn,kn->kcq", features, resp)
    statistics = Statistics(jnp.asarray(resp.sum(1))[:, None], sums)
    reference = {"centre": jnp.asarray(centre)[None], "spread": jnp.asarray(spread)[None]}
    return x, resp, statistics, reference


def start(name):
    shape = FIXED_SHAPE if name[1] == "I" and name[2] != "I" else np.zeros((K, D))
    parts = {
        "loc": np.zeros((K, D)),
        "volume": np.full(K, 1.5),
        "log_shape": shape,
        "orientation": np.broadcast_to(np.eye(D), (K, D, D)),
    }
    return {n: jnp.asarray(v)[:, None] for n, v in parts.items()}


def ties_of(name):
    return {
        "loc": tie("V"),
        **dict(zip(["volume", "log_shape", "orientation"], map(tie, name), strict=True)),
    }


@functools.cache
def estimator(name):
    reference = problem()[-1]
    return interpreted(lambda s, a: FAMILY.estimate(s, a, ties_of(name), reference))


def estimated(name, args=None):
    found = estimator(name)(problem()[2], start(name) if args is None else args)
    return {n: np.asarray(v)[:, 0] for n, v in found.items()}


def expected_log_likelihood(loc, **parts):
    x, resp, *_ = problem()
    matrices = covariance(**parts)
    log_densities = [
        stats.multivariate_normal.logpdf(x, m, (c + c.T) / 2)
        for m, c in zip(loc, matrices, strict=True)
    ]
    return (resp * np.array(log_densities)).sum()


def scipy_optimum(name, found, rng):
    """The best of SciPy's climbs, one from near ``found``, the others from anywhere."""
    x, resp, *_ = problem()
    count = resp.sum(1)
    loc = resp @ x / count[:, None]
    away = x - loc[:, None]
    scatter = np.einsum("kn,kni,knj->kij", resp, away, away)
    fixed = {n: np.asarray(v)[:, 0] for n, v in start(name).items()}
    sizes = {"volume": 1, "log_shape": D, "orientation": D * (D - 1) // 2}
    letters = dict(zip(sizes, name, strict=True))

    def parts(vector, base):
        out, at = {}, 0
        for part, size in sizes.items():
            copies = {"I": 0, "E": 1, "V": K}[letters[part]]
            step = vector[at : at + size * copies].reshape(copies, size)
            at += size * copies
            if not copies:
                out[part] = fixed[part]
            elif part == "volume":
                out[part] = base[part] * np.exp(np.broadcast_to(step[:, 0], K))
            elif part == "log_shape":
                out[part] = base[part] + np.broadcast_to(step - step.mean(1, keepdims=True), (K, D))
            else:
                skew = (step @ SKEW).reshape(-1, D, D)
                turns = np.linalg.solve(np.eye(D) + skew, np.eye(D) - skew)
                out[part] = base[part] @ np.broadcast_to(turns, (K, D, D))
        return out

    def loss(vector, base):
        new = parts(vector, base)
        inverse = np.exp(-new["log_shape"]) / new["volume"][:, None]
        axes = new["orientation"]
        along = np.einsum("kip,kij,kjp->kp", axes, scatter, axes)
        log_det = D * np.log(new["volume"])
        return (count * log_det + (along * inverse).sum(1)).sum() / 2

    size = sum(sizes[part] * {"I": 0, "E": 1, "V": K}[letters[part]] for part in sizes)
    best = None
    bases = [(found, 0.01), (found, 0.5), (fixed, 0.5)]
    for base, width in bases:
        guess = width * rng.standard_normal(size)
        result = optimize.minimize(loss, guess, (base,), method="BFGS", options={"gtol": 1e-6})
        if best is None or result.fun < best[0]:
            best = result.fun, parts(result.x, base)
    return loc, best[1]


@pytest.mark.parametrize("name", patterns(NAMES))
def test_the_m_step_is_scipys_optimum(name, x64):
    found = estimated(name)
    loc, theirs = scipy_optimum(name, found, np.random.default_rng(8))
    np.testing.assert_allclose(found["loc"], loc, rtol=1e-9)
    value = expected_log_likelihood(**found)
    assert value == pytest.approx(expected_log_likelihood(loc, **theirs), abs=1e-6)
    for part, letter in zip(["volume", "log_shape", "orientation"], name, strict=True):
        if letter == "I":
            np.testing.assert_array_equal(found[part], np.asarray(start(name)[part])[:, 0])
        elif letter == "E":
            np.testing.assert_array_equal(
                found[part], np.broadcast_to(found[part][0], found[part].shape)
            )
    np.testing.assert_allclose(found["log_shape"].sum(-1), 0, atol=1e-12)
    assert np.all(rotation(jnp.asarray(found["orientation"])))


@pytest.mark.parametrize("name", patterns(NAMES))
def test_another_m_step_changes_nothing(name, x64):
    first = estimated(name)
    again = estimated(name, {n: jnp.asarray(v)[:, None] for n, v in first.items()})
    gain = expected_log_likelihood(**again) - expected_log_likelihood(**first)
    assert abs(gain) < 1e-8
    for part, value in first.items():
        np.testing.assert_allclose(again[part], value, rtol=1e-4, atol=1e-4, err_msg=part)


@pytest.mark.parametrize("name", patterns(["VEV", "VVE", "VVV", "EVE", "EEV"]))
def test_shapes_decrease_and_axes_stay_near_the_features(name, x64):
    found = estimated(name)
    assert np.all(np.diff(found["log_shape"].sum(0)) < 0)
    if name[1] != "V" or name[2] == "V":
        assert np.all(np.diff(found["log_shape"], axis=-1) < 0)
    assert np.all(np.linalg.det(np.eye(D) + found["orientation"]) >= 1 - 1e-9)


def test_an_empty_component_keeps_what_it_had(x64):
    statistics = problem()[2]
    count = statistics.count.at[1].set(0)
    sums = statistics.sums.at[1].set(0)
    args = start("VVV")
    args["log_shape"] = jnp.asarray(np.sort(FIXED_SHAPE)[:, ::-1].copy())[:, None]
    found = estimator("VVV")(Statistics(count, sums), args)
    for part, value in found.items():
        assert np.all(np.isfinite(value))
        np.testing.assert_allclose(value[1], args[part][1], rtol=1e-12, atol=1e-12, err_msg=part)
        assert np.abs(value[0] - args[part][0]).max() > 1e-3


def test_collapse_is_of_a_components_own_scale(x64):
    *_, reference = problem()
    args = start("VVV")
    spread = np.asarray(reference["spread"])
    tiny = 1e-9
    args["volume"] = args["volume"].at[1].multiply(tiny**2)
    expected = np.sqrt(1.5) / spread.max() * np.array([1, tiny, 1])
    for name in ("VII", "VEE", "VVE", "VVV", "VEV"):
        own = FAMILY.relative_scale(args, ties_of(name), reference)
        np.testing.assert_allclose(own, expected, rtol=1e-9, err_msg=name)
    # A free shape with a shared volume can degenerate, shared shapes and volumes cannot.
    assert np.all(np.isfinite(FAMILY.relative_scale(args, ties_of("EVV"), reference)))
    for name in ("EII", "EEI", "EEE", "EEV"):
        assert np.all(np.isinf(FAMILY.relative_scale(args, ties_of(name), reference)))
