"""A process that fits and samples again and again does not grow."""

import gc
import weakref
from pathlib import Path

import jax
import numpy as np
import pytest

from mixpyro import em, inference, models
from mixpyro.em.machine.recent import Recent
from mixpyro.inference.posterior import posterior_of

KEY = jax.random.key(0)
_rng = np.random.default_rng(1)


def data(number):
    return np.r_[_rng.poisson(2, 20), _rng.poisson(12, number - 20)]


def megabytes():
    """What this process holds in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def test_a_fit_whose_posterior_was_found_goes_with_its_last_user():
    fit = em.EM(models.poisson_mixture, num_restarts=1).run(KEY, data(40), num_components=2)
    assert posterior_of(fit).fit is fit
    assert posterior_of(fit) is posterior_of(fit)
    seen = weakref.ref(fit)
    del fit
    gc.collect()
    assert seen() is None


def test_what_was_not_used_for_longest_goes_first():
    kept = Recent(2)
    for key in "ab":
        kept.keep(key, key.upper())
    assert kept.get("a") == "A"
    kept.keep("c", "C")
    assert (kept.get("a"), kept.get("b"), kept.get("c"), len(kept)) == ("A", None, "C", 2)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux says what a process holds")
def test_seventy_fits_end_where_twenty_ended():
    fitter = em.EM(models.poisson_mixture, num_restarts=2)
    after = {}
    for number in range(1, 71):
        fit = fitter.run(KEY, data(40), num_components=2)
        inference.run_nuts(fit, KEY, num_warmup=20, num_samples=20, num_chains=1)
        fit.log_prob(data(21 + number % 4))
        after[number] = megabytes() if number in (20, 70) else None
    assert after[70] - after[20] < 30  # at most 0.6 a fit
