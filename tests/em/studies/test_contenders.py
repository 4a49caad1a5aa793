"""Of many candidates only those are searched for long that may come out first."""

import functools
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from mixpyro import em, models
from mixpyro.em.studies.contenders import Standing, ahead, standing

pytestmark = pytest.mark.usefixtures("x64")

# Three clear groups of counts.
COUNTS = np.concatenate([np.random.default_rng(0).poisson(rate, 30) for rate in (1, 12, 40)])


@functools.cache
def swept():
    number = range(1, 14)
    with jax.enable_x64(True):
        return em.sweep(models.poisson_mixture, 0, COUNTS, num_components=number, processes=1)


def test_those_in_front_are_searched_and_the_others_say_that_they_were_not():
    found = swept()
    best = found.best("bic")
    assert best.program.num_components == 3
    assert len(best.restarts) > 10
    assert "No more starts" not in best.message
    passed = [fit for fit in found.fits if fit.restart_results.passed]
    assert passed
    for fit in passed:
        assert len(fit.restarts) == 10
        assert "No more starts were tried" in fit.message
    alone = em.EM(models.poisson_mixture).run(0, COUNTS, num_components=3)
    assert best.log_likelihood == pytest.approx(alone.log_likelihood, rel=1e-9)


def test_more_components_are_never_below_fewer():
    found = [fit.log_likelihood for fit in swept().fits]
    assert (np.diff(found) > -1e-6 * np.abs(found[1:])).all()


def test_few_candidates_or_a_number_of_starts_are_as_they_are_asked_for():
    few = em.sweep(models.poisson_mixture, 0, COUNTS, num_components=[2, 5])
    own = em.EM(models.poisson_mixture, num_restarts=2)
    many = em.sweep(own, 0, COUNTS, num_components=[2] * 13, processes=1)
    assert not any(fit.restart_results.passed for fit in (*few.fits, *many.fits))
    assert [len(fit.restarts) for fit in many.fits] == [2] * 13
    assert len(few.fits[1].restarts) > 10


def test_files_keep_that_more_starts_were_not_tried(tmp_path):
    fit = next(fit for fit in swept().fits if fit.restart_results.passed)
    fit.save(tmp_path / "fit.npz")
    again = em.load(tmp_path / "fit.npz", models.poisson_mixture)
    assert again.message == fit.message


def test_a_failure_is_raised_where_it_is_asked_for():
    own = em.EM(models.poisson_mixture, throw=True, max_steps=1)
    with pytest.raises(em.FitError, match="max_steps"):
        em.sweep(own, 0, COUNTS, num_components=[2] * 13, processes=1)


def stands(components, log_likelihood, bic, hoped, searched=False, sound=True):
    return Standing(log_likelihood, bic, hoped, components, sound, searched)


def keywords(*numbers, **others):
    return [{"num_components": k, **others} for k in numbers]


def test_the_lowest_bic_comes_first_then_what_may_pass_it():
    front, near, far = stands(1, -50, 110, 110), stands(2, -49, 120, 109), stands(3, -48, 130, 111)
    every = [far, near, front]
    asked = keywords(3, 2, 1)
    assert ahead(every, asked) == [2, 1]
    every[2] = front._replace(searched=True)
    assert ahead(every, asked) == [1]
    every[1] = near._replace(searched=True)
    assert ahead(every, asked) == []


def test_a_front_that_is_not_sound_holds_nobody_back():
    front, near = stands(2, -40, 90, 90, searched=True, sound=False), stands(1, -50, 110, 110)
    assert ahead([front, near], keywords(2, 1)) == [1]


def test_one_below_fewer_components_of_the_same_kind_is_searched():
    one, two = stands(1, -50.0, 110, 110, searched=True), stands(2, -50.1, 150, 150)
    assert ahead([one, two], keywords(1, 2)) == [1]
    assert ahead([two, one], keywords(2, 1)) == [0]
    assert ahead([one, two], keywords(1, 1)) == []  # the keyword is not the number
    kinds = [{"num_components": 1, "covariance": "full"}, {"num_components": 2, "covariance": "x"}]
    assert ahead([one, two], kinds) == []
    # A peak of an unbounded likelihood is no bound.
    three = stands(3, -60, 100, 100, searched=True)
    assert ahead([one._replace(sound=False), two, three], keywords(1, 2, 3)) == []


@pytest.mark.parametrize(
    ("status", "ends", "gain"),
    [
        ([0, 0, 0], [-10.0, -11.0, -14.0], 2 * 1.0),
        ([0, 2, 0], [-10.0, 90.0, -14.0], 2 * 2.0),  # those that end otherwise do not count
        ([0, 0, 0], [-10.0, -np.inf, -14.0], 2 * 2.0),
    ],
)
def test_what_is_hoped_for_is_twice_the_way_from_the_median_to_the_best(status, ends, gain):
    fit = SimpleNamespace(
        bic=100.0,
        log_likelihood=-10.0,
        base_status=em.Status.CONVERGED,
        program=SimpleNamespace(num_components=2),
        restart_results=SimpleNamespace(
            objective=np.array(ends), status=np.array(status), chosen=0
        ),
    )
    assert standing(fit, False).hoped == 100 - 2 * gain
