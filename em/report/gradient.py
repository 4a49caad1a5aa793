"""Lindsay's gradient function: whether any mixture at all has a higher likelihood than a fit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import biject_to

from ..climb.reach import felt
from ..machine.jit import quick_jit
from ..plan.chunks import Rows
from ..plan.program import Program
from ..read.reader import Params
from ..read.structure import Parameter
from .of_data.scoring import Scored, log_densities

# Families of one parameter whose density is unimodal in it, whatever the observation.
_FAMILIES = (
    *(dist.Poisson, dist.BernoulliProbs, dist.BernoulliLogits, dist.BinomialProbs),
    *(dist.BinomialLogits, dist.Exponential, dist.GeometricProbs, dist.GeometricLogits),
)
# So many places, first over all of the support, then over where rows have their own optimum.
_COARSE, _FINE, _TOPS = 240, 960, 5
_WIDE = 16.0
# A top between two places is narrowed down so often, each time to one of so many places.
_ROUNDS, _AROUND = 4, 17
# Densities of so many places and rows may stand side by side.
_ROOM = 1e6
# A fit is proved the best if no other mixture can be higher by more than this.
_PROVED = 1e-2
# A message looks for a proof where that is no more densities than this.
_CHEAP = 2e7


class Fitted(Scored, Protocol):
    """What is needed of a fit."""

    @property
    def rows(self) -> Rows:
        """Its rows."""
        ...


@dataclass(frozen=True, eq=False)
class GradientFunction:
    """``D(t) = sum_n w_n p(x_n | t) / p(x_n | fit) / sum_n w_n``, t the components' parameter.

    Lindsay (1983, Annals of Statistics 11:86): the log-likelihood of no mixture, of however many
    components, is above the fit's by more than ``sum_n w_n (sup D - 1)``. At a maximum over the
    weights D is 1 at the components' own values; where it is above 1 a component more would help.

    Attributes:
        parameter: the name of t's site.
        places: (g,) values of t.
        values: (g,) D there.
        supremum: the largest D, over the range in which every row has its own best t.
        at: where that is.
        bound: how much higher in log-likelihood another mixture might be at most.
    """

    parameter: str
    places: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)
    supremum: float
    at: float
    bound: float

    @property
    def proved(self) -> bool:
        """Whether no mixture of this family is higher by 0.01 or more."""
        return self.bound <= _PROVED


def gradient_function(fit: Fitted) -> GradientFunction:
    """The gradient function of a mixture of one parameter (see `GradientFunction`).

    Raises:
        ValueError: a model whose components differ in more than one number, or in another family
            than Poisson, Bernoulli, binomial, exponential and geometric; one of several levels or
            with labels; or all of its components at the edge of the support.
    """
    program = fit.program
    parameter = _parameter(program, fit.call.arrays)
    transform = biject_to(parameter.support)
    weights = np.asarray(fit.rows.weights, float)
    used = weights > 0
    number = program.num_components

    def densities(t: jax.Array, params: Params, arrays: tuple) -> jax.Array:
        names = tuple(d.name for d in program.structure.data)
        return jax.vmap(lambda t: program.replayed(params | {parameter.name: t}, arrays, names))(t)

    by_place = program.compiled(
        "densities at places", lambda: quick_jit(program, densities, _FINE / number)
    )
    # So many sets of places at once, one for each class: always as many, to be traced once.
    sets = max(1, min(_COARSE // number, int(_ROOM // (number * program.num_rows))))
    log_fit = log_densities(program, fit.free, fit.call.arrays)

    def at(u: np.ndarray) -> np.ndarray:
        """(g, n) the rows' log densities at unconstrained places (g,), a class for each."""
        filled = np.resize(u, -(-len(u) // (number * sets)) * number * sets)
        parts = [
            by_place(transform(jnp.asarray(some, float)), fit.free, fit.call.arrays)
            for some in filled.reshape(-1, sets, number)
        ]
        shape = (-1, program.num_rows)
        return np.concatenate([np.reshape(np.asarray(p, float), shape) for p in parts])[: len(u)]

    def ratio(log_density: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # infinitely far from a maximum
            share = np.exp(log_density - log_fit)
        return share[:, used] @ weights[used] / weights[used].sum()

    centre = np.asarray(transform.inv(fit.free[parameter.name]), float)
    centre = centre[np.isfinite(centre)]  # without the edges of the support, a rate of 0 say
    if not centre.size:
        raise ValueError(f"every class has {parameter.name!r} at the edge of its support")
    coarse = np.linspace(centre.min() - _WIDE, centre.max() + _WIDE, _COARSE)
    rows = at(coarse)[:, used]
    _check_unimodal(rows, parameter.name)
    best = rows.argmax(0)
    step = coarse[1] - coarse[0]
    u = np.linspace(coarse[best.min()] - step, coarse[best.max()] + step, _FINE)
    values = ratio(at(u))
    tops = [
        i
        for i in np.argsort(-values)
        if values[i] >= values[max(i - 1, 0)] and values[i] >= values[min(i + 1, _FINE - 1)]
    ][:_TOPS]
    # Each top lies between its neighbours: the place there is narrowed down, all of them at once.
    tops_at, width = u[tops], u[1] - u[0]
    for _ in range(_ROUNDS):
        around = tops_at[:, None] + width * np.linspace(-1, 1, _AROUND)
        highest = ratio(at(around.ravel())).reshape(around.shape)
        tops_at = around[np.arange(len(tops)), highest.argmax(1)]
        width *= 2 / (_AROUND - 1)
    supremum, where = highest.max(), tops_at[highest.max(1).argmax()]
    places = np.asarray(transform(jnp.asarray(np.append(u, where), float)), float)
    bound = float(weights.sum()) * max(supremum - 1, 0.0)
    return GradientFunction(
        parameter.name, places[:-1], values, float(supremum), float(places[-1]), bound
    )


def proof(fit: Fitted) -> list[str]:
    """The sentence that a fit is the best mixture of all, if that is proved and cheap to tell."""
    program = fit.program
    if program.posterior or program.num_rows * (_COARSE + _FINE) > _CHEAP:
        return []
    try:
        found = gradient_function(fit)
    except ValueError:  # no mixture of one parameter
        return []
    if not found.proved:
        return []
    return [
        "It is proved the best: no mixture of this family, of however many components, has a "
        f"log-likelihood higher by {_PROVED} (Lindsay 1983)."
    ]


def _parameter(program: Program, arrays: tuple) -> Parameter:
    """The one parameter in which components differ, a number each."""
    structure = program.structure
    latent = structure.latent
    plain = (
        len(structure.levels) == 1
        and len(structure.latents) == 1
        and latent.labels is None
        and structure.chain is None
        and not latent.rowwise
        and not structure.auxiliary
        and len(structure.data) == 1
        and issubclass(structure.data[0].distribution, _FAMILIES)
    )
    k = program.num_components
    own = [p for p in structure.free if p.name not in latent.depends]
    proportions = [p for p in structure.free if p.name in latent.depends]
    plain = plain and [p.shape for p in proportions] == [(k,)] and [p.shape for p in own] == [(k,)]
    if plain:
        start = sum(math.prod(p.shape) for p in structure.free[: structure.free.index(own[0])])
        reach = felt(program, arrays)
        plain = np.array_equal(reach[:, start : start + k], np.eye(k, dtype=bool))
        plain = plain and reach.sum() == k and own[0].support is not None
    if not plain:
        raise ValueError(
            "the gradient function is of mixtures whose components differ in one number each (of a "
            "Poisson, Bernoulli, binomial, exponential or geometric distribution), with free "
            "weights and unknown classes"
        )
    return own[0]


def _check_unimodal(rows: np.ndarray, name: str) -> None:
    """Each row's density (g, n) must rise up to its best place and fall from there."""
    slope = np.diff(np.where(np.isfinite(rows), rows, -1e300), axis=0)
    past = np.arange(len(slope))[:, None] >= rows.argmax(0)
    size = 1e-9 * (1 + np.abs(np.nan_to_num(rows[:-1], neginf=0)))
    if ((slope > size) & past).any() or ((slope < -size) & ~past).any():
        raise ValueError(
            f"the density of a row has several peaks as a function of {name!r}, so that the range "
            "in which the gradient function has its supremum is not known"
        )
