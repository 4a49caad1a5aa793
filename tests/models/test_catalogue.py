"""How models are found, and what the package shows of them."""

import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from mixpyro import models
from mixpyro.models._catalogue import discover, example


def test_every_model_is_an_attribute():
    assert "gaussian_mixture" in models.CATALOGUE
    for name, model in models.CATALOGUE.items():
        assert getattr(models, name) is model
        assert name in dir(models)
        assert name in models.__all__


def test_an_unknown_model_is_an_attribute_error_that_lists_the_known():
    with pytest.raises(AttributeError, match=r"no model 'gausian_mixture'; it has .*two_coins"):
        _ = models.gausian_mixture


def test_the_catalogue_cannot_be_changed():
    with pytest.raises(TypeError):
        models.CATALOGUE["mine"] = models.two_coins


def test_stacked_examples_keep_their_order():
    covariances = [e.kwargs.get("covariance") for e in models.examples(models.gaussian_mixture)]
    assert covariances[:5] == ["full", "tied", "diagonal", "spherical", None]


def test_a_decorated_function_has_its_example_and_can_be_pickled():
    def model(x=None, *, num_components):
        return x, num_components

    decorated = example(params={"loc": [1, 2]}, num_components=2)(model)
    assert decorated(3, num_components=1) == (3, 1)
    assert models.examples(print) == ()
    (only,) = models.examples(decorated)
    assert only.model is decorated
    assert pickle.loads(pickle.dumps(models.poisson_mixture)) is models.poisson_mixture
    assert dict(only.kwargs) == {"num_components": 2}
    np.testing.assert_array_equal(only.params["loc"], [1.0, 2.0])
    assert str(only) == "model(num_components=2)"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder of models, from the sources of its files."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, **sources):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        for file, source in sources.items():
            (folder / f"{file}.py").write_text(textwrap.dedent(source))
        return [str(folder)], name

    return write


MODEL = """
    from mixpyro.models._catalogue import example
    @example(params={}, num_components=2)
    def mine(x=None, *, num_components): ...
    def helper(): ...
"""


def test_one_file_is_enough_for_a_model(package):
    found = discover(*package("one_model", file=MODEL, _private=MODEL, empty=""))
    assert list(found) == ["mine"]


def test_an_imported_model_is_not_declared_again(package):
    found = discover(*package("imports", a=MODEL, b="from .a import mine"))
    assert found["mine"].__module__ == "imports.a"


@pytest.mark.parametrize("file", ["other", "mine"])
def test_a_name_belongs_to_one_model(package, file):
    sources = {"a": MODEL, file: MODEL if file == "other" else ""}
    with pytest.raises(ImportError, match="declares 'mine', a name that another"):
        discover(*package(f"twice_{file}", **sources))


def test_import_stays_light_and_computes_nothing():
    script = """
        import sys
        import mixpyro.models
        from jax._src import xla_bridge
        assert not xla_bridge._backends, "a JAX device was started"
        heavy = {"arviz", "pandas", "mixpyro.em", "mixpyro.inference"} & set(sys.modules)
        assert not heavy, heavy
    """
    root = Path(models.__file__).parents[1]
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], check=True, cwd=root.parent, timeout=60
    )
