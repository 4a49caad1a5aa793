"""Posteriors that are known: in closed form, on a grid, by simulation. Slow, all of them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from numpyro.infer import MCMC, NUTS, init_to_uniform
from scipy import stats

from mixpyro import em, inference, models
from mixpyro.em.machine.by_numpy.interpret import interpreted

pytestmark = [pytest.mark.usefixtures("x64"), pytest.mark.slow]

KEY = jax.random.key(0)


def labelled_bernoulli(x, z, num_components=2):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.array([2.0, 3.0])))
    with numpyro.plate("components", num_components):
        probs = numpyro.sample("probs", dist.Beta(2.0, 1.0).expand([2]).to_event(1))
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(weights), obs=z)
        numpyro.sample("x", dist.Bernoulli(probs[z]).to_event(1), obs=x)


def test_conjugate_posteriors_in_closed_form():
    """All labels known: weights ~ Dirichlet(2 + n0, 3 + n1), probs ~ Beta(2 + ones, 1 + zeros)."""
    rng = np.random.default_rng(3)
    z = (rng.random(40) < 0.6).astype(int)
    x = (rng.random((40, 2)) < np.array([[0.2, 0.7], [0.8, 0.4]])[z]).astype(int)
    fit = em.EM(labelled_bernoulli).run(KEY, x, z)
    nuts = inference.run_nuts(fit, KEY, num_warmup=300, num_samples=2000)
    svi = inference.run_svi(fit, KEY, num_steps=3000, num_samples=8000)
    count = np.bincount(z, minlength=2)
    ones = np.array([x[z == k].sum(0) for k in (0, 1)])
    expected = {
        "weights": stats.beta(np.array([2, 3]) + count, np.array([3, 2]) + count[::-1]),
        "probs": stats.beta(2 + ones, 1 + count[:, None] - ones),
    }
    assert nuts["relabelling"].attrs["message"].startswith("No draw needed")  # labels anchor
    for name, law in expected.items():
        draws = nuts["posterior"][name].values
        size = nuts["relabelling"][f"{name}_ess_after"].values
        error = law.std() / np.sqrt(size)
        assert (np.abs(draws.mean((0, 1)) - law.mean()) < 4 * error).all(), name
        np.testing.assert_allclose(draws.std((0, 1)), law.std(), rtol=0.06)
        # A normal on the logit scale, so up to a tenth of a standard deviation off.
        approx = svi["posterior"][name].values[0]
        assert (np.abs(approx.mean(0) - law.mean()) < 0.1 * law.std()).all(), name
        np.testing.assert_allclose(approx.std(0), law.std(), rtol=0.1)
    assert svi.attrs["pareto_k"] < 0.7


def two_means(x):
    loc = numpyro.sample("loc", dist.Normal(jnp.array([-2.0, 2.0]), 1.0).to_event(1))
    with numpyro.plate("rows", len(x)):
        z = numpyro.sample("z", dist.Categorical(jnp.array([0.4, 0.6])))
        numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)


def test_a_posterior_integrated_on_a_grid():
    rng = np.random.default_rng(8)
    x = np.where(rng.random(30) < 0.4, -1.0, 1.2) + rng.normal(size=30)
    grid = np.linspace(-5, 5, 801)
    a, b = np.meshgrid(grid, grid, indexing="ij")
    log_p = stats.norm.logpdf(a, -2) + stats.norm.logpdf(b, 2)
    for value in x:
        log_p += np.logaddexp(
            np.log(0.4) + stats.norm.logpdf(value, a), np.log(0.6) + stats.norm.logpdf(value, b)
        )
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mean = np.array([(p * a).sum(), (p * b).sum()])
    sd = np.sqrt(np.array([(p * a**2).sum(), (p * b**2).sum()]) - mean**2)
    fit = em.EM(two_means).run(KEY, x)
    nuts = inference.run_nuts(fit, KEY, num_warmup=300, num_samples=2000)
    assert "No two components can be swapped" in nuts["relabelling"].attrs["message"]
    draws = nuts["posterior"]["loc"].values
    error = sd / np.sqrt(nuts["relabelling"]["loc_ess_after"].values)
    assert (np.abs(draws.mean((0, 1)) - mean) < 4 * error).all()
    np.testing.assert_allclose(draws.std((0, 1)), sd, rtol=0.06)


def test_one_component_is_an_ordinary_posterior():
    """Its simplex has no coordinates. loc | x ~ Normal(25 sum(x) / (25 n + 1), 25 / (25 n + 1))."""
    x = np.random.default_rng(1).normal(2.0, 1.0, 20)

    def model(x):
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(1)))
        with numpyro.plate("components", 1):
            loc = numpyro.sample("loc", dist.Normal(0.0, 5.0))
        with numpyro.plate("rows", len(x)):
            z = numpyro.sample("z", dist.Categorical(weights))
            numpyro.sample("x", dist.Normal(loc[z], 1.0), obs=x)

    tree = inference.run_nuts(em.EM(model).run(KEY, x), KEY, num_warmup=200, num_samples=1000)
    draws = tree["posterior"]["loc"].values
    error = np.sqrt(25 / 501 / tree["relabelling"]["loc_ess_after"].values)
    assert draws.mean() == pytest.approx(25 * x.sum() / 501, abs=4 * float(error[0]))
    assert draws.std() == pytest.approx(np.sqrt(25 / 501), rel=0.06)
    np.testing.assert_array_equal(tree["posterior"]["weights"], np.ones((4, 1000, 1)))


def test_random_starts_switch_and_are_relabelled():
    """NumPyro alone: R-hat above 1.5. Relabelled against EM: every R-hat below 1.01."""
    x = np.concatenate(
        [np.random.default_rng(2).normal(-4, 1, 60), np.random.default_rng(3).normal(4, 1, 90)]
    )[:, None]
    fit = em.EM(models.gaussian_mixture).run(KEY, x, num_components=2)
    mcmc = MCMC(
        NUTS(
            inference.marginalize(models.gaussian_mixture), init_strategy=init_to_uniform(radius=5)
        ),
        num_warmup=700,
        num_samples=1500,
        num_chains=4,
        chain_method="vectorized",
        progress_bar=False,
    )
    mcmc.run(jax.random.key(1), x, num_components=2)
    found = inference.relabel(mcmc, fit)
    assert found.before["loc"][0].max() > 1.5
    assert max(rhat.max() for rhat, _ in found.after.values()) < 1.01
    tree = inference.to_arviz(mcmc, fit)
    np.testing.assert_array_equal(tree["posterior"]["loc"].values, found.draws["loc"])
    verdicts = inference.cross_check(fit, nuts=tree).table["verdict"]
    assert not verdicts.str.contains("chains disagree").any()


def uniform(found, bins=10):
    """The p-value of ranks 0, ..., 99 being uniform, by a chi-squared test with few bins."""
    counts = np.stack([np.bincount(r * bins // 100, minlength=bins) for r in found.T])
    return np.array([stats.chisquare(c).pvalue for c in counts])


def simulator(model, names, **kwargs):
    @jax.jit
    def draw(key):
        trace = handlers.trace(handlers.seed(model, key)).get_trace(**kwargs)
        return {n: trace[n]["value"] for n in names}, trace["x"]["value"]

    def simulate(key):
        truth, x = draw(key)
        return {n: np.asarray(v) for n, v in truth.items()}, np.asarray(x)

    return simulate


def informative_bernoulli(x=None, *, n=80):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.full(2, 5.0)))
    with numpyro.plate("components", 2):
        prior = dist.Beta(jnp.array([1.5, 4.0, 1.5, 4.0]), jnp.array([1.5, 4.0, 1.5, 4.0]))
        probs = numpyro.sample("probs", prior.to_event(1))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Bernoulli(probs[z]).to_event(1), obs=x)


def informative_normal(x=None, *, n=60):
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.full(2, 5.0)))
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(0.0, 3.0))
        scale = numpyro.sample("scale", dist.LogNormal(0.0, 0.3))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(loc[z], scale[z]), obs=x)


@pytest.mark.parametrize(
    ("model", "sites"),
    [
        (informative_bernoulli, ("weights", "probs")),
        (informative_normal, ("weights", "loc", "scale")),
    ],
)
def test_simulation_based_calibration(model, sites):
    """Ranks of the truth among draws are uniform (Talts et al. 2018, arXiv:1804.06788).

    What is ranked does not depend on the components' names: sums over components of functions of
    their parameters, so that no rule for naming the truth enters.
    """
    found = []
    simulate = simulator(model, sites)
    for run in range(40):
        truth, x = simulate(jax.random.key(1000 + run))
        fit = em.EM(model, num_restarts=5).run(KEY, x)
        tree = inference.run_nuts(
            fit,
            jax.random.key(run),
            num_warmup=150,
            num_samples=198,
            num_chains=2,
            log_likelihood=False,
        )
        draws = {n: tree["posterior"][n].values[:, ::4] for n in sites}
        found.append(
            [
                (of_draws.ravel()[:99] < of_truth).sum()
                for of_draws, of_truth in zip(symmetric(draws), symmetric(truth), strict=True)
            ]
        )
    assert (uniform(np.array(found)) > 0.001).all()


def symmetric(params):
    """Functions of the parameters that do not depend on the components' names."""
    weights = params["weights"]
    if "probs" in params:
        probs = params["probs"]
        return [weights.max(-1), (weights * probs[..., 0]).sum(-1), probs[..., 0].max(-1)]
    return [
        weights.max(-1),
        (weights * params["loc"]).sum(-1),
        params["loc"].max(-1),
        params["scale"].min(-1),
    ]


