"""What was published of examples of counts, or another way to their numbers."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit


def geometric_mixture(found):
    """One kind by its mean; two by SciPy."""
    fits, days = found["fits"], found["days"]
    assert float(fits[1].params["probs"][0]) == pytest.approx(1 / days.mean(), rel=1e-6)

    def minus(u):
        share, p = expit(u[0]), expit(u[1:])
        return -np.sum(np.log(p * (1 - p) ** (days[:, None] - 1) @ [share, 1 - share]))

    solved = minimize(minus, [2, -4, -1], tol=1e-10).fun
    assert fits[2].log_likelihood == pytest.approx(-solved, abs=1e-6)


PUBLISHED = [geometric_mixture]
