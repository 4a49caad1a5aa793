"""The documentation site: `make docs` writes it to build/docs.

Pages are docs/*.md as they are; what a program knows is written by `made.py` at the start.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

import links  # noqa: E402
import made  # noqa: E402
from sphinx.errors import ExtensionError  # noqa: E402

import mixpyro  # noqa: E402

project, release = "mixpyro", mixpyro.__version__
author = copyright = "The mixpyro developers"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["site", "peers_tests"]
root_doc = "index"
templates_path = [str(HERE / "_templates")]
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]
autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_use_ivar = True
html_theme = "pydata_sphinx_theme"
html_title = "mixpyro"
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False}
html_show_sourcelink = False
# Excerpts are fetched, which browsers refuse to pages from a disk; the search itself works there.
html_show_search_summary = False
# `Fit` in a docstring is prose: what is not found stays in plain letters.
default_role = "code"
# Shapes such as "n k" in annotations are no Python names.
suppress_warnings = ["autodoc.mocked_object"]

# Links out of docs/ lead to files of the repository, which is not part of the site.
OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./(?!docs/)([^)#]*)[^)]*\)")


def inside(app, name, source):
    """Replace links to files of the repository by their names."""
    source[0] = OUTSIDE.sub(lambda m: f"{m[1]} (`{m[2]}`)" if "`" not in m[1] else m[1], source[0])


STAR = re.compile(r"(?<![\\`*\w])\*(?=[\w(])(?![^`]*``)")


def plain_stars(app, what, name, obj, options, lines):
    """A star before a name is a star, outside of formulas: no docstring here has emphasis."""
    formula = False
    for i, line in enumerate(lines):
        if line.strip() and not line.startswith(" "):
            formula = False
        if not formula:
            lines[i] = STAR.sub(r"\\*", line)
        formula = formula or line.rstrip().endswith("::")


def whole(app, error):
    """Refuse a site with links that lead nowhere."""
    if error is not None or app.builder.format != "html":
        return
    if lost := links.broken(Path(app.outdir)):
        raise ExtensionError("links that lead nowhere:\n" + "\n".join(lost))


def setup(app):
    """Write what is made, then read."""
    app.connect("source-read", inside)
    app.connect("build-finished", whole)
    app.connect("autodoc-process-docstring", plain_stars)
    made.write(ROOT / "docs")
