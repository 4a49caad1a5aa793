"""Files of fits: whole or not there, and nothing in them is believed or run."""

import builtins
import contextlib
import io
import json
import os
import pickle
import subprocess
import sys
import threading
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mixpyro import em, models

COUNTS = np.random.default_rng(5).poisson(2.0 + 9.0 * (np.arange(40) % 2))


@cache
def fit(num_components=2):
    return em.EM(models.poisson_mixture, num_restarts=1).run(
        0, COUNTS, num_components=num_components
    )


@pytest.fixture
def saved(tmp_path):
    fit().save(tmp_path / "fit.npz")
    return tmp_path / "fit.npz"


def entries(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def rewritten(path, **changed):
    """The file with other entries, None for none."""
    found = entries(path) | {f"{n.replace('__', '/')}.npy": v for n, v in changed.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in found.items():
            if data is not None:
                file.writestr(name, data)
    return path


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(array), **options)
    return file.getvalue()


def refused(path, *words, **options):
    with pytest.raises(ValueError, match=r".") as caught:
        em.load(path, models.poisson_mixture, **options)
    text = str(caught.value)
    assert str(path) in text
    assert all(word in text for word in words), text


# ---- writing ------------------------------------------------------------------------------------


class FullDisk(io.FileIO):
    """A file on a disk that is full after a hundred bytes."""

    def write(self, data):
        if self.tell() > 100:
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_a_full_disk_leaves_the_old_file(saved, monkeypatch):
    before, opened = saved.read_bytes(), []
    usual = io.open

    def open_on_a_full_disk(file, mode="r", *args, **kwargs):
        if "x" in mode or "w" in mode:
            opened.append(file)
            return FullDisk(os.fspath(file), mode.replace("b", ""))
        return usual(file, mode, *args, **kwargs)

    for module in (io, builtins):
        monkeypatch.setattr(module, "open", open_on_a_full_disk)
    with pytest.raises(OSError, match="No space left"):
        fit().save(saved)
    monkeypatch.undo()
    assert opened, "nothing was written through the full disk: the test shows nothing"
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == ["fit.npz"]


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounting needs root")
def test_a_full_tmpfs_leaves_the_old_file(tmp_path):
    options = ["-t", "tmpfs", "-o", "size=16k", "tmpfs", str(tmp_path)]
    if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        path = tmp_path / "fit.npz"
        fit().save(path)
        before = path.read_bytes()
        with pytest.raises(OSError, match="space"):
            (tmp_path / "rest").write_bytes(os.urandom(2**15))
        with pytest.raises(OSError, match="space"):
            fit().save(path)
        assert path.read_bytes() == before
        assert not list(tmp_path.glob(".fit*"))
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("where", ["no/such/folder/fit.npz", "fit.npz/fit.npz"])
def test_a_folder_that_is_none(saved, where):
    with pytest.raises(OSError, match=r"fit\.npz"):
        fit().save(saved.parent / where)
    assert em.load(saved, models.poisson_mixture).log_likelihood == fit().log_likelihood


def test_an_interrupt_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit().save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == ["fit.npz"]


def test_permissions_and_links_are_kept(saved):
    saved.chmod(0o600)
    link = saved.parent / "link.npz"
    link.symlink_to(saved)
    fit().save(link)
    assert link.is_symlink()
    assert saved.stat().st_mode & 0o777 == 0o600
    assert em.load(link, models.poisson_mixture).num_steps == fit().num_steps


def test_writers_of_one_file_leave_one_whole_fit(tmp_path):
    path, fits = tmp_path / "fit.npz", (fit(1), fit(2))
    fits[0].save(path)
    found, wrong = set(), []

    def write(own):
        for _ in range(15):
            own.save(path)

    def read():
        try:
            for _ in range(30):
                found.add(json.loads(str(np.load(path)["meta"]))["log_likelihood"])
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=write, args=(own,)) for own in fits]
    threads.append(threading.Thread(target=read))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert found <= {own.log_likelihood for own in fits}
    assert os.listdir(tmp_path) == ["fit.npz"]


# ---- reading ------------------------------------------------------------------------------------


def test_every_truncation_is_refused(saved):
    whole = saved.read_bytes()
    for length in [0, 1, 3, 4, 30, *range(100, len(whole), 97), len(whole) - 1]:
        saved.write_bytes(whole[:length])
        refused(saved)


