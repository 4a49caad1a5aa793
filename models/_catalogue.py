"""How a model enters the catalogue: a decorator beside it, found by looking into the folder."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpyro import handlers

from ._weights import weighted

Model = Callable[..., Any]
ModelT = TypeVar("ModelT", bound=Model)

_ATTRIBUTE = "__mixpyro_examples__"


@dataclass(frozen=True, eq=False)
class Example:
    """One way to call a model, with true parameters from which its data are simulated.

    Attributes:
        model: the model.
        kwargs: keyword arguments of the call. They serve for simulating (``num_rows`` is among
            them, or covariates with as many rows) and for fitting alike: ``model(data, **kwargs)``.
        params: the true value of every parameter site, by name.
        again: whether it shows what an example before it shows too; its tests are marked slow.
        density_rtol: how exact NumPyro's own log density is in double precision, relatively. JAX's
            betaln, of which NumPyro makes that of the negative binomial, has errors of 1e-6.
        every_class: whether each class occurs in its data; not so where z is a number with a bound.
        chain: whether the rows follow one another, so that they are not independent: z stands in a
            scan.
        nested: whether the groups of rows, whose z are their own, have classes too.
    """

    model: Model
    kwargs: Mapping[str, Any]
    params: Mapping[str, np.ndarray]
    again: bool = False
    density_rtol: float = 1e-11
    every_class: bool = True
    chain: bool = False
    nested: bool = False

    @property
    def data(self) -> str:
        """The name of the data, x or y: the model's first argument, and the site that it is."""
        return next(iter(inspect.signature(self.model).parameters))

    @property
    def columns(self) -> tuple[str, ...]:
        """The sites of the data: the data themselves, or columns of several kinds by name."""
        return tuple(self.kwargs.get("kinds", (self.data,)))

    @property
    def num_rows(self) -> int:
        """n."""
        given: int | None = self.kwargs.get("num_rows")
        if given is None:
            given = len(self.kwargs["covariates" if "covariates" in self.kwargs else "group"])
        return given

    @property
    def plate(self) -> str:
        """The plate of z: one class for each row, for each group of rows, or for a whole series."""
        name: str = self._latent()["cond_indep_stack"][0].name
        return name

    @property
    def group(self) -> np.ndarray | None:
        """(n,) which z each row has; None where each has its own."""
        if self.plate == "rows":
            return None
        return np.asarray(self.kwargs.get("group", np.zeros(self.num_rows, int)))

    @property
    def num_units(self) -> int:
        """How many z there are."""
        units: int = self._latent()["value"].shape[0]
        return units

    @property
    def num_classes(self) -> int:
        """How many classes z has."""
        classes: int = self._latent()["fn"].enumerate_support(expand=False).shape[0]
        return classes

    def _latent(self) -> dict[str, Any]:
        """The site z of a call without data, none of whose values is computed."""
        found: dict[str, Any] = {}

        def call() -> None:
            model = handlers.seed(self.model, 0)
            found.update(handlers.trace(model).get_trace(**self.kwargs)["z"])

        jax.eval_shape(call)
        return found

    def simulate(
        self, rng_key: Array, jit: Callable[[Callable], Callable] = jax.jit
    ) -> dict[str, Any]:
        """Draw data: ``{"x": (n,) or (n, d), "z": (n,)}``, z being the true classes.

        z is (num_groups,) where rows are grouped, (1,) for a series. Where a model has covariates
        its data are called y (see `data`). ``jit`` says how the function that draws is carried out.
        """
        # JAX cannot index a NumPy array by a traced z.
        params = {name: jnp.asarray(value) for name, value in self.params.items()}

        @jit
        def draw(rng_key: Array) -> dict[str, Any]:
            model = handlers.seed(handlers.substitute(self.model, params), rng_key)
            trace = handlers.trace(model).get_trace(**self.kwargs)
            found = {name: trace[name]["value"] for name in self.columns}
            data = found if "kinds" in self.kwargs else found[self.data]
            return {self.data: data, "z": trace["z"]["value"]}

        drawn: dict[str, Any] = draw(rng_key)
        return drawn

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={_brief(value)}" for name, value in self.kwargs.items())
        return f"{self.model.__name__}({arguments})"


def example(
    *,
    params: Mapping[str, Any],
    again: bool = False,
    density_rtol: float = 1e-11,
    every_class: bool = True,
    chain: bool = False,
    one_unit: bool = False,
    nested: bool = False,
    **kwargs: Any,
) -> Callable[[ModelT], ModelT]:
    """Give a model an example, and with the first one a place in the catalogue.

    The first gives it the keyword ``weights`` too, unless all its data are one unit.

    Several may be stacked; they are kept in the order in which they are written. Choose
    components that lie well apart and few rows: the contract tests fit every example to data
    simulated from it, and expect ``params`` back.

    Args:
        params: the true value of every parameter site, by name: numbers or nested lists.
        again: whether it shows what an example before it shows too; its tests are marked slow.
        density_rtol: how exact NumPyro's own log density is in double precision (see `Example`).
        every_class: whether each class occurs in data of this size.
        chain: whether z stands in a scan over the rows.
        nested: whether z belongs to rows of groups that have classes too.
        one_unit: whether there is one z for all rows, none of which can have a weight of its own.
        **kwargs: the other keyword arguments of the call.
    """

    def attach(model: ModelT) -> ModelT:
        if not (examples(model) or one_unit):
            model = weighted(model, chain)
        values = {name: np.asarray(value, dtype=float) for name, value in params.items()}
        this = Example(
            model,
            MappingProxyType(kwargs),
            MappingProxyType(values),
            again,
            density_rtol,
            every_class,
            chain,
            nested,
        )
        setattr(model, _ATTRIBUTE, (this, *examples(model)))
        return model

    return attach


def examples(model: Model) -> tuple[Example, ...]:
    """The examples of a model; none if it is not in the catalogue."""
    return getattr(model, _ATTRIBUTE, ())


def discover(path: Iterable[str], package: str) -> Mapping[str, Model]:
    """Every function with an example in the modules of ``package``, by its name.

    Raises:
        ImportError: two models have one name, or a model has the name of a module.
    """
    names = [m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_")]
    found: dict[str, Model] = {}
    for module in (importlib.import_module(f"{package}.{name}") for name in names):
        for model in _declared(module):
            if model.__name__ in found or model.__name__ in names:
                raise ImportError(
                    f"{module.__name__} declares {model.__name__!r}, a name that another model or "
                    "module of this folder has; rename the function or the file"
                )
            found[model.__name__] = model
    return MappingProxyType(dict(sorted(found.items())))


def _declared(module: ModuleType) -> list[Model]:
    return [f for f in vars(module).values() if examples(f) and f.__module__ == module.__name__]


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{len(value)} by name"
    return f"array{np.shape(value)}" if np.ndim(value) else repr(value)
