"""Every Python block in the README and in docs/ runs; each page in one go, by itself."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [page for page in PAGES if BLOCK.search(page.read_text())]


# The other pages fit a dozen models each.
QUICK = {"README.md"}
# What a newcomer runs first, and what sets up devices, has a process of its own.
ALONE = {"README.md", "start.md", "scale.md"}


@pytest.fixture
def as_before() -> Iterator[None]:
    """The settings that pages change, as they were."""
    x64 = jax.config.jax_enable_x64
    try:
        with plt.rc_context():
            yield
    finally:
        jax.config.update("jax_enable_x64", x64)
        plt.close("all")


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, id=p.name, marks=[pytest.mark.slow] * (p.name not in QUICK)) for p in PAGES],
)
@pytest.mark.usefixtures("as_before")
def test_page_runs(page: Path, pytestconfig: pytest.Config) -> None:
    code = "\n".join(BLOCK.findall(page.read_text()))
    if page.name not in ALONE:
        # pytest makes errors of warnings, as -W does below; but not those of old releases.
        exec(compile(code, page, "exec"), {"__name__": page.stem})
        return
    strict = "error" in pytestconfig.getini("filterwarnings")
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, "-W", "error" if strict else "default", "-c", code],
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
    lines = [line.strip() for part in contents for line in part.splitlines()]
    listed = [line for line in lines if line and not line.startswith(":")]
    assert sorted(set(listed)) == sorted(listed), "a page twice in the contents"
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


# ---- links ---------------------------------------------------------------------------------------

MADE = ROOT / "docs" / "made"  # written by `make docs`
SOURCES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
SOURCES += [p for p in sorted((ROOT / "docs").rglob("*.md")) if MADE not in p.parents]
FENCED = re.compile(r"^(```+).*?^\1`*\s*$", re.DOTALL | re.MULTILINE)
TARGET = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """What GitHub and MyST call the headings of a page."""
    found = set(re.findall(r"^\(([\w-]+)\)=\s*$", text, re.MULTILINE))
    for title in HEADING.findall(FENCED.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (name := slug if not number else f"{slug}-{number}") in found:
            number += 1
        found.add(name)
    return found


def astray(page: Path) -> list[str]:
    """The links of a page, within the project, that lead nowhere."""
    text = page.read_text()
    prose = re.sub(r"`[^`\n]*`(?!\])", "", FENCED.sub("", text))
    out = []
    for found in TARGET.finditer(prose):
        link = found[1] or found[2]
        if re.match(r"[a-z][a-z+.-]*:", link):
            continue
        path, _, anchor = link.partition("#")
        goal = (page.parent / path).resolve() if path else page
        if MADE in goal.parents:
            continue
        there = goal.exists() and ROOT in goal.parents
        if not there or (anchor and anchor not in anchors(goal.read_text())):
            out.append(link)
    return out


@pytest.mark.parametrize("page", SOURCES, ids=lambda p: p.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    assert astray(page) == []


def test_links_that_lead_nowhere_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "other.md").write_text("# A *title*, with `code`\n## Twice\n## Twice\n")
    page = tmp_path / "page.md"
    good = "other.md other.md#a-title-with-code other.md#twice-1 #here https://x.org/y.md"
    bad = "gone.md other.md#a-titel other.md#twice-2 #there ../outside.md"
    links = "\n".join(f"[words]({link})" for link in f"{good} {bad}".split())
    page.write_text(f"# Here\n{links}\n```\n[no](link.md)\n```\n`[no](code.md)`\n[r]: lost.md\n")
    assert astray(page) == [*bad.split(), "lost.md"]


def test_the_links_of_a_site_are_followed(tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "docs" / "site"))
    try:
        import links
    finally:
        sys.path.pop(0)
    (tmp_path / "deep").mkdir()
    (tmp_path / "index.html").write_text(
        '<h1 id="top">a</h1><a href="deep/b.html#there">1</a><a href="#top">2</a>'
        '<a href="https://example.org/none">3</a><img src="none.png"><a href="deep/b.html#no">4</a>'
    )
    (tmp_path / "deep" / "b.html").write_text('<p id="there"><a href="../index.html">5</a>')
    assert links.broken(tmp_path) == ["index.html: deep/b.html#no", "index.html: none.png"]
