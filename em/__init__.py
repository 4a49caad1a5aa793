"""Fit finite mixtures by EM: read a NumPyro model, climb its likelihood, return a `Fit`."""

from .driver import EM
from .fit import Fit
from .kmeans import KMeans, kmeans
from .schedule import Annealed, Stochastic
from .spec import Spec
from .status import FitError, Status
from .storage import load

__all__ = [
    "EM",
    "Annealed",
    "Fit",
    "FitError",
    "KMeans",
    "Spec",
    "Status",
    "Stochastic",
    "kmeans",
    "load",
]
