"""What the estimators share: fitting, scoring, sampling, and the manners of scikit-learn."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    DensityMixin,
    TransformerMixin,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ..em import EM
from ..em.machine.interruption import raising
from ..em.options import whole
from ..em.plan.chunks import size_class
from ..weighted import ROW_WEIGHTS, Weighted, weighted

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike

    from ..em import Fit

# What may be left of the climb, in units of the log-likelihood, where ``tol`` does not say it.
_TOLERANCE = 1e-8


def in_double[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """The function with JAX's double precision switched on while it runs, in this thread only.

    scikit-learn's users expect NumPy's precision, and set no flags.
    """

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with jax.enable_x64(True):
            return function(*args, **kwargs)

    return inner


class MixtureEstimator(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityMixin, BaseEstimator
):
    """A mixture fitted by EM.

    Each kind has `_call`, the model and its settings, `_values`, what the model takes of X, and
    `_describe`, which sets the attributes. X are the rows, (n_samples, n_features).
    """

    fit_: Fit
    n_features_in_: int
    # What a kind may take of X besides numbers.
    _missing = False

    # ---- of each kind ------------------------------------------------------------------------

    @abstractmethod
    def _call(self) -> tuple[Callable, dict[str, Any]]:
        """The NumPyro model, and its keyword arguments."""

    def _values(self, rows: np.ndarray, reset: bool) -> np.ndarray:
        """Rows of numbers as the model takes them; ``reset`` when fitting."""
        return rows

    def _describe(self, params: Mapping[str, np.ndarray]) -> None:
        """Set the attributes that are named after the parameters."""

    def _given(self) -> dict[str, Any]:
        """{site: value} to start from."""
        return {}

    # ---- fitting -----------------------------------------------------------------------------

    @in_double
    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Estimate the parameters by maximum likelihood.

        Args:
            X: the rows, (n_samples, n_features).
            y: not used.
            sample_weight: (n_samples,) how often each row counts; 0 leaves a row out.

        Raises:
            ValueError: rows, weights or settings that cannot be fitted.
        """
        rows = self._rows(X, reset=True)
        weights = None
        if sample_weight is not None:
            weights = positive_weights(sample_weight, rows)
            rows, weights = rows[weights > 0], weights[weights > 0]
        self._finish(self._run(self._values(rows, reset=True), weights=weights))
        return self

    def _run(self, *args: np.ndarray, weights: np.ndarray | None = None) -> Fit:
        for name in ("n_components", "max_iter", "n_init"):
            if (value := getattr(self, name, "auto")) != "auto":
                whole(name, value)
        model, settings = self._call()
        total = float(len(args[0]))
        if weights is not None:
            model, total = weighted(model), float(weights.sum())
            settings = settings | {ROW_WEIGHTS: weights}
        given = self._given()
        fitter = EM(
            model,
            num_restarts=self.n_init,
            max_steps=self.max_iter,
            tolerance=_TOLERANCE if self.tol is None else self.tol * total,
            progress_bar=bool(self.verbose),
            **self._options(),
        )
        with raising():  # a search that fits many times is to stop
            return fitter.run(key(self.random_state), *args, init_params=given or None, **settings)

    def _options(self) -> dict[str, Any]:
        """What else `EM` is told."""
        return {}

    def _finish(self, fit: Fit) -> None:
        self.fit_ = fit = self._ordered(fit)
        self.converged_ = bool(fit.status.ok)
        self.n_iter_ = max(int(fit.num_steps), 1)
        total = fit.total_weight
        self.lower_bound_ = fit.objective / total
        self.lower_bounds_ = [float(v) / total for v in fit.trace]
        params = {name: np.asarray(value) for name, value in fit.params.items()}
        if "weights" in params:
            self.weights_ = params["weights"]
        self._describe(params)
        if not self.converged_:
            warnings.warn(in_own_words(fit.message), ConvergenceWarning, stacklevel=4)

    def _ordered(self, fit: Fit) -> Fit:
        """The fit with its components in an order that does not come from the starts' draws."""
        return fit if self._given() else in_order_of_centres(fit)

    # ---- rows --------------------------------------------------------------------------------

    def predict_proba(self, X: ArrayLike) -> Float[np.ndarray, "n k"]:
        """The probability of each component for each row, ``p(z = k | x)``."""
        return self._score(X)[0]

    def predict(self, X: ArrayLike) -> Int[np.ndarray, " n"]:
        """The most probable component of each row."""
        return self._score(X)[0].argmax(1)

    def transform(self, X: ArrayLike) -> Float[np.ndarray, "n k"]:
        """The probabilities of the components, as features: `predict_proba`."""
        return self._score(X)[0]

    def fit_predict(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> Int[np.ndarray, " n"]:
        """`fit`, and the most probable component of each row."""
        return self.fit(X, y, sample_weight=sample_weight).predict(X)

    def score_samples(self, X: ArrayLike) -> Float[np.ndarray, " n"]:
        """The log density of each row, ``log sum_k weights_k p(x | k)``."""
        return self._score(X)[1]

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """The mean of `score_samples`, weighted if there are weights."""
        log_density = self.score_samples(X)
        if sample_weight is None:
            return float(log_density.mean())
        weights = _check_sample_weight(sample_weight, log_density, dtype=np.float64)
        return float(np.average(log_density, weights=weights))

    def aic(self, X: ArrayLike) -> float:
        """``-2 log L + 2 p`` of these rows (Akaike 1974); lower is better."""
        return float(-2 * self.score_samples(X).sum() + 2 * self.fit_.num_free_params)

    def bic(self, X: ArrayLike) -> float:
        """``-2 log L + p log n`` of these rows (Schwarz 1978); lower is better."""
        log_density = self.score_samples(X)
        price = self.fit_.num_free_params * np.log(len(log_density))
        return float(-2 * log_density.sum() + price)

    @in_double
    def sample(self, n_samples: int = 1) -> tuple[np.ndarray, Int[np.ndarray, " n"]]:
        """Draw rows from the fitted mixture: (X, their components)."""
        check_is_fitted(self)
        data = np.asarray(self.fit_.call.arrays[0])
        whole("n_samples", n_samples)
        like = data[np.arange(n_samples) % len(data)]
        drawn, labels = self._draw(like, **self._beside(like))
        if len(drawn) != 1:
            raise ValueError(
                f"the model observes {', '.join(drawn)}, which are no columns of one array; use "
                "fit_.sample for them"
            )
        (rows,) = drawn.values()
        return rows.reshape(n_samples, -1).astype(np.float64), labels

    def _draw(
        self, *args: np.ndarray, **beside: np.ndarray
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The observed sites of rows like these, drawn, and their classes."""
        drawn = self.fit_.sample(key(self.random_state), *args, **beside)
        found = {name: np.asarray(value) for name, value in drawn.items()}
        return found, found.pop(self.fit_.spec.latents[0].name)

    def _beside(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """What a model that was fitted with weights takes beside rows: weights that are all 1."""
        has_weights = isinstance(self.fit_.program.given, Weighted)
        return {ROW_WEIGHTS: np.ones(len(values))} if has_weights else {}

    @in_double
    def _score(self, X: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self)
        values = self._values(self._rows(X, reset=False), reset=False)
        n = len(values)
        rows = values[np.minimum(np.arange(size_class(n)), n - 1)]
        beside = self._beside(rows)
        classes = np.asarray(self.fit_.responsibilities(rows, **beside))[:n]
        return classes, np.asarray(self.fit_.log_prob(rows, **beside))[:n]

    def _rows(self, X: ArrayLike, reset: bool) -> np.ndarray:
        return validate_data(
            self,
            X,
            dtype=np.float64,
            ensure_all_finite="allow-nan" if self._missing else True,
            ensure_min_samples=2 if reset else 1,
            reset=reset,
        )

    @property
    def _n_features_out(self) -> int:
        return self.fit_.spec.num_components

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks of an estimator."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._missing
        return tags


def in_own_words(message: str) -> str:
    """A message of EM's, with the arguments as estimators name them."""
    return message.replace("max_steps", "max_iter").replace("loosen tolerance", "loosen tol")


def key(random_state: Any) -> jax.Array:
    """A JAX key of a seed, a `numpy.random.RandomState`, or None for NumPy's global one."""
    return jax.random.key(int(check_random_state(random_state).randint(np.iinfo(np.int32).max)))


def positive_weights(sample_weight: Any, rows: np.ndarray) -> np.ndarray:
    """(n,) weights >= 0 of rows, some above 0."""
    weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    if not (weights > 0).any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights


def in_order_of_centres(fit: Fit) -> Fit:
    """The fit with its components ordered by the mean rows of theirs, first column first.

    So that the same rows, in whatever order, and weights or repeated rows, give the same labels.
    Components that cannot be renamed stay where they are.
    """
    x = np.asarray(fit.call.arrays[0], float)
    rows = x.reshape(len(x), -1)
    classes = np.asarray(fit.responsibilities())
    weights = np.asarray(fit.rows.weights_of(0), float)[: len(x)]
    known = np.isfinite(rows)
    share = (classes * weights[:, None]).T @ known
    centres = (classes * weights[:, None]).T @ np.where(known, rows, 0) / np.maximum(share, 1e-300)
    order = np.lexsort(centres.T[::-1])
    if (order == np.arange(len(order))).all():
        return fit
    try:
        return fit.sorted(order.tolist())
    except ValueError:
        return fit
