"""Masks that hide nothing of data without NaN, told from those that may."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from mixpyro import models
from mixpyro.em.calls.arguments import split
from mixpyro.em.programs import program_for
from mixpyro.em.read.provenance import dependencies

X = np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
NAN = np.array([1.0, np.nan, 2.0])

NOTHING_HIDDEN = {
    "known": lambda x: ~jnp.isnan(x),
    "equal to itself": lambda x: x == x,
    "moved": lambda x: ~jnp.isnan(x.astype(jnp.float32).T[::-1]),
    "by row": lambda x: ~jnp.isnan(x).any(1),
    "all of it": lambda x: (~jnp.isnan(x)).all(1, keepdims=True) & True,
    "or": lambda x: ~jnp.isnan(x) | (x > 3),
    "of two": lambda x: ~(jnp.isnan(x) | jnp.isnan(x[::-1])),
    "compiled": jax.jit(lambda x: ~jnp.isnan(x)),
    "joined": lambda x: ~jnp.isnan(jnp.concatenate([x, jnp.zeros((1, 3))])),
    "ones": lambda x: jnp.ones(x.shape, bool),
}
MAY_HIDE = {
    "larger": lambda x: x > -1,
    "finite": jnp.isfinite,  # infinite ones are no gaps
    "a gap beside the data": lambda x: ~jnp.isnan(x + NAN),
    "a gap in a constant": lambda x: jnp.broadcast_to(~jnp.isnan(jnp.asarray(NAN)), x.shape),
    "made of the data": lambda x: ~jnp.isnan(jnp.log(x - 1)),
    "others": lambda x: x == x[::-1],
    "and": lambda x: ~jnp.isnan(x) & (x < 3),
    "the gaps": jnp.isnan,
    "numbers": lambda x: ~(jnp.isnan(x).astype(int)),
    "none": lambda x: jnp.zeros(x.shape, bool),
    "few bits": lambda x: ~jnp.isnan(x.astype(jnp.float8_e4m3fn)),
    "any of no columns": lambda x: (~jnp.isnan(x[:, 3:])).any(1),
    "not all of no columns": lambda x: ~jnp.isnan(x[:, 3:]).all(1),
}


@pytest.mark.parametrize("name", NOTHING_HIDDEN)
def test_masks_that_hide_nothing(name):
    mask = NOTHING_HIDDEN[name]
    assert np.asarray(mask(jnp.asarray(X))).all()
    assert _always(mask, complete=True)
    if name != "ones":
        assert not _always(mask, complete=False)


@pytest.mark.parametrize("name", MAY_HIDE)
def test_masks_that_may_hide(name):
    assert not _always(MAY_HIDE[name], complete=True)


def test_of_parameters():
    value = jnp.ones(3)
    found = dependencies(
        lambda v, x: {"own": ~jnp.isnan(v)}, (value, X), {id(value): "p"}, complete=True
    )
    assert not found.always


def _always(mask, complete):
    found = dependencies(lambda x: {"mask": [mask(x)]}, (jnp.asarray(X),), {}, complete=complete)
    return found.always == {"mask"}


@pytest.mark.parametrize("gap", [False, True])
def test_items_given_as_floats(gap):
    x = np.where(X == 0, np.nan, X) if gap else X
    assert _incomplete(models.bernoulli_mixture, x, num_components=2) == ({"x"} if gap else set())


def test_other_masks_stay():
    def model(x):
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
            p = numpyro.param("p", jnp.array([0.2, 0.7]), constraint=dist.constraints.unit_interval)
            seen = ~jnp.isnan(x) & (x >= 0)
            numpyro.sample("x", dist.Bernoulli(p[z][:, None]).mask(seen).to_event(1), obs=x)

    assert _incomplete(model, X) == {"x"}


def _incomplete(model, x, **kwargs):
    return set(program_for(model, split((x,), kwargs, model)).incomplete)
