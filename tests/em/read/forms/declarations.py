"""Ways to declare: gaps as sites, trees, bounds, shapes of z."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import constraints
from scipy import stats

from ..case import Case, real, simplex, tree, unit
from .data import N, X, Y
from .normals import NORMALS, mixed, normal_mixture, normals

CASES: dict[str, Case] = {}


# ---- missing values -----------------------------------------------------------------------------

GAPS = np.array([2, 9, 17])


def imputation(x):
    """NumPyro's idiom: the gaps are sites, drawn from what the model says of them."""
    weights, loc, scale = normals()
    filler = numpyro.sample("filler", dist.Normal(0, 3).expand([3]).mask(False))
    full = jnp.asarray(x).at[GAPS].set(filler)
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=full)


def imputed_likelihood(p):
    full = X.copy()
    full[GAPS] = p["filler"]
    return normal_mixture(p, full)


CASES["the imputation idiom"] = Case(
    imputation,
    (np.where(np.isin(np.arange(N), GAPS), 0.0, X),),
    imputed_likelihood,
    NORMALS | {"filler": real(3)},
    outcome="either",
    words="'filler'",
    optimum=False,  # values of the data's own are no parameters of a likelihood
)


# ---- forms of declaration -----------------------------------------------------------------------


def param_tree(x):
    theta = numpyro.param("theta", {"loc": jnp.array([-1.0, 1.0]), "log_scale": jnp.zeros(())})
    weights = numpyro.param("weights", jnp.full(2, 0.5), constraint=constraints.simplex)
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        scale = jnp.exp(theta["log_scale"])
        numpyro.sample("x", dist.Normal(theta["loc"][z], scale), obs=x)


CASES["a tree under one numpyro.param"] = Case(
    param_tree,
    (X,),
    lambda p: normal_mixture(
        {
            "weights": p["weights"],
            "loc": p["theta"]["loc"],
            "scale": np.exp(p["theta"]["log_scale"]),
        }
    ),
    {"theta": tree(loc=real(2), log_scale=real()), "weights": simplex(2)},
)


def array_bounds(x):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    low, high = jnp.array([-4.0, 0.5]), jnp.array([0.5, 6.0])
    loc = numpyro.sample("loc", dist.Uniform(low, high).to_event(1))
    scale = numpyro.sample("scale", dist.Uniform(jnp.array(0.1), jnp.array(9.0)))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


def _between(low, high):
    low, high = np.asarray(low), np.asarray(high)
    inner = unit(*low.shape)
    return type(inner)(inner.size, lambda v: low + (high - low) * inner.value(v))


CASES["supports of arrays"] = Case(
    array_bounds,
    (X,),
    normal_mixture,
    {
        "weights": simplex(2),
        "loc": _between([-4.0, 0.5], [0.5, 6.0]),
        "scale": _between(0.1, 9.0),
    },
)


def in_plate(body, z_shape_of=lambda x: x.shape[0]):
    """A mixture whose observation is written by ``body(z, loc, scale, x)``."""

    def model(x):
        weights, loc, scale = normals()
        with numpyro.plate("rows", z_shape_of(x)):
            z = numpyro.sample("z", dist.Categorical(weights))
            body(z, loc, scale, x)

    return model


def same_shape(z, loc, scale, x):
    assert z.shape == x.shape
    numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


def trend(z, loc, scale, x):
    t = jnp.linspace(0, 1, z.shape[0])
    numpyro.sample("x", dist.Normal(loc[z] + t, scale), obs=x)


def reshaped(z, loc, scale, x):
    y = jnp.ravel(x).reshape(z.shape[0], -1)
    fn = dist.Normal(loc[z][:, None], scale).expand(y.shape).to_event(1)
    numpyro.sample("x", fn, obs=y)


CASES["assert z.shape == x.shape"] = Case(in_plate(same_shape), (X,), normal_mixture, NORMALS)
CASES["linspace(0, 1, z.shape[0])"] = Case(
    in_plate(trend), (X,), lambda p: normal_mixture(p, X - np.linspace(0, 1, N)), NORMALS
)
CASES["reshape(z.shape[0], -1)"] = Case(
    in_plate(reshaped),
    (Y,),
    lambda p: mixed(p["weights"], stats.norm.logpdf(Y[..., None], p["loc"], p["scale"]).sum(1)),
    NORMALS,
)


def expanded_to_event(x):
    weights, loc, scale = normals()
    z = numpyro.sample("z", dist.Categorical(weights).expand([x.shape[0]]).to_event(1))
    numpyro.sample("x", dist.Normal(loc[z], scale), obs=x)


CASES["z by expand and to_event"] = Case(
    expanded_to_event, (X,), normal_mixture, NORMALS, outcome="either", words="'z'"
)
