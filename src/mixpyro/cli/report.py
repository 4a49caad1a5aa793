"""``report.html``: one page that needs nothing else."""

from __future__ import annotations

from typing import Any

import pandas as pd
from markupsafe import Markup


def render(**parts: Any) -> str:
    """The page; all that comes from data or options is escaped."""
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("mixpyro.cli"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = number
    parts["figures"] = [f | {"svg": Markup(f["svg"])} for f in parts["figures"]]
    return environment.get_template("report.html").render(**parts)


def number(value: Any) -> str:
    """A cell of a table: four digits that count, two decimals of large ones, blank for nothing."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e9:
        return str(int(value))
    if isinstance(value, float):
        if value == 0 or 1e-3 <= abs(value) < 1e12:
            return f"{value:.2f}" if abs(value) >= 100 else f"{value:.4g}"
        return f"{value:.3g}"
    return str(value)


def rows(table: pd.DataFrame) -> dict[str, Any]:
    """A table for the page: its heads and its rows."""
    return {"heads": list(table.columns), "rows": table.astype(object).values.tolist()}
