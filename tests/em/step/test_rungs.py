"""The rungs of the M-step: each file of the folder is one, and a new one is taken where it can."""

from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from mixpyro.em.calls.arguments import split
from mixpyro.em.plan.blocks import Rung, Task
from mixpyro.em.plan.build import build
from mixpyro.em.plan.spec import describe
from mixpyro.em.read.model import read_model
from mixpyro.em.step import rungs
from mixpyro.em.step.work import Work

X = np.random.default_rng(0).normal(size=40)
FILES = {p.stem for p in Path(rungs.__file__).parent.glob("[!_]*.py")}
ON_STATISTICS, ON_ROWS = "numeric, on statistics", "numeric, on rows"


def test_each_file_is_a_rung():
    assert {type(r).__module__.rpartition(".")[2] for r in rungs.LADDER} == FILES
    assert len(rungs.LADDER) == len(FILES)
    places = [rung.place for rung in rungs.LADDER]
    assert places == sorted(set(places))


def test_what_a_rung_says_of_itself_agrees():
    for rung in rungs.LADDER:
        assert rung.closed == rung.name.startswith("closed form")
        assert rung.numeric == rung.name.startswith("numeric")
        assert not (rung.closed and rung.numeric)
        assert rung.closed or rung.numeric or rung.estimates


@pytest.mark.parametrize(
    ("task", "name"),
    [
        (Task((), None, rowwise=False, auxiliary=False, prior=True), "numeric, on priors"),
        (Task((), None, rowwise=False, auxiliary=True), ON_STATISTICS),
        (Task((), None, rowwise=False, auxiliary=True, prior=True), ON_STATISTICS),
        (Task((object(),), None, rowwise=False, auxiliary=False, prior=True), ON_STATISTICS),
        (Task((object(),), None, rowwise=True, auxiliary=False), ON_ROWS),
    ],
)
def test_the_ladder_ends_with_what_can_do_anything(task, name):
    assert next(rung.name for rung in rungs.LADDER if rung.takes(task)) == name


def normals(x):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)


@dataclass(frozen=True)
class Halfway(Rung):
    """The middle between the estimate and where the parameters are."""

    name = "half of an estimate"
    place = 5
    estimates = True

    def takes(self, task):
        return any(site.name == "x" for site in task.sites)

    def maximise(self, work: Work):
        (closed,) = (rung for rung in rungs.LADDER if rung.name == "closed form")
        found = closed.maximise(work)
        return {n: (v + work.params[n]) / 2 for n, v in found.items()}


def test_a_new_rung_takes_what_it_can():
    call = split((X,), {})
    program = build(read_model(normals, call), call, (Halfway(), *rungs.LADDER))
    assert {b.parameters: b.rung.name for b in program.blocks} == {
        ("weights",): "closed form",
        ("loc",): "half of an estimate",
    }
    assert "half of an estimate" in str(describe(program))
    assert not describe(program).closed_form
