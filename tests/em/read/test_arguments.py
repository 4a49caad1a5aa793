"""Arguments of a model, kinds of data, globals and closures that it reads."""

import functools

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest

from .mixtures import N, X, answer, close, declare, plain, reference, run

pytestmark = pytest.mark.usefixtures("x64")


def with_options(x, offset, num_components=3, *, spread=1.0, label=None):
    weights, loc, scale = declare(num_components)
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=(x - offset) / spread)


def test_positional_keyword_and_default_arguments():
    x = X[:, 0]
    fits = [
        run(with_options, x, 1.5, 2, spread=2.0),
        run(with_options, x, num_components=2, offset=1.5, spread=2.0, label="a name"),
    ]
    expected = answer()
    jacobian = N * np.log(2)  # of (x - offset) / spread, whose density the model has
    for fit in fits:
        found = fit.log_likelihood - jacobian
        assert found == pytest.approx(expected["log_likelihood"], abs=1e-6)
        close(fit.params["loc"], (expected["loc"][:, 0] - 1.5) / 2)
        close(fit.params["scale"], expected["scale"][:, 0] / 2)
    third = np.full((N, 3), 1 / 3) + np.eye(3)[np.arange(N) % 3]
    partial = functools.partial(with_options, offset=1.5, spread=2.0)
    fit = run(partial, x, start=third)
    assert fit.spec.num_components == 3
    expected = reference(x[:, None], third / third.sum(1, keepdims=True))
    assert fit.log_likelihood - jacobian == pytest.approx(expected["log_likelihood"], abs=1e-4)


@pytest.mark.parametrize("kind", ["series", "int32 frame column", "float32"])
def test_data_of_other_kinds(kind):
    x = np.round(X[:, 0] * 4)
    given = {
        "series": pd.Series(x, index=np.arange(N) + 100),
        "int32 frame column": pd.DataFrame({"a": x.astype(np.int32)})["a"],
        "float32": x.astype(np.float32),
    }[kind]
    fit = run(plain, given)
    expected = reference(x[:, None])
    assert fit.log_likelihood == pytest.approx(expected["log_likelihood"], rel=1e-6)
    close(fit.params["loc"], expected["loc"])


OFFSET = jnp.zeros(N)
FACTOR = 1.0
TABLE = {"offset": jnp.zeros(N)}


def _from_helper():
    return OFFSET


def reads_global_array(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x - OFFSET)


def reads_global_number(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x - 3.0 * FACTOR)


def reads_global_through_helper(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x - _from_helper())


def reads_global_table(x):
    weights, loc, scale = declare()
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x - TABLE["offset"])


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        (reads_global_array, "OFFSET", jnp.full(N, 3.0)),
        (reads_global_number, "FACTOR", 2.0),
        (reads_global_through_helper, "OFFSET", jnp.full(N, 3.0)),
        (reads_global_table, "TABLE", {"offset": jnp.full(N, 3.0)}),
    ],
)
def test_rebinding_a_global_gives_a_new_answer(model, name, value, monkeypatch):
    x = X[:, 0]
    before = run(model, x)
    monkeypatch.setitem(model.__globals__, name, value)
    after = run(model, x)
    np.testing.assert_allclose(after.params["loc"], before.params["loc"] - 3.0, atol=1e-5)


def test_a_closure_over_an_array_and_a_new_closure():
    def make(offset):
        def model(x):
            weights, loc, scale = declare()
            with numpyro.plate("rows", x.shape[0]):
                z = numpyro.sample("z", dist.Categorical(weights))
                numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x - offset)

        return model

    for offset in (np.full(N, 1.0), np.full(N, 4.0)):
        fit = run(make(offset), X[:, 0])
        close(fit.params["loc"], answer()["loc"][:, 0] - offset[0])


def test_a_nonlocal_array_that_is_rebound():
    offset = np.full(N, 1.0)

    def model(x):
        weights, loc, scale = declare()
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x - offset)

    before = run(model, X[:, 0])
    offset = np.full(N, 4.0)
    after = run(model, X[:, 0])
    np.testing.assert_allclose(after.params["loc"], before.params["loc"] - 3.0, atol=1e-5)
