"""What a refusal is: a ValueError that names the site, the place, and what to do."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from mixpyro import em

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
