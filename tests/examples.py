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


# The rows of a chain are not independent, and neither are those of groups with classes of their
# own: `tests/models/test_chains.py` and `test_multilevel.py` have what they promise.
OF_ROWS = [e for e in models.EXAMPLES if not (e.chain or e.nested)]
OF_CHAINS = [e for e in models.EXAMPLES if e.chain]

every_example = every(OF_ROWS)
every_chain = every(OF_CHAINS)

NEW = [e for e in OF_ROWS if not e.again]

# One of vectors and one of counts: what costs a compilation each runs on these, and slowly on all.
FEW = [models.examples(m)[0] for m in (models.gaussian_mixture, models.poisson_mixture)]
