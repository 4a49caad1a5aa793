"""That a prior is the same at all steps is a fact of the data that it was read with."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from numpyro.infer.util import log_density

from mixpyro import em, inference

from ...chain_forms import FORMS, by_hand

KEY = jax.random.key(0)

pytestmark = pytest.mark.usefixtures("x64")


@pytest.mark.slow
def test_priors_that_were_the_same_at_all_times_may_differ_in_other_data():
    """A covariate that is constant in the first data makes a prior that is read as constant."""
    form = FORMS["covariates"]
    x, c = form.args

    def model(x, c):  # of which nothing is kept yet
        form.model(x, c)

    short = em.EM(model, num_restarts=1, max_steps=2)
    first = short.run(KEY, x, 0 * c)
    assert first.program.structure.chain.steady
    second = short.run(KEY, x, c)
    assert not second.program.structure.chain.steady
    np.testing.assert_allclose(second.log_prob(), by_hand(form, second.params)[0], atol=1e-10)
    other = replace(form, args=(x, c[::-1].copy()))
    np.testing.assert_allclose(
        first.log_prob(*other.args), by_hand(other, first.params)[0], atol=1e-10
    )
    third = short.run(KEY, *other.args)
    np.testing.assert_allclose(third.log_prob(), by_hand(other, third.params)[0], atol=1e-10)
    marginal = inference.marginalize(model)
    prior = log_density(marginal, (x, 0 * c), {}, first.params)[0] - first.log_likelihood
    moved = log_density(marginal, other.args, {}, first.params)[0]
    np.testing.assert_allclose(moved - prior, by_hand(other, first.params)[0].sum(), atol=1e-10)
