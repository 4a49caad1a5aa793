"""Time per EM step of hidden Markov models, side by side with hmmlearn and dynamax.

    python benchmarks/chains.py [--pairs 3] [--only normal] [--optimum]

Needs ``pip install hmmlearn dynamax`` (rows of the table say so where one is missing). Same start
and same steps for all: see ``_pairs.py``. The priors of both are switched off, but for those of
dynamax that cannot be, so that its log-likelihood agrees less exactly. ``--optimum`` shows the time
until the optimum is reached: ours by defaults from the start (a second fit: nothing is compiled),
hmmlearn by its own rule with 1e-4 log units, dynamax, which compiles at every call, in as many
steps as EM takes to come as near.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import _pairs
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import scan

from mixpyro import em, models

try:
    from hmmlearn import hmm
except ImportError:
    hmm = None
try:
    import dynamax.hidden_markov_model as dynamax
except ImportError:
    dynamax = None


def normal_chains(x: jax.Array, num_states: int) -> None:
    """Sequences (t, s) side by side, of scalar normals."""
    initial = numpyro.sample("initial", dist.Dirichlet(jnp.ones(num_states)))
    with numpyro.plate("states", num_states):
        transition = numpyro.sample("transition", dist.Dirichlet(jnp.ones(num_states)))
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(2))

    def step(carry: tuple, x: jax.Array) -> tuple:
        z, t = carry
        with numpyro.plate("sequences", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.where(t == 0, initial, transition[z])))
            numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)
        return (z, t + 1), None

    scan(step, (jnp.zeros(x.shape[1], int), 0), x)


# How near the others come to the optimum, in log units.
NEAR = 1e-4


@dataclass(frozen=True)
class Chains:
    """One problem, and who else solves it; each contest has its numbers of steps."""

    label: str
    model: Callable
    start: Mapping[str, np.ndarray]
    data: np.ndarray
    given: Mapping[str, Any]
    hmmlearn: _pairs.Run | None
    dynamax: _pairs.Run | None
    steps: tuple[tuple[int, int], tuple[int, int]]
    in_hmmlearn: bool = True

    def contests(self) -> list[_pairs.Contest]:
        """Against hmmlearn, where it has such a model, and dynamax."""
        mine = _pairs.ours(self.model, self.start, self.data, **self.given)
        own, short = self.steps
        found = [_pairs.Contest(self.label, mine, "dynamax", self.dynamax, own, own, 1e-2)]
        if self.in_hmmlearn:
            found.insert(0, _pairs.Contest(self.label, mine, "hmmlearn", self.hmmlearn, own, short))
        return found


def paths(rng: np.random.Generator, length: int, number: int, k: int, stay: float) -> np.ndarray:
    """(t, s) states that stay with a probability, or go anywhere."""
    z = rng.integers(k, size=(length, number))
    moves = rng.random((length, number)) > stay
    moves[0] = True
    last = np.maximum.accumulate(np.where(moves, np.arange(length)[:, None], 0), 0)
    return np.take_along_axis(z, last, 0)


def transitions(k: int) -> dict[str, np.ndarray]:
    """A start away from the optimum."""
    return {"initial": np.full(k, 1 / k), "transition": np.full((k, k), 0.3 / k) + 0.7 * np.eye(k)}


def of_hmmlearn(make: Callable, x: np.ndarray, lengths: list[int] | None) -> _pairs.Run | None:
    """Runs of hmmlearn, of a model that ``make`` starts."""
    if hmm is None:
        return None

    def run(steps: int, tolerance: float = -np.inf) -> tuple[float, float]:
        model = make(steps)
        model.tol = tolerance
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            begin = time.perf_counter()
            model.fit(x, lengths)
            seconds = time.perf_counter() - begin
        return seconds, model.score(x, lengths)

    return run


def of_dynamax(model: object, start: dict, x: np.ndarray) -> _pairs.Run | None:
    """Runs of dynamax's ``fit_em``, which compiles each time: that cancels from the difference."""
    if dynamax is None:
        return None
    params, props = model.initialize(jax.random.key(0), method="prior", **start)
    x = jnp.asarray(x)
    batch = x if x.ndim > 2 else x[None]
    score = jax.jit(jax.vmap(model.marginal_log_prob, (None, 0)))

    def run(steps: int) -> tuple[float, float]:
        begin = time.perf_counter()
        found, _ = model.fit_em(params, props, batch, num_iters=steps, verbose=False)
        jax.block_until_ready(found)
        seconds = time.perf_counter() - begin
        return seconds, float(score(found, batch).sum())

    return run


def normal() -> Chains:
    """100 sequences of 200 steps, K = 5."""
    t, s, k = 200, 100, 5
    rng = np.random.default_rng(1)
    z = paths(rng, t, s, k, 0.8)
    x = rng.normal(np.linspace(-4, 4, k)[z], 1.0)
    start = {**transitions(k), "loc": np.linspace(-3, 5, k), "scale": np.full(k, 1.5)}

    def make(steps: int) -> object:
        model = hmm.GaussianHMM(
            k, "diag", covars_prior=0, covars_weight=0, n_iter=steps, init_params="", min_covar=0
        )
        model.startprob_, model.transmat_ = start["initial"], start["transition"]
        model.means_, model.covars_ = start["loc"][:, None], start["scale"][:, None] ** 2
        return model

    flat, label = x.T.reshape(-1, 1), f"normal, {s} x {t}, k = {k}"
    theirs = of_hmmlearn(make, flat, [t] * s)
    other = None
    if dynamax is not None:
        given = dynamax.DiagonalGaussianHMM(
            k,
            1,
            initial_probs_concentration=1.0,
            transition_matrix_concentration=1.0,
            emission_prior_mean_concentration=1e-8,
            emission_prior_concentration=1e-8,
            emission_prior_scale=1e-8,
        )
        begun = {
            "initial_probs": jnp.asarray(start["initial"]),
            "transition_matrix": jnp.asarray(start["transition"]),
            "emission_means": jnp.asarray(start["loc"])[:, None],
            "emission_scale_diags": jnp.asarray(start["scale"])[:, None],
        }
        other = of_dynamax(given, begun, x.T[..., None])
    return Chains(
        label, normal_chains, start, x, {"num_states": k}, theirs, other, ((2, 42), (2, 12))
    )


