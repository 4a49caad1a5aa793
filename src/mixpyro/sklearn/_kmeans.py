"""k-means."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any, Self

import jax.numpy as jnp
import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import euclidean_distances, pairwise_distances_argmin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .. import em
from ..em.machine.interruption import raising
from ._base import in_double, in_own_words, key, positive_weights

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike


class KMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """Clusters of least within-cluster sum of squares (`em.kmeans`).

    Args:
        n_clusters: k.
        init: ``"k-means++"``, or (k, d) centres to start from.
        n_init: how many starts; ``"auto"`` goes on, by other kinds of starts, until the best
            partition was found several times.
        max_iter: the bound on steps of a start.
        random_state: a seed, a `numpy.random.RandomState` or None; it only decides the starts.

    Attributes:
        cluster_centers_: (k, d); from ``"k-means++"`` in the order of their first column.
        labels_: (n,) the cluster of each row.
        inertia_: ``sum_n w_n ||x_n - centre||^2``.
        n_iter_: steps of the best start.
        fit_: the `em.Fit` behind it, of centred and scaled rows.
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Any = "k-means++",
        n_init: int | str = "auto",
        max_iter: int = 300,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.random_state = random_state

    @in_double
    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Find the clusters of the rows X, (n_samples, n_features).

        Raises:
            ValueError: rows, weights or settings that cannot be clustered.
        """
        rows = validate_data(self, X, dtype=np.float64)
        weights = None if sample_weight is None else positive_weights(sample_weight, rows)
        given = None if isinstance(self.init, str) else np.asarray(self.init, float)
        if given is None and self.init != "k-means++":
            raise ValueError(f"init must be 'k-means++' or an array of centres, not {self.init!r}")
        with raising():  # a search that fits many times is to stop
            found = em.kmeans(
                rows,
                self.n_clusters,
                key(self.random_state),
                weights=weights,
                init=given,
                num_restarts=self.n_init,
                max_steps=self.max_iter,
            )
        if given is None:
            found = _in_order(found)
        self.fit_ = found.fit
        self.cluster_centers_ = np.asarray(found.centroids)
        self.inertia_ = found.inertia
        self.n_iter_ = max(int(found.num_steps), 1)
        # Of rows without weight too.
        self.labels_ = self._nearest(rows)
        if not found.status.ok:
            warnings.warn(in_own_words(found.message), ConvergenceWarning, stacklevel=3)
        return self

    def fit_predict(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> Int[np.ndarray, " n"]:
        """`fit`, and the cluster of each row."""
        return self.fit(X, y, sample_weight=sample_weight).labels_

    def predict(self, X: ArrayLike) -> Int[np.ndarray, " n"]:
        """The nearest centre of each row."""
        return self._nearest(self._new(X))

    def transform(self, X: ArrayLike) -> Float[np.ndarray, "n k"]:
        """The distance of each row to each centre."""
        return euclidean_distances(self._new(X), self.cluster_centers_)

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Minus the inertia of these rows."""
        rows = self._new(X)
        weights = _check_sample_weight(sample_weight, rows, dtype=np.float64)
        centres = self.cluster_centers_[self._nearest(rows)]
        return -float((weights * ((rows - centres) ** 2).sum(1)).sum())

    def _new(self, X: ArrayLike) -> np.ndarray:
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, reset=False)

    def _nearest(self, rows: np.ndarray) -> np.ndarray:
        return pairwise_distances_argmin(rows, self.cluster_centers_).astype(np.int32)

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)


def _in_order(found: em.KMeans) -> em.KMeans:
    """The same partition, its clusters in the order of their centres."""
    order = np.lexsort(np.asarray(found.centroids).T[::-1])
    return dataclasses.replace(
        found,
        labels=jnp.asarray(np.argsort(order)[np.asarray(found.labels)]),
        centroids=found.centroids[order],
        fit=found.fit.sorted(order.tolist()),
    )
