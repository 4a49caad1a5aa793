"""What a user has after installing: imports that stay light, the command line, the wheel."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import mixpyro
import mixpyro.data
from mixpyro.__main__ import main

ROOT = Path(__file__).parents[1]


def run_python(*arguments, **kwargs):
    """Run another interpreter, and return what it printed."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **kwargs)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_version_is_the_installed_one():
    assert importlib.metadata.version("mixpyro") == mixpyro.__version__


@pytest.mark.parametrize(
    ("module", "kept_out"),
    [
        ("mixpyro", {"jax", "numpyro", "numpy"}),
        ("mixpyro.__main__", {"jax", "numpyro", "numpy"}),
        ("mixpyro.em", {"arviz", "matplotlib", "pandas", "xarray", "sklearn"}),
        ("mixpyro.models", {"arviz", "matplotlib", "pandas", "xarray", "sklearn"}),
    ],
)
def test_import_is_light(module, kept_out):
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(run_python("-c", code)))
    assert module.removesuffix(".__main__") in loaded
    assert not loaded & kept_out


# What is imported, in this order; of several that come first, NumPyro's modules may be there twice.
QUICK_ORDERS = ["arviz mixpyro.em"]
SLOW_ORDERS = [
    "arviz numpyro.distributions mixpyro.models mixpyro.em",
    "arviz numpyro mixpyro.inference",
    "arviz jax mixpyro.models mixpyro.inference",
    "arviz numpyro.infer.util mixpyro.inference",
    "arviz mixpyro.distributions numpyro.distributions mixpyro.em",
    "numpyro.distributions arviz mixpyro.em",
    "numpyro arviz mixpyro.em",
    "jax mixpyro.em arviz numpyro.distributions",
    "mixpyro.models arviz mixpyro.inference",
    "mixpyro.inference arviz numpyro",
]


@pytest.mark.parametrize(
    "order", [*QUICK_ORDERS, *(pytest.param(o, marks=pytest.mark.slow) for o in SLOW_ORDERS)]
)
def test_imports_in_any_order(order):
    """ArviZ loads NumPyro lazily, which leaves ``numpyro.distributions`` without its modules."""
    code = f"""
for name in {order.split()!r}:
    __import__(name)
import sys, numpyro
assert numpyro.distributions is sys.modules["numpyro.distributions"]
whole = [m.split(".") for m in sys.modules if m.startswith("numpyro.")]
print([m for m in whole if not hasattr(sys.modules[".".join(m[:-1])], m[-1])])
numpyro.factor("f", 0.0)  # fails where they are missing
"""
    assert run_python("-c", code).strip() == "[]"


def test_subpackages_are_attributes():
    code = "import mixpyro; print(mixpyro.em.__name__, mixpyro.models.__name__)"
    assert run_python("-c", code).split() == ["mixpyro.em", "mixpyro.models"]


def test_unknown_attribute():
    with pytest.raises(AttributeError, match="no attribute 'fit'"):
        mixpyro.fit  # noqa: B018


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [("models", ("em", "inference")), ("em", ("models", "inference")), ("inference", ("models",))],
)
def test_imports_go_one_way(module, forbidden):
    for source in sorted((ROOT / module).rglob("*.py")):
        text = source.read_text(encoding="utf-8")
        for other in forbidden:
            assert f"from ..{other}" not in text, source
            assert f"from .. import {other}" not in text, source
            assert f"import mixpyro.{other}" not in text, source
            assert f"from mixpyro.{other}" not in text, source


def test_old_faithful():
    frame = mixpyro.data.load_old_faithful()
    assert list(frame) == ["eruption", "waiting"]
    x = frame.to_numpy()
    assert x.shape == (272, 2)
    assert x.dtype == np.float64
    # mean() and sd() of `faithful` in R
    np.testing.assert_allclose(x.mean(0), [3.487783, 70.89706], rtol=1e-6)
    np.testing.assert_allclose(x.std(0, ddof=1), [1.141371, 13.59497], rtol=1e-6)
    np.testing.assert_array_equal(x[:3], [[3.6, 79], [1.8, 54], [3.333, 74]])


def test_command_line_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mixpyro {mixpyro.__version__}\n"


def test_command_line_without_a_command_shows_help(capsys):
    assert main([]) == 2
    assert "demo" in capsys.readouterr().out


def test_command_line_demo_gets_its_folder(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("mixpyro.demo.run", calls.append)
    out = tmp_path / "new" / "folder"
    assert main(["demo", "--out", str(out)]) == 0
    assert calls == [out]
    assert out.is_dir()


@pytest.mark.slow
def test_wheel_built_from_the_sdist_has_every_file_once(tmp_path):
    skipped = shutil.ignore_patterns(".git", ".venv*", "build", "dist", ".*_cache", "__pycache__")
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT, checkout, symlinks=True, ignore=skipped)
    run_python("-m", "hatchling", "build", "-t", "sdist", cwd=checkout)
    (sdist,) = (checkout / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        assert all(member.isfile() for member in archive)
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / sdist.name.removesuffix(".tar.gz")
    run_python("-m", "hatchling", "build", "-t", "wheel", cwd=source)
    (wheel,) = (source / "dist").glob("*.whl")

    expected = {
        str(Path("mixpyro", folder, path.relative_to(ROOT / root)))
        for root, folder in [("src/mixpyro", "")] + [(s, s) for s in ("em", "models", "inference")]
        for path in (ROOT / root).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert max(Counter(names).values()) == 1
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert "mixpyro/data/old_faithful.csv" in names
    assert "mixpyro/py.typed" in names

    code = "import mixpyro.data, mixpyro.em, mixpyro.models, mixpyro.inference; \
        assert '.whl' in mixpyro.em.__path__[0]; \
        print(mixpyro.data.load_old_faithful().shape)"
    code = f"import sys; sys.path.insert(0, {str(wheel)!r}); {code}"
    assert run_python("-c", code, cwd=tmp_path).strip() == "(272, 2)"


def test_compilations_are_kept_for_the_next_process(tmp_path):
    code = (
        "import sys, jax, mixpyro; folder = mixpyro.enable_compilation_cache(sys.argv[1]); "
        "jax.jit(jax.scipy.special.betainc)(*jax.numpy.ones((3, 5))); print(folder)"
    )
    folder = tmp_path / "not" / "there" / "yet"
    assert run_python("-c", code, folder).strip() == str(folder)
    assert list(folder.iterdir())


def test_a_compilation_cache_where_none_can_be(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ValueError, match="cannot be made"):
        mixpyro.enable_compilation_cache(file / "folder")
