"""What every family owes: each case in the files of this folder gets all of these tests."""

import functools
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.distributions import biject_to, constraints
from numpyro.distributions.transforms import ExpTransform
from scipy import optimize, special

from mixpyro import em
from mixpyro.distributions import OrUniform
from mixpyro.em.classes.assignments.soft import Soft
from mixpyro.em.families import CATALOGUE, Statistics
from mixpyro.em.rows import prepare as rows_module
from mixpyro.em.step.expectation import e_step

from .case import WEIGHTS, Case

DISTINCT_ROWS, MAX_REPEATS = 201, 3
KEY = 0
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def discover() -> list[Case]:
    cases = []
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path.name == Path(__file__).name:
            continue
        name = f"{__package__}.{path.stem}"
        module = sys.modules.get(name) or importlib.import_module(name)
        cases += getattr(module, "CASES", [])
    return cases


CASES = discover()


# One of each shape of family: counts, a scalar event with two arguments, a vector with a matrix.
# The costlier tests of the others (each compiles models of its own) are in the slow part.
REPRESENTATIVE = {"Poisson[rate]", "Normal[loc-scale]", "MultivariateNormal[loc-covariance_matrix]"}


def param(case, *rest, name=""):
    quick = str(case) in REPRESENTATIVE
    return pytest.param(case, *rest, id=f"{case}{name}", marks=[] if quick else [pytest.mark.slow])


every_case = pytest.mark.parametrize("case", CASES, ids=str)
main_cases = pytest.mark.parametrize("case", [param(case) for case in CASES])
# Of a case that takes half a minute each time, one argument.
every_argument = pytest.mark.parametrize(
    ("case", "name"),
    [
        param(case, name, name=f"-{name}")
        for case in CASES
        if case.smooth
        for name in list(case.params)[: 1 if case.slow else None]
    ],
)
smooth_cases = pytest.mark.parametrize("case", [param(case) for case in CASES if case.smooth])
statistical_cases = pytest.mark.parametrize(
    "case", [param(case) for case in CASES if not case.m_step.endswith("on rows")]
)


# ---- data: some distinct rows, and the same rows repeated as often as a weight says ------------


@dataclass(frozen=True, eq=False)
class Data:
    few: dict  # distinct rows
    row_weights: np.ndarray  # (n,) whole numbers, some 0
    rows: dict  # the same, repeated


@functools.cache
def data_of(case: Case, tied: tuple[str, ...] = ()) -> Data:
    few = case.simulate(DISTINCT_ROWS, 7, tied)
    row_weights = np.random.default_rng(1).integers(0, MAX_REPEATS + 1, DISTINCT_ROWS)
    assert (row_weights == 0).any()
    rows = {name: np.repeat(value, row_weights, axis=0) for name, value in few.items()}
    return Data(few, row_weights.astype(float), rows)


def arguments(rows: dict, *names: str) -> dict:
    return {name: rows[name] for name in ("x", "known", *names) if name in rows}


# ---- the observed-data likelihood, by NumPyro's densities and by SciPy's -----------------------


