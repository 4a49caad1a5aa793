"""Models whose likelihood is easily misread: fitted right, or refused by name.

Each likelihood is written by hand below, the optimum is SciPy's best of ten starts.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.contrib.control_flow import scan
from scipy import special, stats

from .case import Case, check_density, check_fit, positive, real, simplex, unit

pytestmark = pytest.mark.usefixtures("x64")

_rng = np.random.default_rng(3)
N = 24
HALF = np.arange(N) < N // 2
X = np.where(HALF, -1.5, 2.0) + _rng.normal(size=N)
CASES: dict[str, Case] = {}


def shares(k=2):
    return numpyro.sample("weights", dist.Dirichlet(jnp.ones(k)))


def normals(k=2):
    """Weights, locations, one scale."""
    weights = shares(k)
    loc = numpyro.sample("loc", dist.Normal(0, 5).expand([k]).to_event(1))
    scale = numpyro.sample("scale", dist.HalfNormal(3))
    return weights, loc, scale


NORMALS = {"weights": simplex(2), "loc": real(2), "scale": positive()}


def mixed(weights, by_class):
    """The sum over rows of the log of a mixture; ``by_class`` (n, k) log densities."""
    return special.logsumexp(np.log(weights) + by_class, axis=1).sum()


def normal_mixture(p, x=X):
    return mixed(p["weights"], stats.norm.logpdf(x[:, None], p["loc"], p["scale"]))


# ---- 1. observed sites without z ----------------------------------------------------------------

LABEL = np.arange(8) % 2
W = np.where(LABEL == 0, -1.0, 1.5) + 0.6 * _rng.normal(size=8)


def labelled_apart(x, w, label):
    weights, loc, scale = normals()
    with numpyro.plate("calibration", len(label)):
        numpyro.sample("w", dist.Normal(loc[label], scale), obs=w)
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


CASES["a labelled sample beside the mixture"] = Case(
    labelled_apart,
    (X, W, LABEL),
    lambda p: normal_mixture(p) + stats.norm.logpdf(W, p["loc"][LABEL], p["scale"]).sum(),
    NORMALS,
)


def repeated_measures(x, w):
    weights, loc, scale = normals()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)
    with numpyro.plate("blanks", w.shape[0]):
        numpyro.sample("w", dist.Normal(0.0, scale), obs=w)


CASES["a calibration sample that knows the scale"] = Case(
    repeated_measures,
    (X, W),
    lambda p: normal_mixture(p) + stats.norm.logpdf(W, 0, p["scale"]).sum(),
    NORMALS,
)


def apart(x, w):
    weights, loc, scale = normals()
    mean = numpyro.sample("mean", dist.Normal(0, 5))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)
    with numpyro.plate("others", w.shape[0]):
        numpyro.sample("w", dist.Normal(mean, 1.0), obs=w)


CASES["a sample with a parameter of its own"] = Case(
    apart,
    (X, W),
    lambda p: normal_mixture(p) + stats.norm.logpdf(W, p["mean"], 1.0).sum(),
    NORMALS | {"mean": real()},
    outcome="either",
    words="'w'|'mean'",
)


# ---- 2. factors ---------------------------------------------------------------------------------

COUNTS = np.where(HALF, _rng.poisson(0.8, N), _rng.poisson(5.0, N)) + 0
SEEN = COUNTS[COUNTS > 0]


def truncated(y):
    """Zero-truncated counts, the normaliser of all rows in one factor."""
    weights = shares()
    rate = numpyro.sample("rate", dist.Gamma(2, 1).expand([2]).to_event(1))
    with numpyro.plate("rows", y.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Poisson(rate[z]), obs=y)
    numpyro.factor("seen", -y.shape[0] * jnp.log1p(-jnp.sum(weights * jnp.exp(-rate))))


CASES["the normaliser of a truncated sample"] = Case(
    truncated,
    (SEEN,),
    lambda p: (
        mixed(p["weights"], stats.poisson.logpmf(SEEN[:, None], p["rate"]))
        - len(SEEN) * np.log1p(-np.sum(p["weights"] * np.exp(-p["rate"])))
    ),
    {"weights": simplex(2), "rate": positive(2)},
    centre={"rate": 0.5},
)


def penalised(x):
    weights, loc, scale = normals()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)
    numpyro.factor("ridge", -0.7 * jnp.sum(loc**2))


CASES["a penalty"] = Case(
    penalised, (X,), lambda p: normal_mixture(p) - 0.7 * np.sum(p["loc"] ** 2), NORMALS
)


def factor_by_row(x):
    weights, loc, scale = normals()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)
        numpyro.factor("pull", -0.2 * jnp.abs(loc[z] - 1.0))


CASES["a factor for each row and class"] = Case(
    factor_by_row,
    (X,),
    lambda p: mixed(
        p["weights"],
        stats.norm.logpdf(X[:, None], p["loc"], p["scale"]) - 0.2 * np.abs(p["loc"] - 1.0),
    ),
    NORMALS,
    outcome="either",
    words="'pull'",
)


# ---- 4. data that depend on the class -----------------------------------------------------------

TRIALS = np.array([12, 14])
HITS = np.where(HALF, _rng.binomial(12, 0.2, N), _rng.binomial(14, 0.7, N))


def trials_by_class(y):
    weights = shares()
    p = numpyro.sample("p", dist.Beta(1, 1).expand([2]).to_event(1))
    with numpyro.plate("rows", y.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("y", dist.Binomial(jnp.array(TRIALS)[z], p[z]), obs=y)


CASES["trials by class"] = Case(
    trials_by_class,
    (HITS,),
    lambda p: mixed(p["weights"], stats.binom.logpmf(HITS[:, None], TRIALS, p["p"])),
    {"weights": simplex(2), "p": unit(2)},
)

PAIRS = np.stack([12 - HITS.clip(0, 12), HITS.clip(0, 12)], 1)


def counts_by_class_and_row(y, total):
    weights = shares()
    p = numpyro.sample("p", dist.Beta(1, 1).expand([2]).to_event(1))
    with numpyro.plate("rows", y.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        number = jnp.where(z == 0, total, 2 * total)
        numpyro.sample("y", dist.Binomial(number, p[z]), obs=y)


TOTAL = HITS + 1 + np.arange(N) % 3
CASES["trials by class and row"] = Case(
    counts_by_class_and_row,
    (HITS, TOTAL),
    lambda p: mixed(
        p["weights"],
        stats.binom.logpmf(HITS[:, None], TOTAL[:, None] * np.array([1, 2]), p["p"]),
    ),
    {"weights": simplex(2), "p": unit(2)},
)


# ---- 5. observed values that are not data -------------------------------------------------------


def residuals(x):
    weights, loc, scale = normals()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("e", dist.Normal(0.0, scale), obs=x - loc[z])


CASES["residuals are observed"] = Case(residuals, (X,), normal_mixture, NORMALS)


def standardised(x):
    """The Jacobian by hand, in a factor."""
    weights, loc, scale = normals()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("e", dist.Normal(loc[z] / scale, 1.0), obs=x / scale)
        numpyro.factor("jacobian", -jnp.log(scale))


CASES["a value divided by a parameter"] = Case(standardised, (X,), normal_mixture, NORMALS)


# ---- 6. square data -----------------------------------------------------------------------------

S = 6
SQUARE = (_rng.random((S, S)) < np.where(np.arange(S) < 3, 0.2, 0.8)[:, None]).astype(int)


def square(by_column):
    def model(y):
        weights = shares()
        p = numpyro.sample("p", dist.Beta(1, 1).expand([2]).to_event(1))
        items = numpyro.plate("items", S, dim=-1 if by_column else -2)
        raters = numpyro.plate("raters", S, dim=-2 if by_column else -1)
        with items:
            z = numpyro.sample("z", dist.Categorical(weights))
            with raters:
                numpyro.sample("y", dist.Bernoulli(p[z]), obs=y)

    return model


def square_likelihood(y):
    """Rows of ``y`` are items."""
    return lambda p: mixed(p["weights"], stats.bernoulli.logpmf(y[..., None], p["p"]).sum(1))


PROBABILITIES = {"weights": simplex(2), "p": unit(2)}
CASES["square data, items by column"] = Case(
    square(True), (SQUARE.T,), square_likelihood(SQUARE), PROBABILITIES
)
CASES["square data, items by row"] = Case(
    square(False), (SQUARE,), square_likelihood(SQUARE), PROBABILITIES
)


def square_by_rater(y):
    weights = shares()
    p = numpyro.sample("p", dist.Beta(1, 1).expand([2, S]).to_event(2))
    with numpyro.plate("items", S):
        z = numpyro.sample("z", dist.Categorical(weights))
        with numpyro.plate("raters", S, dim=-2):
            numpyro.sample("y", dist.Bernoulli(p[z].T), obs=y)


CASES["square data, a probability for each rater"] = Case(
    square_by_rater,
    (SQUARE.T,),
    lambda p: mixed(p["weights"], stats.bernoulli.logpmf(SQUARE[:, None], p["p"]).sum(2)),
    {"weights": simplex(2), "p": unit(2, S)},
)


# ---- 7. piecewise functions of parameters -------------------------------------------------------


def clipped_scale(x):
    weights, loc, scale = normals()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], jnp.clip(scale, 1.0)), obs=x)


CASES["clip(scale, 1)"] = Case(
    clipped_scale,
    (X,),
    lambda p: normal_mixture(p | {"scale": np.maximum(p["scale"], 1.0)}),
    NORMALS,
)


def by_function(function):
    def model(x):
        weights, loc, _ = normals_of_scale_one()
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(function(loc[z]), 1.0), obs=x)

    return model


def normals_of_scale_one():
    weights = shares()
    loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]).to_event(1))
    return weights, loc, 1.0


LOCATIONS = {"weights": simplex(2), "loc": real(2)}
for name, in_jax, in_numpy in (
    ("abs(loc)", jnp.abs, np.abs),
    ("clip(loc, -1, 1)", lambda v: jnp.clip(v, -1, 1), lambda v: np.clip(v, -1, 1)),
    ("relu(loc)", jax.nn.relu, lambda v: np.maximum(v, 0)),
    (
        "where(loc > 1, loc, 2 loc - 1)",
        lambda v: jnp.where(v > 1, v, 2 * v - 1),
        lambda v: np.where(v > 1, v, 2 * v - 1),
    ),
    ("softplus(loc)", jax.nn.softplus, lambda v: np.logaddexp(v, 0)),
):
    CASES[name] = Case(
        by_function(in_jax),
        (X,),
        lambda p, f=in_numpy: normal_mixture(p | {"loc": f(p["loc"]), "scale": 1.0}),
        LOCATIONS,
        start=2.0,
    )

T = np.linspace(-2, 2, N)


def rectified_lines(x, t):
    weights = shares()
    a = numpyro.sample("a", dist.Normal(0, 3).expand([2]).to_event(1))
    b = numpyro.sample("b", dist.Normal(0, 3).expand([2]).to_event(1))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(jax.nn.relu(a[z] + b[z] * t), 1.0), obs=x)


CASES["relu(a + b t)"] = Case(
    rectified_lines,
    (X, T),
    lambda p: mixed(
        p["weights"],
        stats.norm.logpdf(X[:, None], np.maximum(p["a"] + p["b"] * T[:, None], 0), 1.0),
    ),
    {"weights": simplex(2), "a": real(2), "b": real(2)},
    start=1.5,
    within=0.01,
)


# ---- 9. one row that reads another's class ------------------------------------------------------

MANY = 200
PARENT = np.arange(MANY)
PARENT[100:110] = np.arange(10)
FAMILY = _rng.normal(np.where(np.arange(MANY) % 2 == 0, -1.0, 1.0))


def parents(x, parent):
    weights, loc, _ = normals_of_scale_one()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z[parent]], 1.0), obs=x)


def parents_likelihood(p):
    joint = np.zeros((MANY, 2))
    np.add.at(joint, PARENT, stats.norm.logpdf(FAMILY[:, None], p["loc"], 1.0))
    return mixed(p["weights"], joint)


CASES["some rows follow another's class"] = Case(
    parents, (FAMILY, PARENT), parents_likelihood, LOCATIONS, outcome="either", words="'[zx]'"
)


def both_classes(x, parent):
    weights, loc, _ = normals_of_scale_one()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z] + 0.5 * z[parent], 1.0), obs=x)


def both_likelihood(p):
    """Rows 100 to 109 read rows 0 to 9; all others read themselves."""
    log_w, total = np.log(p["weights"]), 0.0
    z = np.arange(2)
    own = stats.norm.logpdf(FAMILY[:, None], p["loc"] + 0.5 * z, 1.0)
    for i in range(10, MANY):
        if not 100 <= i < 110:
            total += special.logsumexp(log_w + own[i])
    for child in range(100, 110):
        parent = PARENT[child]
        mean = p["loc"][None] + 0.5 * z[:, None]
        pair = stats.norm.logpdf(FAMILY[child], mean, 1.0)  # (class of parent, own class)
        total += special.logsumexp((log_w + own[parent])[:, None] + log_w + pair)
    return total


CASES["some rows feel another's class too"] = Case(
    both_classes, (FAMILY, PARENT), both_likelihood, LOCATIONS, outcome="either", words="'[zx]'"
)


# ---- 10. the shape of z -------------------------------------------------------------------------


def by_size(size):
    def model(x):
        weights, loc, scale = normals()
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[z], scale * jnp.sqrt(size(z) / 8)), obs=x)

    return model


for name, size in (
    ("z.size", lambda z: z.size),
    ("z.shape[0]", lambda z: z.shape[0]),
    ("len(z)", len),
):
    CASES[name] = Case(
        by_size(size),
        (X,),
        lambda p: normal_mixture(p | {"scale": p["scale"] * np.sqrt(N / 8)}),
        NORMALS,
    )


# ---- 14. chains ---------------------------------------------------------------------------------

TIMES, SERIES = 5, 2
SEQUENCES = _rng.poisson(3.0, size=(TIMES, SERIES))


def hidden_markov(y):
    """Sequences side by side, as in NumPyro's own example: the first state is 0."""
    transition = numpyro.sample("transition", dist.Dirichlet(jnp.ones((2, 2))).to_event(1))
    rate = numpyro.sample("rate", dist.Gamma(2, 1).expand([2]).to_event(1))

    def step(z, y):
        with numpyro.plate("sequences", y.shape[0]):
            z = numpyro.sample("z", dist.Categorical(transition[z]))
            numpyro.sample("y", dist.Poisson(rate[z]), obs=y)
        return z, None

    scan(step, jnp.zeros(y.shape[1], int), y)