def poisson(t: int) -> Chains:
    """One long chain, K = 4."""
    k = 4
    rng = np.random.default_rng(2)
    z = paths(rng, t, 1, k, 0.9)[:, 0]
    x = rng.poisson(np.array([1.0, 4.0, 9.0, 16.0])[z])
    start = {**transitions(k), "rate": np.array([2.0, 5.0, 8.0, 12.0])}

    def make(steps: int) -> object:
        model = hmm.PoissonHMM(k, n_iter=steps, init_params="", lambdas_prior=0, lambdas_weight=0)
        model.startprob_, model.transmat_ = start["initial"], start["transition"]
        model.lambdas_ = start["rate"][:, None]
        return model

    label = f"Poisson, 1 x {t:,}, k = {k}"
    theirs = of_hmmlearn(make, x[:, None], None)
    other = None
    if dynamax is not None:
        given = dynamax.PoissonHMM(
            k,
            1,
            initial_probs_concentration=1.0,
            transition_matrix_concentration=1.0,
            emission_prior_concentration=1.0,
            emission_prior_rate=1e-8,
        )
        begun = {
            "initial_probs": jnp.asarray(start["initial"]),
            "transition_matrix": jnp.asarray(start["transition"]),
            "emission_rates": jnp.asarray(start["rate"])[:, None],
        }
        other = of_dynamax(given, begun, x[:, None].astype(float))
    given = {"num_components": k}
    return Chains(label, models.hidden_markov, start, x, given, theirs, other, ((1, 5), (1, 3)))


def items() -> Chains:
    """10,000 people, 6 waves, 5 items of 3 categories, K = 4; hmmlearn has one item only."""
    t, s, d, c, k = 6, 10_000, 5, 3, 4
    rng = np.random.default_rng(3)
    z = paths(rng, t, s, k, 0.8)
    true, away = rng.dirichlet(np.ones(c), (k, d)), rng.dirichlet(np.ones(c), (k, d))
    x = (rng.random((t, s, d, 1)) > true[z].cumsum(-1)).sum(-1).clip(0, c - 1)
    start = {**transitions(k), "probs": 0.5 * true + 0.5 * away}
    other = None
    if dynamax is not None:
        given = dynamax.CategoricalHMM(
            k,
            d,
            c,
            initial_probs_concentration=1.0,
            transition_matrix_concentration=1.0,
            emission_prior_concentration=1.0,
        )
        begun = {
            "initial_probs": jnp.asarray(start["initial"]),
            "transition_matrix": jnp.asarray(start["transition"]),
            "emission_probs": jnp.asarray(start["probs"]),
        }
        other = of_dynamax(given, begun, x.swapaxes(0, 1))
    label = f"{d} items, {s:,} x {t}, k = {k}"
    given = {"num_components": k, "num_categories": c}
    model = models.latent_transition
    return Chains(label, model, start, x, given, None, other, ((2, 42), (2, 42)), False)


def to_the_optimum(chains: Chains) -> None:
    """Seconds of a second run (the first compiles), and where it ends; the others' beside it."""
    given = {**chains.given, "init_params": chains.start}

    def fitted(**options: Any) -> tuple[float, em.Fit]:
        begin = time.perf_counter()
        fit = em.EM(chains.model, **options).run(0, chains.data, **given)
        return time.perf_counter() - begin, fit

    fitted()
    seconds, fit = fitted()
    rows = [("mixpyro", seconds, fit.num_steps, fit.log_likelihood)]
    fitted(tolerance=NEAR)
    seconds, near = fitted(tolerance=NEAR)
    rows.append(("mixpyro, as near", seconds, near.num_steps, near.log_likelihood))
    _, plain = fitted(accelerate=None, tolerance=1e-5)
    steps = int(np.argmax(np.asarray(plain.trace) > fit.log_likelihood - NEAR)) + 1
    if chains.hmmlearn is not None:
        rows.append(("hmmlearn", *_reordered(chains.hmmlearn(2 * steps, NEAR), "its own")))
    if chains.dynamax is not None:
        rows.append(("dynamax", *_reordered(chains.dynamax(steps), steps)))
    for name, took, number, value in rows:
        times = f"{took / seconds:.1f}"
        print(f"| {chains.label} | {name} | {took:.2f} | {times} | {number} | {value:.4f} |")


def _reordered(found: tuple[float, float], steps: object) -> tuple[float, object, float]:
    return found[0], steps, found[1]


if __name__ == "__main__":
    optimum = "--optimum" in sys.argv
    sys.argv = [a for a in sys.argv if a != "--optimum"]
    given = _pairs.options(__doc__, pairs=3)
    long = 1_000_000 if given.rows == 100_000 else given.rows
    problems = [normal(), poisson(long), items()]
    if not optimum:
        _pairs.table([c for p in problems for c in p.contests()], given)
        sys.exit()
    print("| model | | s to the optimum | times ours | steps | log-likelihood |")
    print("| --- | --- | --- | --- | --- | --- |")
    for problem in problems:
        if given.only in problem.label:
            to_the_optimum(problem)
