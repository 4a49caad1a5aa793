"""One report on whether EM and the posterior of the same model agree."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from ..em import Fit
from ..em.options import a_fit
from ..em.report.precision import in_precision
from .draws import site_draws
from .groups import classes_of
from .names import suffixes
from .relabel import diagnostics
from .rule import (
    DISTANCE,
    EDGE_DISTANCE,
    ESS,
    FACTOR,
    FINE,
    PARETO,
    RHAT,
    VARIATION,
    near_edge,
    prior_pull,
    quantities,
    verdict,
    worst,
)
from .sum_out import row_log_density

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

RULE = (
    f"Agrees: the posterior mean is within {DISTANCE} posterior standard deviations of the "
    f"estimate (and 3 Monte Carlo errors), and the standard deviation within a factor {FACTOR} of "
    f"the standard error; where the estimate is within two standard errors of the edge of its "
    f"support, the mean within {EDGE_DISTANCE:g} standard deviations. Log-likelihood at the "
    f"posterior mean: lower by at most {DISTANCE**2 / 2:g} a free parameter. Responsibilities: no "
    f"row further in total variation than {VARIATION}, or than its own posterior standard "
    f"deviation. Chains: R-hat up to {RHAT}, ESS from {ESS}."
)
_WHY = {
    "prior": "the prior moves the posterior off the estimate: EM is at the likelihood, NUTS is not",
    "few data": "too few rows for the likelihood to be close to normal around its maximum",
    "chains disagree": "R-hat or ESS is poor: run longer, or look for other modes",
    "approximation": f"the approximation is poor (Pareto k above {PARETO}): trust NUTS instead",
    "not finite": "a number is missing or infinite",
}


@dataclass(frozen=True, eq=False)
class CrossCheck:
    """Whether EM and posteriors of the same model agree.

    Attributes:
        table: one row a quantity: ``em``, ``se``; for each posterior its ``mean``, ``sd`` and
            ``diff``, the distance of the mean from EM's estimate in posterior standard deviations
            (log-likelihood: in nats; responsibilities: none); NUTS's ``rhat`` and ``ess``;
            ``verdict``.
        agrees: whether every verdict is good.
        priors: the parameters that the prior moves by more than the rule allows.
        notes: what else is to be said, in sentences.
        intervals: {method: {quantity: (2.5%, mean, 97.5%)}} of the parameters.
    """

    table: pd.DataFrame
    agrees: bool
    priors: tuple[str, ...]
    notes: tuple[str, ...]
    intervals: dict[str, dict[str, tuple[float, float, float]]]

    @property
    def message(self) -> str:
        """The outcome in sentences."""
        bad = self.table["verdict"][~self.table["verdict"].isin(FINE)]
        if self.agrees:
            parts = ["EM and the posterior agree."]
        else:
            parts = [f"EM and the posterior do not agree on {_listed(bad.index)}."]
            reasons = dict.fromkeys(v for verdict in bad for v in verdict.split(", "))
            parts += [f"{r[0].upper()}{r[1:]}: {_WHY[r]}." for r in reasons if r in _WHY]
        if self.priors:
            parts.append(f"Priors that matter: {_listed(self.priors)}.")
        return " ".join([*parts, *self.notes])

    def __str__(self) -> str:
        shown = _shown(self.table).to_string(line_width=100)
        wrapped = [textwrap.fill(words, 96) for words in (self.message, RULE)]
        return f"{wrapped[0]}\n\n{shown}\n\n{wrapped[1]}"

    def __repr__(self) -> str:
        return f"CrossCheck(agrees={self.agrees}, {len(self.table)} quantities)"

    def _repr_html_(self) -> str:
        from html import escape

        table = _shown(self.table).to_html()
        return f"<p>{escape(self.message)}</p>{table}<p><small>{escape(RULE)}</small></p>"

    def plot(self, ax: Axes | None = None) -> Axes:
        """EM's 95% intervals beside those of the posteriors, in units of EM's standard errors."""
        from ..plots.forest import forest

        return forest(self, ax)


@in_precision
def cross_check(fit: Fit, nuts: Any = None, svi: Any = None, laplace: Any = None) -> CrossCheck:
    r"""Compare an EM fit with posteriors of the same model, quantity by quantity.

    Each entry of each free parameter gets a row (of a covariance matrix the lower triangle), and so
    do the log-likelihood at the posterior mean and the responsibilities: the largest total
    variation distance ``max_n 1/2 sum_k |r_nk(EM) - E[r_nk | data]|``. The rule for the verdicts
    is `mixpyro.inference.cross_check.RULE`, printed with the report. A verdict that is not good
    gives the reason:

    * *prior*: the step ``H^-1 d log p(theta) / du`` that the prior alone makes from the estimate
      explains at least half of the distance, H being the information of the posterior;
    * *chains disagree*: R-hat or the effective sample size;
    * *approximation*: Laplace or SVI with a Pareto shape above 0.7;
    * *few data* otherwise: the likelihood is not close to normal around its maximum.

    Args:
        fit: the EM fit.
        nuts: what `run_nuts` gave, or `to_arviz` of an own run.
        svi: what `run_svi` gave.
        laplace: what `run_laplace` gave.

    Raises:
        ValueError: no posterior is given, or one lacks a parameter.
    """
    import pandas as pd

    a_fit("fit", fit, Fit)
    given = {"nuts": nuts, "svi": svi, "laplace": laplace}
    trees = {name: tree for name, tree in given.items() if tree is not None}
    if not trees:
        raise ValueError("give at least one posterior: nuts=..., svi=... or laplace=...")
    draws = {name: site_draws(tree, fit, name) for name, tree in trees.items()}
    quality = {name: float(t.attrs.get("pareto_k", 0.0)) for name, t in trees.items()}
    errors, edges = fit.standard_errors(), fit.boundary
    supports = {p.name: p.constraint for p in fit.program.structure.free}
    pull = prior_pull(fit)
    chains = {name: diagnostics(d) for name, d in draws.items()}
    rows: dict[str, dict[str, Any]] = {}
    intervals: dict[str, dict[str, tuple[float, float, float]]] = {n: {} for n in trees}
    moved = []
    for label, site, index in quantities(fit):
        entry = int(np.ravel_multi_index(index, errors[site].shape)) if index else 0
        error = errors[site][index]
        se = np.nan if error is np.ma.masked else float(error)
        estimate = float(np.asarray(fit.leaves[site])[index])
        row: dict[str, Any] = {"em": estimate, "se": se}
        verdicts = []
        for name, sites in draws.items():
            values = np.asarray(sites[site], float)
            values = values.reshape(*values.shape[:2], -1)[..., entry]
            rhat, ess = (float(d[index]) for d in chains[name][site])
            mean, sd = values.mean(), values.std()
            low, high = np.quantile(values, [0.025, 0.975])
            intervals[name][label] = (float(low), float(mean), float(high))
            # Entries that are no parameters are constant (the first of a correlation's root).
            constant = se == 0 and sd <= 1e-6 * abs(mean)
            diff = 0.0 if constant else (mean - estimate) / sd if sd > 0 else np.inf
            row |= {f"{name}_mean": mean, f"{name}_sd": sd, f"{name}_diff": diff}
            if name == "nuts":
                row |= {"rhat": rhat, "ess": ess}
            shift = float(pull[site][index]) / sd if sd > 0 else 0.0
            if constant:
                verdicts.append("agrees" if np.isclose(mean, estimate, 1e-5) else "few data")
                continue
            edge = bool(edges[site][index]) or near_edge(estimate, se, supports[site])
            ratio = sd / se if se != 0 else np.nan
            verdicts.append(verdict(diff, ratio, rhat, ess, shift, edge, quality[name]))
            if abs(shift) > DISTANCE and label not in moved:
                moved.append(label)
        rows[label] = row | {"verdict": worst(verdicts)}
    _whole(fit, trees, draws, rows)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("quantity")
    table["verdict"] = table.pop("verdict")  # last
    agrees = bool(table["verdict"].isin(FINE).all())
    return CrossCheck(table, agrees, tuple(moved), tuple(_notes(fit, trees, quality)), intervals)


def _whole(
    fit: Fit, trees: Mapping[str, Any], draws: Mapping[str, dict], rows: dict[str, dict[str, Any]]
) -> None:
    """The rows of the log-likelihood and of the responsibilities."""
    latents, suffix = fit.program.structure.latents, suffixes(fit)
    first = "log-likelihood at the mean"
    labels = {
        n: f"responsibilities{f' of {n}' if own else ''} (largest TV)" for n, own in suffix.items()
    }
    found: dict[str, dict[str, Any]] = {first: {"em": fit.log_likelihood}}
    found |= {label: {"em": 0.0} for label in labels.values()}
    verdicts: dict[str, list[str]] = {label: [] for label in found}
    resp = classes_of(fit)
    weights = np.asarray(fit.program.structure.of_units(fit.rows.weights))
    for name, tree in trees.items():
        mean = {n: jnp.asarray(v.mean((0, 1))) for n, v in draws[name].items()}
        by_row = np.asarray(row_log_density(fit.program, mean, fit.call.arrays))
        total = float((weights * np.where(weights > 0, by_row, 0)).sum())
        lost = fit.log_likelihood - total
        found[first] |= {f"{name}_mean": total, f"{name}_diff": -lost}
        fine = np.isfinite(total) and lost <= DISTANCE**2 / 2 * fit.num_free_params
        verdicts[first].append(
            "agrees" if fine else "few data" if np.isfinite(total) else "not finite"
        )
        if "responsibilities" not in tree.children:
            continue
        for z in latents:
            means, spreads = (
                _by_row(tree["responsibilities"][f"responsibilities{part}{suffix[z.name]}"].values)
                for part in ("", "_sd")
            )
            distance = 0.5 * np.abs(means - resp[z.name]).sum(1)
            counted = np.asarray(fit.rows.weights_of(z.level))[: len(distance)] > 0
            spread = 0.5 * spreads.sum(1)
            place = int(np.where(counted, distance, 0).argmax())
            label = labels[z.name]
            found[label] |= {f"{name}_mean": distance[place], f"{name}_sd": spread[place]}
            near = (distance <= np.maximum(VARIATION, spread)) | ~counted
            verdicts[label].append("agrees" if near.all() else "few data")
    parameters = [r["verdict"] for r in rows.values()]
    reasons = [v for v in dict.fromkeys(parameters) if v not in FINE]
    for label, row in found.items():
        reason = worst(verdicts[label]) if verdicts[label] else ""
        if reason == "few data" and reasons:
            reason = reasons[0]  # what moves the parameters moves what follows from them
        rows[label] = row | {"verdict": reason}


def _by_row(values: np.ndarray) -> np.ndarray:
    """(n, k), time and sequences in one axis."""
    return values.reshape(-1, values.shape[-1])


def _notes(fit: Fit, trees: Mapping[str, Any], quality: Mapping[str, float]) -> Iterator[str]:
    if not fit.status.ok:
        yield f"The fit itself is not sound: {fit.message}"
    for name, tree in trees.items():
        if quality[name] > PARETO:
            yield f"{name}: Pareto k is {quality[name]:.2f}, so this approximation is poor."
        if tree.attrs.get("settled", 1) == 0:
            yield f"{name}: the loss had not settled."
        if "diverging" in tree.get("sample_stats", {}):
            number = int(tree["sample_stats"]["diverging"].sum())
            if number:
                yield f"{name}: {number} divergent steps; the posterior has corners."
    if "nuts" in trees and "relabelling" in trees["nuts"].children:
        yield trees["nuts"]["relabelling"].attrs["message"]


def _listed(names: Any) -> str:
    names = list(names)
    return ", ".join(names if len(names) <= 6 else [*names[:6], f"and {len(names) - 6} more"])


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table in few digits: distances in hundredths, the rest in four that count."""
    return table.apply(lambda column: column.map(lambda v: _number(v, str(column.name))))


def _number(value: Any, column: str) -> str:
    if isinstance(value, str):
        return value
    if np.isnan(value):
        return ""
    if column.endswith("_diff"):
        return f"{value:+.2f}"
    if column == "rhat":
        return f"{value:.3f}"
    return f"{value:.2f}" if abs(value) >= 1000 and column != "ess" else f"{value:.4g}"