def forward(p):
    total = 0.0
    for y in SEQUENCES.T:
        alpha = np.log([1.0, 1e-300])
        for count in y:
            alpha = special.logsumexp(alpha[:, None] + np.log(p["transition"]), 0)
            alpha = alpha + stats.poisson.logpmf(count, p["rate"])
        total += special.logsumexp(alpha)
    return total


CASES["a hidden Markov model by scan"] = Case(
    hidden_markov,
    (SEQUENCES,),
    forward,
    {"transition": simplex(2, 2), "rate": positive(2)},
    outcome="either",
    words="'z'.*scan|scan.*'z'",
)

FEW = 8


def cumulated(x):
    """The number of changes so far: an associative scan over z."""
    weights, loc, _ = normals_of_scale_one()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        level = jax.lax.associative_scan(jnp.add, z)
        numpyro.sample("x", dist.Normal(loc[0] + loc[1] * level, 1.0), obs=x)


def by_enumeration(mean):
    """The likelihood of few rows by all their configurations of two classes."""

    def likelihood(p):
        found = []
        for z in map(np.array, itertools.product((0, 1), repeat=FEW)):
            score = np.log(p["weights"])[z].sum()
            found.append(score + stats.norm.logpdf(X[:FEW], mean(p, z), 1.0).sum())
        return special.logsumexp(found)

    return likelihood


