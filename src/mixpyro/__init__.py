"""Finite mixtures as NumPyro models, fitted by EM in JAX.

`mixpyro.models` declares mixtures, `mixpyro.em` fits them by maximum likelihood or MAP, and
`mixpyro.inference` checks the same function with NUTS and SVI. `mixpyro.distributions` has what
NumPyro lacks for them. Each is imported when first used: `import mixpyro` alone is cheap.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["__version__", "data", "distributions", "em", "inference", "models"]

if TYPE_CHECKING:
    from mixpyro import data, distributions, em, inference, models
else:

    def __getattr__(name):
        if name in __all__:
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
