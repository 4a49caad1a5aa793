"""Models that cannot be read: a ValueError names the site and says what to do."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from mixpyro import em

from ..refusals import KEY, X, normals, refuses, run


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


@pytest.mark.parametrize(
    ("shape", "words"),
    [((len(X), 1), r"a column.*x\[:, 0\]"), ((len(X), 2), "shape"), ((len(X), 1, 1), "shape")],
)
def test_values_of_another_shape_than_their_site(shape, words):
    """NumPyro makes (n, n) densities of a column, or fails within them."""
    with pytest.raises(ValueError, match=f"'x'.*{words}"):
        em.EM(normals).run(KEY, jnp.zeros(shape))


def test_vectors_of_another_length_than_their_distribution():
    def model(x):
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2, 3]).to_event(2))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
            numpyro.sample("x", dist.MultivariateNormal(loc[z], jnp.eye(3)), obs=x)

    for shape in ((20, 2), (20, 1), (20,)):
        with pytest.raises(ValueError, match=r"'x'.*shape"):
            em.EM(model).run(KEY, jnp.zeros(shape))