CASES["an associative scan"] = Case(
    cumulated,
    (X[:FEW],),
    by_enumeration(lambda p, z: p["loc"][0] + p["loc"][1] * np.cumsum(z)),
    LOCATIONS,
    outcome="either",
    words="'[zx]'",
)


# ---- 16. networks, shapes of z ------------------------------------------------------------------

ROWS, COLUMNS = 4, 4
LINKS = (_rng.random((ROWS, COLUMNS)) < 0.5).astype(int)


def two_plates(y):
    weights = shares()
    p = numpyro.sample("p", dist.Beta(1, 1).expand([2, 2]).to_event(2))
    senders = numpyro.plate("senders", y.shape[0], dim=-2)
    receivers = numpyro.plate("receivers", y.shape[1], dim=-1)
    with senders:
        z = numpyro.sample("z", dist.Categorical(weights))
    with receivers:
        u = numpyro.sample("u", dist.Categorical(weights))
    with senders, receivers:
        numpyro.sample("y", dist.Bernoulli(p[z, u]), obs=y)


def two_plates_likelihood(p):
    found = []
    for z in itertools.product((0, 1), repeat=ROWS):
        for u in itertools.product((0, 1), repeat=COLUMNS):
            probs = p["p"][np.ix_(z, u)]
            score = np.log(p["weights"])[[*z, *u]].sum()
            found.append(score + stats.bernoulli.logpmf(LINKS, probs).sum())
    return special.logsumexp(found)


