"""What the folders promise: imports go one way, files are short, tests mirror the rooms."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for room in ("em", "inference", "models")
    for path in sorted((ROOT / room).rglob("*.py"))
}


def resolved(name):
    """The module that a dotted name leads to: itself, or a package's own file."""
    while name:
        for candidate in (name, f"{name}.__init__"):
            if candidate in FILES:
                return candidate
        name = name.rpartition(".")[0]
    return None


def imports(module):
    """The modules that one imports anywhere, within functions and for types alone too."""
    package = module.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            stem = [*package[: len(package) - node.level + 1], *filter(None, [node.module])]
            found |= {resolved(".".join([*stem, alias.name])) for alias in node.names}
    return {m for m in found if m is not None and m != module and not m.endswith("__init__")}


GRAPH = {module: imports(module) for module in FILES if not module.endswith("__init__")}


def circles(graph):
    """What is left when modules that import nothing of the rest are taken away, over and over."""
    left = {m: set(targets) & set(graph) for m, targets in graph.items()}
    while free := [m for m, targets in left.items() if not targets]:
        for module in free:
            del left[module]
        left = {m: targets - set(free) for m, targets in left.items()}
    return left


def test_imports_are_seen():
    assert "em.climb.ascent" in GRAPH["em.driver"]
    assert "em.machine.by_numpy.threefry" in GRAPH["em.machine.by_numpy.primitives.random"]
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}, "e": set()}).keys() == set(
        "abcd"
    )


def test_no_module_imports_itself_by_way_of_others():
    assert circles(GRAPH) == {}


@pytest.mark.parametrize(
    ("room", "siblings"), [("em", ("inference", "models")), ("models", ("inference",))]
)
def test_rooms_know_what_they_may(room, siblings):
    for module, targets in GRAPH.items():
        if module.split(".")[0] == room:
            assert not {t for t in targets if t.split(".")[0] in siblings}, module


def test_files_have_one_subject():
    long = {m: n for m, path in FILES.items() if (n := len(path.read_text().splitlines())) > 300}
    assert long == {}


def test_files_of_tests_have_one_subject():
    lines = {path: len(path.read_text().splitlines()) for path in (ROOT / "tests").rglob("*.py")}
    assert not {path: n for path, n in lines.items() if n > 300}


def test_the_folders_of_the_tests_are_the_rooms():
    rooms = {path.name for path in (ROOT / "em").iterdir() if list(path.glob("*.py"))}
    tested = {path.name for path in (ROOT / "tests" / "em").iterdir() if list(path.glob("*.py"))}
    assert tested == rooms
