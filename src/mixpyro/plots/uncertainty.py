"""How sure the classes of the rows are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import _style
from ._shown import Names, some_rows

if TYPE_CHECKING:
    from ..em import Fit


def uncertainty(fit: Fit, names: Names, ax: Any = None) -> Any:
    """Rows from the surest to the least sure (see `FitPlots.uncertainty`)."""
    found = fit.responsibilities()
    by_latent = found if isinstance(found, dict) else {fit.spec.latent: found}
    axes = _style.one(ax)
    worst = 0.0
    for number, (name, resp) in enumerate(by_latent.items()):
        table = np.asarray(resp, float).reshape(-1, np.shape(resp)[-1])
        unsure = np.sort(1 - table.max(1))
        rows = some_rows(len(unsure))
        colour, marker, line = _style.style(number)
        axes.plot(
            (rows + 1) / len(unsure),
            unsure[rows],
            ls=line,
            color=colour,
            marker=marker,
            ms=3,
            lw=0.8,
            label=name,
        )
        worst = max(worst, 1 - 1 / table.shape[1])
    axes.axhline(worst, color=_style.QUIET, lw=0.8, ls="--")
    words = axes.text(0.02, worst, "all classes alike", va="bottom", fontsize=_style.SMALL)
    words.set(color=_style.INK, transform=axes.get_yaxis_transform())  # wherever rows begin
    axes.set_ylim(-0.02, max(1.12 * worst, 0.1))
    if len(by_latent) > 1:
        axes.legend(fontsize=_style.SMALL, frameon=False)
    return _style.finish(
        axes,
        x="share of the rows that are at least as sure",
        y="1 - probability of the row's class",
    )
