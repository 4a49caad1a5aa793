"""A checkpoint goes on to the same bits; not this run's, or not whole, it is refused."""

import json
import zipfile

import jax
import numpy as np
import pytest

from mixpyro.em.climb import legs

from .. import dying

surviving = dying.fresh_surviving()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The file of a run that died under way, and the run's answer."""
    path = tmp_path_factory.mktemp("checkpoint") / "fit.ckpt"
    die_after(path, 3)
    return path


def die_after(path, writes, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(legs, "_FIRST", 1)
        dying.die_after(writes, surviving.run, path, 0, **options)


def same(a, b):
    assert surviving.told(a) == surviving.told(b)


@pytest.mark.parametrize("writes", [1, 2, 7])
def test_it_goes_on_to_the_same_bits(writes, precision, tmp_path):
    path, other = tmp_path / "fit.ckpt", tmp_path / "other.ckpt"
    die_after(path, writes)
    same(surviving.run(path, 60), surviving.run(other, 60))
    # What is over is not climbed again.
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(legs, "RUNNING")
        same(surviving.run(path, 60), surviving.run(other, 60))


@pytest.mark.parametrize(
    "options", [{"assign": "annealed"}, {"assign": "hard"}, {"num_restarts": 40}]
)
def test_so_do_other_ways_to_climb(options, tmp_path):
    path = tmp_path / "fit.ckpt"
    die_after(path, 2, **options)
    same(surviving.run(path, 60, **options), surviving.run(tmp_path / "o", 60, **options))


def test_how_often_it_is_written_changes_nothing(tmp_path, file):
    assert surviving.told(surviving.run(tmp_path / "a", 0)) == surviving.told(
        surviving.run(tmp_path / "b", 1e9)
    )
    plain = surviving.run(None, 0)  # begun by NumPy perhaps: the same but for rounding
    np.testing.assert_allclose(
        surviving.run(tmp_path / "b", 0).log_likelihood, plain.log_likelihood, rtol=1e-5
    )


def test_it_is_an_open_format(file):
    with np.load(file, allow_pickle=False) as stored:
        meta = json.loads(str(stored["meta"]))
        assert all(stored[n].dtype.kind in "fiubU" for n in stored.files)
    assert (meta["library"], meta["holds"], meta["format"]) == ("mixpyro", "checkpoint", 1)


def test_only_the_whole_file_is_under_its_name(file):
    assert [p.name for p in file.parent.iterdir()] == [file.name]


def refusal(path, **options):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="begin anew give another name, or delete") as error:
        surviving.run(path, 0, **options)
    assert path.read_bytes() == before
    return str(error.value)


def test_other_settings_are_refused(file):
    assert "max_steps: 3000 then, 100 now" in refusal(file, max_steps=100)
    assert "assign" in refusal(file, assign="hard")


def test_other_data_are_refused(file, monkeypatch):
    monkeypatch.setattr(surviving, "X", surviving.X + 1)
    assert "other data (x)" in refusal(file)


def test_another_model_is_refused(file, monkeypatch):
    def other(x, num_components):
        return surviving_normals(x, num_components)

    surviving_normals = surviving.normals
    monkeypatch.setattr(surviving, "normals", other)
    assert "another model" in refusal(file)


def test_another_precision_is_refused(file):
    with jax.enable_x64(True):
        assert "double precision: False then, True now" in refusal(file)


def test_a_file_that_is_not_whole_is_refused(tmp_path, file):
    whole = file.read_bytes()
    path = tmp_path / "cut"
    for size in [0, 1, 100, *np.linspace(200, len(whole) - 1, 9).astype(int)]:
        path.write_bytes(whole[:size])
        assert "not all of one" in refusal(path)


def test_a_damaged_file_is_refused(tmp_path, file):
    """A byte of the arrays' own numbers is another: the sums in the file tell."""
    whole = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        part = max(archive.infolist(), key=lambda i: i.file_size)
    whole[part.header_offset + part.compress_size // 2] ^= 0xFF
    path = tmp_path / "damaged"
    path.write_bytes(whole)
    refusal(path)


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other"
    path.write_text("some notes")
    assert "no checkpoint of mixpyro" in refusal(path)
    np.savez(tmp_path / "arrays", a=np.ones(3))
    assert "no checkpoint of mixpyro" in refusal(tmp_path / "arrays.npz")
    surviving.run(None, 0).save(tmp_path / "fit.npz")
    assert "no checkpoint of mixpyro" in refusal(tmp_path / "fit.npz")


def test_a_part_that_is_missing_is_noticed(tmp_path, file):
    with np.load(file) as stored:
        arrays = dict(stored)
    del arrays["under_way/2"]
    np.savez(tmp_path / "part.npz", **arrays)
    assert "not all of it is there" in refusal(tmp_path / "part.npz")


def test_what_cannot_be_written_is_said_at_once(tmp_path):
    with pytest.raises(ValueError, match="no folder"):
        surviving.run(tmp_path / "nowhere" / "fit.ckpt", 0)
    with pytest.raises(ValueError, match="checkpoint_every"):
        surviving.run(tmp_path / "fit.ckpt", -1)


def test_pickles_are_never_read(tmp_path):
    np.save(tmp_path / "pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "pickle.npy").rename(tmp_path / "pickle")
    refusal(tmp_path / "pickle")
