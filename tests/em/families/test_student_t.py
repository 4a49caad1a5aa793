import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.distributions import constraints
from scipy import stats

from mixpyro import em

from .case import Case

ROWS = "likelihood equations, on rows"
TRIL = np.linalg.cholesky([[[1.0, 0.5], [0.5, 0.8]], [[6.0, -2.0], [-2.0, 4.0]]])


def draw(rng, df, loc, scale_tril):
    normal = (scale_tril @ rng.normal(size=(*loc.shape, 1)))[..., 0]
    return loc + normal / np.sqrt(rng.chisquare(df) / df)[:, None]


CASES = [
    Case(
        distribution=dist.StudentT,
        params={"df": [1.5, 1.5], "loc": [-3.0, 120.0], "scale": [0.2, 20.0]},
        supports={
            "df": constraints.positive,
            "loc": constraints.real,
            "scale": constraints.positive,
        },
        make=dist.StudentT,
        draw=lambda rng, df, loc, scale: loc + scale * rng.standard_t(df),
        log_density=lambda x, df, loc, scale: stats.t.logpdf(x, df, loc, scale),
        m_step=ROWS,
        slow=True,
    ),
    Case(
        distribution=dist.MultivariateStudentT,
        params={"df": [1.5, 2.5], "loc": [[-3.0, 0.0], [6.0, 5.0]], "scale_tril": TRIL},
        supports={
            "df": constraints.positive,
            "loc": constraints.real_vector,
            "scale_tril": constraints.lower_cholesky,
        },
        make=dist.MultivariateStudentT,
        draw=draw,
        log_density=lambda x, df, loc, scale_tril: stats.multivariate_t.logpdf(
            x, loc, scale_tril @ scale_tril.T, np.asarray(df).item()
        ),
        m_step=ROWS,
        slow=True,
    ),
]


@pytest.mark.slow
def test_light_tails_stop_at_the_limit_and_are_named(precision):
    """Of a uniform sample the likelihood rises to that of the normal: mean and root mean square."""
    x = np.linspace(-1, 3, 101)

    def model(x):
        df = numpyro.sample("df", dist.Gamma(2, 0.1))
        loc = numpyro.sample("loc", dist.Normal(0, 5))
        scale = numpyro.sample("scale", dist.HalfNormal(5))
        with numpyro.plate("rows", x.shape[0]):
            z = numpyro.sample("z", dist.Categorical(jnp.ones(1)))
            numpyro.sample("x", dist.StudentT(df + 0 * z, loc, scale), obs=x)

    fit = em.EM(model).run(jax.random.key(0), x)
    assert fit.base_status is em.Status.CONVERGED
    limit = 1e6 if precision == "float64" else 300
    assert float(fit.params["df"]) == pytest.approx(limit, rel=1e-3)
    assert "At the boundary: df." in fit.message
    assert fit.standard_errors()["df"].mask.all()
    rtol = 1e-5 if precision == "float64" else 2e-2
    assert float(fit.params["loc"]) == pytest.approx(1.0, rel=rtol)
    assert float(fit.params["scale"]) == pytest.approx(x.std(), rel=rtol)
