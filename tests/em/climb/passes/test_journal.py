"""A fit of batches that died goes on within the pass, to the same bits; Ctrl-C returns the best."""

import signal

import numpy as np
import pytest

from mixpyro import em
from mixpyro.em import over_batches
from mixpyro.em.machine.interruption import Interruption

from ... import dying

surviving = dying.fresh_surviving()


def die_after(path, writes, **options):
    dying.die_after(writes, surviving.run_batches, path, 0, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    import jax

    with jax.enable_x64(True):
        return surviving.told(surviving.run_batches(tmp_path_factory.mktemp("w") / "w.ckpt", 0))


@pytest.mark.parametrize("writes", [5, 8, 31])
def test_it_goes_on_to_the_same_bits(x64, writes, tmp_path, whole):
    """Within the first pass, which is no step, at the first batch of the next, and later."""
    path = tmp_path / "fit.ckpt"
    die_after(path, writes)
    again = surviving.run_batches(path, 60)
    assert surviving.told(again) == whole
    with pytest.MonkeyPatch.context() as patch:  # once it has ended nothing is climbed again
        patch.delattr(over_batches.climb_passes.__globals__["Passes"], "expectations")
        assert surviving.told(surviving.run_batches(path, 60)) == whole


def test_so_does_one_that_begins_on_a_sample_in_single_precision(tmp_path):
    options = {"start": None, "num_restarts": 2, "max_steps": 3}
    path = tmp_path / "fit.ckpt"
    die_after(path, 12, **options)
    other = surviving.run_batches(tmp_path / "other.ckpt", 60, **options)
    assert surviving.told(surviving.run_batches(path, 60, **options)) == surviving.told(other)


def test_other_rows_or_batches_are_refused(x64, tmp_path, monkeypatch):
    path = tmp_path / "fit.ckpt"
    die_after(path, 3)
    with pytest.raises(ValueError, match="max_steps: 6 then, 7 now"):
        surviving.run_batches(path, 0, max_steps=7)
    # One number of a row that is neither in the first batch nor in any sample.
    monkeypatch.setattr(over_batches, "_SAMPLE", 10)
    monkeypatch.setattr(surviving, "X", surviving.X.copy())
    surviving.X[3] += 1e-9
    with pytest.raises(ValueError, match=r"other data \(x\)"):
        surviving.run_batches(path, 0)


def test_ctrl_c_within_a_pass_returns_what_there_is(x64, ctrl_c, monkeypatch):
    class Pressed(Interruption):
        looks = 0

        @property
        def asked(self):
            if self.ready and not self._asked:
                Pressed.looks += 1
                if Pressed.looks == 10:  # in the second pass
                    signal.raise_signal(signal.SIGINT)
            return self._asked

        @asked.setter
        def asked(self, value):
            self._asked = value

    monkeypatch.setattr(over_batches, "Interruption", Pressed)
    fit = surviving.run_batches(None, 0, accelerate=None)
    assert fit.status == em.Status.INTERRUPTED
    whole = surviving.run_batches(None, 0, accelerate=None, max_steps=1)
    np.testing.assert_array_equal(fit.trace, whole.trace)
    np.testing.assert_array_equal(fit.params["loc"], whole.params["loc"])
