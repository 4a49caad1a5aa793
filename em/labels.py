"""Labels that are soft, set-valued or partly unknown, put around a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from numpyro.primitives import Messenger

from .calls.numbers import plain
from .options import model as check_model


def with_labels(model: Callable, **labels: Any) -> Callable:
    r"""The model with evidence on its latent classes: what is known of each row's class.

    ::

        p(x_n, evidence_n) = sum_k p(z_n = k) q_nk p(x_n | z_n = k)

    The evidence q_nk is the probability of what was seen of the class (a rater's verdict, a noisy
    test) if it were k; only ratios within a row matter. Rows of 0 and 1 are sets of possible
    classes; one-hot rows say that the class is known, rows of ones that nothing is. A known row
    contributes its complete-data term ``log p(x_n, z_n)``.

    The result is an ordinary NumPyro model with one ``numpyro.factor`` more for each class, for
    EM, `mixpyro.inference` and NumPyro's own enumeration alike.

    Args:
        model: a NumPyro model that does not observe these classes itself.
        labels: {site: evidence}, by the name of the class's site: (..., k) non-negative numbers,
            or (...) integers from 0 to k - 1, -1, masked or NaN for unknown, where ... are the
            dimensions of its plates.

    Raises:
        ValueError: no labels, negative or non-finite evidence, a row without any possible class;
            and when the model runs, another shape or number of classes than the site has.

    Example:
        ``em.EM(em.with_labels(model, z=[0, -1, -1, 1])).run(key, x)``
    """
    check_model(model)
    if not labels:
        raise ValueError("with_labels needs the evidence by site: with_labels(model, z=labels)")
    return _Evidence(model, {name: _as_evidence(name, v) for name, v in labels.items()})


def _as_evidence(name: str, given: Any) -> np.ndarray:
    array = plain(given, f"the labels of {name!r}")
    if array.dtype.kind in "iu":
        return array
    array = array.astype(float)
    if array.ndim < 2:
        array = np.where(np.isnan(array), -1.0, array)  # masked, or a gap of a frame: unknown
        if np.isfinite(array).all() and np.array_equal(array, np.round(array)):
            return array.astype(int)
        raise ValueError(
            f"the labels of {name!r} have shape {array.shape}; give integers (n,), -1 for unknown, "
            "or evidence (n, k)"
        )
    if not np.isfinite(array).all() or (array < 0).any():
        raise ValueError(f"the labels of {name!r} must be finite and >= 0 everywhere")
    empty = np.argwhere(array.sum(-1) == 0)
    if len(empty):
        raise ValueError(
            f"the labels of {name!r} leave row {', '.join(map(str, empty[0]))} no possible class"
        )
    return array


class _Evidence(Messenger):
    """Adds a factor after each site that there is evidence on."""

    def __init__(self, fn: Callable, evidence: dict[str, np.ndarray]) -> None:
        super().__init__(fn)
        self.evidence = evidence

    def postprocess_message(self, msg: dict) -> None:
        """Score the class that the site was given."""
        if msg["type"] != "sample" or msg["name"] not in self.evidence or msg["value"] is None:
            return
        name, fn = msg["name"], msg["fn"]
        evidence = self.evidence[name]
        if msg["is_observed"]:
            raise ValueError(f"site {name!r} is observed already; with_labels is for latent ones")
        if not fn.has_enumerate_support:
            raise ValueError(f"site {name!r} has no finite support, so it can have no labels")
        classes = fn.enumerate_support(expand=False).shape[0]
        shape = fn.batch_shape
        hard = evidence.dtype.kind in "iu"
        wanted = shape if hard else (*shape, classes)
        if evidence.shape != wanted:
            raise ValueError(
                f"the labels of {name!r} have shape {evidence.shape}; {shape} (labels) or "
                f"{(*shape, classes)} (evidence on each class) is needed"
            )
        if hard:
            wrong = np.argwhere((evidence < -1) | (evidence >= classes))
            if len(wrong):
                raise ValueError(
                    f"label {evidence[tuple(wrong[0])]} of site {name!r} at row "
                    f"{', '.join(map(str, wrong[0]))} is out of range: it has {classes} classes, 0 "
                    f"to {classes - 1}, and -1 is for unknown"
                )
        numpyro.factor(f"{name}_labels", _log_evidence(evidence, msg["value"], hard=hard))


def _log_evidence(evidence: np.ndarray, value: jax.Array, *, hard: bool) -> jax.Array:
    if hard:
        labels = jnp.asarray(evidence)
        return jnp.where((labels < 0) | (labels == value), 0.0, -jnp.inf)
    with np.errstate(divide="ignore"):
        table = jnp.asarray(np.log(evidence), jnp.result_type(float))
    places = jnp.ogrid[tuple(slice(0, n) for n in evidence.shape[:-1])]
    return table[(*places, value)]
