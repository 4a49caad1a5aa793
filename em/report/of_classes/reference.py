"""Coefficients of the class probabilities, against one class or another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from ...machine.jit import quick_jit
from ...read.examples import unseen_example
from ...rows.streamed import one_batch_of
from .. import information as info

if TYPE_CHECKING:
    from ..result import Result

_SEEDS = (4, 5)


@dataclass(frozen=True)
class Logits:
    """Coefficients of class logits: ``coefficients`` (k - 1, ...), of ``fixed`` they are 0.

    ``sites`` are the parameters that hold them, of the other classes in their order.
    """

    sites: tuple[str, ...]
    fixed: int
    k: int

    def renamed(self, coefficients: np.ndarray, order: Any) -> np.ndarray:
        """The coefficients (k - 1, ...) once class ``order[j]`` is called j."""
        every = np.insert(np.asarray(coefficients), self.fixed, 0, axis=0)[np.asarray(order)]
        return np.delete(every - every[self.fixed], self.fixed, axis=0)

    def order(self, reference: int) -> list[int]:
        """The classes with this one in the place of that which is fixed, others in their order."""
        order = self.others(reference)
        order.insert(self.fixed, reference)
        return order

    def others(self, reference: int) -> list[int]:
        """The classes but one."""
        return [j for j in range(self.k) if j != reference]


@dataclass(frozen=True, eq=False)
class Contrasts:
    """A parameter's coefficients against a class: values, errors, notes (k - 1, ...)."""

    value: np.ndarray
    error: np.ma.MaskedArray
    note: np.ndarray


def class_logits(fit: Result) -> Logits | None:
    """Which parameters are coefficients of class logits against one class, if there are some.

    No name tells: calling the classes otherwise has to change the coefficients as it changes
    differences of logits, and to leave the class probabilities of all rows as they are, at random
    parameters.
    """
    program, structure = fit.program, fit.program.structure
    k, arrays = program.num_components, one_batch_of(fit.rows).arrays
    if len(structure.latents) > 1 or structure.chain is not None or k < 2:
        return None
    latent = structure.latent
    sites = tuple(
        p.name for p in structure.free if p.name in latent.depends and p.shape[:1] == (k - 1,)
    )
    if not sites or not latent.rowwise:
        return None
    compiled = program.compiled(
        "class log weights", lambda: quick_jit(program, program.log_weights)
    )

    def at(params: dict) -> np.ndarray:
        return np.asarray(compiled(params, arrays), float)

    tried = [dict(unseen_example(program, arrays, seed)) for seed in _SEEDS]
    weights = [at(params) for params in tried]
    for fixed in (0, k - 1, *range(1, k - 1)):
        logits = Logits(sites, fixed, k)
        if all(
            _same(at({**params, **_moved(logits, params, order)}), own[order])
            for params, own in zip(tried, weights, strict=True)
            for order in map(logits.order, logits.others(fixed))
        ):
            return logits
    return None


def _moved(logits: Logits, params: dict, order: list[int]) -> dict[str, jax.Array]:
    return {
        n: jax.numpy.asarray(logits.renamed(params[n], order), params[n].dtype)
        for n in logits.sites
    }


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    size = np.abs(b[np.isfinite(b)]).max(initial=1.0)
    single = not jax.config.jax_enable_x64
    return np.allclose(a, b, rtol=0, atol=size * (1e-4 if single else 1e-9))


def contrasts(fit: Result, logits: Logits, reference: int, kind: str) -> dict[str, Contrasts]:
    """{parameter: its coefficients against a class}: ``beta_j - beta_reference``.

    The variance is that of the difference, from the joint covariance of the estimates.
    """
    order, found = logits.order(reference), {}
    change = logits.renamed(np.eye(logits.k - 1), order)
    for name in logits.sites:
        value = np.asarray(fit.leaves[name], float)
        slope = np.kron(change, np.eye(value[0].size))
        error, note = info.of_functions(fit.information, {name: slope}, kind)
        found[name] = Contrasts(
            logits.renamed(value, order), error.reshape(value.shape), note.reshape(value.shape)
        )
    return found


def logits_of(fit: Result) -> Logits:
    """The coefficients that a reference class is for.

    Raises:
        ValueError: there are none.
    """
    found = class_logits(fit)
    if found is None:
        raise ValueError(
            "a reference class is for coefficients of the class probabilities: one row less than "
            "there are classes, log odds against one of them, of covariates, such as "
            "class_coefficients of models.latent_class_regression. This model has none that is "
            "estimated"
        )
    return found
