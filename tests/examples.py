"""The examples of `mixpyro.models` as parameters of tests."""

import pytest

from mixpyro import models


def every(examples):
    """Parametrise ``example``; those that show a thing again are slow."""
    params = [
        pytest.param(e, id=str(e), marks=[pytest.mark.slow] if e.again else []) for e in examples
    ]
    return pytest.mark.parametrize("example", params)


every_example = every(models.EXAMPLES)
