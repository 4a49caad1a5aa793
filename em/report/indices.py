"""Indices of fit that applied papers report, and how clearly rows were classified."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..rows.streamed import total_of
from .of_classes.names import numbered

if TYPE_CHECKING:
    import pandas as pd

    from .result import Result


def indices(fit: Result) -> pd.Series:
    """Criteria and entropies by name (see `Fit.indices`)."""
    import pandas as pd

    p, n, minus = fit.num_free_params, float(fit.total_weight), -2 * fit.log_likelihood
    found = {
        "log_likelihood": fit.log_likelihood,
        "num_free_params": p,
        "n": n,
        "aic": fit.aic,
        "aic3": minus + 3 * p,
        "bic": fit.bic,
        "sabic": minus + p * np.log((n + 2) / 24),
        "caic": minus + p * (np.log(n) + 1),
    }
    if len(fit.program.structure.latents) == 1:
        units, k = total_of(fit.rows), fit.program.num_components
        classified = minus + 2 * fit.entropy
        found |= {
            "clc": classified,
            "awe": classified + 2 * p * (1.5 + np.log(n)),
            **({} if fit.program.structure.chain else {"icl": fit.icl}),
            "entropy": fit.entropy,
            "relative_entropy": 1 - fit.entropy / (units * np.log(k)) if k > 1 else np.nan,
        }
    return pd.Series(found, dtype=float, name="index")


def classification_table(fit: Result) -> pd.DataFrame:
    """One row a class that rows were assigned to (see `Fit.classification_table`)."""
    import pandas as pd

    if len(fit.program.structure.latents) > 1:
        raise ValueError("the classification table is of one latent class; this model has several")
    resp = np.asarray(fit.responsibilities(), float)
    resp = resp.reshape(-1, resp.shape[-1])  # of a chain by time and sequence
    weights = np.asarray(fit.rows.weights, float)
    k, assigned = resp.shape[1], resp.argmax(1)
    member = np.eye(k)[assigned] * weights[:, None]
    counts = member.sum(0)
    with np.errstate(invalid="ignore"):
        mean = member.T @ resp / counts[:, None]
    classes = numbered(fit.call, k)
    columns = {
        "n": counts,
        "assigned": counts / weights.sum(),
        "estimated": weights @ resp / weights.sum(),
        **{f"posterior[{name}]": mean[:, j] for j, name in enumerate(classes)},
    }
    return pd.DataFrame(columns, index=pd.Index(classes, name="class"))
