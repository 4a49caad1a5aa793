"""Classes of people within classes of groups, against sums over both by hand."""

import jax
import numpy as np
import pytest

from mixpyro import em, models
from mixpyro.em.machine.by_numpy.interpret import interpreted

pytestmark = pytest.mark.usefixtures("x64")
MODEL = models.multilevel_latent_class
(EXAMPLE,) = models.examples(MODEL)
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def draws():
    with jax.enable_x64(True):
        found = EXAMPLE.simulate(KEY, interpreted)
    return {name: np.asarray(value) for name, value in found.items()}


def by_hand(x, group, params, num_groups):
    """(num_groups,) log densities, and p(u = h | x) of each group."""
    p = {name: np.asarray(value, float) for name, value in params.items()}
    answers = np.prod([p["probs"][:, j, x[:, j]] for j in range(x.shape[1])], axis=0)  # (k, n)
    people = np.log(p["weights"] @ answers)  # (h, n)
    joint = np.log(p["group_weights"])[:, None] + people @ np.eye(num_groups)[group]
    total = np.logaddexp.reduce(joint, 0)
    return total, np.exp(joint - total).T


def test_the_density_is_the_sum_over_classes_of_groups_and_of_people(draws):
    fit = em.EM(MODEL, max_steps=3).run(
        KEY, draws["x"], **EXAMPLE.kwargs, init_params=dict(EXAMPLE.params)
    )
    group, number = EXAMPLE.kwargs["group"], EXAMPLE.kwargs["num_groups"]
    total, of_groups = by_hand(draws["x"], group, fit.params, number)
    assert fit.spec.closed_form
    assert np.all(np.diff(fit.trace) >= -1e-9)
    assert fit.log_likelihood == pytest.approx(total.sum(), rel=1e-10)
    np.testing.assert_allclose(fit.responsibilities()["u"], of_groups, atol=1e-8)
    # The first step from the truth: its log-likelihood is no lower than the truth's.
    assert fit.trace[0] >= by_hand(draws["x"], group, EXAMPLE.params, number)[0].sum()
    assert fit.num_free_params == 1 + 2 + 2 * 4


@pytest.mark.slow
def test_a_group_of_weight_2_is_the_group_twice(draws):
    group, number = EXAMPLE.kwargs["group"], EXAMPLE.kwargs["num_groups"]
    weights = np.arange(number) % 3
    fit = em.EM(MODEL, max_steps=1).run(
        KEY, draws["x"], **EXAMPLE.kwargs, weights=weights, init_params=dict(EXAMPLE.params)
    )
    total, _ = by_hand(draws["x"], group, fit.params, number)
    assert fit.log_likelihood == pytest.approx(weights @ total, rel=1e-10)


@pytest.mark.slow
def test_em_finds_the_classes_again(draws):
    fit = em.EM(MODEL, num_restarts=4).run(KEY, draws["x"], **EXAMPLE.kwargs)
    assert fit.status.ok, fit.message
    order = np.argsort(-np.asarray(fit.params["probs"])[:, 0, 0])
    errors = np.asarray(fit.standard_errors()["probs"][order], float)
    away = np.abs(np.asarray(fit.params["probs"])[order] - EXAMPLE.params["probs"])
    assert np.all(away < 4 * errors)
    weights = np.asarray(fit.params["weights"])[:, order]
    of_groups = np.argsort(-weights[:, 0])
    assert np.abs(weights[of_groups] - EXAMPLE.params["weights"]).max() < 0.15


def test_bad_arguments_are_refused():
    x, given = np.zeros((6, 3), int), {"num_components": 2, "num_categories": 2}
    for more, message in (
        ({"num_group_classes": 0}, "num_group_classes must be an integer of 1 or more"),
        ({"num_groups": 0}, "num_groups must be an integer of 1 or more"),
        ({"group": np.zeros(5, int)}, r"group must have shape \(6,\)"),
    ):
        arguments = {"group": np.zeros(6, int), "num_groups": 1, "num_group_classes": 2} | more
        with pytest.raises(ValueError, match=message):
            MODEL(x, **given, **arguments)
