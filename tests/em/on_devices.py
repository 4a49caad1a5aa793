"""Fits of rows on eight simulated devices beside those on one; prints what a test looks at."""

import contextlib
import json
import os
import sys

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.sharding import NamedSharding, PartitionSpec
from numpyro import handlers

from mixpyro import em, models

sys.path.insert(0, os.path.dirname(__file__))
from collectives import watched

_rng = np.random.default_rng(0)
N = 2000
CLASS = _rng.random(N) < 0.4
X = _rng.normal(size=(N, 2)) * np.where(CLASS, 1.5, 1.0)[:, None] + np.where(CLASS, 2.5, 0)[:, None]
T = _rng.standard_t(4, size=N) + np.where(CLASS, 5, 0)
GROUP = np.arange(N) % 50
COVARIATE = _rng.normal(size=N)
COUNTS = _rng.poisson(np.exp(np.where(CLASS, 1 + 0.5 * COVARIATE, 0.2 - 0.8 * COVARIATE)))


def student(x, num_components):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(3))
    df = numpyro.sample("df", dist.Gamma(2.0, 0.1))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.StudentT(df, loc[z], scale[z]), obs=x)


def regression(counts, covariate, num_components):
    """A mean of the model's own: the covariate is centred over all rows."""
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        intercept = numpyro.sample("intercept", dist.Normal(0, 5))
        slope = numpyro.sample("slope", dist.Normal(0, 5))
    covariate = covariate - covariate.mean()
    with numpyro.plate("rows", counts.shape[0]):
        z = numpyro.sample("z", dist.Categorical(weights))
        log_rate = intercept[z] + slope[z] * covariate
        numpyro.sample("counts", dist.Poisson(jnp.exp(log_rate)), obs=counts)


def normals(x, weights=1.0, num_components=2):
    shares = numpyro.sample("shares", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(3))
    with numpyro.plate("rows", x.shape[0]), handlers.scale(scale=weights):
        z = numpyro.sample("z", dist.Categorical(shares))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


