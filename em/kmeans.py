"""k-means: EM's own loop with hard assignment, on equal normals of one fixed spherical scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro import handlers

from .calls.numbers import plain
from .climb.opening import Way
from .climb.single_moves import moved
from .climb.status import Status
from .driver import EM
from .options import whole
from .plan.program import Params, Program
from .report.fit import Fit


@dataclass(frozen=True, eq=False)
class KMeans:
    """A k-means partition.

    Attributes:
        labels: (n,) the cluster of each row.
        centroids: (k, d) the weighted mean of each cluster.
        inertia: ``sum_n w_n ||x_n - centroid||^2``, the within-cluster sum of squares.
        status: how it ended; ``message`` says it in words.
        fit: the `Fit` behind it (params, trace, restarts, ...), of the data less their mean and in
            units of a power of two.
    """

    labels: jax.Array
    centroids: jax.Array
    inertia: float
    status: Status
    message: str
    num_steps: int
    fit: Fit


class _Partition(EM):
    """Lloyd's steps, and single moves from where they end: ``x`` (n, d) are the rows."""

    def __init__(self, x: np.ndarray, weights: np.ndarray, **options: Any) -> None:
        super().__init__(_clusters, assign="hard", **options)
        self._rows = x, weights

    def _way(self, program: Program) -> Way:
        return replace(super()._way(program), moves=self._move)

    def _move(self, params: Params) -> Params | None:
        centroids = params["centroids"]
        better = moved(*self._rows, np.asarray(centroids, float))
        return None if better is None else {"centroids": jnp.asarray(better, centroids.dtype)}


def _clusters(x: jax.Array, num_clusters: int, weights: jax.Array | None) -> None:
    with numpyro.plate("clusters", num_clusters):
        flat = dist.ImproperUniform(dist.constraints.real_vector, (num_clusters,), x.shape[1:])
        centroids = numpyro.sample("centroids", flat)
    ones = jnp.ones(num_clusters)
    with (
        numpyro.plate("rows", x.shape[0]),
        handlers.scale(scale=1.0 if weights is None else weights),
    ):
        z = numpyro.sample("z", dist.Categorical(ones / num_clusters))
        numpyro.sample("x", dist.Normal(centroids[z], 1.0).to_event(1), obs=x)


def kmeans(
    x: Any,
    num_clusters: int,
    rng_key: jax.Array | int,
    *,
    weights: Any = None,
    init: Any = None,
    num_restarts: int | str = "auto",
    max_steps: int = 1000,
) -> KMeans:
    """Partition rows into clusters of least within-cluster sum of squares.

    Lloyd (1982, IEEE Transactions on Information Theory 28:129): assign each row to the nearest
    centroid, move each centroid to the mean of its rows, until no row changes. It is the hard
    EM of a mixture of equal-weight normals with one fixed spherical scale, and runs as such. An
    emptied cluster is given the row farthest from its centroid. The best partition then has single
    rows moved as long as that helps (Hartigan & Wong 1979, Applied Statistics 28:100).

    Args:
        x: (n, d) data; (n,) counts as (n, 1).
        num_clusters: k.
        rng_key: a JAX key, for the greedy k-means++ starts.
        weights: (n,) row weights; 0 drops a row.
        init: (k, d) centroids to start from, instead of k-means++.
        num_restarts: starts, all run at once; the best is kept. ``"auto"`` is ten, and then more of
            other kinds (two clusters of the best merged and another split, for one) while that is
            cheap, until three have found the best there is.
        max_steps: the bound on assign-and-move steps.

    Raises:
        ValueError: data that are not finite or not two-dimensional, fewer rows than clusters,
            weights or centroids of another shape.
    """
    data = plain(x, "x")
    if data.dtype.kind == "b":
        data = data.astype(int)
    if data.ndim == 1:
        data = data[:, None]
    if data.ndim != 2:
        raise ValueError(f"x must have shape (n, d), not {data.shape}")
    if 0 in data.shape:
        raise ValueError(f"x is empty: its shape is {data.shape}; give at least one row and column")
    if not np.isfinite(data).all():
        row, column = np.argwhere(~np.isfinite(data))[0]
        missing = "missing (NaN)" if np.isnan(data[row, column]) else str(data[row, column])
        raise ValueError(f"x is {missing} at row {row}, column {column}; drop or impute it")
    whole("num_clusters", num_clusters)
    weights = None if weights is None else plain(weights, "weights")
    if weights is not None and weights.shape != data.shape[:1]:
        raise ValueError(f"weights have shape {weights.shape}; x has {data.shape[0]} rows")
    init = None if init is None else plain(init, "init")
    if init is not None and init.shape != (num_clusters, data.shape[1]):
        raise ValueError(
            f"init has shape {init.shape}; {(num_clusters, data.shape[1])} centroids are needed"
        )
    if weights is not None:
        weights = jnp.asarray(weights, jnp.result_type(float))
    # Centring keeps the digits of data far from 0, a unit of the data's size tells what is
    # negligible; a power of two rounds nothing.
    largest = 2.0 ** np.frexp(np.abs(data.astype(float)).max())[1] or 1.0
    centre = (data / largest).mean(0) * largest
    size = float(np.sqrt(((data / largest - centre / largest) ** 2).mean()))
    unit = 2.0 ** round(np.log2(size)) * largest if size > 0 else 1.0
    most = min(float(jnp.finfo(jnp.result_type(float)).max) / 4, 1e150)
    if largest > most or unit < 1 / most:
        raise ValueError(
            f"x has numbers of size {min(unit, largest):g}, whose squares or selves are beyond the "
            "precision of the result; divide x by a unit"
        )
    centred = jnp.asarray((data - centre) / unit, jnp.result_type(float))
    em = _Partition(
        np.asarray(centred, float),
        np.ones(len(data)) if weights is None else np.asarray(weights, float),
        num_restarts=num_restarts,
        max_steps=max_steps,
    )
    start = None if init is None else {"centroids": (init - centre) / unit}
    fit = em.run(
        rng_key, centred, num_clusters=int(num_clusters), weights=weights, init_params=start
    )
    labels, centroids = np.asarray(fit.labels), np.asarray(fit.params["centroids"])
    squares = ((np.asarray(centred) - centroids[labels]) ** 2).sum(1)
    inertia = np.sum(squares if weights is None else np.asarray(weights) * squares, dtype=float)
    return KMeans(
        labels=jnp.asarray(fit.labels),
        centroids=jnp.asarray(centroids.astype(float) * unit + centre, centred.dtype),
        inertia=float(inertia) * unit**2,
        status=fit.base_status,
        message=fit.message,
        num_steps=fit.num_steps,
        fit=fit,
    )
