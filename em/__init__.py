"""Fit finite mixtures by EM: read a NumPyro model, climb its likelihood, return a `Fit`."""

from .. import _numpyro  # noqa: F401  (before all that imports NumPyro)
from .classes.assignments.annealed import Annealed
from .classes.assignments.stochastic import Stochastic
from .climb.passes.stepwise import Stepwise
from .climb.status import FitError, Status
from .driver import EM
from .kmeans import KMeans, kmeans
from .labels import with_labels
from .load import load
from .machine.shards import shard_rows
from .plan.spec import Spec
from .report.fit import Fit
from .sources.batches import Batches
from .studies.bootstrap import Bootstrap, BootstrapTest, bootstrap, bootstrap_lrt
from .studies.cross_validation import CrossValidation, cross_validate
from .studies.external import External, external
from .studies.goodness_of_fit import GoodnessOfFit, goodness_of_fit
from .studies.hypotheses import HypothesisTest, likelihood_ratio_test, wald_test
from .studies.sequence import SequentialTest
from .studies.sweep import Sweep, sweep

__all__ = [
    "EM",
    "Annealed",
    "Batches",
    "Bootstrap",
    "BootstrapTest",
    "CrossValidation",
    "External",
    "Fit",
    "FitError",
    "GoodnessOfFit",
    "HypothesisTest",
    "KMeans",
    "SequentialTest",
    "Spec",
    "Status",
    "Stepwise",
    "Stochastic",
    "Sweep",
    "bootstrap",
    "bootstrap_lrt",
    "cross_validate",
    "external",
    "goodness_of_fit",
    "kmeans",
    "likelihood_ratio_test",
    "load",
    "shard_rows",
    "sweep",
    "wald_test",
    "with_labels",
]
