"""Mixture models as plain NumPyro functions, with the latent class z in plain sight.

Each is called as ``model(x, num_components=k)`` to score data and as
``model(num_components=k, num_rows=n)`` to simulate them; it returns x. The sites are ``weights``,
the parameters of the components, ``z`` and ``x``; the plates are "components" and "rows". Models
with covariates call their data y: ``model(y, covariates=x, num_components=k)``, and
``model(covariates=x, num_components=k)`` to simulate. Where several rows have one z, ``group``
says which, and z stands in the plate "groups". Of a chain (``hidden_markov``) the rows are its
steps, and in the place of weights it has ``initial`` and ``transition``.

``CATALOGUE`` maps names to models, and each model is an attribute of this package too.
``EXAMPLES`` are calls with true parameters, for trying things out and for tests.

A new model is one new file in this folder, with an ``@example`` above the function.
"""

from __future__ import annotations

from collections.abc import Mapping

from .. import _numpyro  # noqa: F401  (before all that imports NumPyro)
from ._catalogue import Example, Model, discover, examples

CATALOGUE: Mapping[str, Model] = discover(__path__, __name__)
EXAMPLES: tuple[Example, ...] = tuple(e for model in CATALOGUE.values() for e in examples(model))

__all__ = ["CATALOGUE", "EXAMPLES", "Example", "Model", "examples"]
__all__ += list(CATALOGUE)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Model:
    if name in CATALOGUE:
        return CATALOGUE[name]
    raise AttributeError(f"mixpyro.models has no model {name!r}; it has {', '.join(CATALOGUE)}")


def __dir__() -> list[str]:
    return sorted(__all__)
