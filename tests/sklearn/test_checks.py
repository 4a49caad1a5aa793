"""scikit-learn's own checks of estimators, some fifty for each."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from mixpyro import models
from mixpyro.sklearn import (
    BernoulliMixture,
    GaussianMixture,
    HiddenMarkov,
    KMeans,
    LatentClass,
    Mixture,
    PoissonMixture,
)

# Checks that cannot pass, each with its reason.
FRACTIONS = {
    "check_sample_weight_equivalence_on_dense_data": "its rows are fractions, whatever the tags "
    "say; test_discrete.py has the same check with whole numbers"
}
NEIGHBOURS = "the state of a row depends on the rows before and after it: that is the model"
EXPECTED = {
    PoissonMixture: FRACTIONS,
    LatentClass: FRACTIONS,
    HiddenMarkov: {
        "check_methods_subset_invariance": NEIGHBOURS,
        "check_methods_sample_order_invariance": NEIGHBOURS,
    },
}
QUICK = [GaussianMixture(2, covariance_type="diag", n_init=2)]
SLOW = [
    KMeans(2),
    PoissonMixture(),
    BernoulliMixture(binarize=0.5),
    LatentClass(),
    HiddenMarkov(emission="poisson", n_init=1),
    Mixture(models.gaussian_mixture, num_components=2, covariance="diagonal", n_init=2),
]


def expected(estimator):
    return EXPECTED.get(type(estimator), {})


# Checks fit noise, in which two components are often not determined; the warning says so.
noise = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@noise
@parametrize_with_checks(QUICK, expected_failed_checks=expected)
def test_quick_ones(estimator, check):
    check(estimator)


@noise
@pytest.mark.slow
@parametrize_with_checks(SLOW, expected_failed_checks=expected)
def test_slow_ones(estimator, check):
    check(estimator)
