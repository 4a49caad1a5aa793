"""Digests that another process can compare."""

import functools
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro import handlers

from mixpyro.em.calls.digests import digest_of, digest_of_array

LEVELS = {"a": 1.0, "b": 2.0}


class Settings:
    shift = 3.0

    def __init__(self, scale):
        self.scale = scale


def model(x, settings=Settings(2.0)):  # noqa: B008
    if x.shape[0] in {"one", "two", "three"}:
        return None
    return dist.Normal(LEVELS["a"] + settings.shift, settings.scale), jnp.exp


def other(x, settings=Settings(2.0)):  # noqa: B008
    if x.shape[0] in {"one", "two", "three"}:
        return None
    return dist.Normal(LEVELS["a"] - settings.shift, settings.scale), jnp.exp


WITHIN = functools.partial(handlers.condition(model, {"scale": jnp.ones(3)}), settings=None)


LOOK = """
import importlib.util
spec = importlib.util.spec_from_file_location("m", {!r})
m = importlib.util.module_from_spec(spec)
spec.loader.exec_module(m)
found = m.digest_of(m.model), m.digest_of(m.WITHIN)
"""


def test_another_process_finds_the_same():
    code, here = LOOK.format(__file__), {}
    exec(code, here)
    done = subprocess.run(
        [sys.executable, "-c", code + "print(found)"],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{here['found']}\n"


def test_what_is_different_is_told_apart(monkeypatch):
    own = digest_of(model)
    assert own == digest_of(model)
    assert own != digest_of(other)
    assert digest_of(WITHIN) != own
    assert digest_of(handlers.condition(model, {"scale": jnp.ones(3)})) != digest_of(
        handlers.condition(model, {"scale": jnp.zeros(3)})
    )
    held = {"scale": jnp.ones(3)}
    assert digest_of(handlers.condition(model, held)) != digest_of(handlers.substitute(model, held))
    assert digest_of(jax.jit(model)) != digest_of(jax.jit(other))
    monkeypatch.setitem(LEVELS, "a", 1.5)
    assert digest_of(model) != own
    monkeypatch.setitem(LEVELS, "a", 1.0)
    monkeypatch.setattr(Settings, "shift", 3.5)
    assert digest_of(model) != own
    monkeypatch.undo()
    assert digest_of(model) == own


def test_arrays_count_by_their_numbers_shape_and_type():
    x = np.arange(6.0)
    assert digest_of_array(x) == digest_of_array(x.copy())
    others = [x + 1, x.reshape(2, 3), x.astype(np.float32), x[::-1]]
    assert len({digest_of_array(v) for v in [x, *others]}) == 5
    assert digest_of_array(jax.random.key(0)) != digest_of_array(jax.random.key(1))
