"""Pictures of fits, for the demo and the docs (matplotlib is imported where it is used)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from xarray import DataTree

    from .em import Fit

COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#8e5ea2", "#d4a017", "#4b4b4b")


def clusters(fit: Fit, x: np.ndarray, path: Path, labels: Mapping[str, np.ndarray]) -> Path:
    """The data with the fitted ellipses, and the boundary of the clusters of each method.

    The left panel shows soft EM: rows coloured by responsibility, ellipses that hold 50% and 95%
    of each normal, and the line where the responsibilities are equal. The right panel shows the
    rows on which the methods disagree.
    """
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
    resp = np.asarray(fit.responsibilities())
    mixed = resp @ np.array([_rgb(c) for c in COLOURS[: resp.shape[1]]])
    left.scatter(x[:, 0], x[:, 1], c=mixed, s=16, alpha=0.8, linewidths=0)
    for k, (loc, covariance) in enumerate(
        zip(np.asarray(fit.params["loc"]), np.asarray(fit.params["covariance_matrix"]), strict=True)
    ):
        for mass in (0.5, 0.95):
            ellipse = _ellipse(loc, covariance, mass)
            left.plot(*ellipse, color=COLOURS[k], lw=1.6, alpha=0.9)
        left.plot(*loc, "+", color="black", ms=9)
    _boundary(fit, x, left)
    left.set_title("Soft EM: 50% and 95% ellipses, boundary of the clusters (dashed)", fontsize=10)

    styles = {"soft EM": ("o", 14), "hard EM": ("s", 60), "k-means": ("D", 100)}
    reference = next(iter(labels.values()))
    right.scatter(
        x[:, 0], x[:, 1], c=[COLOURS[int(label)] for label in reference], s=14, linewidths=0
    )
    for name, found in list(labels.items())[1:]:
        differ = found != reference
        marker, size = styles.get(name, ("o", 60))
        right.scatter(
            *x[differ].T,
            marker=marker,
            s=size,
            facecolors="none",
            edgecolors="black",
            label=f"{name} decides otherwise ({int(differ.sum())} rows)",
        )
    right.legend(loc="lower right", fontsize=9, frameon=False)
    right.set_title("Where hard EM and k-means cluster differently from soft EM", fontsize=10)
    for axes in (left, right):
        axes.set_xlabel("eruption (minutes)")
        axes.set_ylabel("waiting (minutes)")
        axes.spines[["top", "right"]].set_visible(False)
    return write(figure, path)


def climb(fits: Mapping[str, Fit], path: Path) -> Path:
    """The objective against steps, and how far each step is from the end (log scale)."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for (name, fit), colour in zip(fits.items(), COLOURS, strict=False):
        steps = np.arange(1, len(fit.trace) + 1)
        left.plot(steps, fit.trace, "o-", ms=3.5, color=colour, label=name)
        rest = fit.trace[-1] - fit.trace[:-1]
        if (rest > 0).any():
            right.semilogy(
                steps[:-1][rest > 0], rest[rest > 0], "o-", ms=3.5, color=colour, label=name
            )
    left.set_title("Objective: it never falls", fontsize=10)
    left.set_ylabel("log-likelihood (hard EM: of the classification)")
    right.set_title("What is left of the climb: EM closes in by a steady factor", fontsize=10)
    right.set_ylabel("final objective minus objective")
    for axes in (left, right):
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    return write(figure, path)


def posterior(fit: Fit, tree: DataTree, x: np.ndarray, path: Path) -> Path:
    """What the posterior adds to EM: ellipses of single draws, and rows whose class is unsure.

    On the left the 95% ellipses of 40 draws under those of the fit; on the right each row's
    responsibility by EM against the posterior's mean.
    """
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
    left.scatter(x[:, 0], x[:, 1], s=9, color="0.6", linewidths=0)
    sites = ("loc", "covariance_matrix")
    every = [np.asarray(tree[f"posterior/{n}"]) for n in sites]
    loc, covariance = (v.reshape(-1, *v.shape[2:]) for v in every)
    for s in np.linspace(0, len(loc) - 1, 40).astype(int):
        for k in range(loc.shape[1]):
            left.plot(
                *_ellipse(loc[s, k], covariance[s, k], 0.95), color=COLOURS[k], lw=0.5, alpha=0.35
            )
    for k, (centre, matrix) in enumerate(
        zip(np.asarray(fit.params["loc"]), np.asarray(fit.params["covariance_matrix"]), strict=True)
    ):
        label = "EM" if k == 0 else None
        left.plot(*_ellipse(centre, matrix, 0.95), color="black", lw=1.6, label=label)
    left.legend(loc="upper left", frameon=False, fontsize=9)
    left.set_title("95% ellipses: EM (black) and 40 posterior draws", fontsize=10)
    left.set_xlabel("eruption (minutes)")
    left.set_ylabel("waiting (minutes)")

    by_em = np.asarray(fit.responsibilities())[:, 0]
    averaged = np.asarray(tree["responsibilities/responsibilities"])[:, 0]
    edge = 1e-6
    by_em, averaged = (np.clip(v, edge, 1 - edge) for v in (by_em, averaged))
    right.set_xscale("logit")
    right.set_yscale("logit")
    right.plot([edge, 1 - edge], [edge, 1 - edge], color="0.8", lw=1)
    right.scatter(by_em, averaged, s=22, color=COLOURS[0], linewidths=0, alpha=0.8)
    right.set_title("Probability of the first component: plugged in and averaged", fontsize=10)
    right.set_xlabel("EM: given the estimate")
    right.set_ylabel("posterior mean")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return write(figure, path)


def _boundary(fit: Fit, x: np.ndarray, axes: Axes) -> None:
    low, high = x.min(0), x.max(0)
    margin = 0.06 * (high - low)
    sides = [np.linspace(a - m, b + m, 160) for a, b, m in zip(low, high, margin, strict=True)]
    grid = np.stack(np.meshgrid(*sides), -1)
    resp = np.asarray(fit.responsibilities(grid.reshape(-1, 2)))
    top = np.sort(resp, 1)
    lead = (top[:, -1] - top[:, -2]).reshape(grid.shape[:2])
    sign = np.where(resp.argmax(1).reshape(lead.shape) == 0, 1, -1)
    axes.contour(*sides, lead * sign, levels=[0.0], colors="black", linestyles="--", linewidths=1)


def _ellipse(loc: np.ndarray, covariance: np.ndarray, mass: float) -> np.ndarray:
    radius = np.sqrt(-2 * np.log(1 - mass))  # chi-squared with two degrees of freedom
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    return loc[:, None] + radius * np.linalg.cholesky(covariance) @ circle


def _rgb(colour: str) -> tuple[float, ...]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)


def write(figure: Figure, path: Path) -> Path:
    """Save a picture and close it."""
    import matplotlib.pyplot as plt

    figure.savefig(path, dpi=140)
    plt.close(figure)
    return path