# Half a minute each: posteriors of kinds that are not among those of `manner`. The densities of
# all models are compared with SciPy's in tests/models.
SAMPLED = [
    models.examples(m)[0]
    for m in (
        models.contaminated_mixture,
        models.mixture_of_experts,
        models.growth_mixture,
        models.zero_inflated_poisson,
        models.von_mises_mixture,
    )
]


@pytest.mark.parametrize("example", SAMPLED, ids=str)
def test_every_model_agrees_on_its_own_data(example):
    """With four times the example's rows, so that default priors weigh little."""
    plain = not any(np.ndim(v) for v in example.kwargs.values())
    if plain and "num_rows" in example.kwargs:
        more = {**example.kwargs, "num_rows": 4 * example.kwargs["num_rows"]}
        example = dataclasses.replace(example, kwargs=more)
    x = jax.tree.map(np.asarray, example.simulate(jax.random.key(20), interpreted)[example.data])
    sizes = ("num_rows", "num_features")
    kwargs = {n: v for n, v in example.kwargs.items() if n not in sizes}
    fit = em.EM(example.model).run(KEY, x, **kwargs)
    nuts = inference.run_nuts(fit, KEY, num_warmup=300, num_samples=500, num_chains=2)
    laplace = inference.run_laplace(fit, KEY)
    report = inference.cross_check(fit, nuts=nuts, laplace=laplace)
    assert report.agrees, str(report)


@pytest.mark.parametrize(
    "example", [e for e in models.EXAMPLES if e.model.__name__ == "gaussian_mixture"][:2]
)
def test_too_few_rows_are_found_out(example):
    x = np.asarray(example.simulate(jax.random.key(20), interpreted)[example.data])[:14]
    kwargs = {n: v for n, v in example.kwargs.items() if n not in ("num_rows", "num_features")}
    fit = em.EM(example.model).run(KEY, x, **kwargs)
    nuts = inference.run_nuts(fit, KEY, num_warmup=500, num_samples=1000)
    report = inference.cross_check(fit, nuts=nuts)
    assert not report.agrees
    assert any(
        reason in report.message for reason in ("Few data: too few rows", "Prior: the prior")
    )
