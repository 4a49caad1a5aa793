"""Normal components."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import models
from ..distributions import EigenNormal
from ..em.climb.starts import CATALOGUE as STARTS
from ._base import MixtureEstimator

COVARIANCES = {"full": "full", "tied": "tied", "diag": "diagonal", "spherical": "spherical"}
# scikit-learn's names of starts.
_STARTS = {
    "kmeans": "kmeans++",
    "k-means++": "kmeans++",
    "random": "random",
    "random_from_data": "random rows",
}


class GaussianMixture(MixtureEstimator):
    r"""A mixture of normal distributions, ``p(x) = sum_k weights_k Normal(x | means_k, Sigma_k)``.

    Args:
        n_components: k.
        covariance_type: ``"full"``, ``"tied"`` (one matrix for all), ``"diag"``, ``"spherical"``,
            or one of mclust's fourteen names (``"EEE"``, ``"VEV"``; see `models.gaussian_mixture`).
        tol: stop when what is left of the climb, by Aitken's estimate, is below this much of the
            mean log-likelihood of a row; None: below 1e-8 of the sum over the rows.
        reg_covar: 0, and nothing else. With what scikit-learn adds to the diagonals after each
            M-step EM climbs no objective: its steps may go down, and where it stops is no maximum
            of a likelihood, so that BIC, standard errors and the choice of a start mean nothing. A
            prior does it properly: ``Mixture(models.gaussian_mixture, objective="posterior")``.
        max_iter: the bound on EM steps.
        n_init: how many starts; ``"auto"`` goes on until the best optimum was found several times.
        init_params: how they begin: ``"kmeans"`` or ``"k-means++"``, ``"random"`` responsibilities,
            ``"random_from_data"``. With ``n_init="auto"`` other kinds follow.
        weights_init: (k,) weights to start from.
        means_init: (k, d) means to start from.
        precisions_init: inverse covariances to start from, in the shape of ``covariances_``.
        random_state: a seed, a `numpy.random.RandomState` or None; it only decides the starts.
        warm_start: start from the last fit.
        verbose: show progress.

    Attributes:
        weights_: (k,).
        means_: (k, d).
        covariances_: (k, d, d); tied (d, d), diag (k, d), spherical (k,); for mclust's names
            always (k, d, d).
        precisions_: their inverses.
        precisions_cholesky_: upper triangular ``U`` with ``precisions_ = U U'``; the roots of the
            precisions of diag and spherical.
        converged_: whether `fit_.status` is ok.
        n_iter_: EM steps of the best start.
        lower_bound_: mean log-likelihood of a row; ``lower_bounds_`` after each step.
        fit_: the `mixpyro.em.Fit`: standard errors, summary, ICL, and more.

    NaN is a missing entry, left out of its row's likelihood (missing at random).
    """

    _missing = True

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float | None = None,
        reg_covar: float = 0.0,
        max_iter: int = 10_000,
        n_init: int | str = "auto",
        init_params: str = "kmeans",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    def _call(self) -> tuple[Callable, dict[str, Any]]:
        if self.reg_covar != 0:
            raise ValueError(
                f"reg_covar={self.reg_covar!r} is not supported: nothing is added to covariances, "
                "and fits of an unbounded likelihood are passed over; leave it out, or use a "
                "prior: Mixture(models.gaussian_mixture, objective='posterior', num_components=...)"
            )
        covariance = COVARIANCES.get(self.covariance_type, self.covariance_type)
        return models.gaussian_mixture, {
            "num_components": self.n_components,
            "covariance": covariance,
        }

    def _options(self) -> dict[str, Any]:
        if self.init_params not in _STARTS:
            raise ValueError(
                f"init_params must be one of {', '.join(map(repr, _STARTS))}, not "
                f"{self.init_params!r}"
            )
        return {"start": STARTS[_STARTS[self.init_params]]}

    def _given(self) -> dict[str, Any]:
        if self.warm_start and hasattr(self, "fit_"):
            return dict(self.fit_.params)
        given = {"weights": self.weights_init, "loc": self.means_init}
        if self.precisions_init is not None:
            given |= self._spread(np.asarray(self.precisions_init, float))
        return {name: np.asarray(v, float) for name, v in given.items() if v is not None}

    def _spread(self, precisions: np.ndarray) -> dict[str, np.ndarray]:
        if self.covariance_type not in COVARIANCES:
            raise ValueError(
                f"precisions_init is for covariance_type {', '.join(map(repr, COVARIANCES))}, not "
                f"{self.covariance_type!r}"
            )
        if self.covariance_type in ("diag", "spherical"):
            return {"scale": precisions**-0.5}
        return {"covariance_matrix": np.linalg.inv(precisions)}

    def _describe(self, params: Mapping[str, np.ndarray]) -> None:
        self.means_ = params["loc"]
        if "scale" in params:
            self.covariances_ = params["scale"] ** 2
        elif "covariance_matrix" in params:
            self.covariances_ = params["covariance_matrix"]
        else:
            self.covariances_ = _eigen(params)

    @property
    def precisions_(self) -> np.ndarray:
        """The inverses of ``covariances_``."""
        covariances = self.covariances_
        return 1 / covariances if self._by_number else np.linalg.inv(covariances)

    @property
    def precisions_cholesky_(self) -> np.ndarray:
        """Their roots, upper triangular."""
        if self._by_number:
            return self.covariances_**-0.5
        return np.linalg.inv(np.linalg.cholesky(self.covariances_)).mT

    @property
    def _by_number(self) -> bool:
        """Whether the covariances are numbers, not matrices."""
        return "scale" in self.fit_.params


def _eigen(params: Mapping[str, np.ndarray]) -> np.ndarray:
    """(k, d, d) covariances of mclust's parts, each of its own for a component or shared."""
    loc = params["loc"]
    log_shape = params.get("log_shape", np.zeros(loc.shape[1]))
    orientation = params.get("orientation", np.eye(loc.shape[1]))
    return np.asarray(EigenNormal(loc, params["volume"], log_shape, orientation).covariance_matrix)
