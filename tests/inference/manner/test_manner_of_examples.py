"""Twelve models in the manner of NumPyro's and Pyro's examples: fitted, tabled, sampled, compared.

Each goes from `em.EM` through ``summary`` and draws of its posterior to ``cross_check``; what the
fit reports is compared with all of NumPyro's own density, z summed out by hand in SciPy. One of
each kind is drawn from by a short run of NUTS, the others by the normal approximation.
"""

import jax
import numpy as np
import pytest

from mixpyro import em, inference

from . import annotation, answers, continuous, counts

pytestmark = [pytest.mark.usefixtures("x64"), pytest.mark.slow]

KEY = jax.random.key(0)
KINDS = (annotation, counts, continuous, answers)
BY_NUTS = [list(kind.MODELS)[-1] for kind in KINDS]
MODELS = {**annotation.MODELS, **counts.MODELS, **continuous.MODELS, **answers.MODELS}


@pytest.mark.parametrize("name", MODELS)
def test_the_whole_way(name):
    model, data, likelihood = MODELS[name]
    fit = em.EM(model).run(KEY, *data)
    assert fit.status.ok, fit.message
    params = {n: np.asarray(v) for n, v in fit.params.items()}
    assert fit.log_likelihood == pytest.approx(likelihood(params), rel=1e-8)
    table = fit.summary()
    assert np.isfinite(table["estimate"]).all()
    if by_nuts := name in BY_NUTS:
        draws = inference.run_nuts(fit, KEY, num_warmup=200, num_samples=200, num_chains=2)
    else:
        draws = inference.run_laplace(fit, KEY, num_samples=100)
    for name_ in fit.params:
        assert np.isfinite(draws.posterior[name_]).all()
    # The density that was sampled is the one written by hand: the rows' sum at a draw.
    own = {n: np.asarray(draws.posterior[n])[0, -1] for n in fit.params}
    by_row = draws.log_likelihood.to_dataset().isel(chain=0, draw=-1)
    total = sum(float(v.sum()) for v in by_row.data_vars.values())
    if "factor" not in name and "capture" not in name:
        assert total == pytest.approx(likelihood(own), rel=1e-8)
    report = inference.cross_check(fit, **{"nuts" if by_nuts else "laplace": draws})
    assert len(report.table) > 0
    assert np.isfinite(report.table.select_dtypes("number").to_numpy()).any()
