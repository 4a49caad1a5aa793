"""Mixtures as scikit-learn's estimators: they live in pipelines, grid searches and pickles.

``from mixpyro.sklearn import GaussianMixture`` in the place of ``from sklearn.mixture import
GaussianMixture`` keeps the calls and the names; `docs/sklearn.md` says what differs. Computing is
in double precision whatever JAX's default, and no global flag is touched.
"""

try:
    import sklearn  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "sklearn":
        raise
    raise ImportError(
        "mixpyro.sklearn needs scikit-learn, which is not installed: pip install 'mixpyro[sklearn]'"
    ) from error

from ._discrete import BernoulliMixture, LatentClass, PoissonMixture
from ._gaussian import GaussianMixture
from ._kmeans import KMeans
from ._markov import HiddenMarkov
from ._model import Mixture

__all__ = [
    "BernoulliMixture",
    "GaussianMixture",
    "HiddenMarkov",
    "KMeans",
    "LatentClass",
    "Mixture",
    "PoissonMixture",
]
