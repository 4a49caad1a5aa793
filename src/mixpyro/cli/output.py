"""What a fit leaves: files in a folder, JSON, and tables in the terminal."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from . import files, in_batches, results
from .doubts import doubts
from .figures import figures
from .fitting import SCREENED, Candidates
from .prepare import Prepared
from .report import number, render, rows

_SHOWN, _ESTIMATES, _UNSURE = 10, 200, 20


def leave(out: Path, prepared: Prepared, found: Candidates, seconds: float) -> dict[str, Any]:
    """Write ``fit.npz``, ``parameters.csv``, ``rows.parquet``, ``report.html``; what they say."""
    fit, recipe, table = found.fit, prepared.recipe, prepared.table
    estimates = results.estimates(fit, recipe)
    shown = in_batches.held(prepared, fit) if prepared.in_batches else fit
    resp, density = results.posterior(shown, recipe)
    if recipe.group is not None:
        resp, density = resp[recipe.group.build(table)], None
    weights = _weights(prepared)
    called = results.class_words(fit)
    by_class = results.classes(resp, table, recipe, weights, called)
    warned = [*found.notes, *doubts(found, estimates, resp, weights)]
    fit.save(out / "fit.npz")
    recipe.write(out / "fit.npz")
    estimates.to_csv(out / "parameters.csv", index=False)
    if prepared.in_batches:
        in_batches.write_rows(prepared, fit, out / "rows.parquet")
    else:
        files.write(results.with_classes(table, resp, density, called), out / "rows.parquet")
    best = found.table.loc[[found.chosen]]
    ranked = found.table.drop(index=found.chosen)
    ranked = ranked.assign(bad=ranked["status"] != "CONVERGED")
    ranked = pd.concat([best, ranked.sort_values(["bad", found.criterion]).drop(columns="bad")])
    order = np.argsort(resp.max(1), kind="stable")[:_UNSURE]
    unsure = pd.DataFrame({"row": order + 1, "class": called[resp[order].argmax(1)]})
    for j in range(min(resp.shape[1], 8)):
        unsure[f"probability of {called[j]}"] = resp[order, j]
    for name in [c.name for c in recipe.columns][:4]:
        unsure[name] = [table.arrow.column(name)[int(i)].as_py() for i in order]
    data = Path(recipe.data).name
    words = _lead(prepared, found)
    page = render(
        title=f"Mixture of {data}",
        lead=words,
        ok=fit.status.ok,
        status=fit.status.name,
        message=fit.message,
        doubts=warned,
        figures=figures(found, recipe, shown),
        classes=rows(by_class),
        those=f"the first {len(table)} rows" if prepared.in_batches else "all rows",
        criterion=found.criterion.upper(),
        screening=found.screening,
        tried=len(ranked),
        shown=min(_SHOWN, len(ranked)),
        candidates=rows(ranked.head(_SHOWN)),
        all_candidates=rows(ranked),
        estimates=rows(estimates.head(_ESTIMATES)),
        hidden=max(len(estimates) - _ESTIMATES, 0),
        unsure=rows(unsure),
        command=recipe.command,
        notes=prepared.notes,
        columns=rows(_columns(prepared)),
        spec=str(fit.spec),
        made=f"mixpyro {recipe.version}, seed {recipe.seed}, {seconds:.0f} s of fitting.",
    )
    (out / "report.html").write_text(page, encoding="utf-8")
    return {
        "status": fit.status.name,
        "ok": fit.status.ok,
        "message": fit.message,
        "model": recipe.model,
        "chosen": found.keywords,
        "criterion": found.criterion,
        "log_likelihood": fit.log_likelihood,
        "num_free_params": fit.num_free_params,
        "rows": fit.spec.num_rows if prepared.in_batches else len(table),
        "candidates": _plain(ranked),
        "screening": found.screening,
        "parameters": _plain(estimates),
        "classes": _plain(by_class),
        "doubts": warned,
        "notes": prepared.notes,
        "columns": _plain(_columns(prepared)),
        "files": {n: str(out / n) for n in _FILES},
        "summary": words,
    }


_FILES = ("report.html", "parameters.csv", "rows.parquet", "fit.npz")


def show(console: Console, said: dict[str, Any]) -> None:
    """The same in a terminal."""
    console.print(escape(said["summary"]))
    candidates = pd.DataFrame(said["candidates"])
    if len(candidates) > 1:
        grid(console, _brief(candidates.head(6)), f"The best of {len(candidates)} candidates")
        if said["screening"]:
            console.print(f"[dim]{escape(said['screening'])}[/]")
    classes = pd.DataFrame(said["classes"])
    turned = classes.set_index("class").T
    turned.columns = [f"class {c}" for c in turned.columns]
    turned = turned.reset_index(names="")
    grid(console, turned.iloc[:, :9].head(20), "Classes")
    if len(turned) > 20:
        console.print(f"[dim]{len(turned) - 20} more columns are in the report.[/]")
    colour = "green" if said["ok"] else "red"
    console.print(f"[bold {colour}]{said['status']}[/] {escape(said['message'])}")
    for doubt in said["doubts"]:
        console.print(f"[yellow]•[/] {escape(doubt)}")
    console.print(
        f"\nOpen [bold]{escape(said['files']['report.html'])}[/]; beside it: "
        f"{', '.join(_FILES[1:])}"
    )


def _brief(table: pd.DataFrame) -> pd.DataFrame:
    """Heads that fit into a terminal."""
    short = {"num_components": "K", "covariance": "cov.", "log_likelihood": "log L"}
    short["num_free_params"] = "params"
    if "search" in table:
        screened = (table["search"] == SCREENED) & (table["status"] == "CONVERGED")
        table = table.assign(status=table["status"].mask(screened, SCREENED)).drop(columns="search")
    return table.rename(columns=short | {n: n.upper() for n in ("bic", "aic", "icl")})


def grid(console: Console, table: pd.DataFrame, title: str = "") -> None:
    """A table of a terminal."""
    made = Grid(title=title or None, title_justify="left", box=SIMPLE_HEAD)
    for name in table.columns:
        text = pd.api.types.is_object_dtype(table[name]) or table[name].dtype == "str"
        made.add_column(escape(str(name)), justify="left" if text else "right")
    for row in table.astype(object).to_numpy().tolist():
        made.add_row(*(escape(number(v)) for v in row))
    console.print(made)


def _lead(prepared: Prepared, found: Candidates) -> str:
    recipe, name = prepared.recipe, prepared.recipe.model.rpartition("/")[2]
    n = found.fit.spec.num_rows if prepared.in_batches else len(prepared.table)
    d = len(recipe.columns)
    what = f"{n} rows and {d} column{'s' if d > 1 else ''} of {Path(recipe.data).name}"
    k = found.fit.program.num_components
    shape = found.keywords.get("covariance")
    chosen = f"{k} component{'s' if k > 1 else ''}" + (f" with {shape} covariance" if shape else "")
    if len(found.table) == 1:
        return f"{name} with {chosen}, fitted to {what}."
    return (
        f"{name} fitted to {what}: {chosen}, chosen by {found.criterion.upper()} "
        f"among {len(found.table)} candidates."
    )


def _columns(prepared: Prepared) -> pd.DataFrame:
    used = []
    for argument in prepared.recipe.arguments:
        for c in argument.columns:
            gaps = prepared.table.arrow.column(c.name).null_count
            values = ", ".join(map(str, c.categories[:12])) + (
                " …" if len(c.categories) > 12 else ""
            )
            used.append((c.name, c.kind, argument.name, gaps, values))
    used += [(name, "left out", "", None, why) for name, why in prepared.left.items()]
    return pd.DataFrame(used, columns=["column", "kind", "argument", "gaps", "values or reason"])


def _weights(prepared: Prepared) -> np.ndarray:
    for argument in prepared.recipe.arguments:
        if argument.form == "weights":
            return np.asarray(argument.build(prepared.table), float)
    return np.ones(len(prepared.table))


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows that JSON can hold: nothing where there is no number."""

    def of(value: Any) -> Any:
        if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
            return None
        return value.item() if isinstance(value, np.generic) else value

    return [{k: of(v) for k, v in row.items()} for row in table.to_dict("records")]