def one_plate(y):
    weights = shares()
    p = numpyro.sample("p", dist.Beta(1, 1).expand([2, 2]).to_event(2))
    with numpyro.plate("nodes", y.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
    numpyro.sample("y", dist.Bernoulli(p[z[:, None], z]).to_event(2), obs=y)


def one_plate_likelihood(p):
    found = []
    for z in map(np.array, itertools.product((0, 1), repeat=ROWS)):
        probs = p["p"][z[:, None], z]
        score = np.log(p["weights"])[z].sum()
        found.append(score + stats.bernoulli.logpmf(LINKS, probs).sum())
    return special.logsumexp(found)


NETWORK = {"weights": simplex(2), "p": unit(2, 2)}
CASES["a block model of two plates"] = Case(
    two_plates, (LINKS,), two_plates_likelihood, NETWORK, outcome="either", words="'[zuy]'"
)
CASES["a block model of one plate"] = Case(
    one_plate, (LINKS,), one_plate_likelihood, NETWORK, outcome="either", words="'[zy]'"
)


def drawn_as(draw):
    def model(x):
        weights, loc, scale = normals()
        z = draw(weights, x.shape[0])
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)

    return model


for name, draw in (
    ("expand", lambda w, n: numpyro.sample("z", dist.Categorical(w).expand([n]))),
    ("sample_shape", lambda w, n: numpyro.sample("z", dist.Categorical(w), sample_shape=(n,))),
    (
        "probabilities for each row",
        lambda w, n: numpyro.sample("z", dist.Categorical(jnp.broadcast_to(w, (n, 2)))),
    ),
):
    CASES[f"z by {name}"] = Case(
        drawn_as(draw), (X,), normal_mixture, NORMALS, outcome="either", words="'z'"
    )


