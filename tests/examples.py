"""The examples of `mixpyro.models` as parameters of tests."""

import pytest

from mixpyro import models


def every(examples, quick=lambda _: True):
    """Parametrise ``example``; those that show a thing again, or are not ``quick``, are slow."""
    params = [
        pytest.param(e, id=str(e), marks=[pytest.mark.slow] * (e.again or not quick(e)))
        for e in examples
    ]
    return pytest.mark.parametrize("example", params)


every_example = every(models.EXAMPLES)

# One of vectors and one of counts: what costs a compilation each runs on these, and slowly on all.
_FEW = [models.examples(m)[0] for m in (models.gaussian_mixture, models.poisson_mixture)]
few_new_examples = every([e for e in models.EXAMPLES if not e.again], quick=lambda e: e in _FEW)
