"""Sweeps: the same numbers as fit by fit."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from scipy import stats

from mixpyro import em, models
from mixpyro.em.machine.patience import Patient
from mixpyro.em.studies import sequence

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(0)
_rng = np.random.default_rng(3)
X = np.concatenate([_rng.normal((-4, 0), 1.0, (50, 2)), _rng.normal((4, 1), 1.0, (70, 2))])


@functools.cache
def swept():
    fitter = em.EM(models.gaussian_mixture, num_restarts=2)
    return em.sweep(fitter, KEY, X, num_components=range(1, 4), covariance=("tied",))


def test_the_table_has_a_row_a_fit():
    found = swept()
    table = found.table
    assert list(table["num_components"]) == [1, 2, 3]
    assert set(table["covariance"]) == {"tied"}
    expected = [k - 1 + 2 * k + 3 for k in (1, 2, 3)]
    assert list(table["num_free_params"]) == expected
    heads, *lines = str(found).splitlines()
    short = {
        "log_likelihood": "log_lik",
        "num_free_params": "free",
        "relative_entropy": "rel_entropy",
    }
    printed = [name for name in table if short.get(name, name) in heads.split()]
    assert heads.split() == [short.get(name, name) for name in printed]
    assert {"num_components", "covariance", "log_likelihood", "bic", "status"} <= set(printed)
    assert len(heads) <= 100
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    assert repr(found) == "Sweep(3 fits over num_components, covariance)"
    for (_, row), fit in zip(table.iterrows(), found.fits, strict=True):
        assert row["bic"] == pytest.approx(
            -2 * row["log_likelihood"] + row["num_free_params"] * np.log(len(X))
        )
        assert row["aic"] == -2 * row["log_likelihood"] + 2 * row["num_free_params"]
        assert row["status"] == fit.status.name
        resp = np.asarray(fit.responsibilities())
        assert row["entropy"] == pytest.approx(stats.entropy(resp, axis=1).sum(), abs=1e-9)
        assert row["sabic"] == pytest.approx(
            row["bic"] - row["num_free_params"] * np.log(len(X) * 24 / (len(X) + 2))
        )
    odds = np.exp((table["bic"][1] - table["bic"]) / 2)
    np.testing.assert_allclose(table["bic_weight"], odds / odds.sum())
    assert found.best("caic") is found.fits[1]
    one = stats.multivariate_normal(X.mean(0), np.cov(X.T, bias=True)).logpdf(X).sum()
    assert table["log_likelihood"][0] == pytest.approx(one)
    assert found.best("bic") is found.fits[1]
    assert found.best("log_likelihood").log_likelihood == max(
        f.log_likelihood for f in found.fits if f.status.ok
    )


def test_climbs_of_many_runs_are_compiled_ahead(monkeypatch):
    """NumPy begins single runs: of a sweep only small ones, as it keeps cores from compiling."""
    begun, times = [], np.random.default_rng(0).exponential(size=10_000)
    call = Patient.__call__
    monkeypatch.setattr(Patient, "__call__", lambda self, *a: begun.append(1) or call(self, *a))
    em.sweep(models.exponential_mixture, KEY, times, num_components=[1, 2])
    assert not begun
    em.EM(models.exponential_mixture).run(KEY, times, num_components=2)
    assert begun
    begun.clear()
    em.sweep(models.exponential_mixture, KEY, times[::500], num_components=[1, 2])
    assert begun


def test_bad_sweeps_are_refused():
    with pytest.raises(ValueError, match="range"):
        em.sweep(models.gaussian_mixture, KEY, X, num_components=2)
    with pytest.raises(ValueError, match="empty"):
        em.sweep(models.gaussian_mixture, KEY, X, num_components=[])
    with pytest.raises(ValueError, match="criterion"):
        swept().best("mdl")


COUNTS = np.repeat([1, 9], 20)


@functools.cache
def counted():
    return em.sweep(models.poisson_mixture, KEY, COUNTS, num_components=(1, 2, 3))


def test_one_component_against_two_as_the_table_has_it():
    """Counts of 1 and 9: two rates with shares of a half, near those."""
    swept = counted()
    found = em.Sweep(swept.keywords[1::-1], swept.fits[1::-1]).bootstrap_lrt(KEY, 19)
    one = stats.poisson(5).logpmf(COUNTS).sum()
    low, high = stats.poisson([1, 9]).pmf(COUNTS[:, None]).T
    at_least = 2 * (np.log((low + high) / 2).sum() - one)
    row = found.table.loc[1]
    assert at_least <= row["statistic"] < at_least + 0.5
    expected = {"K+1": 2, "difference": 2, "pvalue": 1 / 20, "num_replicates": 19, "rejected": True}
    assert {name: row[name] for name in expected} == expected
    assert found.tests[1].replicates.max() < row["statistic"]
    assert found.num_components is None
    assert "more than 1" in str(found)


def test_the_first_k_that_is_not_rejected_is_chosen(monkeypatch):
    """The p of each pair given, what remains is where it stops."""
    pvalues = {1: 0.01, 2: 0.051}

    def test(small, big, key, number, **options):
        k = small.program.num_components
        assert big.program.num_components == k + 1
        return em.BootstrapTest(1.0, np.array([0.0, np.nan] * 30), pvalues[k])

    monkeypatch.setattr(sequence, "bootstrap_lrt", test)
    found = counted().bootstrap_lrt(KEY, 60)
    assert (found.num_components, list(found.table.index)) == (2, [1, 2])
    assert list(found.table["num_replicates"]) == [30, 30]
    assert counted().bootstrap_lrt(KEY, 60, level=0.06).num_components is None
    pvalues[1] = 0.2
    assert list(counted().bootstrap_lrt(KEY, 60).table.index) == [1]
    every = counted().bootstrap_lrt(KEY, 60, stop=False)
    assert (every.num_components, list(every.table.index)) == (1, [1, 2])
    with pytest.raises(ValueError, match="only 30 of 60 replicates"):
        counted().bootstrap_lrt(KEY, 60, level=0.02)


def test_sequences_that_mean_nothing_are_refused():
    one, two, three = counted().fits
    named = [{"num_components": k} for k in (1, 2, 3)]
    with pytest.raises(ValueError, match="over num_components, covariance"):
        swept().bootstrap_lrt(KEY)
    with pytest.raises(ValueError, match=r"consecutive.*has 1, 3"):
        em.Sweep((named[0], named[2]), (one, three)).bootstrap_lrt(KEY)
    with pytest.raises(ValueError, match=r"consecutive.*has 2"):
        em.Sweep((named[1],), (two,)).bootstrap_lrt(KEY)
    with pytest.raises(ValueError, match="over scale"):
        em.Sweep(({"scale": 0.5}, {"scale": 2.0}), (one, two)).bootstrap_lrt(KEY)
    worse = dataclasses.replace(two, log_likelihood=one.log_likelihood - 1)
    with pytest.raises(ValueError, match=r"2 components is lower.*local maximum"):
        em.Sweep(tuple(named[:2]), (one, worse)).bootstrap_lrt(KEY)
    with pytest.raises(ValueError, match="num_replicates of 99 or more"):
        counted().bootstrap_lrt(KEY, 19, level=0.01)
