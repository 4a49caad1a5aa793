"""Fit finite mixtures by EM: read a NumPyro model, climb its likelihood, return a `Fit`."""

from .. import _numpyro  # noqa: F401  (before all that imports NumPyro)
from .bootstrap import Bootstrap, BootstrapTest, bootstrap, bootstrap_lrt
from .driver import EM
from .fit import Fit
from .hypotheses import HypothesisTest, likelihood_ratio_test, wald_test
from .kmeans import KMeans, kmeans
from .labels import with_labels
from .load import load
from .schedule import Annealed, Stochastic
from .spec import Spec
from .status import FitError, Status
from .sweep import CrossValidation, Sweep, cross_validate, sweep

__all__ = [
    "EM",
    "Annealed",
    "Bootstrap",
    "BootstrapTest",
    "CrossValidation",
    "Fit",
    "FitError",
    "HypothesisTest",
    "KMeans",
    "Spec",
    "Status",
    "Stochastic",
    "Sweep",
    "bootstrap",
    "bootstrap_lrt",
    "cross_validate",
    "kmeans",
    "likelihood_ratio_test",
    "load",
    "sweep",
    "wald_test",
    "with_labels",
]
