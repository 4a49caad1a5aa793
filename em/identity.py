"""What makes two runs the same: the model, its data, the settings, and what computes."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jaxlib
import numpy as np
import numpyro

from .. import __version__
from .calls.arguments import places
from .calls.call import Call
from .calls.digests import digest_of, digest_of_array
from .machine.shards import over_processes
from .machine.together import from_each

# What is no setting, or changes nothing that is computed.
_NOT = ("model", "throw", "progress_bar")


def identity_of(
    model: Callable,
    options: Mapping[str, Any],
    call: Call,
    rng_key: jax.Array,
    given: tuple[Any, Any],
    streams: Mapping[int, str] | None = None,
    batch_size: int | None = None,
) -> dict[str, Any]:
    """{part: {name: value}} of a run, as JSON holds it.

    ``options`` are the attributes of the `EM`, ``given`` is what it starts from. ``streams``
    {place: digest} are what is read batch by batch, of which the call has the first ``batch_size``
    rows.
    """
    names = {place: name for name, place in places(model, call).items()}
    plain = (type(None), bool, int, float, str)
    settings = {
        name: value if isinstance(value, plain) else digest_of(value)
        for name, value in sorted(options.items())
        if name not in _NOT
    }
    starts = zip(("init_params", "init_responsibilities"), given, strict=True)
    settings |= {name: None if value is None else _digest(value) for name, value in starts}
    if batch_size is not None:
        settings["batch_size"] = batch_size
    own = dict(streams or {})
    return {
        "written": {
            "mixpyro": __version__,
            "python": ".".join(platform.python_version_tuple()[:2]),
            "jax": jax.__version__,
            "jaxlib": jaxlib.__version__,
            "numpyro": numpyro.__version__,
            "numpy": np.__version__,
            "machine": platform.machine(),
            "backend": jax.default_backend(),
            "double precision": bool(jax.config.jax_enable_x64),
        },
        "model": {"code and what it reads": digest_of(model)},
        "data": {
            names.get(i, f"array {i}"): own.get(i)
            or " ".join(_everyones(over_processes(call.shards), digest_of_array(a)))
            for i, a in enumerate(call.arrays)
        },
        "settings": settings
        | {"rng_key": digest_of_array(rng_key)}
        | {"arguments": digest_of(tuple(leaf for _, leaf in call.static), str(call.tree))},
    }


def _everyones(several: bool, word: str) -> list[str]:
    return [w.decode() for w in from_each(several, word.encode())]


def _digest(value: Any) -> str:
    return digest_of(jax.tree.map(np.asarray, value))
