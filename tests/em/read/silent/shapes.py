"""Rows that read another's class, and shapes of z that a model asks for or gives."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro import handlers
from scipy import special, stats

from ..case import Case
from .data import FAMILY, MANY, N, X
from .normals import LOCATIONS, NORMALS, mixed, normal_mixture, normals, normals_of_scale_one

CASES: dict[str, Case] = {}


# ---- 9. one row that reads another's class ------------------------------------------------------

PARENT = np.arange(MANY)
PARENT[100:110] = np.arange(10)


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
