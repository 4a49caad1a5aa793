"""Every Python block in the README and in docs/ runs; each page in one go, in a fresh process."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [page for page in PAGES if BLOCK.search(page.read_text())]


# The other pages fit a dozen models each.
QUICK = {"README.md"}


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, id=p.name, marks=[pytest.mark.slow] * (p.name not in QUICK)) for p in PAGES],
)
def test_page_runs(page: Path) -> None:
    code = "\n".join(BLOCK.findall(page.read_text()))
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_there_are_pages() -> None:
    assert {"README.md", "tutorial.md"} <= {page.name for page in PAGES}


def test_every_page_is_in_the_contents() -> None:
    folder = ROOT / "docs"
    contents = re.findall(r"```\{toctree\}(.*?)```", (folder / "index.md").read_text(), re.DOTALL)
    listed = {line for part in contents for line in part.split()}
    pages = {p.relative_to(folder).with_suffix("") for p in folder.rglob("*.md")} - {Path("index")}
    pages = {p for p in pages if p.parts[0] != "made"}
    assert {
        str(p) for p in pages if str(p) not in listed and f"{p.parent}/*" not in listed
    } == set()


PEERS = (ROOT / "docs" / "peers.md").read_text()
LINK = re.compile(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)")
ROWS = [line for line in PEERS.splitlines() if line.startswith("| ")]


def test_the_tests_that_the_page_on_peers_names_exist() -> None:
    """By their names, and in the files that they are linked to."""
    links = LINK.findall(PEERS)
    assert len(links) == PEERS.count("[`test_") > 100
    files = {path: (ROOT / path).read_text() for _, path in links}
    assert not [name for name, path in links if f"\ndef {name}(" not in files[path]]


def test_every_feature_of_a_peer_is_shown_or_said_to_be_missing() -> None:
    features = [row for row in ROWS if not row.startswith(("| there |", "| --- |"))]
    assert len(features) > 60
    assert not [row for row in features if not LINK.search(row) and "not here" not in row]
