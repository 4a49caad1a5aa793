"""Accelerations: each file of the folder is one, and so may a user's own be."""

from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mixpyro import em, models
from mixpyro.em.climb import accelerations

KEY = jax.random.key(0)
_rng = np.random.default_rng(4)
X = np.concatenate([_rng.poisson(2, size=30), _rng.poisson(4, size=50)])
FILES = {p.stem for p in Path(accelerations.__file__).parent.glob("[!_]*.py")}


def test_each_file_is_an_acceleration():
    found = accelerations.CATALOGUE.values()
    assert {type(a).__module__.rpartition(".")[2] for a in found} == FILES
    assert set(accelerations.CATALOGUE) >= {"quasi-newton", "squarem"}
    assert len(accelerations.CATALOGUE) == len(FILES)


def test_what_is_no_acceleration_is_refused():
    for other in (3, accelerations.CATALOGUE["squarem"].propose):
        with pytest.raises(ValueError, match="a name or an Accelerate value"):
            em.EM(models.poisson_mixture, accelerate=other)


@pytest.mark.parametrize("name", accelerations.CATALOGUE)
def test_an_accelerator_without_a_step_to_go_by_takes_none(name):
    own = accelerations.CATALOGUE[name]
    zeros = jnp.zeros(4)
    here = accelerations.Here(zeros, zeros, zeros, jnp.asarray(True))
    memory = own.start(zeros)
    for _ in range(4):
        proposal, new = own.propose(memory, here)
        np.testing.assert_array_equal(proposal.step, 0)
        assert jax.tree.structure(new) == jax.tree.structure(memory)
        memory = new


@dataclass(frozen=True)
class Plain:
    """EM's own steps."""

    def start(self, zeros):
        return ()

    def propose(self, memory, here):
        plain = jnp.asarray(True)
        return accelerations.Proposal(here.step, plain, jnp.asarray(jnp.inf), plain), memory


def test_an_accelerator_of_ones_own_is_asked():
    options = {"num_restarts": 1, "max_steps": 8, "start": "quantile"}
    fits = [
        em.EM(models.poisson_mixture, accelerate=own, **options).run(KEY, X, num_components=2)
        for own in (None, Plain())
    ]
    np.testing.assert_allclose(fits[1].trace, fits[0].trace, rtol=1e-6)
