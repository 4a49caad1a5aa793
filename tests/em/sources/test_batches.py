"""Every kind of source gives the rows it has, in order; what cannot be read is named."""

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet
import pytest

from mixpyro import em
from mixpyro.em.sources import grouped

X = np.random.default_rng(0).normal(size=(23, 3)).astype(np.float32)


def table(rows):
    return pa.table({name: rows[:, j] for j, name in enumerate("abc")})


def npy(path):
    np.save(path / "x.npy", X)
    return str(path / "x.npy")


def parquet(path):
    for number, rows in enumerate((X[:9], X[9:])):
        pa.parquet.write_table(table(rows), path / f"part-{number}.parquet", row_group_size=4)
    return path


def feather(path):
    pa.feather.write_feather(table(X), path / "x.feather")
    return path / "x.feather"


def csv(path):
    pa.csv.write_csv(table(X), path / "x.csv")
    return path / "x.csv"


def memmap(path):
    return np.memmap(npy(path), np.float32, "r", np.load(npy(path), mmap_mode="r").offset, X.shape)


def iterated(_):
    return lambda: iter([X[:5], X[5:5], X[5:6], X[6:20], X[20:]])


def dataset(path):
    return pa.dataset.dataset(parquet(path))


SOURCES = (npy, parquet, feather, csv, memmap, iterated, dataset)


@pytest.mark.parametrize("source", SOURCES)
def test_batches_are_the_rows_in_order(tmp_path, source):
    batches = em.Batches(source(tmp_path), batch_size=10)
    for _ in range(2):  # each iteration is a pass
        found = list(batches)
        assert [len(b) for b in found] == [10, 10, 3]
        np.testing.assert_allclose(np.concatenate(found), X, rtol=1e-6)


@pytest.mark.parametrize(("source", "one", "two"), [(npy, 1, [2, 0]), (parquet, "b", ["c", "a"])])
def test_columns_are_chosen(tmp_path, source, one, two):
    path = source(tmp_path)
    np.testing.assert_array_equal(np.concatenate(list(em.Batches(path, one))), X[:, 1])
    np.testing.assert_array_equal(np.concatenate(list(em.Batches(path, two))), X[:, [2, 0]])


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_groups_are_rows(monkeypatch, rows):
    monkeypatch.setattr(grouped, "_ROWS", rows)
    rng = np.random.default_rng(0)
    for size in (1, 4, 20):
        sizes = rng.integers(1, 6, 11)
        ids = np.repeat(np.sort(rng.choice(100, 11, replace=False)), sizes)
        x = rng.normal(size=(len(ids), 2))
        batches = em.Batches(np.c_[ids, x], [1, 2], batch_size=size, by=0)
        found, there = list(batches), np.concatenate(list(batches.present))
        assert {len(f) for f in found[:-1]} <= {size}
        whole = np.concatenate(found)
        assert whole.shape == (11, sizes.max(), 2)
        np.testing.assert_array_equal(there.sum(1), sizes)
        np.testing.assert_array_equal(whole[there], x)
        assert np.isnan(whole[~there]).all()


def test_groups_that_are_cut_are_refused():
    cut = np.array([[0, 1.0], [1, 2.0], [1, 3.0], [0, 4.0]])
    with pytest.raises(ValueError, match="not in ascending order at row 3; sort the rows"):
        list(em.Batches(cut, 1, by=0))
    with pytest.raises(ValueError, match="a group of 2 rows, and length=1"):
        list(em.Batches(cut[:3], 1, by=0, length=1))
    with pytest.raises(ValueError, match="present is of Batches with by="):
        _ = em.Batches(cut).present


def test_a_parquet_file_is_held_piece_by_piece(tmp_path):
    # So large that how far Arrow reads ahead, which hangs on who is quicker, is little of it.
    path, rng = tmp_path / "x.parquet", np.random.default_rng(0)
    columns = {name: rng.normal(size=1_600_000) for name in "abcd"}
    pa.parquet.write_table(pa.table(columns), path, row_group_size=10_000, compression="none")
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in em.Batches(path, batch_size=5_000)]
    assert len(held) == 320
    assert max(held) < path.stat().st_size / 4


def test_nulls_are_missing_entries(tmp_path):
    pa.parquet.write_table(pa.table({"a": pa.array([1, None, 3])}), tmp_path / "x.parquet")
    (found,) = em.Batches(tmp_path / "x.parquet", "a")
    np.testing.assert_array_equal(found, [1, np.nan, 3])


def test_what_cannot_be_read_is_named_by_file_and_row(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a\n" + "".join(f"{i}.5\n" for i in range(300_000)) + "oops\n")
    with pytest.raises(
        ValueError, match=r"x\.csv cannot be read from its row \d+ on.*300002.*oops"
    ):
        list(em.Batches(path, "a", batch_size=1000))

    def failing():
        yield X
        raise OSError("the disk is gone")

    with pytest.raises(ValueError, match="failed after row 23: the disk is gone"):
        list(em.Batches(failing))


def test_sources_that_are_none(tmp_path):
    (tmp_path / "x.txt").write_text("1")
    (tmp_path / "bad.npy").write_text("no array")
    np.save(tmp_path / "f.npy", np.asfortranarray(X))
    pa.parquet.write_table(pa.table({"a": ["u", "v"], "b": [1, 2]}), tmp_path / "t.parquet")
    for source, columns, words in (
        (3, None, "cannot read a int"),
        (tmp_path / "absent.csv", None, "no file or folder"),
        (tmp_path / "x.txt", None, "no file that can be read"),
        (tmp_path / "bad.npy", None, "cannot be read as a .npy file"),
        (tmp_path / "f.npy", None, "Fortran order"),
        (tmp_path / "t.parquet", None, "column 'a' .* no numbers"),
        (tmp_path / "t.parquet", ["z"], "no column 'z'; its columns are a, b"),
        (X, [5], "are no columns of an array of shape"),
        (X, "a", "are names, and an array has none"),
    ):
        with pytest.raises(ValueError, match=words):
            em.Batches(source, columns)
    with pytest.raises(ValueError, match="batch_size must be a whole number >= 1"):
        em.Batches(X, batch_size=0)
    with pytest.raises(ValueError, match="rows of different shapes"):
        list(em.Batches(lambda: iter([X, X[:, :2]])))
    with pytest.raises(ValueError, match="fresh iterator of arrays"):
        list(em.Batches(lambda: 3))


def test_batches_are_no_array():
    with pytest.raises(ValueError, match="needs all rows in memory at once"):
        np.asarray(em.Batches(X))
