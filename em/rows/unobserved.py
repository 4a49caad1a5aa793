"""Categories that no row has: their probabilities are 0, and they are no dimensions of a model.

Items of 3, 2, 2 and 3 levels in one array have three categories each, of which two have one that
cannot occur. Counted as parameters, they would weigh in BIC for every class.
"""

from __future__ import annotations

import jax
import numpy as np

from ..machine.jit import quick_jit
from ..plan.blocks import StatisticalSite
from ..plan.chunks import Chunk, Rows
from ..plan.program import Program
from .over_rows import over_rows
from .streamed import Streamed


def never_observed(program: Program, rows: Rows | Streamed) -> dict[str, np.ndarray]:
    """{parameter: bool} which of its probabilities belong to categories that no row has.

    Rows of positive weight, with the entry there, count; a probability that several sites or cells
    share is observed if any of them has its category. Only probabilities that are arguments as
    they are (``Categorical(probs[z])``) can be judged, and if nothing else depends on them.
    """
    sites = [s for s in program.statistical if _is_simplex(s)]
    if not sites:
        return {}
    names = tuple(s.name for s in sites)
    counts = _category_counts(program, rows, names)
    places = int(program.layout.starts[-1])
    asked, seen = np.zeros(places, bool), np.zeros(places, bool)
    for site in sites:
        entry = site.entries["probs"]
        assert entry is not None
        present = np.broadcast_to(counts[site.name] > 0, entry.index.shape)
        free = entry.index >= 0
        asked[entry.index[free]] = True
        seen[entry.index[free & present]] = True
    others = [s for s in (*program.priors, *program.sites) if s.name not in names]
    elsewhere = frozenset().union(*(s.depends for s in others))
    never, starts = asked & ~seen, program.layout.starts
    found = {
        p.name: never[a:b].reshape(p.shape)
        for p, a, b in zip(program.layout.parameters, starts, starts[1:], strict=False)
        if p.name not in elsewhere and p.constraint == "simplex"
    }
    return {n: mask for n, mask in found.items() if mask.any()}


def dimensions(never: dict[str, np.ndarray]) -> int:
    """How many dimensions they would be: of a simplex of m entries, m - 1 at the most."""
    return sum(int(np.minimum(mask.sum(-1), mask.shape[-1] - 1).sum()) for mask in never.values())


def _is_simplex(site: StatisticalSite) -> bool:
    """Whether a site's features count categories whose probabilities are a parameter."""
    given = {n: d for n, d in site.family.domains.items() if n in site.entries}
    return given == {"probs": "simplex"} and site.entries["probs"] is not None


def _category_counts(
    program: Program, rows: Rows | Streamed, names: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """{site: (c, m) how many rows of positive weight have each category, by cell}."""

    def of(rows: Rows) -> dict[str, jax.Array]:
        def counts(chunk: Chunk) -> dict[str, jax.Array]:
            used = (chunk.weights > 0).astype(chunk.weights.dtype)
            found = program.features(chunk, rows.reference)
            return {n: f @ used for n, f in found.items() if n in names}

        each = jax.lax.map(jax.vmap(counts), rows.chunks)
        total = {n: v.sum((0, 1)) for n, v in each.items()}
        for inner in rows.inner.values():
            total |= counts(inner.chunk)
        return total

    compiled = program.compiled("categories", lambda: quick_jit(program, of))
    found = over_rows(lambda _, rows: compiled(rows), None, rows)
    entries = {s.name: s.entries["probs"] for s in program.statistical if s.name in names}
    cells = {n: e.index.shape[1:] for n, e in entries.items() if e is not None}
    out = {}
    for name, value in found.items():
        c, m = cells[name]
        table = np.asarray(value).reshape(c, -1)
        out[name] = table[:, :m]  # where cells may be missing, their number comes last
    return out
