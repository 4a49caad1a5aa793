"""Counts and categories, independent within a component."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import models
from ._base import MixtureEstimator

COUNTS = "counts, whole numbers from 0"
CATEGORIES = "categories, numbered 0, 1, 2, ... (see sklearn.preprocessing.OrdinalEncoder)"


def refuse(rows: np.ndarray, wrong: np.ndarray, what: str, kind: str) -> None:
    """Refuse rows with an entry that is wrong, and name the first."""
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        value = f"{rows[row, column]:g}"
        raise ValueError(f"{what}: row {row}, column {column} has {value}; needed are {kind}")


class _Discrete(MixtureEstimator):
    """Whole numbers from 0; NaN is a missing entry."""

    _missing = True
    _kind = COUNTS

    def __init__(
        self,
        n_components: int = 1,
        *,
        tol: float | None = None,
        max_iter: int = 10_000,
        n_init: int | str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.random_state = random_state
        self.verbose = verbose

    def _values(self, rows: np.ndarray, reset: bool) -> np.ndarray:
        known = ~np.isnan(rows)
        refuse(rows, rows < 0, "Negative values in data", self._kind)
        refuse(rows, known & (rows != np.round(rows)), "X", self._kind)
        return rows.astype(int) if known.all() else rows

    def __sklearn_tags__(self) -> Any:
        """Whole numbers, none of them negative."""
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.categorical = True
        return tags


class BernoulliMixture(_Discrete):
    r"""A mixture of products of Bernoulli distributions: binary items, independent within a class.

    ``p(x) = sum_k weights_k prod_d means_kd^x_d (1 - means_kd)^(1 - x_d)``

    Args:
        n_components: k.
        binarize: X is 1 where it is above this number and else 0, as in scikit-learn's
            `BernoulliNB`; None: X holds 0 and 1 already, and anything else is refused.
        tol, max_iter, n_init, random_state, verbose: as in `GaussianMixture`.

    Attributes:
        weights_: (k,).
        means_: (k, d) probabilities of a one.
        converged_, n_iter_, lower_bound_, fit_: as in `GaussianMixture`.

    NaN is a missing entry, left out of its row's likelihood (missing at random).
    """

    _kind = "0 and 1 (see binarize)"

    def __init__(
        self,
        n_components: int = 1,
        *,
        binarize: float | None = None,
        tol: float | None = None,
        max_iter: int = 10_000,
        n_init: int | str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            n_components,
            tol=tol,
            max_iter=max_iter,
            n_init=n_init,
            random_state=random_state,
            verbose=verbose,
        )
        self.binarize = binarize

    def _call(self) -> tuple[Callable, dict[str, Any]]:
        return models.bernoulli_mixture, {"num_components": self.n_components}

    def _values(self, rows: np.ndarray, reset: bool) -> np.ndarray:
        if self.binarize is not None:
            rows = np.where(np.isnan(rows), rows, rows > self.binarize)
        values = super()._values(rows, reset)
        refuse(values, values > 1, "X", self._kind)
        return values

    def _describe(self, params: Mapping[str, np.ndarray]) -> None:
        self.means_ = params["probs"]

    def __sklearn_tags__(self) -> Any:
        """With ``binarize`` any numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = self.binarize is None
        tags.input_tags.categorical = self.binarize is None
        return tags


class PoissonMixture(_Discrete):
    r"""A mixture of products of Poisson distributions.

    ``p(x) = sum_k weights_k prod_d Poisson(x_d | means_kd)``

    Args:
        n_components: k.
        tol, max_iter, n_init, random_state, verbose: as in `GaussianMixture`.

    Attributes:
        weights_: (k,).
        means_: (k, d) rates.
        converged_, n_iter_, lower_bound_, fit_: as in `GaussianMixture`.

    NaN is a missing entry, left out of its row's likelihood (missing at random).
    """

    def _call(self) -> tuple[Callable, dict[str, Any]]:
        return models.poisson_mixture, {"num_components": self.n_components}

    def _describe(self, params: Mapping[str, np.ndarray]) -> None:
        self.means_ = params["rate"]


class LatentClass(_Discrete):
    r"""Latent class analysis: items with several categories, independent within a class.

    ``p(x) = sum_k weights_k prod_d feature_prob_[d][k, x_d]``. Categories are numbered from 0;
    scikit-learn's `OrdinalEncoder` numbers those of other columns.

    Args:
        n_components: k.
        min_categories: how many categories each item has at least, one number or one an item, as in
            scikit-learn's `CategoricalNB`; None: as many as there are. A category that no row has
            gets probability 0.
        tol, max_iter, n_init, random_state, verbose: as in `GaussianMixture`.

    Attributes:
        weights_: (k,).
        feature_prob_: one array (k, categories of the item) an item.
        n_categories_: (d,) how many categories each item has.
        converged_, n_iter_, lower_bound_, fit_: as in `GaussianMixture`.

    NaN is a missing entry, left out of its row's likelihood (missing at random).
    """

    _kind = CATEGORIES

    def __init__(
        self,
        n_components: int = 1,
        *,
        min_categories: Any = None,
        tol: float | None = None,
        max_iter: int = 10_000,
        n_init: int | str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            n_components,
            tol=tol,
            max_iter=max_iter,
            n_init=n_init,
            random_state=random_state,
            verbose=verbose,
        )
        self.min_categories = min_categories

    def _call(self) -> tuple[Callable, dict[str, Any]]:
        number = int(self.n_categories_.max())
        return models.latent_class, {"num_components": self.n_components, "num_categories": number}

    def _values(self, rows: np.ndarray, reset: bool) -> np.ndarray:
        values = super()._values(rows, reset)
        highest = np.where(np.isnan(rows), 0, rows).max(0).astype(int)
        if reset:
            least = np.asarray(1 if self.min_categories is None else self.min_categories)
            if least.shape not in ((), highest.shape) or least.dtype.kind not in "iu":
                raise ValueError(
                    f"min_categories must be a whole number or one for each of the {len(highest)} "
                    f"items, not {self.min_categories!r}"
                )
            self.n_categories_ = np.maximum(highest + 1, least)
        elif (highest >= self.n_categories_).any():
            item = int(np.argmax(highest >= self.n_categories_))
            raise ValueError(
                f"X has the category {highest[item]} in column {item}, which had "
                f"{self.n_categories_[item]} categories in the fit; give min_categories there"
            )
        return values

    def _describe(self, params: Mapping[str, np.ndarray]) -> None:
        numbers = enumerate(self.n_categories_)
        self.feature_prob_ = [params["probs"][:, d, :number] for d, number in numbers]
