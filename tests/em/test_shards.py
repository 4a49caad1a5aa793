"""Rows on several devices: the answer of one device, computed where the rows lie."""

import json
import os
import subprocess
import sys
from functools import cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mixpyro import em
from mixpyro.em.climb.starts.kmeans_plus_plus import centres_of
from mixpyro.em.machine.by_numpy.interpret import interpreted as by_numpy
from mixpyro.em.machine.shards import cumulative, rows_at
from mixpyro.em.plan.chunks import in_chunks, in_order

SCRIPT = Path(__file__).with_name("on_devices.py")


@cache
def on_devices(parts, folder=""):
    """What happens in a process that has eight devices."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), parts, folder],
        capture_output=True,
        text=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_rows_that_make_no_equal_parts_are_filled_up_or_refused():
    found = on_devices("filled,refusals")
    assert found["filled"]["params"] < 1e-5
    assert found["filled"]["bic"] < 1e-10
    said = found["refusals"]
    assert "1003 rows make no equal parts" in said["uneven"]
    assert "(2000,), (8,)" in said["lengths"]
    assert "another of as many rows (row weights, say) on one" in said["weights"]
    assert "along another axis than its rows" in said["columns"]
    assert "no assign='hard'" in said["hard"]
    assert "no init_responsibilities" in said["responsibilities"]
    assert "no groups or chains" in said["groups"]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["normals", "student", "regression"])
def test_the_answer_is_that_of_one_device(model):
    found = on_devices("normals,student,regression")[model]
    assert found["steps"][0] == found["steps"][1] > 10
    assert found["status"] == ["CONVERGED", "CONVERGED"]
    assert found["sharded"] == ["P('rows',)"] * 3
    numbers = {n: v for n, v in found.items() if isinstance(v, float)}
    assert len(numbers) == (6 if model == "normals" else 4)
    assert all(v < 1e-9 for v in numbers.values()), numbers


@pytest.mark.slow
def test_nothing_of_the_rows_size_crosses_devices():
    """The largest is the sample that starts are drawn from, of one size for any number of rows."""
    found = on_devices("crossing")["crossing"]
    largest, columns = found["largest"], 2
    assert {"jit_leg", "jit_all_starts", "jit_total"} <= largest.keys()
    assert 0 < largest["jit_leg"] < 100
    assert largest.pop("jit_all_starts") == (1 << 14) * columns
    assert max(largest.values()) <= 1021 * columns + 8 < found["rows"] / 10


@pytest.mark.slow
def test_other_meshes_and_checkpoints(tmp_path):
    found = on_devices("explicit,checkpointed", str(tmp_path))
    assert found["explicit"] < 1e-5
    assert found["checkpointed"] == {"params": 0.0, "left": 0}


# ---- the arithmetic of parts, on one device -------------------------------------------------

VALUES = np.random.default_rng(1).random(24)


def test_sums_up_to_each_row(x64):
    found, total = cumulative(jnp.asarray(VALUES), 4)
    np.testing.assert_allclose(found, np.cumsum(VALUES), rtol=1e-14)
    np.testing.assert_allclose(total, VALUES.sum(), rtol=1e-14)


def test_rows_at_places(x64):
    table = VALUES.reshape(12, 2)
    places = np.array([0, 11, 3, 3, 8])
    np.testing.assert_array_equal(rows_at(jnp.asarray(table), places, 4), table[places])


@pytest.mark.parametrize("n", [200, pytest.param(1 << 15, marks=pytest.mark.slow)])
def test_centres_are_those_of_rows_in_one_part(n, x64):
    """All rows, or so many that a sample of them is looked at."""
    rng = np.random.default_rng(3)
    points = jnp.asarray(rng.normal(size=(n, 2)) + rng.integers(4, size=(n, 1)))
    weights, key = jnp.asarray(rng.random(n)), jax.random.key(2)
    one, several = (interpreted(partial(centres_of, parts=p), points, weights, key) for p in (1, 8))
    np.testing.assert_allclose(several, one, rtol=1e-12)


def interpreted(centres, points, weights, key):
    """Without a compilation."""
    return by_numpy(lambda *given: centres(*given[:2], None, 4, given[2]))(points, weights, key)


class Parts:
    """Stands for devices: `Shards` without them."""

    number = 4

    @staticmethod
    def lay(array, axis):
        assert array.shape[axis] % 4 == 0 or array.shape[axis] == 1
        return array


@pytest.mark.parametrize("shape", [(2, 8, 3), (1, 4, 6), (3, 4, 3)])
def test_each_part_has_its_own_chunks(shape):
    rows = np.arange(24)
    found = np.asarray(in_chunks(jnp.asarray(rows), shape, shards=Parts))
    assert found.shape == shape
    each = np.split(rows, 4)
    for part, own in enumerate(np.split(found, 4, axis=1)):
        inside = [v for v in own.ravel() if v or part == 0]
        assert sorted(set(inside)) == list(each[part])
    np.testing.assert_array_equal(in_order(jnp.asarray(found), 24, Parts), rows)
    wide = in_chunks(jnp.asarray(np.stack([rows, -rows])), shape, shards=Parts)
    assert wide.shape == (*shape[:2], 2, shape[2])
    np.testing.assert_array_equal(wide[:, :, 0], found)


def test_on_one_device_they_are_an_array():
    x = em.shard_rows(VALUES)
    np.testing.assert_array_equal(x, VALUES.astype(x.dtype))
    several, weights = em.shard_rows(VALUES, fill=True)
    assert (several.shape, float(weights.sum())) == ((24,), 24.0)
    with pytest.raises(ValueError, match="at least one array"):
        em.shard_rows()