def test_every_damaged_stretch_is_refused_or_harmless(saved):
    whole = saved.read_bytes()
    rng = np.random.default_rng(11)
    for place in range(0, len(whole) - 8, 61):
        broken = bytearray(whole)
        broken[place : place + 8] = rng.bytes(8)
        saved.write_bytes(bytes(broken))
        with contextlib.suppress(ValueError):
            back = em.load(saved, models.poisson_mixture)
            # Only dates and the like were hit.
            np.testing.assert_array_equal(back.params["rate"], fit().params["rate"])
            assert back.log_likelihood == fit().log_likelihood


def test_a_file_from_the_future(saved):
    meta = json.loads(str(np.load(saved)["meta"])) | {"format": 2}
    refused(rewritten(saved, meta=npy(json.dumps(meta))), "format 2", "reads 1")


class Trap:
    """Unpickling it leaves a trace."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["meta", "params__rate", "trace", "another"])
def test_pickled_objects_are_not_run(saved, name):
    trap = saved.parent / "run"
    objects = npy(np.array([Trap(trap)], object), allow_pickle=True)
    refused(rewritten(saved, **{name: objects}), name.replace("__", "/"))
    refused(rewritten(saved, **{name: pickle.dumps(Trap(trap))}), name.replace("__", "/"))
    assert not trap.exists()


def test_a_bomb_is_refused_before_it_unpacks(saved):
    zeros = npy(np.zeros(2**24))  # 128 MiB of nothing in about 128 KiB
    rewritten(saved, bomb=zeros)
    assert saved.stat().st_size < 2**20
    refused(saved, "128.", "max_bytes", max_bytes=2**26)
    with zipfile.ZipFile(saved, "a") as file:
        for info in file.infolist():
            info.file_size = 0  # its own length, lied about
    refused(saved, "max_bytes", max_bytes=1000)


@pytest.mark.parametrize(
    "shape",
    ["(1000000000000,)", "(-3,)", "(2, 3)", "()", "(4294967296, 4294967296)", "x", "(1.5,)"],
)
def test_absurd_shapes(saved, shape):
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + b"\0" * 8
    refused(rewritten(saved, params__rate=data), "params/rate")


def test_names_with_path_parts_write_nothing(saved):
    inside = {"../up": npy(np.ones(1)), "/tmp/mixpyro_up": npy(np.ones(1))}
    rewritten(saved, **inside)
    assert em.load(saved, models.poisson_mixture).num_steps == fit().num_steps
    assert not (saved.parent.parent / "up.npy").exists()
    assert not Path("/tmp/mixpyro_up.npy").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"meta": npy("[]")},
        {"meta": npy("{}")},
        {"meta": npy("[" * 100_000)},
        {"meta": npy("no json")},
        {"meta": npy(np.ones(3))},
        {"meta": None},
        {"params__rate": None},
        {"params__rate": npy(np.ones(5))},
        {"trace": None},
        {"arguments__0": None},
        {"arguments__0": npy(np.ones(40, "datetime64[s]"))},
        {"arguments__0": npy(np.full(40, -1))},
        {"restarts__status": None},
    ],
)
def test_what_is_no_whole_fit(saved, change):
    with pytest.raises(ValueError, match=r"fit\.npz|argument|site 'x'"):
        em.load(rewritten(saved, **change), models.poisson_mixture)


@pytest.mark.parametrize(
    "entry",
    ["arguments", "parameters", "log_likelihood", "status", "chosen", "num_steps", "reseeded"],
)
def test_meta_without_an_entry(saved, entry):
    meta = json.loads(str(np.load(saved)["meta"]))
    del meta[entry]
    refused(rewritten(saved, meta=npy(json.dumps(meta))), "no whole")


def test_what_is_no_file(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        em.load(tmp_path / "nowhere.npz", models.poisson_mixture)
    with pytest.raises(OSError, match="directory"):
        em.load(tmp_path, models.poisson_mixture)
    (tmp_path / "text.npz").write_text("not a zip file")
    refused(tmp_path / "text.npz", "damaged")
    with (tmp_path / "one.npz").open("wb") as file:
        np.save(file, np.ones(3))
    refused(tmp_path / "one.npz")
