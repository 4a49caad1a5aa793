"""The models of NumPyro's example hmm_enum.py that have finite states of the first order.

Sequences of tones that are on or off: states x, and in two of them w besides, on which x may
depend.
Model 6 is of the second order: `read/chains/test_refused_chains.py` has its sentence.
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

from mixpyro import em

H, D = 2, 2
TONES = np.random.default_rng(0).integers(0, 2, (3, 4, D))
LENGTHS = np.array([4, 2, 3])

pytestmark = pytest.mark.usefixtures("x64")


def transitions(name, *shape):
    prior = dist.Dirichlet(0.9 * jnp.eye(H) + 0.1).expand([*shape, H])
    return numpyro.sample(name, prior.to_event(1 + len(shape)))


def tones(*shape):
    prior = dist.Beta(0.1, 0.9).expand([*shape, D])
    return numpyro.sample("probs_y", prior.to_event(1 + len(shape)))


def along(sequences, lengths, begin, declare):
    """A scan over masked steps, ``declare(carry, y)`` in plates of sequences and of tones."""

    def step(carry, y):
        *carry, t = carry
        with (
            numpyro.plate("sequences", len(sequences), dim=-2),
            handlers.mask(mask=(t < lengths)[..., None]),
        ):
            return (*declare(carry, y), t + 1), None

    scan(step, (*begin, 0), jnp.swapaxes(sequences, 0, 1))


def state(name, probs):
    return numpyro.sample(name, dist.Categorical(probs), infer={"enumerate": "parallel"})


def none(sequences):
    return jnp.zeros((len(sequences), 1), int)


def model_1(sequences, lengths):
    probs_x, probs_y = transitions("probs_x"), tones(H)

    def declare(carry, y):
        x = state("x", probs_x[carry[0]])
        with numpyro.plate("tones", D, dim=-1):
            numpyro.sample("y", dist.Bernoulli(probs_y[x.squeeze(-1)]), obs=y)
        return (x,)

    along(sequences, lengths, (none(sequences),), declare)


def model_2(sequences, lengths):
    """A tone depends on whether it was on before."""
    probs_x, probs_y = transitions("probs_x"), tones(H, 2)

    def declare(carry, y):
        x = state("x", probs_x[carry[0]])
        with numpyro.plate("tones", D, dim=-1) as tone:
            y = numpyro.sample("y", dist.Bernoulli(probs_y[x, carry[1], tone]), obs=y)
        return x, y

    along(sequences, lengths, (none(sequences), jnp.zeros((len(sequences), D), int)), declare)


def model_3(sequences, lengths):
    """Two chains side by side."""
    probs_w, probs_x, probs_y = transitions("probs_w"), transitions("probs_x"), tones(H, H)

    def declare(carry, y):
        w, x = state("w", probs_w[carry[0]]), state("x", probs_x[carry[1]])
        with numpyro.plate("tones", D, dim=-1) as tone:
            numpyro.sample("y", dist.Bernoulli(probs_y[w, x, tone]), obs=y)
        return w, x

    along(sequences, lengths, (none(sequences), none(sequences)), declare)


def model_4(sequences, lengths):
    """The second chain depends on the first."""
    probs_w, probs_x, probs_y = transitions("probs_w"), transitions("probs_x", H), tones(H, H)

    def declare(carry, y):
        w = state("w", probs_w[carry[0]])
        x = state("x", probs_x[w, carry[1]])
        with numpyro.plate("tones", D, dim=-1) as tone:
            numpyro.sample("y", dist.Bernoulli(probs_y[w, x, tone]), obs=y)
        return w, x

    along(sequences, lengths, (none(sequences), none(sequences)), declare)


def by_paths(name, params, sequence, length):
    """log p of one sequence, over all paths of both chains (w stays 0 where there is none)."""
    two = name in ("model_3", "model_4")
    states = list(itertools.product(range(H) if two else [0], range(H)))
    total = 0.0
    for path in itertools.product(states, repeat=int(length)):
        chance, w, x, y = 1.0, 0, 0, np.zeros(D, int)
        for t, (new_w, new_x) in enumerate(path):
            if two:
                chance *= params["probs_w"][w, new_w]
            rows = params["probs_x"][new_w] if name == "model_4" else params["probs_x"]
            chance *= rows[x, new_x]
            on = {
                "model_1": lambda p, w, x, y: p[x],
                "model_2": lambda p, w, x, y: p[x, y, np.arange(D)],
            }.get(name, lambda p, w, x, y: p[w, x])(params["probs_y"], new_w, new_x, y)
            w, x, y = new_w, new_x, sequence[t]
            chance *= np.prod(np.where(y == 1, on, 1 - on))
        total += chance
    return np.log(total)


@pytest.mark.slow
@pytest.mark.parametrize("model", [model_1, model_2, model_3, model_4], ids=lambda m: m.__name__)
def test_the_log_likelihood_is_the_sum_over_all_paths(model):
    fit = em.EM(model, num_restarts=1, max_steps=2).run(jax.random.key(0), TONES, LENGTHS)
    params = {name: np.asarray(value) for name, value in fit.params.items()}
    pairs = zip(TONES, LENGTHS, strict=True)
    expected = [by_paths(model.__name__, params, x, n) for x, n in pairs]
    np.testing.assert_allclose(fit.log_prob(), expected, atol=1e-10)
