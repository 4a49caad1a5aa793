"""Batches in step, read by a thread that ends with whoever takes them; a sample of the rows."""

import threading

import numpy as np
import pytest

from mixpyro.em.sources.batches import Batches
from mixpyro.em.sources.side_by_side import ahead, batch_size_of, batches, survey

N = 1000


def stream(x, size=64):
    return Batches(np.asarray(x), batch_size=size)


def test_the_last_batch_is_filled_up():
    streams = [stream(np.arange(10), 4), stream(np.arange(10.0), 4)]
    *_, last = batches(streams, 4, [np.int32, np.float64])
    assert (last.first, last.number) == (8, 2)
    np.testing.assert_array_equal(last.arrays[0], [8, 9, 9, 9])
    np.testing.assert_array_equal(last.used, [1, 1, 0, 0])


def test_sizes_have_to_agree():
    with pytest.raises(ValueError, match="different batch sizes: 4, 5"):
        batch_size_of([stream(np.ones(9), 4), stream(np.ones(9), 5)])
    with pytest.raises(ValueError, match="different numbers of rows: 8, 9"):
        batch_size_of([stream(np.ones(9)), stream(np.ones(8))])
    unknown = Batches(lambda: iter([np.ones(9)]), batch_size=4)
    with pytest.raises(ValueError, match="different numbers of rows, at 8 and 9"):
        survey([unknown, stream(np.ones(8), 4)], 5, 0)
    with pytest.raises(ValueError, match="no rows"):
        survey([stream(np.ones(0))], 5, 0)
    with pytest.raises(ValueError, match="hold <U1, no numbers"):
        survey([stream(np.array(["a"]))], 5, 0)


def test_a_survey_sees_every_row():
    x = np.arange(float(N))
    x[777] = np.nan
    seen = survey([stream(x), stream(np.arange(N))], 5, 0)
    assert (seen.num_rows, seen.gaps) == (N, True)
    assert [d.kind for d in seen.dtypes] == ["f", "i"]
    whole = survey([stream(x)], N, 0).sample[0]
    np.testing.assert_array_equal(whole, x)


def test_every_row_is_as_likely_to_be_in_the_sample():
    own, often = stream(np.arange(N), 128), np.zeros(N)
    for seed in range(200):
        sample = survey([own], 100, seed).sample[0]
        assert len(set(sample.tolist())) == 100
        assert (np.diff(sample) > 0).all()
        often[sample] += 1
    # By blocks of 100 rows: 2000 draws each are expected, with a variance of at most 1800.
    blocks = often.reshape(10, 100).sum(1)
    assert np.abs(blocks - 2000).max() < 4.5 * np.sqrt(1800)


def test_the_reading_thread_ends():
    def endless():
        while True:
            yield 0

    items = ahead(endless())
    assert next(items) == 0
    items.close()
    assert not [t for t in threading.enumerate() if t.name == "mixpyro-batches"]


def test_errors_of_the_reading_thread_are_raised():
    def failing():
        yield 1
        raise OSError("gone")

    items = ahead(failing())
    assert next(items) == 1
    with pytest.raises(OSError, match="gone"):
        next(items)
