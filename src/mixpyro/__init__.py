"""Finite mixtures as NumPyro models, fitted by EM in JAX.

`mixpyro.models` declares mixtures, `mixpyro.em` fits them by maximum likelihood or MAP, and
`mixpyro.inference` checks the same function with NUTS and SVI. `mixpyro.distributions` has what
NumPyro lacks for them, `mixpyro.sklearn` mixtures as scikit-learn's estimators. Each is imported
when first used: `import mixpyro` alone is cheap.
`enable_compilation_cache` lets JAX keep what it compiles for the next process.
"""

import importlib
from typing import TYPE_CHECKING

from .compilation_cache import enable_compilation_cache

__version__ = "0.1.0"
_FOLDERS = ("data", "distributions", "em", "inference", "models", "sklearn")
__all__ = [
    "__version__",
    "data",
    "distributions",
    "em",
    "enable_compilation_cache",
    "inference",
    "models",
]

if TYPE_CHECKING:
    from mixpyro import data, distributions, em, inference, models
    from mixpyro import sklearn as sklearn  # an extra, and so not in __all__
else:

    def __getattr__(name):
        if name in _FOLDERS:
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