def grouped(x, group, num_components):
    shares = numpyro.sample("shares", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
    with numpyro.plate("groups", 50):
        z = numpyro.sample("z", dist.Categorical(shares))
    with numpyro.plate("rows", x.shape[0]):
        numpyro.sample("x", dist.Normal(loc[z[group]], 1.0), obs=x)


def apart(one, other):
    """How far two fits are from each other, as parts of 1."""
    return max(
        float(np.max(np.abs(np.asarray(one.params[n]) - np.asarray(v)) / (1 + np.abs(v))))
        for n, v in {n: np.asarray(v) for n, v in other.params.items()}.items()
    )


def both(model, arrays, init=None, more=False):
    """The largest differences between one device and eight; of ``more`` than the climb."""
    fitter = em.EM(model, num_restarts=2, accelerate=None)
    laid = em.shard_rows(*arrays)
    laid = laid if isinstance(laid, tuple) else (laid,)
    one = fitter.run(1, *arrays, num_components=2, init_params=init)
    several = fitter.run(1, *laid, num_components=2, init_params=init)
    resp = several.responsibilities()
    found = {
        "params": apart(one, several),
        "log_likelihood": abs(one.log_likelihood / several.log_likelihood - 1),
        "steps": [one.num_steps, several.num_steps],
        "status": [one.base_status.name, several.base_status.name],
        "responsibilities": float(np.abs(np.asarray(resp) - one.responsibilities()).max()),
        "sharded": [str(v.sharding.spec) for v in (resp, several.predict(), several.log_prob())],
        "bic": abs(one.bic / several.bic - 1),
    }
    if more:
        errors = zip(
            one.standard_errors().values(), several.standard_errors().values(), strict=True
        )
        new = np.asarray(several.log_prob(em.shard_rows(arrays[0][:80])))
        found["errors"] = max(float(np.abs(a / b - 1).max()) for a, b in errors)
        found["new"] = float(np.abs(new - one.log_prob(arrays[0][:80])).max())
    return found


def filled():
    """A number of rows that makes no equal parts."""
    x = X[:1003, 0]
    one = em.EM(normals, num_restarts=2).run(1, x, np.ones(1003))
    several = em.EM(normals, num_restarts=2).run(1, *em.shard_rows(x, fill=True))
    return {"params": apart(one, several), "bic": abs(one.bic / several.bic - 1)}


def refusal(call):
    try:
        call()
    except ValueError as error:
        return str(error)
    return "nothing"


def refusals():
    run = em.EM(normals, num_restarts=2).run
    x = X[:, 0]
    across = NamedSharding(
        jax.sharding.Mesh(np.array(jax.devices()[:2]), ("d",)), PartitionSpec(None, "d")
    )
    hard = em.EM(normals, assign="hard")
    return {
        "uneven": refusal(lambda: em.shard_rows(x[:1003])),
        "lengths": refusal(lambda: em.shard_rows(x, x[:8])),
        "weights": refusal(lambda: run(1, em.shard_rows(x), np.ones(N))),
        "columns": refusal(
            lambda: em.EM(models.gaussian_mixture).run(
                1, jax.device_put(X, across), num_components=2
            )
        ),
        "hard": refusal(lambda: hard.run(1, em.shard_rows(x))),
        "groups": refusal(
            lambda: em.EM(grouped).run(1, *em.shard_rows(x, GROUP), num_components=2)
        ),
        "responsibilities": refusal(
            lambda: run(1, em.shard_rows(x), init_responsibilities=np.ones((N, 2)))
        ),
    }


def explicit():
    """Arrays of a mesh of the user's own, of another kind."""
    mesh = jax.make_mesh((4, 2), ("data", "other"))
    x = jax.device_put(X[:, 0], NamedSharding(mesh, PartitionSpec("data")))
    fitter = em.EM(normals, num_restarts=2)
    return apart(fitter.run(1, X[:, 0]), fitter.run(1, x))


def crossing():
    """{function: the largest collective}, with many more rows than a start samples."""
    x = np.concatenate([X] * 40) + _rng.normal(size=(40 * N, 2)) * 0.1
    with watched() as seen:
        fit = em.EM(models.gaussian_mixture, num_restarts=2).run(
            1, em.shard_rows(x), num_components=2
        )
        _ = fit.message, fit.responsibilities(), fit.predict(), fit.log_prob()
        fit.standard_errors()
    return {
        "rows": len(x),
        "largest": {n: max((s for _, s in v), default=0) for n, v in seen.items()},
    }


def checkpointed(folder):
    class Died(BaseException):
        pass

    from mixpyro.em.climb import legs
    from mixpyro.em.climb.record.checkpoint import Checkpoint

    legs._FIRST = 1  # short legs, so that much is written
    x = em.shard_rows(T)
    fitter = em.EM(student, num_restarts=2)
    whole = fitter.run(1, x, num_components=2, checkpoint=f"{folder}/whole", checkpoint_every=0)
    keep = Checkpoint.keep
    left = [3]

    def dying(self, course=None):
        keep(self, course)
        left[0] -= 1
        if not left[0]:
            raise Died

    Checkpoint.keep = dying
    with contextlib.suppress(Died):
        fitter.run(1, x, num_components=2, checkpoint=f"{folder}/died", checkpoint_every=0)
    Checkpoint.keep = keep
    again = fitter.run(1, x, num_components=2, checkpoint=f"{folder}/died", checkpoint_every=0)
    return {"params": apart(whole, again), "left": left[0]}


PARTS = {
    "normals": lambda: both(models.gaussian_mixture, (X,), more=True),
    "student": lambda: both(student, (T,)),
    "regression": lambda: both(
        regression,
        (COUNTS, COVARIATE),
        {"weights": [0.5, 0.5], "intercept": [0.0, 1.0], "slope": [-0.5, 0.5]},
    ),
    "filled": filled,
    "refusals": refusals,
    "explicit": explicit,
    "crossing": crossing,
    "checkpointed": lambda: checkpointed(sys.argv[2]),
}

if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    print(json.dumps({name: PARTS[name]() for name in sys.argv[1].split(",")}))
