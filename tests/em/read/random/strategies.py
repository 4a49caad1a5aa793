"""Hypothesis' plans of random models: what may go with what."""

from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import strategies as st

from .plans import FAMILIES, INDEXING, JOINED, LAYOUTS, PLAIN, Argument, Plan, Site, support_of

_ONE_CLASS = ("rows", "last but one", "two")


def _of(*values: object) -> st.SearchStrategy:
    return st.sampled_from(values)


@st.composite
def plans(draw: Callable) -> Plan:
    """Mixtures of 2 to 5 rows, most plain in most ways."""
    layout = draw(_of(*LAYOUTS))
    # Few sizes, so that what JAX compiles for one model serves the next.
    n, k = draw(_of(2, 3)), draw(_of(2, 3))
    d = draw(_of(1, 2, 3))
    if draw(st.booleans()):
        d = n  # axes of one size
    weights = ["dirichlet", "softmax", "fixed"] + ["beta", "stacked"] * (k == 2)
    weights += ["covariates"] * (layout in _ONE_CLASS)
    sites: tuple[Site, ...] = ()
    for _ in range(draw(_of(1, 1, 2))):
        sites += (draw(_site(layout, sites)),)
    first = sites[0]
    plain = first.shape == "row" and first.family != "MultivariateNormal"
    plain = plain and not any(a.joined.endswith("data") or a.second for a in first.arguments)
    own = first.arguments[0]
    held = ["none", "none"]
    if own.share in ("class", "one", "tied") and own.needs != "simplex":
        held += ["substitute"] + ["condition"] * (own.declare != "param")
    labels = ("none", "none", "some", "all") if layout in ("rows", "last but one") else ("none",)
    return Plan(
        n=n,
        k=k,
        d=d,
        layout=layout,
        weights=draw(_of(*weights)),
        sites=sites,
        labels=draw(_of(*labels)),
        calibration=plain and draw(st.booleans()),
        outer_factor=draw(_of(False, False, True)),
        inner_factor=draw(_of("none", "none", "none", "shared", "by class")),
        scaled=layout in (*_ONE_CLASS, "expand") and draw(st.booleans()),
        held=draw(_of(*held)),
        seed=draw(st.integers(0, 10_000)),
    )


@st.composite
def _site(draw: Callable, layout: str, before: tuple[Site, ...]) -> Site:
    family = draw(_of(*FAMILIES))
    alone = family in ("MultivariateNormal", "Categorical")
    shape = "row" if alone else draw(_of("row", "row", "columns", "event"))
    by_cell = shape != "row" and draw(st.booleans())
    real = family in ("Normal", "StudentT")
    arguments: tuple[Argument, ...] = ()
    for needs in FAMILIES[family]:
        arguments += (draw(_argument(needs, layout, before, arguments, by_cell or alone)),)
    return Site(
        family=family,
        arguments=arguments,
        shape=shape,
        by_cell=by_cell,
        mask=draw(_of("none", "none", "handler", "distribution")) if shape != "event" else "none",
        observed=draw(_of("as it is", "as it is", "scaled", "less a parameter"))
        if real
        else "as it is",
    )


@st.composite
def _argument(
    draw: Callable,
    needs: str,
    layout: str,
    before: tuple[Site, ...],
    same: tuple[Argument, ...],
    wide: bool,
) -> Argument:
    second = layout in ("two", "within") and draw(st.booleans())
    if needs == "simplex":
        return Argument(needs, second=second)
    transform = draw(_of("none", "none", *PLAIN[needs]))
    share = draw(_of("class", "class", "one", "tied", "fixed"))
    first = before[0].arguments[0] if before else same[0] if same else None
    if (
        first is not None
        and not wide
        and not (before and before[0].by_cell)
        and draw(st.booleans())
    ):
        may = first.share == "class" and first.needs != "simplex"
        may = may and not (before and before[0].family == "MultivariateNormal")
        share = "first" if may and support_of(first) == PLAIN[needs][transform][0] else share
    if share == "fixed":
        transform = "none"
    return Argument(
        needs=needs,
        transform=transform,
        joined=draw(_of("alone", "alone", *JOINED[needs])),
        indexing=draw(_of(*INDEXING)),
        share="class" if wide and share == "fixed" else share,
        declare=draw(_of("plate", "event", "param")),
        early=draw(st.booleans()),
        second=second,
    )


def configurations(plan: Plan) -> int:
    """How many values all classes of a plan have together."""
    number = plan.k**plan.units
    own = {"two": plan.n, "within": math.prod(plan.row_shape)}.get(plan.layout, 0)
    return number * 2**own
