"""Bad input: each of thousands of calls ends in a sentence of ours, or in a result that is true.

`MIXPYRO_TRUST=all` tries every case instead of a share, the same one in every run.
"""

import os
from itertools import chain

import pytest

from .cases import data_cases, kmeans_cases, option_cases, wrongs
from .options import OPTIONS
from .problems import PROBLEMS

SHARE = 1 if os.environ.get("MIXPYRO_TRUST") == "all" else 4
# Problems whose data are always tried; the others are slow.
QUICK = ("own normals", "counts")


def nothing_is_wrong(cases, least):
    found, number = wrongs(cases)
    assert number >= least
    assert not found, "\n\n".join(f"{name}: {text}" for name, text in found.items())


def share_of(cases):
    return (case for case in cases if case.in_share(SHARE))


def test_there_are_thousands_of_cases():
    every = chain(
        *(data_cases(p, x64) for p in PROBLEMS for x64 in (False, True)),
        *(kmeans_cases(x64) for x64 in (False, True)),
        *(option_cases(f) for f in OPTIONS),
    )
    names = [case.name for case in every]
    assert len(names) == len(set(names))
    assert len(names) > 9000


@pytest.mark.parametrize("function", OPTIONS)
def test_options_out_of_their_domain(function, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nothing_is_wrong(option_cases(function), 27)


@pytest.mark.parametrize("problem", QUICK)
def test_bad_data(problem):
    nothing_is_wrong(share_of(data_cases(problem, False)), 40)


@pytest.mark.slow
@pytest.mark.parametrize("x64", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_bad_data_of_each_model(problem, x64):
    nothing_is_wrong(share_of(data_cases(problem, x64)), 40)


@pytest.mark.slow
@pytest.mark.parametrize("x64", [False, True], ids=["float32", "float64"])
def test_bad_data_for_kmeans(x64):
    nothing_is_wrong(share_of(kmeans_cases(x64)), 15)
