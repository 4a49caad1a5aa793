"""Assignments: each file of the folder is one, and so may a user's own be."""

from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mixpyro import em, models
from mixpyro.em.classes import assignments

KEY = jax.random.key(0)
_rng = np.random.default_rng(4)
X = np.concatenate([_rng.poisson(2, size=30), _rng.poisson(9, size=50)])
FILES = {p.stem for p in Path(assignments.__file__).parent.glob("[!_]*.py")}


def test_each_file_is_an_assignment():
    found = assignments.CATALOGUE.values()
    assert {type(a).__module__.rpartition(".")[2] for a in found} == FILES
    assert set(assignments.CATALOGUE) >= {"annealed", "hard", "soft", "stochastic"}
    assert len(assignments.CATALOGUE) == len(FILES)
    assert em.Stochastic is type(assignments.CATALOGUE["stochastic"])


def test_an_unknown_assignment_is_refused_with_those_that_exist():
    with pytest.raises(ValueError, match=" or ".join(map(repr, assignments.CATALOGUE))):
        em.EM(models.poisson_mixture, assign="warp")
    for other in (3, em.Stochastic):
        with pytest.raises(ValueError, match="a name or an Assign value"):
            em.EM(models.poisson_mixture, assign=other)


@pytest.mark.parametrize("name", assignments.CATALOGUE)
def test_an_assignment_gives_responsibilities(name):
    joint = jnp.asarray(_rng.normal(size=(3, 50)))
    first = assignments.at(assignments.CATALOGUE[name], jnp.zeros((), int), KEY)
    resp, objective = map(np.asarray, assignments.in_chunk(first, 0)(joint))
    assert resp.shape == (3, 50)
    assert objective.shape == (50,)
    np.testing.assert_allclose(resp.sum(0), 1, rtol=1e-6)
    assert np.all(resp >= 0)
    if first.hard:
        assert set(np.unique(resp)) == {0, 1}


@pytest.mark.parametrize("name", assignments.CATALOGUE)
def test_a_schedule_ends_as_soft_em(name):
    own = assignments.CATALOGUE[name]
    assert isinstance(own, assignments.Schedule) == (assignments.settles_after(own) > 0)
    if isinstance(own, assignments.Schedule):
        joint = jnp.asarray(_rng.normal(size=(3, 50)))
        last = own.at(jnp.asarray(own.num_steps), KEY)(joint)
        for found, soft in zip(last, assignments.CATALOGUE["soft"](joint), strict=True):
            np.testing.assert_allclose(found, soft, rtol=1e-5, atol=1e-6)


@dataclass(frozen=True)
class Halfway:
    """Soft and hard assignment, half of each."""

    hard: bool = False

    def __call__(self, log_joint):
        soft, log_likelihood = assignments.CATALOGUE["soft"](log_joint)
        return (soft + assignments.CATALOGUE["hard"](log_joint)[0]) / 2, log_likelihood


def test_an_assignment_of_ones_own_is_climbed_with():
    rates = {}
    for own in ("soft", "hard", Halfway()):
        way = em.EM(models.poisson_mixture, assign=own, max_steps=1)
        start = {"weights": np.array([0.4, 0.6]), "rate": np.array([2.0, 8.0])}
        fit = way.run(KEY, X, num_components=2, init_params=start)
        # A start of parameters is assigned first: these are the M-step of that.
        rates[str(own)] = np.asarray(fit.params["rate"]).ravel() * fit.params["weights"]
    soft, hard, halfway = rates.values()
    np.testing.assert_allclose(halfway, (soft + hard) / 2, rtol=1e-5)
    assert not np.allclose(soft, hard, rtol=1e-3)
