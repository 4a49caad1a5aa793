"""An entry of a catalogue is found by being there."""

import sys

from mixpyro.em.machine.catalogue import classes, named


def test_a_new_file_is_an_entry(tmp_path, monkeypatch):
    folder = tmp_path / "room_of_letters"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "_shared.py").write_text("class Letter:\n    name = 'none'\n")
    (folder / "beta.py").write_text("class Beta:\n    name = 'b'\n\nclass Part:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list(named("room_of_letters", [str(folder)])) == ["b"]
    (folder / "alpha.py").write_text(
        "from ._shared import Letter\n\nclass Alpha(Letter):\n    name = 'a'\n"
    )
    found = named("room_of_letters", [str(folder)])
    assert {name: type(value).__name__ for name, value in found.items()} == {
        "a": "Alpha",
        "b": "Beta",
    }
    # What a file imports is no entry; what has no name is none of the named.
    own = [item.__name__ for item in classes("room_of_letters", [str(folder)])]
    assert own == ["Alpha", "Beta", "Part"]
    for name in [m for m in sys.modules if m.startswith("room_of_letters")]:
        del sys.modules[name]
