"""Bad input is a ValueError that names the site, the place, and what to do."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest
from numpyro import handlers
from numpyro.contrib.control_flow import scan

from mixpyro import em, models

KEY = jax.random.key(0)
X = np.array([-1.0, 0.0, 0.5, 4.0, 5.0, 6.0, 0.25, 5.5])
N = len(X)


def run(model, *args, init_params=None, init_responsibilities=None, **kwargs):
    return em.EM(model, num_restarts=1, max_steps=3).run(
        KEY, *args, init_params=init_params, init_responsibilities=init_responsibilities, **kwargs
    )


def normals(x, num_components=2):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
    loc = numpyro.sample("loc", dist.Normal(0, 5).expand([num_components]))
    scale = numpyro.sample("scale", dist.HalfNormal(3))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


def refuses(*words, model=normals, args=(X,), **kwargs):
    """That the call is refused by a ValueError with all these words."""
    with pytest.raises(ValueError, match=r".") as caught:
        run(model, *args, **kwargs)
    text = str(caught.value)
    missing = [word for word in words if word not in text]
    assert not missing, f"{missing} not in {text!r}"


# ---- the model ----------------------------------------------------------------------------------


def test_no_discrete_latent():
    def model(x):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        with numpyro.plate("rows", x.shape[0]):
            numpyro.sample("x", dist.Normal(loc, 1.0), obs=x)

    refuses("no discrete latent", "Categorical", model=model)


def test_no_site_at_all():
    refuses("no discrete latent", model=lambda x: None)


def test_a_continuous_latent_per_row():
    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            u = numpyro.sample("u", dist.Normal(0, 1))
            numpyro.sample("x", dist.Normal(loc[z] + u, 1.0), obs=x)

    refuses("'u'", "continuous latent", "plate of 'z'", model=model)


def test_a_continuous_latent_per_row_without_a_plate():
    def model(x):
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2).expand([x.shape[0]]))
        u = numpyro.sample("u", dist.Normal(0, 1).expand([x.shape[0]]))
        numpyro.sample("x", dist.Normal(loc[z] + u, 1.0), obs=x)

    refuses("'u'", "continuous latent", model=model)


def test_an_infinite_discrete_latent():
    def model(x):
        rate = numpyro.sample("rate", dist.HalfNormal(5))
        with numpyro.plate("rows", x.shape[0]):
            count = numpyro.sample("count", dist.Poisson(rate))
            numpyro.sample("x", dist.Normal(count, 1.0), obs=x)

    refuses("'count'", "finite", model=model)


def test_a_chain_of_classes():
    def model(x):
        transition = numpyro.sample("transition", dist.Dirichlet(jnp.ones(2)).expand([2]))
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))

        def step(z, x):
            z = numpyro.sample("z", dist.Categorical(transition[z]))
            numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)
            return z, None

        scan(step, 0, x)

    refuses("'z'", "scan", "hidden Markov", model=model)


def test_nothing_observed():
    def model(x):
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
            numpyro.deterministic("mean", loc[z])

    refuses("'z'", "obs=", model=model)


def test_a_parameter_that_the_likelihood_does_not_reach():
    def model(x):
        numpyro.sample("unused", dist.Normal(0, 1))
        normals(x)

    refuses("'unused'", "likelihood does not reach", "condition", model=model)


def test_a_hyperparameter_that_only_a_prior_reaches():
    def model(x):
        spread = numpyro.sample("spread", dist.HalfNormal(5))
        loc = numpyro.sample("loc", dist.Normal(0, spread).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
            numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)

    refuses("'spread'", "likelihood does not reach", "condition", model=model)


def test_a_subsampling_plate():
    def model(x):
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        with numpyro.plate("rows", x.shape[0], subsample_size=4):
            batch = numpyro.subsample(x, event_dim=0)
            z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
            numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=batch)

    refuses("subsampl", model=model)


def test_data_outside_the_plate_of_z():
    def model(x):
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        with numpyro.plate("rows", 3):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
        with numpyro.plate("others", x.shape[0]):
            numpyro.sample("x", dist.Normal(loc[z].mean(), 1.0), obs=x)

    refuses("'x'", "'z'", "plate", model=model)


@pytest.mark.parametrize(
    "error", [KeyError("my own"), ValueError("my own"), TypeError("my own"), IndexError("my own")]
)
def test_an_error_of_the_model_comes_through_untouched(error):
    def model(x):
        normals(x)
        raise error

    with pytest.raises(type(error), match="my own") as caught:
        run(model, X)
    assert caught.value is error


def test_a_model_that_wants_a_parameter_as_a_python_number():
    def model(x):
        rate = numpyro.sample("rate", dist.HalfNormal(1.0))
        normals(x, 2 + int(rate))

    refuses("plain numbers", model=model, args=(X,))


def test_a_model_that_wants_an_array_as_a_python_number():
    def model(x, k):
        normals(x, int(k))

    fits = [em.EM(model).run(KEY, X, np.asarray(k)) for k in (2, 3)]
    assert [fit.spec.num_components for fit in fits] == [2, 3]
    assert em.EM(model).run(KEY, X, np.asarray(2)).log_likelihood == fits[0].log_likelihood


# ---- the data -----------------------------------------------------------------------------------


def test_nan_in_counts():
    x = np.arange(10.0)
    x[5] = np.nan
    refuses(
        "'x'", "NaN", "row 5", "mask", model=models.poisson_mixture, args=(x,), num_components=2
    )


def test_nan_in_a_part_of_an_event_that_has_no_density_of_its_own():
    def model(x):
        mean = numpyro.sample("mean", dist.Dirichlet(jnp.ones(3)).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Bernoulli(0.5))
            numpyro.sample("x", dist.Dirichlet(10 * mean[z]), obs=x)

    x = np.full((6, 3), 1 / 3)
    x[3, 1] = np.nan
    refuses("'x'", "row 3, column 1", model=model, args=(x,))


def test_a_column_without_any_observation():
    x = np.column_stack([X, np.full(len(X), np.nan)])
    refuses("'x'", "column 1", "leave", model=models.gaussian_mixture, args=(x,), num_components=2)


def test_nan_in_a_covariate():
    def model(x, covariate):
        slope = numpyro.sample("slope", dist.Normal(0, 5).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Bernoulli(0.5))
            numpyro.sample("x", dist.Normal(slope[z] * covariate, 1.0), obs=x)

    covariate = np.arange(float(len(X)))
    covariate[4] = np.nan
    refuses("'x'", "row 4", "covariate", model=model, args=(X, covariate))


def test_infinity():
    x = X.copy()
    x[2] = np.inf
    refuses("'x'", "row 2", args=(x,))


def test_an_observation_outside_the_support():
    def model(x):
        rate = numpyro.sample("rate", dist.HalfNormal(5).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
            numpyro.sample("x", dist.Poisson(rate[z]), obs=x)

    counts = np.array([0, 3, 2, -4, 1, 0, 2, 2])
    refuses("'x'", "-4", "row 3", "support of Poisson", model=model, args=(counts,))
    halves = np.where(np.arange(N) == 6, 1.5, 2.0)
    refuses("'x'", "1.5", "row 6", "support of Poisson", model=model, args=(halves,))


def test_an_observation_above_its_row_s_number_of_tosses():
    heads, tosses = np.array([1, 2, 7, 3]), np.array([4, 4, 6, 4])
    refuses(
        "'x'", "7", "row 2", "Binomial", model=models.two_coins, args=(heads,), num_tosses=tosses
    )


def test_an_item_that_is_neither_0_nor_1():
    items = np.eye(3, dtype=int)[np.arange(N) % 3]
    items[4, 2] = 2
    refuses(
        "'x'", "row 4, column 2", model=models.bernoulli_mixture, args=(items,), num_components=2
    )


def test_fewer_rows_than_components():
    refuses("2 rows", "3 components", "'z'", args=(X[:2], 3))


def test_no_rows():
    refuses("no rows", args=(np.zeros(0),))


def test_no_rows_for_a_model_that_checks_for_itself():
    empty = np.zeros(0)
    refuses("at least one row", model=models.poisson_mixture, args=(empty,), num_components=2)


def test_no_components():
    refuses("'z'", "component", args=(X, 0))


@pytest.mark.parametrize(
    "x", [np.array(list("abcdefgh")), pd.Series(list("abcdefgh")), X.astype(object)]
)
def test_data_that_are_no_numbers(x):
    refuses("dtype", "integers", args=(x,))


def test_an_unhashable_argument():
    class Unhashable:
        __hash__ = None

    refuses("Unhashable", "hashable", args=(X, Unhashable()))


# ---- weights ------------------------------------------------------------------------------------


def weighted(x, weights):
    loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
    with numpyro.plate("rows", x.shape[0]), handlers.scale(scale=weights):
        z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
        numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)


def test_a_negative_weight():
    weights = np.where(np.arange(N) == 3, -1.0, 1.0)
    refuses("weight", "negative", model=weighted, args=(X, weights))


def test_a_weight_that_is_nan():
    weights = np.where(np.arange(N) == 3, np.nan, 1.0)
    refuses("weight", model=weighted, args=(X, weights))


def test_an_infinite_weight():
    weights = np.where(np.arange(N) == 3, np.inf, 1.0)
    refuses("weight", model=weighted, args=(X, weights))


def test_weights_that_are_all_zero():
    refuses("weights", "0", model=weighted, args=(X, np.zeros(N)))


@pytest.mark.parametrize("on_z", [False, True])
def test_a_scale_on_one_of_z_and_x(on_z):
    def model(x):
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]))
        with numpyro.plate("rows", x.shape[0]):
            with handlers.scale(scale=2.0 if on_z else 1.0):
                z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
            with handlers.scale(scale=1.0 if on_z else 2.0):
                numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)

    refuses("'x'", "'z'", "different scales", model=model)


# ---- starts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("init", "words"),
    [
        ({"loc": np.zeros(3)}, ("'loc'", "(3,)", "(2,)")),
        ({"scale": np.ones(2)}, ("'scale'", "(2,)", "()")),
        ({"mean": np.zeros(2)}, ("'mean'", "'weights'", "'loc'", "'scale'")),
        ({"loc": np.array([0.0, np.nan])}, ("'loc'", "finite")),
        ({"loc": np.array([0.0, np.inf])}, ("'loc'", "finite")),
        ({"scale": -1.0}, ("'scale'", "positive")),
        ({"weights": np.array([0.5, 0.9])}, ("'weights'", "simplex")),
        ({"x": X}, ("'x'",)),
    ],
)
def test_bad_init_params(init, words):
    refuses(*words, "init_params", init_params=init)


def test_init_params_of_a_fixed_parameter():
    refuses(
        "'scale'",
        "no free parameter",
        model=handlers.condition(normals, {"scale": 1.0}),
        init_params={"scale": 2.0},
    )


@pytest.mark.parametrize(
    ("init", "words"),
    [
        (np.full((N, 3), 1 / 3), ("(8, 3)", "(8, 2)")),
        (np.full((2, N), 0.5), ("(2, 8)", "(8, 2)")),
        (np.full(N, 0.5), ("(8,)", "(8, 2)")),
        (np.full((N, 2), np.nan), ("finite",)),
        (np.array([[1.5, -0.5]] * N), (">= 0",)),
        (np.where(np.arange(N)[:, None] == 6, 0.0, [0.5, 0.5]), ("row 6",)),
    ],
)
def test_bad_init_responsibilities(init, words):
    refuses(*words, "init_responsibilities", init_responsibilities=init)


def test_two_starts_at_once():
    refuses(
        "init_params or init_responsibilities, not both",
        init_params={"scale": 1.0},
        init_responsibilities=np.full((N, 2), 0.5),
    )


# ---- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objective": "elbo"}, ("objective 'elbo'", "'likelihood'")),
        ({"assign": "firm"}, ("assign 'firm'", "'soft'", "'hard'")),
        ({"assign": 3}, ("assign",)),
        ({"start": "kmeans"}, ("start 'kmeans'", "'kmeans++'", "'random'", "'quantile'")),
        ({"accelerate": "fast"}, ("accelerate 'fast'",)),
        ({"num_restarts": 0}, ("num_restarts", ">= 1", "0")),
        ({"num_restarts": 2.5}, ("num_restarts", "2.5")),
        ({"num_restarts": True}, ("num_restarts", "True")),
        ({"max_steps": 0}, ("max_steps", ">= 1")),
        ({"max_steps": "many"}, ("max_steps", "'many'")),
        ({"tolerance": -1e-3}, ("tolerance", ">= 0")),
        ({"tolerance": "small"}, ("tolerance", "'small'")),
        ({"tolerance": float("nan")}, ("tolerance", "nan")),
        ({"start": ["kmeans++"]}, ("start",)),
    ],
)
def test_a_bad_option_is_named_at_once(options, words):
    with pytest.raises(ValueError, match=r".") as caught:
        em.EM(normals, **options)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_model_that_is_no_model():
    with pytest.raises(ValueError, match="callable"):
        em.EM({"x": X})


def test_options_are_keywords():
    with pytest.raises(TypeError):
        em.EM(normals, "likelihood")


@pytest.mark.parametrize("seed", [0, np.int64(3), None, 1.5])
def test_a_seed_is_no_key(seed):
    with pytest.raises(ValueError, match=r"rng_key must be a JAX key.*jax\.random\.key"):
        em.EM(normals).run(seed, X)


def test_an_old_style_key_is_a_key():
    new = run(normals, X)
    old = em.EM(normals, num_restarts=1, max_steps=3).run(jax.random.PRNGKey(0), X)
    assert old.log_likelihood == pytest.approx(new.log_likelihood, rel=1e-5)


def test_new_data_are_checked_too():
    fit = run(normals, X)
    with pytest.raises(ValueError, match=r"'x' has the value inf at row 1"):
        fit.responsibilities(np.array([0.0, np.inf]))
    with pytest.raises(ValueError, match="3 components"):
        fit.predict(X, 3)


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((np.zeros((3, 2, 2)), 2), {}, r"x must have shape \(n, d\)"),
        ((np.zeros((5, 2)), 0), {}, "num_clusters"),
        ((np.zeros((5, 2)), 2.0), {}, "num_clusters"),
        ((np.zeros((5, 2)), 2), {"weights": np.ones(4)}, r"weights have shape \(4,\)"),
        ((np.zeros((5, 2)), 2), {"init": np.zeros((2, 3))}, r"\(2, 2\) centroids"),
        ((np.zeros((2, 2)), 3), {}, "2 rows .* 3"),
        ((np.array([[0.0, np.nan], [1.0, 2.0]]), 1), {}, "row 0, column 1"),
    ],
)
def test_kmeans_refuses(args, options, message):
    with pytest.raises(ValueError, match=message):
        em.kmeans(*args, KEY, **options)