def sample_shape_in_a_plate(x):
    """Of one row two classes, of which both are summed out."""
    weights, loc, scale = normals()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights), sample_shape=(2, x.shape[0]))
        numpyro.sample("x", dist.Normal(loc[z[0]] + loc[z[1]], scale), obs=x)


def sums_of_two(p):
    pairs = np.log(p["weights"])[:, None] + np.log(p["weights"])
    mean = p["loc"][:, None] + p["loc"]
    by_row = stats.norm.logpdf(X[:, None, None], mean, p["scale"]) + pairs
    return special.logsumexp(by_row.reshape(N, -1), axis=1).sum()


CASES["two classes of a row by sample_shape"] = Case(
    sample_shape_in_a_plate, (X,), sums_of_two, NORMALS, outcome="either", words="'[zx]'"
)


def masked_site(x, keep):
    weights, loc, scale = normals()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        with handlers.mask(mask=keep):
            numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


KEEP = np.arange(N) % 5 != 0
CASES["a mask"] = Case(masked_site, (X, KEEP), lambda p: normal_mixture(p, X[KEEP]), NORMALS)


QUICK = ("square data, items by column", "abs(loc)", "trials by class", "z.size", "z by expand")


@pytest.mark.parametrize("name", CASES)
def test_the_density_is_that_written_by_hand(name):
    check_density(CASES[name])


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in CASES]
)
def test_the_fit_is_right_or_refused_by_name(name):
    check_fit(CASES[name])
