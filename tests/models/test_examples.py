"""What every model of the catalogue promises, tried on each of its examples."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from numpyro.distributions import constraints

from mixpyro import models
from mixpyro.distributions import rotation

from ..examples import OF_ROWS, every, every_example

NATURAL = (
    constraints.real,
    constraints.positive,
    constraints.unit_interval,
    constraints.simplex,
    constraints.positive_definite,
    constraints.lower_cholesky,
    constraints.interval(-np.pi, np.pi),
    constraints.zero_sum(1),
    rotation,
)


def abstract_sites(example, x=None):
    """The sites of a model, none of whose values is computed."""
    sites = {}

    def call(x):
        model = handlers.seed(example.model, jax.random.key(0))
        sites.update(handlers.trace(model).get_trace(x, **example.kwargs))

    jax.eval_shape(call, x)
    return sites


@every_example
def test_simulated_data_have_the_asked_for_shape(example, scored):
    it = scored(example)
    n, d = example.num_rows, example.kwargs.get("num_features")
    if "detection_covariates" in example.kwargs:
        d = example.kwargs["detection_covariates"].shape[1]
    for column in jax.tree.leaves(it.x):
        assert column.shape == ((n,) if d is None else (n, d))
    assert it.z.shape == (example.num_units,)
    classes, found = set(range(example.num_classes)), set(np.unique(it.z))
    assert found == classes if example.every_class else found < classes


@every_example
def test_sites_are_the_parameters_z_and_x(example, scored):
    sites = abstract_sites(example, scored(example).x)
    samples = {name: site for name, site in sites.items() if site["type"] == "sample"}
    assert set(samples) == {*example.params, "z", *example.columns}
    for name, value in example.params.items():
        assert samples[name]["value"].shape == value.shape
        assert not samples[name]["is_observed"]
    assert all(samples[name]["is_observed"] for name in example.columns)
    assert example.plate in ("rows", "groups", "series")
    for name in ("z", *example.columns):
        plate = example.plate if name == "z" else "rows"
        assert [frame.name for frame in samples[name]["cond_indep_stack"]] == [plate]


@every_example
def test_parameters_have_natural_supports_and_their_true_values_lie_inside(example):
    sites = abstract_sites(example)
    for name, value in example.params.items():
        support = sites[name]["fn"].support
        base = getattr(support, "base_constraint", support)
        assert base in NATURAL
        assert bool(jnp.all(support(jnp.asarray(value))))


@every_example
def test_component_parameters_stand_in_their_plate(example):
    sites = abstract_sites(example)
    k = example.kwargs.get("num_components")
    for name in example.params:
        plates = [frame.name for frame in sites[name]["cond_indep_stack"]]
        assert plates == ["components"] * len(plates)
        if plates:
            assert sites[name]["value"].shape[0] == k


@every_example
def test_log_density_of_simulated_data_is_finite(example, scored):
    log_probs = scored(example).log_probs
    assert set(log_probs) == {*example.params, "z", *example.columns}
    for value in log_probs.values():
        assert np.all(np.isfinite(value))


@every_example
def test_each_class_is_scored_as_the_true_one(example, scored):
    it = scored(example)
    rows = sum(it.log_probs[name] for name in example.columns)
    if example.group is not None:
        rows = np.bincount(example.group, rows, example.num_units)
    natural = it.log_probs["z"] + rows
    np.testing.assert_allclose(it.columns[it.z, np.arange(len(it.z))], natural, rtol=1e-5)


@every([e for e in OF_ROWS if e.plate == "rows"])
def test_z_may_broadcast_over_the_rows(example, scored):
    it = scored(example)
    one = handlers.substitute(example.model, {"z": jnp.ones(1, int)})
    sites = abstract_sites(models.Example(one, example.kwargs, {}), it.x)
    for name in example.columns:
        assert sites[name]["fn"].batch_shape == it.z.shape


@every_example
def test_one_component_is_legal(example, scored):
    if "num_components" not in example.kwargs:
        pytest.skip("the number of components is fixed")
    one = models.Example(example.model, {**example.kwargs, "num_components": 1}, {})
    fewer = example.kwargs["num_components"] - 1
    sites = abstract_sites(one, scored(example).x)
    assert sites["z"]["fn"].support.upper_bound == example.num_classes - fewer - 1


@every_example
def test_num_rows_is_not_needed_with_x(example, scored):
    kwargs = {n: v for n, v in example.kwargs.items() if n not in ("num_rows", "num_features")}
    fewer = models.Example(example.model, kwargs, {})
    x = scored(example).x
    sites = abstract_sites(fewer, x)
    found = [sites[name]["value"].shape for name in example.columns]
    assert found == [c.shape for c in (x.values() if isinstance(x, dict) else [x])]


@pytest.mark.parametrize("model", models.CATALOGUE.values(), ids=models.CATALOGUE)
def test_docstring_has_formula_sites_priors_and_example(model):
    doc = inspect.getdoc(model)
    example = models.examples(model)[0]
    density = f"p({example.data}_1, ..., {example.data}_n) ="
    if not example.chain:
        plate = "groups" if example.nested else example.plate
        index = {"rows": "_n", "groups": "_i", "series": ""}[plate]
        density = f"p({example.data}{index}) ="
    for part in (density, "Sites:", "Priors", "Args:", "Returns:", "Raises:", "Example:"):
        assert part in doc
    for name in inspect.signature(model).parameters:
        assert f"\n    {name}: " in doc
