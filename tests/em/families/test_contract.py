"""What every family owes: each case in the files of this folder gets all of these tests."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy import special

from mixpyro import em
from mixpyro.distributions import OrUniform
from mixpyro.em.classes.assignments.soft import Soft
from mixpyro.em.families import CATALOGUE, Statistics
from mixpyro.em.rows import prepare as rows_module
from mixpyro.em.step.expectation import e_step

from .case import WEIGHTS
from .contract import (
    CASES,
    REPRESENTATIVE,
    arguments,
    data_of,
    every_argument,
    every_case,
    fit,
    free_fit,
    likelihood_of,
    main_cases,
    models_of,
    scipy_log_joint,
    smooth_cases,
    statistical_cases,
)


def test_the_representative_cases_exist():
    assert {str(case) for case in CASES} >= REPRESENTATIVE


# Tested by themselves: the likelihood has corners, or classes have different distributions.
ELSEWHERE = {dist.Uniform, *OrUniform.__subclasses__()}


def test_every_distribution_of_the_catalogue_has_a_case():
    assert {case.distribution for case in CASES} == set(CATALOGUE) - ELSEWHERE


def test_every_argument_of_every_family_has_a_case():
    for distribution, family in CATALOGUE.items():
        cases = [case for case in CASES if case.distribution is distribution]
        if distribution in ELSEWHERE or {case.m_step for case in cases} == {
            "numeric, on statistics"
        }:
            continue  # its arguments are functions of those of another type
        used = {n for case in cases for n in case.params}
        given = set(family.domains)
        # BernoulliProbs takes no logits: NumPyro has two types where a family has alternatives.
        if distribution.__name__.endswith(("Probs", "Logits")):
            given -= {"logits" if distribution.__name__.endswith("Probs") else "probs"}
        assert used == given, distribution


@every_case
def test_the_case_is_of_its_distribution(case):
    fn = case.make(
        **({"known": np.array([7])} if case.known else {}),
        **{n: jnp.asarray(v[0]) for n, v in case.values.items()},
    )
    while hasattr(fn, "base_dist") and type(fn) is not case.distribution:
        fn = fn.base_dist
    assert type(fn) is case.distribution


cases_by_precision = pytest.mark.parametrize(
    ("case", "precision"),
    [
        pytest.param(c, p, id=f"{c}-{p}", marks=[pytest.mark.slow] * (p == "float32" or c.slow))
        for c in CASES
        for p in ("float32", "float64")
    ],
    indirect=["precision"],
)


@cases_by_precision
def test_the_fit_takes_its_m_step_and_converges(case, precision):
    found = free_fit(case, str(precision))
    assert found.spec.closed_form == (case.m_step == "closed form")
    assert [b.m_step for b in found.spec.blocks] == [
        "closed form" if b.parameters == ("weights",) else case.m_step for b in found.spec.blocks
    ]
    assert {n: v.shape for n, v in found.params.items()} == {
        "weights": (2,),
        **{n: v.shape for n, v in case.values.items()},
    }
    assert all(v.dtype == precision for v in found.params.values())
    assert found.base_status is em.Status.CONVERGED


@main_cases
def test_the_status_says_whether_the_parameters_are_determined(case, x64):
    expected = em.Status.CONVERGED if case.identified else em.Status.NOT_IDENTIFIED
    assert free_fit(case, "float64").status is expected


@cases_by_precision
def test_the_log_likelihood_is_scipys(case, precision):
    found = free_fit(case, str(precision))
    rows = data_of(case).rows
    joint = scipy_log_joint(case, found.params, rows)
    by_row = special.logsumexp(joint, 1)
    rtol = max(case.exact, 1e-10 if precision == "float64" else 2e-5)
    np.testing.assert_allclose(found.log_prob(), by_row, rtol=rtol, atol=20 * rtol)
    # Of the terms of the rows, whose sum may be smaller than they are.
    size = np.abs(by_row).sum()
    assert found.log_likelihood == pytest.approx(by_row.sum(), abs=rtol * size)
    assert found.trace[-1] == pytest.approx(found.log_likelihood, rel=1e-7)
    np.testing.assert_allclose(
        found.responsibilities(), np.exp(joint - by_row[:, None]), atol=50 * rtol
    )


@cases_by_precision
def test_no_step_lowers_the_likelihood(case, precision):
    found = free_fit(case, str(precision))
    assert len(found.trace) == found.num_steps >= 2
    # Of the terms of the rows, whose sum may be smaller than they are.
    size = np.abs(found.trace).max() + found.total_weight
    rounding = 64 * jnp.finfo(precision).eps * size
    assert np.all(np.diff(found.trace) >= -rounding)


@smooth_cases
def test_the_fit_is_a_maximum(case, x64):
    found = free_fit(case, "float64")
    left, gradient = likelihood_of(case).remaining(found.params)
    assert left < max(1e-9, case.exact)
    assert gradient < max(1e-3, 1e4 * case.exact)


@smooth_cases
def test_the_fit_is_scipys_optimum(case, x64):
    found = free_fit(case, "float64")
    assert_same_optimum(case, found)


def assert_same_optimum(case, found, tied=(), fixed=(), determined=True):
    value, best = likelihood_of(case).maximum(found.params, tied, fixed)
    assert found.log_likelihood == pytest.approx(value, rel=case.exact, abs=1e-7)
    rows = data_of(case, tied).rows
    ours, theirs = (
        special.logsumexp(scipy_log_joint(case, p, rows), 1) for p in (found.params, best)
    )
    assert found.log_likelihood == pytest.approx(ours.sum(), rel=max(1e-10, case.exact))
    np.testing.assert_allclose(ours, theirs, atol=2e-4)
    if case.identified and determined:
        for name, array in likelihood_of(case).untied(found.params).items():
            # A flat top: where the height agrees to e, places agree to its root at best.
            rtol = max(1e-4, case.exact**0.5)
            pair = (array, best[name])
            if name in ("concentration", "total_count") and case.exact:  # from here on, Poisson
                pair = tuple(np.minimum(v, 1e6) for v in pair)
            np.testing.assert_allclose(*pair, rtol, 1e-5, err_msg=name)


@every_argument
def test_an_argument_may_be_shared_by_the_components(case, name, x64):
    start = {"weights": WEIGHTS, **case.truth((name,))}
    found = fit(models_of(case, (name,)), start, arguments(data_of(case, (name,)).rows))
    assert found.spec.closed_form or case.m_step != "closed form"
    assert found.params[name].shape == case.values[name].shape[1:]
    assert np.all(np.diff(found.trace) >= -1e-11 * np.abs(found.trace).max())
    left, gradient = likelihood_of(case).remaining(found.params, tied=(name,))
    assert left < max(1e-9, case.exact)
    assert gradient < max(1e-3, 1e4 * case.exact)
    # With its only argument shared the two components are one, whatever their weights.
    determined = len(case.params) > 1 and name not in case.needed
    assert_same_optimum(case, found, tied=(name,), determined=determined)


@every_argument
def test_an_argument_may_be_held_fixed(case, name, x64):
    value = 1.1 * case.values[name] if name in ("loc", "scale", "rate") else case.values[name]
    model = handlers.condition(models_of(case), {name: jnp.asarray(value)})
    start = {n: v for n, v in {"weights": WEIGHTS, **case.values}.items() if n != name}
    found = fit(model, start, arguments(data_of(case).rows))
    assert found.spec.closed_form or case.m_step != "closed form"
    np.testing.assert_array_equal(found.params[name], value)
    free = {p.name: p.free for p in found.spec.parameters}
    assert free[name] == 0
    assert free["weights"] == 1
    assert np.all(np.diff(found.trace) >= -1e-11 * np.abs(found.trace).max())
    left, gradient = likelihood_of(case).remaining(found.params, fixed=(name,))
    assert left < max(1e-9, case.exact)
    assert gradient < max(1e-3, 1e4 * case.exact)
    assert_same_optimum(case, found, fixed=(name,))


@statistical_cases
def test_statistics_of_chunks_add_up(case, x64):
    found = free_fit(case, "float64")
    (site,) = found.program.sites
    family, rows = site.family, found.rows
    reference = rows.reference[site.name]
    params = {n: jnp.asarray(v) for n, v in found.params.items()}
    args = found.program.arguments(params, rows.arrays)[site.name]
    n = found.program.num_rows  # the others fill up
    u = rows.chunks.u[site.name][0, 0][..., :n]
    known = {a: v[0, 0][..., :n] for a, v in rows.chunks.known[site.name].items()}
    weights = np.asarray(found.responsibilities())
    cut = 41

    def statistics(part):
        features = family.features(
            u[..., part], {n: v[..., part] for n, v in known.items()}, reference
        )
        sums = jnp.einsum("cqn,nk->kcq", features, weights[part])
        count = jnp.broadcast_to(weights[part].sum(0)[:, None], sums.shape[:2])
        return Statistics(count, sums)

    whole, first, rest = (statistics(s) for s in (slice(None), slice(cut), slice(cut, None)))
    summed = jax.tree.map(jnp.add, first, rest)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10), whole, summed)
    if site.ties is None:
        return
    # The estimate from the summed statistics is EM's next step, and the fit is its fixed point.
    estimate = family.estimate(summed, args, site.ties, reference)
    for name in case.params:
        array = np.asarray(estimate[name]).reshape(found.params[name].shape)
        np.testing.assert_allclose(array, found.params[name], rtol=1e-4, atol=1e-5)


@main_cases
def test_weights_count_as_repeated_rows(case, x64):
    data = data_of(case)
    repeated = free_fit(case, "float64")
    kwargs = arguments(data.few) | {"row_weights": data.row_weights}
    weighted = fit(models_of(case), {"weights": WEIGHTS, **case.values}, kwargs)
    assert weighted.total_weight == data.row_weights.sum() == len(data.rows["x"])
    assert weighted.num_free_params == repeated.num_free_params
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=1e-11)
    assert weighted.bic == pytest.approx(repeated.bic, rel=1e-11)
    for name, value in repeated.params.items():
        np.testing.assert_allclose(weighted.params[name], value, rtol=1e-5, atol=1e-6)


@main_cases
def test_an_empty_component_keeps_finite_parameters(case, x64):
    rows = data_of(case).rows
    rows = rows | {"z": np.zeros_like(rows["z"])}
    start = {"weights": WEIGHTS, **case.values}
    found = fit(models_of(case), start, arguments(rows, "z"))
    assert found.status is em.Status.EMPTIED
    assert not found.status.ok
    np.testing.assert_array_equal(found.params["weights"], [1, 0])
    for name, value in found.params.items():
        assert np.all(np.isfinite(value)), name
    assert np.all(np.isfinite(found.trace))
    # All rows are labelled 0: the log-likelihood is that of one component.
    own = {n: np.asarray(found.params[n])[0] for n in case.values}
    given = {"known": rows["known"]} if "known" in rows else {}
    alone = case.log_density(rows["x"], **given, **own).sum()
    assert found.log_likelihood == pytest.approx(alone, rel=1e-10)
    np.testing.assert_array_equal(found.responsibilities(), np.eye(2)[rows["z"]])
    # ... and no lower than at any parameters near by, so they are its closed-form estimates.
    rng = np.random.default_rng(3)
    likelihood = likelihood_of(case)
    u = likelihood.coordinates(found.params | {"weights": WEIGHTS})
    for _ in range(5):
        near = likelihood.constrain(u + 1e-2 * rng.standard_normal(u.shape))
        own = {n: np.asarray(near[n])[0] for n in case.values}
        assert case.log_density(rows["x"], **given, **own).sum() < alone


@pytest.mark.parametrize("turns", [1, 7])
@pytest.mark.parametrize("together", [1, 7])
@pytest.mark.parametrize(
    "case", [next(c for c in CASES if c.known), CASES[-1]], ids=lambda case: str(case)
)
def test_rows_in_many_chunks_give_the_same_e_step(case, turns, together, x64, monkeypatch):
    whole = free_fit(case, "float64")
    program = whole.program
    monkeypatch.setattr(rows_module, "_bytes_a_row", lambda *_: 1)
    number = rows_module.size_class(program.num_rows)
    monkeypatch.setitem(rows_module._TURN_BYTES, "cpu", -(-number // turns))
    monkeypatch.setitem(rows_module._TOGETHER, "cpu", together)
    monkeypatch.setattr(rows_module, "_CHUNK_ROWS", 1)
    rows = rows_module.prepare(program, whole.call.arrays)
    assert rows.chunks.weights.shape[:2] == (turns, together)
    if turns * together > 1:
        assert rows.chunks.weights.size > program.num_rows, "the last chunk is to be filled up"
    params = {n: jnp.asarray(v) for n, v in whole.params.items()}
    found = e_step(program, Soft(), params, rows)
    assert float(found.objective) == pytest.approx(whole.log_likelihood, rel=1e-12)
    together = e_step(program, Soft(), params, whole.rows)
    for name, sums in together.sums.items():
        np.testing.assert_allclose(found.sums[name], sums, rtol=1e-10)
