"""Names of dimensions and coordinates in DataTrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..em import Fit
from ..em.calls.places import axes_of
from .symmetry import Symmetry

if TYPE_CHECKING:
    pass


COMPONENT, ROW, TIME, SEQUENCE = "component", "row", "time", "sequence"


class Names:
    """The names of every variable's axes."""

    def __init__(
        self,
        fit: Fit,
        symmetries: Mapping[str, Symmetry],
        dims: Mapping[str, Sequence[str]] | None,
        coords: Mapping[str, Any] | None,
    ) -> None:
        structure = fit.program.structure
        shapes = self.shapes = {name: np.shape(value) for name, value in fit.leaves.items()}
        own, labelled = axes_of(fit.program.source, fit.call, shapes)
        self.dims, self.own = dict(dims or {}), own
        self.suffix = suffixes(fit)
        self.component = {n: COMPONENT + suffix for n, suffix in self.suffix.items()}
        self.row = {z.name: row_of(z.level, self.suffix[z.name]) for z in structure.latents}
        self.chain, self.unit = structure.chain, ROW if structure.chain is None else SEQUENCE
        # {variable: the names of its axes}, where the axes are known to belong to classes.
        self.known: dict[str, list[str]] = {"loss": ["step"]}
        self.axes: dict[str, dict[int, str]] = {}
        self.sizes = {z.name: z.num_components for z in structure.latents}
        for site, dims_of_site in own.items():  # of an axis longer than its names, numbers
            sizes = shapes.get(site, ())
            for name, size in zip(dims_of_site, sizes[-len(dims_of_site) :], strict=False):
                if name in labelled and len(labelled[name]) != size:
                    del labelled[name]
        for latent, symmetry in symmetries.items():
            for site, axes in symmetry.axes.items():
                named = self.axes.setdefault(site, {})
                for place, axis in enumerate(axes):
                    name = self._numbering(latent, shapes[site][axis])
                    named[axis] = f"{name}_{place}" if place else name
        self.coords = {
            **{self.component[z.name]: np.arange(z.num_components) for z in structure.latents},
            **self._of_classes(fit),
            **{self.row[z.name]: np.arange(z.num_rows) for z in structure.latents},
            **labelled,
            **(coords or {}),
        }
        self.row_data = {
            d.name: len(d.shape) for d in structure.data if d.shape[0] == fit.program.num_rows
        }
        if self.chain is not None:
            self.row_data = {}
            self.axes |= {d.name: {0: TIME} for d in structure.data}

    def _of_classes(self, fit: Fit) -> dict[str, list[str]]:
        """{axis: the names of the classes along it}, where the fit has any."""
        names, words = fit.call.classes.names, fit.call.classes.words
        if not names:
            return {}
        (component,) = self.component.values()
        own = {f"{n}_dim_0": list(w[0]) for n, w in words.items() if w.get(0, names) != names}
        return {component: list(names), f"{component}_1": list(names), **own}

    def _numbering(self, latent: str, size: int) -> str:
        """The name of an axis that numbers a latent's components, or the first of them."""
        all_of_them = size == self.sizes[latent]
        return self.component[latent] if all_of_them else f"first_{size}_{self.component[latent]}s"

    def _leading(self, site: str, number: int) -> list[str]:
        """The names of the axes before those that a model names, where no symmetry tells them."""
        if number == 1 and len(self.sizes) == 1:
            (latent,) = self.sizes
            if self.shapes.get(site, ())[:1] == (self.sizes[latent],):
                return [self.component[latent]]
        return [f"{site}_dim_{i}" for i in range(number)]

    def by_latent(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """{variable: values} of something that each latent has, with the names of its axes."""
        found = {}
        for latent, value in values.items():
            rows = [] if name == "permutations" else [self.row[latent]]
            if rows and self.chain is not None and latent in self.chain.constant:
                rows = [SEQUENCE]
            elif rows and self.chain is not None:
                rows, array = [TIME, SEQUENCE], np.asarray(value)
                steps = (self.chain.length, self.chain.number)
                value = array.reshape(*array.shape[:-2], *steps, array.shape[-1])
            self.known[name + self.suffix[latent]] = [*rows, self.component[latent]]
            found[name + self.suffix[latent]] = value
        return found

    def of(self, name: str, rank: int) -> list[str]:
        """The names of the last ``rank`` axes of a variable."""
        if name in self.known:
            return self.known[name]
        if name in self.row and rank == 1:
            return [self.row[name]]
        base = name.removesuffix("_se")
        for suffix in ("_rhat", "_ess"):
            base = base.removesuffix(f"{suffix}_before").removesuffix(f"{suffix}_after")
        given = list(self.dims.get(base, []))
        if len(given) == rank:
            return given
        named = self.axes.get(base, {})
        if not given and base in self.own:
            own = self.own[base]
            free = rank - len(own)
            given = own if free == len(named) else [*self._leading(base, free), *own]
        if self.row_data.get(base) == rank:
            named = {0: ROW}
        if given and len(given) + len(named) != rank:
            raise ValueError(
                f"dims[{base!r}] names {len(given)} axes; the site has {rank}, of which "
                f"{len(named)} are named already"
            )
        rest = iter(given)
        return [named[i] if i in named else next(rest, f"{base}_dim_{i}") for i in range(rank)]


def suffixes(fit: Fit) -> dict[str, str]:
    """{latent: what names about it end in}: nothing where there is but one."""
    latents = fit.program.structure.latents
    return {z.name: f"_{z.name}" if len(latents) > 1 else "" for z in latents}


def row_of(level: int, suffix: str) -> str:
    """The dimension of a level's rows: the independent units, or rows within them."""
    return ROW if level == 0 else ROW + suffix
