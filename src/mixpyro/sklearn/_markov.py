"""Hidden Markov models of sequences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..em.options import whole
from ..em.plan.chunks import size_class
from ._base import MixtureEstimator, in_double
from ._discrete import CATEGORIES, COUNTS, refuse
from ._gaussian import COVARIANCES
from ._sequences import EMISSIONS, layout, sequences

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike

    from ..em import Fit

_KINDS = {"poisson": COUNTS, "categorical": CATEGORIES}


class HiddenMarkov(MixtureEstimator):
    r"""A hidden Markov model: each row's component depends on that of the row before.

    As in hmmlearn, X holds the sequences one after another and ``lengths`` says how long each is;
    without it X is one sequence.

    Args:
        n_components: k, the number of states.
        emission: what a row is given its state: ``"gaussian"``, ``"poisson"`` (a product), or
            ``"categorical"`` (a product, categories numbered from 0).
        covariance_type: of ``"gaussian"``: ``"full"``, ``"tied"``, ``"diag"`` or ``"spherical"``.
        algorithm: what `predict` gives: the most probable path (``"viterbi"``), or each row's most
            probable state (``"map"``).
        tol, max_iter, n_init, random_state, verbose: as in `GaussianMixture`.

    Attributes:
        startprob_: (k,) of the first states.
        transmat_: (k, k) transition probabilities, whose rows sum to 1.
        means_: (k, d), of ``"gaussian"``; ``"poisson"`` has lambdas_ (k, d), ``"categorical"``
            emissionprob_ (k, d, categories).
        covariances_: of ``"gaussian"``, in the shapes of `GaussianMixture`.
        converged_, n_iter_, lower_bound_, fit_: as in `GaussianMixture`.

    NaN is a missing entry of ``"gaussian"``.
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        emission: str = "gaussian",
        covariance_type: str = "full",
        algorithm: str = "viterbi",
        tol: float | None = None,
        max_iter: int = 10_000,
        n_init: int | str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.emission = emission
        self.covariance_type = covariance_type
        self.algorithm = algorithm
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.random_state = random_state
        self.verbose = verbose

    @in_double
    def fit(  # type: ignore[override]
        self, X: ArrayLike, y: Any = None, lengths: Sequence[int] | None = None
    ) -> Self:
        """Estimate the parameters by maximum likelihood.

        Args:
            X: the rows, (n_samples, n_features), one sequence after another.
            y: not used.
            lengths: how many rows each sequence has; None: X is one.

        Raises:
            ValueError: rows, lengths or settings that cannot be fitted.
        """
        _among("emission", self.emission, EMISSIONS)
        _among("algorithm", self.algorithm, ("viterbi", "map"))
        rows = self._values(self._rows(X, reset=True), reset=True)
        self._categories = int(rows.max()) + 1 if self.emission == "categorical" else 0
        if len(rows) < self.n_components:
            raise ValueError(
                f"n_samples={len(rows)} rows are fewer than the n_components={self.n_components} "
                "states"
            )
        self._finish(self._run(*self._laid_out(rows, lengths)))
        return self

    def _call(self) -> tuple[Callable, dict[str, Any]]:
        _among("covariance_type", self.covariance_type, COVARIANCES)
        return sequences, {
            "num_components": self.n_components,
            "emission": self.emission,
            "covariance": COVARIANCES[self.covariance_type],
            "num_categories": self._categories,
        }

    def _laid_out(
        self, rows: np.ndarray, lengths: Sequence[int] | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The rows side by side, (time, sequence, d), and which of them are there."""
        index = layout(len(rows), lengths)
        more = size_class(len(index)) - len(index)
        index = np.pad(index, ((0, more), (0, 0)), constant_values=-1)
        return rows[np.maximum(index, 0)], index >= 0

    def _ordered(self, fit: Fit) -> Fit:
        return fit

    def _values(self, rows: np.ndarray, reset: bool) -> np.ndarray:
        if self.emission == "gaussian":
            return rows
        refuse(rows, rows < 0, "Negative values in data", _KINDS[self.emission])
        refuse(rows, rows != np.round(rows), "X", _KINDS[self.emission])
        if not reset and self.emission == "categorical" and rows.max() >= self._categories:
            raise ValueError(
                f"X has the category {int(rows.max())}; the fit had {self._categories} categories"
            )
        return rows.astype(int)

    def _describe(self, params: Mapping[str, np.ndarray]) -> None:
        self.startprob_ = params["initial"]
        self.transmat_ = params["transition"]
        if self.emission == "poisson":
            self.lambdas_ = params["rate"]
        elif self.emission == "categorical":
            self.emissionprob_ = params["probs"]
        else:
            self.means_ = params["loc"]
            scale = params.get("scale")
            self.covariances_ = params["covariance_matrix"] if scale is None else scale**2

    # ---- rows --------------------------------------------------------------------------------

    def predict_proba(
        self, X: ArrayLike, lengths: Sequence[int] | None = None
    ) -> Float[np.ndarray, "n k"]:
        """The smoothed probability of each state for each row, given all of its sequence."""
        return self._ask("responsibilities", X, lengths)

    def predict(self, X: ArrayLike, lengths: Sequence[int] | None = None) -> Int[np.ndarray, " n"]:
        """The states of the rows, by ``algorithm``."""
        if self.algorithm == "map":
            return self.predict_proba(X, lengths).argmax(1)
        return self._ask("decode", X, lengths)

    def transform(self, X: ArrayLike) -> Float[np.ndarray, "n k"]:
        """The smoothed probabilities of one sequence, as features: `predict_proba`."""
        return self.predict_proba(X)

    def fit_predict(  # type: ignore[override]
        self, X: ArrayLike, y: Any = None, lengths: Sequence[int] | None = None
    ) -> Int[np.ndarray, " n"]:
        """`fit`, and the states of the rows."""
        return self.fit(X, y, lengths=lengths).predict(X, lengths)

    def score_samples(
        self, X: ArrayLike, lengths: Sequence[int] | None = None
    ) -> Float[np.ndarray, " s"]:
        """The log density of each sequence."""
        return self._ask("log_prob", X, lengths)

    def score(  # type: ignore[override]
        self, X: ArrayLike, y: Any = None, lengths: Sequence[int] | None = None
    ) -> float:
        """The log density of all sequences, a sum as in hmmlearn."""
        return float(self.score_samples(X, lengths).sum())

    def aic(self, X: ArrayLike, lengths: Sequence[int] | None = None) -> float:
        """``-2 log L + 2 p`` of these sequences (Akaike 1974); lower is better."""
        return -2 * self.score(X, lengths=lengths) + 2 * self.fit_.num_free_params

    def bic(self, X: ArrayLike, lengths: Sequence[int] | None = None) -> float:
        """``-2 log L + p log n`` of these sequences, n the number of rows; lower is better."""
        price = self.fit_.num_free_params * np.log(len(X))  # type: ignore[arg-type]
        return -2 * self.score(X, lengths=lengths) + float(price)

    @in_double
    def sample(self, n_samples: int = 1) -> tuple[np.ndarray, Int[np.ndarray, " n"]]:
        """Draw one sequence from the fitted model: (X, its states)."""
        check_is_fitted(self)
        whole("n_samples", n_samples)
        data = np.asarray(self.fit_.call.arrays[0])
        like = np.broadcast_to(data[:1, :1], (n_samples, 1, data.shape[2]))
        drawn, states = self._draw(like, np.ones((n_samples, 1), bool))
        return drawn["x"][:, 0].astype(np.float64), states[:, 0]

    @in_double
    def _ask(self, what: str, X: ArrayLike, lengths: Sequence[int] | None) -> np.ndarray:
        check_is_fitted(self)
        rows = self._values(self._rows(X, reset=False), reset=False)
        found = np.asarray(getattr(self.fit_, what)(*self._laid_out(rows, lengths)))
        if what == "log_prob":
            return found
        index = layout(len(rows), lengths)
        out = np.zeros((len(rows), *found.shape[2:]), found.dtype)
        out[index[index >= 0]] = found[: len(index)][index >= 0]
        return out

    @property
    def _missing(self) -> bool:  # type: ignore[override]
        return self.emission == "gaussian"

    def __sklearn_tags__(self) -> Any:
        """Counts and categories are whole numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = self.emission != "gaussian"
        tags.input_tags.categorical = self.emission != "gaussian"
        return tags


def _among(name: str, value: Any, known: Any) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, not {value!r}")
