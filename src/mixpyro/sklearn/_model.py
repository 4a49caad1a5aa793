"""Any model as an estimator."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ._base import MixtureEstimator

if TYPE_CHECKING:
    from ..em import Fit


class Mixture(MixtureEstimator):
    """A NumPyro model with a latent class for each row, fitted by EM.

    ``Mixture(models.student_t_mixture, num_components=3)`` fits ``model(x, num_components=3)``, x
    being the rows (n_samples, n_features). The model's settings are parameters of the estimator,
    which a search can vary: ``GridSearchCV(mixture, {"num_components": [1, 2, 3]})``.

    Args:
        model: a NumPyro model with one latent class for each of its rows.
        ravel: give the model x (n,), of rows with one feature.
        missing: let NaN through to the model.
        objective: ``"likelihood"`` or ``"posterior"`` (`mixpyro.em.EM`).
        tol, max_iter, n_init, random_state, verbose: as in `GaussianMixture`.
        settings: the model's keyword arguments.

    Attributes:
        params_: {site: value}, the estimates by the model's own names.
        converged_, n_iter_, lower_bound_, fit_: as in `GaussianMixture`; with a site "weights",
            ``weights_``.
    """

    def __init__(
        self,
        model: Callable | None = None,
        *,
        ravel: bool = False,
        missing: bool = False,
        objective: str = "likelihood",
        tol: float | None = None,
        max_iter: int = 10_000,
        n_init: int | str = "auto",
        random_state: Any = None,
        verbose: int = 0,
        **settings: Any,
    ) -> None:
        self.model = model
        self.ravel = ravel
        self.missing = missing
        self.objective = objective
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.random_state = random_state
        self.verbose = verbose
        self._settings = settings

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """The call that makes it; a model by its name, not by its address."""
        whole = super().__repr__(N_CHAR_MAX)
        return re.sub(r"<function (?:\S+\.)?(\w+) at 0x[0-9a-f]+>", r"\1", whole)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The estimator's parameters, and the model's settings among them."""
        return {**super().get_params(deep), **self._settings}

    def set_params(self, **params: Any) -> Self:
        """Set parameters and settings; settings may be new if the model takes them."""
        own = set(self._get_param_names())
        settings = {name: value for name, value in params.items() if name not in own}
        known = {*self._settings, *_keywords(self.model)}
        if unknown := sorted(set(settings) - known):
            raise ValueError(
                f"Invalid parameter {unknown[0]!r} for estimator Mixture: neither it nor its model "
                f"takes that. Valid parameters are: {sorted(own | known)!r}."
            )
        super().set_params(**{name: v for name, v in params.items() if name in own})
        self._settings = {**self._settings, **settings}
        return self

    def _call(self) -> tuple[Callable, dict[str, Any]]:
        if not callable(self.model):
            raise ValueError(
                f"model must be a NumPyro model (a callable), not {self.model!r}; mixpyro.models "
                "has some"
            )
        return self.model, self._settings

    def _options(self) -> dict[str, Any]:
        return {"objective": self.objective}

    def _values(self, rows: np.ndarray, reset: bool) -> np.ndarray:
        if not self.ravel:
            return rows
        if rows.shape[1] != 1:
            raise ValueError(
                f"ravel is for rows with one feature, and X has {rows.shape[1]} of them"
            )
        return rows[:, 0]

    def _ordered(self, fit: Fit) -> Fit:
        latents, rows = fit.spec.latents, len(fit.call.arrays[0])
        chain = fit.program.structure.chain is not None
        if chain or len(latents) > 1 or latents[0].num_rows != rows:
            raise ValueError(
                "Mixture is for models with one latent class for each row of X; for chains use "
                "HiddenMarkov, for groups and several classes use mixpyro.em.EM"
            )
        return super()._ordered(fit)

    def _describe(self, params: Any) -> None:
        self.params_ = params

    @property
    def _missing(self) -> bool:  # type: ignore[override]
        return self.missing


def _keywords(model: Any) -> set[str]:
    """The names of a model's keyword arguments."""
    if not callable(model):
        return set()
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return {p.name for p in inspect.signature(model).parameters.values() if p.kind in kinds}
