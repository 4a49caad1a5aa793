"""Pages that are made: a gallery of the examples as they ran, the statuses, the API's contents."""

import html
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import nbformat.v4 as nbf

# Runs an example, and keeps the picture that it shows.
RUN = """
import runpy, sys
import matplotlib; matplotlib.use("agg")
import matplotlib.pyplot as plt
runpy.run_path(sys.argv[1])
plt.gcf().savefig(sys.argv[2], dpi=90)
"""
MODULES = ("em", "plots", "inference", "models", "distributions", "data")


def write(docs: Path) -> None:
    """Write docs/made/: it is ignored by git, and made anew by each build."""
    out = docs / "made"
    out.mkdir(exist_ok=True)
    (out / "statuses.md").write_text(statuses())
    (out / "api.md").write_text(api())
    gallery(docs.parent / "examples", out / "gallery")


def statuses() -> str:
    """What each status says."""
    from mixpyro import em

    lines = [
        "# What a status means, and what to do",
        "",
        "`fit.status` says how a fit ended and `fit.message` says it in sentences, with what this "
        "fit has to add. `fit.status.ok` is true for `CONVERGED` only; `em.EM(..., throw=True)` "
        "raises the others as `em.FitError`.",
    ]
    for status in em.Status:
        lines += ["", f"## {status.name}", "", status.advice]
    return "\n".join(lines) + "\n"


def api() -> str:
    """One table a module; a page a name."""
    import importlib

    lines = ["# API reference", "", "Made from the docstrings.", ""]
    for name in MODULES:
        module = importlib.import_module(f"mixpyro.{name}")
        public = [n for n in getattr(module, "__all__", dir(module)) if not n.startswith("_")]
        public = [n for n in public if callable(getattr(module, n))]
        lines += [f"## mixpyro.{name}", "", (module.__doc__ or "").strip(), "", "```{eval-rst}"]
        lines += [f".. currentmodule:: mixpyro.{name}", "", ".. autosummary::", "   :toctree: api"]
        lines += ["   :nosignatures:", "", *(f"   {n}" for n in sorted(public)), "```", ""]
    return "\n".join(lines)


def gallery(examples: Path, out: Path) -> None:
    """A page an example: its text, its code, what it printed, its picture."""
    out.mkdir(exist_ok=True)
    titles = {}
    for path in sorted(examples.glob("*.py")):
        _, text, code = path.read_text().split('"""', 2)
        title, _, rest = text.strip().partition("\n")
        printed = run(path, out / f"{path.stem}.png")
        page = [f"# {title}", "", rest.strip(), "", f"```python\n{code.strip()}\n```", ""]
        page += [f"It prints\n\n```text\n{printed.strip()}\n```", ""]
        page += [f"![its picture]({path.stem}.png)", ""]
        page += [f"{{download}}`As a notebook <{path.stem}.ipynb>`", ""]
        nbformat.write(notebook(title, rest.strip(), code.strip()), out / f"{path.stem}.ipynb")
        (out / f"{path.stem}.md").write_text("\n".join(page))
        titles[path.stem] = title
    lines = ["# Gallery", "", "Short scripts on real data, as they ran when this was built.", ""]
    lines += ["````{list-table}", ":header-rows: 1", ":widths: 22 28 50", ""]
    lines += ["* - picture", "  - model", "  - question"]
    for name, title in titles.items():
        lines += [f"* - ```{{image}} {name}.png", "    :width: 150px", f"    :target: {name}.html"]
        lines += [
            f"    :alt: picture of {name}",
            "    ```",
            f"  - [{name}]({name}.md)",
            f"  - {title}",
        ]
    lines += ["````", "", "```{toctree}", ":hidden:", ""]
    lines += [*(f"{name} <{name}>" for name in titles), "```", ""]
    (out / "index.md").write_text("\n".join(lines))


def notebook(title: str, text: str, code: str) -> nbformat.NotebookNode:
    """An example as a notebook, not run: its text, and a cell for each part of its code.

    Parts are what blank lines divide before something that is not indented; functions and the
    code under ``if __name__ == "__main__":`` stay whole.
    """
    parts = re.split(r"\n\n+(?=[^\s)\]}])", code)
    cells = [nbf.new_markdown_cell(f"# {title}\n\n{text}".strip())]
    cells += [nbf.new_code_cell(part.strip()) for part in parts]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"  # not by chance, so that builds are alike
    return nbf.new_notebook(cells=cells)


def run(path: Path, picture: Path) -> str:
    """What an example printed; its picture is saved."""
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "COLUMNS": "100"}
    environment.setdefault("JAX_COMPILATION_CACHE_DIR", tempfile.gettempdir() + "/mixpyro-docs")
    command = [sys.executable, "-W", "error", "-c", RUN, str(path), str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{path.name} failed:\n{html.unescape(done.stderr[-2000:])}")
    return done.stdout
