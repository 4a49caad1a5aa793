"""What to doubt about a fit, in plain words."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..em.report.identification import what_happened
from .errors import listed
from .fitting import Candidates
from .jobs import CRITERIA


def doubts(
    found: Candidates, estimates: pd.DataFrame, resp: np.ndarray, weights: np.ndarray
) -> list[str]:
    """A sentence or two for each thing that a careful reader would ask about."""
    fit, table = found.fit, found.table
    out = []
    if not fit.status.ok:
        out.append(f"The fit is not sound ({fit.status.name}): {what_happened(fit)[0]}")
    ok = table[table["status"] == "CONVERGED"]
    bad = table[table["status"] != "CONVERGED"]
    if len(bad) and len(table) > 1:
        how = ", ".join(f"{n} {s}" for s, n in bad["status"].value_counts().items())
        out.append(
            f"Passed over: {len(bad)} of {len(table)} candidates, which did not end well ({how})."
        )
    if len(ok) > 1 and "num_components" in table:
        k = int(table.loc[found.chosen, "num_components"])
        if k == table["num_components"].max() > table["num_components"].min():
            out.append(
                f"The most components that were tried ({k}) were chosen, so more may be better: "
                "widen --components."
            )
        picks = {c: ok.loc[ok[c].idxmin(), "num_components"] for c in CRITERIA if c in ok}
        if len(set(picks.values())) > 1:
            words = ", ".join(f"{c.upper()} {int(v)}" for c, v in picks.items())
            out.append(f"The criteria disagree about the number of components: {words}.")
        rest = ok[found.criterion].drop(found.chosen, errors="ignore")
        close = rest[rest < table.loc[found.chosen, found.criterion] + 2]
        if len(close):
            several = len(close) > 1
            number = f"{len(close)} other candidates are" if several else "One other candidate is"
            out.append(
                f"{number} within 2 of the best {found.criterion.upper()}: the data hardly tell "
                "these apart."
            )
    restarts = fit.restart_results
    if len(restarts.status) > 1 and restarts.found(1e-2) == 1 and fit.status.ok:
        out.append(
            f"The best optimum was found by one of {len(restarts.status)} starts only; "
            "a higher one may exist. Try --restarts 100 or another --seed."
        )
    sizes = (resp * weights[:, None]).sum(0)
    small = [j for j in range(len(sizes)) if sizes[j] < 10]
    if small:
        words = ", ".join(f"class {j}: {sizes[j]:.1f}" for j in small)
        out.append(f"Some classes rest on very few rows ({words}).")
    unsure = int((resp.max(1) < 0.8).sum())
    if unsure > len(resp) / 10:
        out.append(
            f"{unsure} of {len(resp)} rows are not clearly of one class (less than 80% sure)."
        )
    notes = estimates[estimates["note"].astype(bool)]
    for note, rows in notes.groupby("note"):
        if note != "fixed":
            names = listed(list(rows["parameter"]), 4)
            many = f"{len(rows)} estimates" if len(rows) > 1 else "1 estimate"
            why = note.replace(
                "take interval='profile'", "in Python, fit.summary(interval='profile') has one"
            )
            out.append(f"No proper interval for {many} ({names}): {why}.")
    return out
