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
        chain: whether the rows follow one another, so that they are not independent: z stands in a
            scan.
    """

    model: Model
    kwargs: Mapping[str, Any]
    params: Mapping[str, np.ndarray]
    again: bool = False
    chain: bool = False

    @property
    def data(self) -> str:
        """The name of the data, x or y: the model's first argument, and the site that it is."""
        return next(iter(inspect.signature(self.model).parameters))

    @property
    def num_rows(self) -> int:
        """n."""
        given: int | None = self.kwargs.get("num_rows")
        return len(self.kwargs["covariates"]) if given is None else given

    @property
    def num_classes(self) -> int:
        """How many classes z has."""
        found: list[int] = []

        def call() -> None:
            model = handlers.seed(self.model, 0)
            z = handlers.trace(model).get_trace(**self.kwargs)["z"]
            found.append(z["fn"].enumerate_support(expand=False).shape[0])

        jax.eval_shape(call)
        return found[0]

    def simulate(self, rng_key: Array) -> dict[str, Array]:
        """Draw data: ``{"x": (n,) or (n, d), "z": (n,)}``, z being the true classes.

        Where a model has covariates its data are called y (see `data`).
        """
        # JAX cannot index a NumPy array by a traced z.
        params = {name: jnp.asarray(value) for name, value in self.params.items()}

        @jax.jit
        def draw(rng_key: Array) -> dict[str, Array]:
            model = handlers.seed(handlers.substitute(self.model, params), rng_key)
            trace = handlers.trace(model).get_trace(**self.kwargs)
            return {name: trace[name]["value"] for name in (self.data, "z")}

        drawn: dict[str, Array] = draw(rng_key)
        return drawn

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={_brief(value)}" for name, value in self.kwargs.items())
        return f"{self.model.__name__}({arguments})"


def example(
    *, params: Mapping[str, Any], again: bool = False, chain: bool = False, **kwargs: Any
) -> Callable[[ModelT], ModelT]:
    """Give a model an example, and with the first one a place in the catalogue.

    Several may be stacked; they are kept in the order in which they are written. Choose
    components that lie well apart and few rows: the contract tests fit every example to data
    simulated from it, and expect ``params`` back.

    Args:
        params: the true value of every parameter site, by name: numbers or nested lists.
        again: whether it shows what an example before it shows too; its tests are marked slow.
        chain: whether z stands in a scan over the rows.
        **kwargs: the other keyword arguments of the call.
    """

    def attach(model: ModelT) -> ModelT:
        values = {name: np.asarray(value, dtype=float) for name, value in params.items()}
        this = Example(model, MappingProxyType(kwargs), MappingProxyType(values), again, chain)
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
    return f"array{np.shape(value)}" if np.ndim(value) else repr(value)
