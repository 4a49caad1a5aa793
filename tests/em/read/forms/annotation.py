"""Models of annotation, in the form of NumPyro's example."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro import handlers
from numpyro.infer.reparam import LocScaleReparam
from numpyro.ops.indexing import Vindex
from scipy import special

from ..case import Case, positive, real, simplex, unit
from .data import ANNOTATORS, LEVELS, POSITIONS, VOTES
from .normals import mixed

CASES: dict[str, Case] = {}


def sizes(votes):
    """Concrete numbers from NumPy arrays, as users take them."""
    return int(np.max(votes)) + 1, *votes.shape


def multinomial(votes):
    levels, items, positions = sizes(votes)
    with numpyro.plate("level", levels):
        confusion = numpyro.sample("confusion", dist.Dirichlet(jnp.ones(levels)))
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(levels)))
    with numpyro.plate("item", items, dim=-2):
        c = numpyro.sample("c", dist.Categorical(weights))
        with numpyro.plate("position", positions):
            numpyro.sample("y", dist.Categorical(confusion[c]), obs=votes)


def dawid_skene(annotators, votes):
    levels, items, positions = sizes(votes)
    with (
        numpyro.plate("annotator", int(np.max(annotators)) + 1, dim=-2),
        numpyro.plate("level", levels),
    ):
        confusion = numpyro.sample("confusion", dist.Dirichlet(jnp.ones(levels)))
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(levels)))
    with numpyro.plate("item", items, dim=-2):
        c = numpyro.sample("c", dist.Categorical(weights))
        with numpyro.plate("position", positions):
            probs = Vindex(confusion)[annotators, c, :]
            numpyro.sample("y", dist.Categorical(probs), obs=votes)


def mace(annotators, votes):
    """Each vote is a guess or the truth: a class of its own, within the item's."""
    levels, items, positions = sizes(votes)
    with numpyro.plate("annotator", int(np.max(annotators)) + 1):
        guess = numpyro.sample("guess", dist.Dirichlet(jnp.full(levels, 10.0)))
        honest = numpyro.sample("honest", dist.Beta(0.5, 0.5))
    with numpyro.plate("item", items, dim=-2):
        c = numpyro.sample("c", dist.Categorical(logits=jnp.zeros(levels)))
        with numpyro.plate("position", positions):
            s = numpyro.sample("s", dist.Bernoulli(1 - honest[annotators]))
            truth = jax.nn.one_hot(c, levels)
            probs = jnp.where(s[..., None] == 0, truth, guess[annotators])
            numpyro.sample("y", dist.Categorical(probs), obs=votes)


def hierarchical(annotators, votes):
    levels, items, positions = sizes(votes)
    with numpyro.plate("level", levels):
        centre = numpyro.sample("centre", dist.Normal(0, 1).expand([levels - 1]).to_event(1))
        spread = numpyro.sample("spread", dist.HalfNormal(1).expand([levels - 1]).to_event(1))
    with (
        numpyro.plate("annotator", int(np.max(annotators)) + 1, dim=-2),
        numpyro.plate("level", levels),
        handlers.reparam(config={"beta": LocScaleReparam(0)}),
    ):
        beta = numpyro.sample("beta", dist.Normal(centre, spread).to_event(1))
    logits = jnp.pad(beta, [(0, 0)] * (jnp.ndim(beta) - 1) + [(0, 1)])
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(levels)))
    with numpyro.plate("item", items, dim=-2):
        c = numpyro.sample("c", dist.Categorical(weights))
        with numpyro.plate("position", positions):
            own = Vindex(logits)[annotators, c, :]
            numpyro.sample("y", dist.Categorical(logits=own), obs=votes)


def item_effects(votes, annotators=None):
    """An item has a continuous effect of its own: no finite mixture."""
    levels, items, positions = sizes(votes)
    with numpyro.plate("level", levels):
        centre = numpyro.sample("centre", dist.Normal(0, 1).expand([levels - 1]).to_event(1))
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(levels)))
    with numpyro.plate("item", items, dim=-2):
        c = numpyro.sample("c", dist.Categorical(weights))
        with handlers.reparam(config={"theta": LocScaleReparam(0)}):
            theta = numpyro.sample("theta", dist.Normal(centre[c], 1.0).to_event(1))
        logits = jnp.pad(theta, [(0, 0)] * (jnp.ndim(theta) - 1) + [(0, 1)])
        with numpyro.plate("position", positions):
            numpyro.sample("y", dist.Categorical(logits=logits), obs=votes)


def votes_given(confusion):
    """(items, k) the log probability of an item's votes, of (positions, k, levels)."""
    chosen = confusion[np.arange(POSITIONS), :, VOTES]  # (items, positions, k)
    with np.errstate(divide="ignore"):
        return np.log(chosen).sum(1)


def mace_likelihood(p):
    h, g = p["honest"][ANNOTATORS], p["guess"][ANNOTATORS]
    truth = np.eye(LEVELS)
    probs = h[:, None, None] * truth + (1 - h)[:, None, None] * g[:, None, :]
    return mixed(np.full(LEVELS, 1 / LEVELS), votes_given(probs))


def hierarchical_likelihood(p):
    beta = p["centre"] + p["spread"] * p["beta_decentered"]
    logits = np.concatenate([beta, np.zeros((*beta.shape[:-1], 1))], -1)
    return mixed(p["weights"], votes_given(special.softmax(logits, -1)[ANNOTATORS]))


CONFUSION = {"confusion": simplex(LEVELS, LEVELS), "weights": simplex(LEVELS)}
CASES["annotation: multinomial"] = Case(
    multinomial,
    (VOTES,),
    lambda p: mixed(
        p["weights"], votes_given(np.broadcast_to(p["confusion"], (POSITIONS, LEVELS, LEVELS)))
    ),
    CONFUSION,
)
CASES["annotation: Dawid and Skene"] = Case(
    dawid_skene,
    (ANNOTATORS, VOTES),
    lambda p: mixed(p["weights"], votes_given(p["confusion"][ANNOTATORS])),
    {"confusion": simplex(LEVELS, 3, LEVELS), "weights": simplex(LEVELS)},
)
CASES["annotation: MACE"] = Case(
    mace,
    (ANNOTATORS, VOTES),
    mace_likelihood,
    {"guess": simplex(LEVELS, 3), "honest": unit(3)},
)
CASES["annotation: hierarchical"] = Case(
    hierarchical,
    (ANNOTATORS, VOTES),
    hierarchical_likelihood,
    {
        "centre": real(LEVELS, 2),
        "spread": positive(LEVELS, 2),
        "beta_decentered": real(3, LEVELS, 2),
        "weights": simplex(LEVELS),
    },
    optimum=False,  # probabilities of 0 are at infinity in these coordinates
)
CASES["annotation: item effects"] = Case(
    item_effects, (VOTES,), outcome="refused", words="'theta", space={"weights": simplex(LEVELS)}
)
