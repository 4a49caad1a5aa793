"""What `make test-wheel` asks of a wheel in an environment of its own, away from the sources."""

import sys
from pathlib import Path

import mixpyro
import mixpyro.data
import mixpyro.em
import mixpyro.inference
import mixpyro.models
import mixpyro.sklearn
from mixpyro.__main__ import main

assert Path(mixpyro.__file__).is_relative_to(sys.prefix), mixpyro.__file__
assert (Path(mixpyro.__file__).parent / "py.typed").is_file()

loaders = [name for name in dir(mixpyro.data) if name.startswith("load_")]
for name in loaders:
    assert len(getattr(mixpyro.data, name)()) > 0, name
assert main(["models"]) == 0
assert main(["demo", "--help"]) == 0

(out,) = map(Path, sys.argv[1:])
iris = Path(mixpyro.data.__file__).parent / "iris.csv"
assert main(["fit", str(iris), "--components", "2", "--out", str(out)]) == 0
assert "<svg" in (out / "report.html").read_text(encoding="utf-8")
assert main(["predict", str(out), str(iris), "--out", str(out / "classes.csv")]) == 0
print(f"the wheel has {len(loaders)} data sets, {len(mixpyro.models.CATALOGUE)} models, a report")