class Likelihood:
    """Value, gradient and Hessian of the log-likelihood in unconstrained coordinates.

    The components are untied. That some argument is tied or fixed is a linear restriction of
    these coordinates, ``u = a v + b``: one compiled function serves every restriction.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        supports = {"weights": constraints.simplex, **case.supports}
        self.transforms = {name: biject_to(support) for name, support in supports.items()}
        self.start = {"weights": WEIGHTS, **case.values}
        shapes = {n: self.transforms[n].inverse_shape(v.shape) for n, v in self.start.items()}
        ends = np.cumsum([0, *(int(np.prod(s)) for s in shapes.values())])
        self.places = {n: slice(a, b) for n, a, b in zip(shapes, ends, ends[1:], strict=False)}
        self.size = int(ends[-1])

        def constrain(u):
            return {
                n: self.transforms[n](u[at].reshape(shapes[n])) for n, at in self.places.items()
            }

        def log_likelihood(u, x, known):
            params = constrain(u)
            given = {} if known is None else {"known": known}
            joint = [
                jnp.log(params["weights"][k])
                + case.make(**given, **{n: params[n][k] for n in case.values}).log_prob(x)
                for k in range(2)
            ]
            return jax.nn.logsumexp(jnp.stack(joint), 0).sum()

        @functools.partial(jax.jit, compiler_options=QUICK)
        def derivatives(u, x, known):
            f = functools.partial(log_likelihood, x=x, known=known)
            return f(u), jax.grad(f)(u), jax.hessian(f)(u)

        @functools.partial(jax.jit, compiler_options=QUICK)
        def unconstrain(params):
            parts = [self.transforms[n].inv(params[n]).ravel() for n in self.places]
            return jnp.concatenate(parts)

        self.derivatives = functools.lru_cache(maxsize=64)(
            lambda u, data: jax.tree.map(
                np.asarray, derivatives(np.frombuffer(u), data.rows["x"], data.rows.get("known"))
            )
        )
        self.unconstrain = unconstrain
        self.constrain = jax.jit(constrain, compiler_options=QUICK)

    def at(self, u, tied):
        """Value, gradient and Hessian, for the data of the case with these arguments shared."""
        return self.derivatives(np.asarray(u, float).tobytes(), data_of(self.case, tied))

    def untied(self, params):
        """Parameters with one value a component, those that are shared twice."""
        return {
            n: np.broadcast_to(np.asarray(params[n], float), v.shape) for n, v in self.start.items()
        }

    def coordinates(self, params):
        return np.asarray(self.unconstrain(self.untied(params)))

    def restriction(self, tied=(), fixed=()):
        """(size, m): how the free coordinates enter all of them."""
        columns = []
        for name, at in self.places.items():
            own = np.eye(self.size)[:, at]
            if name in fixed:
                continue
            if name in tied:
                own = own[:, : own.shape[1] // 2] + own[:, own.shape[1] // 2 :]
            columns.append(own)
        return np.concatenate(columns, 1)

    def remaining(self, params, tied=(), fixed=()):
        """How far the log-likelihood can still rise, by Newton's decrement; the gradient."""
        a = self.restriction(tied, fixed)
        _, gradient, hessian = self.at(self.coordinates(params), tied)
        gradient, hessian = a.T @ gradient, a.T @ hessian @ a
        values, vectors = np.linalg.eigh(-hessian)
        along = vectors.T @ gradient
        curved = values > 1e-6 * values.max()
        assert values.min() > -1e-6 * values.max(), "a saddle or a minimum"
        return (along[curved] ** 2 / values[curved]).sum() / 2, np.abs(gradient).max()

    def maximum(self, params, tied=(), fixed=()):
        """SciPy's optimum, started near ``params``: (log-likelihood, untied parameters).

        What has gone to the end of its range, such as the concentration of counts that vary no more
        than Poisson's, stays there: beyond it the densities have no digits left.
        """
        a = self.restriction(tied, fixed)
        b = self.coordinates(params)
        logarithms = np.zeros(self.size, bool)
        for name, at in self.places.items():
            logarithms[at] = isinstance(self.transforms[name], ExpTransform)
        ended = logarithms & (np.abs(b) > np.log(1e7))
        a = a[:, ~(a[ended] != 0).any(0)]
        rng = np.random.default_rng(5)
        found = optimize.minimize(
            lambda v: -self.at(b + a @ v, tied)[0],
            0.1 * rng.standard_normal(a.shape[1]),
            jac=lambda v: -(a.T @ self.at(b + a @ v, tied)[1]),
            hess=lambda v: -(a.T @ self.at(b + a @ v, tied)[2] @ a),
            method="trust-exact",
            options={"gtol": 1e-8},
        )
        best = {n: np.asarray(v) for n, v in self.constrain(b + a @ found.x).items()}
        return -found.fun, best


@functools.cache
def likelihood_of(case: Case) -> Likelihood:
    assert jax.config.jax_enable_x64
    return Likelihood(case)


def scipy_log_joint(case: Case, params: dict, rows: dict) -> np.ndarray:
    """(n, 2) log p(x, z = k), by SciPy's densities in float64."""
    values = {n: np.asarray(v, np.float64) for n, v in params.items()}
    given = {"known": rows["known"]} if "known" in rows else {}
    columns = []
    for k in range(2):
        own = {
            n: values[n] if values[n].ndim < true.ndim else values[n][k]
            for n, true in case.values.items()
        }
        columns.append(np.log(values["weights"][k]) + case.log_density(rows["x"], **given, **own))
    return np.stack(columns, 1)


# ---- fits, each made once -----------------------------------------------------------------------


@functools.cache
def models_of(case: Case, tied: tuple[str, ...] = ()):
    return case.model(tied)


def fit(model, params, kwargs, *, tolerance=1e-12):
    fitter = em.EM(model, tolerance=tolerance)
    return fitter.run(jax.random.key(KEY), **kwargs, init_params=params)


@functools.cache
def free_fit(case: Case, dtype: str):
    """The mixture with free arguments, on the repeated rows; asked for in that precision only."""
    assert jnp.result_type(float) == dtype
    rows = arguments(data_of(case).rows)
    return fit(models_of(case), {"weights": WEIGHTS, **case.values}, rows)


# ---- the contract -------------------------------------------------------------------------------


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
    assert found.log_likelihood == pytest.approx(by_row.sum(), rel=rtol)
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
    assert_same_optimum(case, found, tied=(name,), determined=len(case.params) > 1)


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
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10),
        found.sums,
        together.sums,
    )
