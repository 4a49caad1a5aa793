"""The cases of this folder, their data, likelihoods and fits, each made once."""

import functools
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import biject_to, constraints
from numpyro.distributions.transforms import ExpTransform
from scipy import optimize

from mixpyro import em
from mixpyro.em.machine.by_numpy.interpret import interpreted

from .case import WEIGHTS, Case

DISTINCT_ROWS, MAX_REPEATS = 201, 3
KEY = 0


def discover() -> list[Case]:
    cases = []
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path.name == "test_contract.py":
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

        @interpreted
        def derivatives(u, x, known):
            f = functools.partial(log_likelihood, x=x, known=known)
            return f(u), jax.grad(f)(u), jax.hessian(f)(u)

        @interpreted
        def unconstrain(params):
            parts = [self.transforms[n].inv(params[n]).ravel() for n in self.places]
            return jnp.concatenate(parts)

        self.derivatives = functools.lru_cache(maxsize=64)(
            lambda u, data: jax.tree.map(
                np.asarray, derivatives(np.frombuffer(u), data.rows["x"], data.rows.get("known"))
            )
        )
        self.unconstrain = unconstrain
        self.constrain = interpreted(constrain)

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
