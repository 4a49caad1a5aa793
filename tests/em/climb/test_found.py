"""How many starts have found the optimum, and what that saves."""

import jax
import numpy as np
from scipy import stats

from mixpyro import em, models
from mixpyro.em.climb.selection import Restarts, alike
from mixpyro.em.climb.status import Status

CONVERGED, MAX_STEPS, COLLAPSED = Status.CONVERGED, Status.MAX_STEPS, Status.COLLAPSED


def ends(objective, status, short=0.0):
    some = np.zeros(len(objective))
    return Restarts(np.array(objective), some, np.array(status), some, 0, short=short)


def test_ends_within_a_tolerance():
    found = ends([-10, -10.005, -9.995, -10.4, np.nan], [CONVERGED] * 5)
    assert found.found(1e-2) == 3
    assert ends([-np.inf, -np.inf], [COLLAPSED] * 2).found(1e-2) == 0


def test_one_that_was_stopped_on_its_way_has_found_it():
    status = [CONVERGED, MAX_STEPS, MAX_STEPS, CONVERGED, COLLAPSED]
    short = np.array([1.0, 1.0, 0.0, 1.0, 1.0])
    assert ends([-10, -10.4, -10.4, -12, -10], status, short).found(1e-2) == 2
    # What ends higher is on its way to another.
    assert ends([-10, -9.6], status[:2], short[:2]).found(1e-2) == 1


def test_classes_of_the_same_sizes_in_any_order():
    counts = np.array([[30.0, 70], [70.5, 29.5], [40, 60]])
    assert alike(counts, counts[0], 100).tolist() == [True, True, False]


def test_what_all_starts_find_is_not_searched_for_long(precision):
    """Of many rows starts stop short of their ends; three groups far apart leave no doubt."""
    rng = np.random.default_rng(0)
    z = rng.integers(3, size=20_000)
    x = np.array([-8.0, 0, 8])[z][:, None] + rng.normal(size=(20_000, 1))
    fit = em.EM(models.gaussian_mixture).run(jax.random.key(0), x, num_components=3)
    assert len(fit.restarts) <= 30
    # Far apart groups are fitted one by one.
    own = [x[z == j] for j in range(3)]
    by_hand = sum(
        stats.norm.logpdf(g, g.mean(), g.std()).sum() + len(g) * np.log(len(g) / len(x))
        for g in own
    )
    assert abs(fit.log_likelihood - by_hand) < 5  # a few rows lie between
    assert fit.restart_results.found(1e-2) > len(fit.restarts) / 2
