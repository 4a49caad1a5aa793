"""Rows that lie on several devices: a part of them on each, where it is computed with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec


@dataclass(frozen=True)
class Shards:
    """Equal parts of rows on the devices of a ``mesh``, along its axes ``names``.

    Where such an array is reshaped, gathered from or added up along its rows, that is written part
    by part: the compiler would otherwise bring all of it to every device.
    """

    mesh: Mesh
    names: tuple[str, ...]

    @property
    def number(self) -> int:
        """How many parts there are."""
        return math.prod(self.mesh.shape[name] for name in self.names)

    @property
    def several_processes(self) -> bool:
        """Whether other processes have parts too, so that all of them have to keep step."""
        return len({d.process_index for d in self.mesh.devices.flat}) > 1

    def along(self, ndim: int, axis: int = 0) -> NamedSharding:
        """Of an array whose ``axis`` is in parts."""
        spec: list[Any] = [None] * ndim
        spec[axis] = self.names
        return NamedSharding(self.mesh, PartitionSpec(*spec))

    @property
    def everywhere(self) -> NamedSharding:
        """Of an array that every device has."""
        return NamedSharding(self.mesh, PartitionSpec())

    def lay(self, array: jax.Array, axis: int) -> jax.Array:
        """The same array with ``axis`` in parts, where JAX traces."""
        return jax.lax.with_sharding_constraint(array, self.along(array.ndim, axis))

    def put(self, array: Any, where: NamedSharding) -> jax.Array:
        """An array of the host, the same in every process, or of these devices, put there."""
        if self.several_processes and not on_several(array):
            own = np.asarray(array)
            return jax.make_array_from_callback(own.shape, where, lambda i: own[i])
        return jax.device_put(array, where)

    def first(self, array: jax.Array, number: int) -> np.ndarray:
        """The first rows, on the host; the same in every process."""
        taken = jax.jit(lambda a: a[:number], out_shardings=self.everywhere)(array)
        return np.asarray(taken)


def shards_of(arrays: Sequence[Any]) -> Shards | None:
    """How the rows of a call's arrays lie; None if they are on one device, or whole on each.

    Raises:
        ValueError: arrays of as many rows that lie otherwise, or parts along another axis.
    """
    found = {i: _shards(a, i) for i, a in enumerate(arrays) if in_parts(a)}
    if not found:
        return None
    (place, shards), *others = found.items()
    rows = arrays[place].shape[0]
    for i, array in enumerate(arrays):
        if array.shape[:1] == (rows,) and i not in found:
            raise ValueError(
                f"an argument of {rows} rows lies on several devices, and another of as many rows "
                "(row weights, say) on one: give both to em.shard_rows"
            )
    if any(other != shards for _, other in others):
        raise ValueError("the arguments lie on different devices: give all to em.shard_rows")
    return shards


def over_processes(shards: Shards | None) -> bool:
    """Whether other processes have rows of the same run."""
    return shards is not None and shards.several_processes


def in_parts(value: Any) -> bool:
    """Whether an array is on several devices, a part on each."""
    known = isinstance(value, jax.Array) and not isinstance(value, jax.core.Tracer)
    return known and len(value.sharding.device_set) > 1 and not value.is_fully_replicated


def on_several(value: Any) -> bool:
    """Whether an array is on several devices, in parts or whole."""
    known = isinstance(value, jax.Array) and not isinstance(value, jax.core.Tracer)
    return known and len(value.sharding.device_set) > 1


def _shards(array: jax.Array, place: int) -> Shards:
    sharding = array.sharding
    spec = sharding.spec if isinstance(sharding, NamedSharding) else PartitionSpec()
    if not spec or spec[0] is None or any(part is not None for part in spec[1:]):
        raise ValueError(
            f"array {place} of the call is in parts along another axis than its rows ({sharding}); "
            "em.shard_rows puts a part of the rows on each device"
        )
    names = spec[0] if isinstance(spec[0], tuple) else (spec[0],)
    assert isinstance(sharding, NamedSharding)
    mesh: Any = sharding.mesh
    automatic = (AxisType.Auto,) * len(mesh.axis_names)
    return Shards(Mesh(mesh.devices, mesh.axis_names, axis_types=automatic), names)


def laid(array: jax.Array, shards: Shards) -> jax.Array:
    """The same array, whose axes the compiler may cut (a mesh may say that it must not)."""
    sharding = shards.along(array.ndim)
    return array if array.sharding == sharding else jax.device_put(array, sharding)


def cumulative(values: jax.Array, parts: int) -> tuple[jax.Array, jax.Array]:
    """(n,) sums of the values up to each, and of all; part by part where they are in parts."""
    if parts == 1:
        found = jnp.cumsum(values)
        return found, found[-1]
    each = jnp.cumsum(values.reshape(parts, -1), 1)
    ends = jnp.cumsum(each[:, -1])
    before = ends - each[:, -1]
    return (each + before[:, None]).reshape(-1), ends[-1]


def rows_at(array: jax.Array, places: jax.Array, parts: int) -> jax.Array:
    """(m, ...) the rows at some places (m,): every part gives its own, and 0 for the others."""
    if parts == 1:
        return array[places]
    size = array.shape[0] // parts

    def own(part: jax.Array, number: jax.Array) -> jax.Array:
        here = places - number * size
        mine = (here >= 0) & (here < size)
        found = part[jnp.clip(here, 0, size - 1)]
        return jnp.where(mine.reshape(-1, *[1] * (array.ndim - 1)), found, 0)

    split = array.reshape(parts, size, *array.shape[1:])
    return jax.vmap(own)(split, jnp.arange(parts)).sum(0)


def shard_rows(*arrays: Any, fill: bool = False) -> Any:
    """Arrays with a part of their rows on each device: `EM.run` then computes where they lie.

    In one process these are all rows, and the devices are ``jax.devices()``. After
    ``jax.distributed.initialize(...)`` each process gives the rows that it has read itself, as many
    as the others, and the result is all rows of all processes, in the order of these.

    Args:
        arrays: array-likes with as many rows, (n, ...) each: data, and row weights if there are.
        fill: repeat the last row until the parts are equal, and give the weights (n,) back too: 1,
            and 0 for rows that fill up. They belong in ``handlers.scale`` around the rows.

    Returns:
        One array for one, else a tuple; with ``fill`` the weights come last.

    Raises:
        ValueError: arrays of different numbers of rows, or rows that do not make equal parts.
    """
    if not arrays:
        raise ValueError("shard_rows needs at least one array of rows")
    own = [np.asarray(a) for a in arrays]
    numbers = {a.shape[0] if a.ndim else -1 for a in own}
    if len(numbers) != 1 or -1 in numbers:
        raise ValueError(
            f"shard_rows needs arrays of as many rows; these have the shapes "
            f"{', '.join(str(a.shape) for a in own)}"
        )
    (rows,) = numbers
    devices, here = np.array(jax.devices()), len(jax.local_devices())
    everyones = [rows]
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        found = np.asarray(multihost_utils.process_allgather(np.asarray(rows)))
        everyones = [int(v) for v in found.ravel()]
    wanted = -(-max(everyones) // here) * here
    if not fill and (len(set(everyones)) > 1 or wanted != rows):
        told = ", ".join(map(str, everyones))
        raise ValueError(
            f"{told} rows make no equal parts: each process has to give as many, a multiple of the "
            f"number of its devices ({here}). Leave some out, or let em.shard_rows(x, fill=True) "
            "fill up with rows of weight 0"
        )
    weights = np.zeros(wanted)
    weights[:rows] = 1
    own += [weights.astype(jnp.result_type(float))] if fill else []
    shards = Shards(Mesh(devices, ("rows",)), ("rows",))

    def put(array: np.ndarray) -> jax.Array:
        more = [(0, wanted - len(array)), *[(0, 0)] * (array.ndim - 1)]
        filled = np.pad(array, more, "edge")
        return jax.make_array_from_process_local_data(shards.along(array.ndim), filled)

    laid_out = tuple(map(put, own))
    return laid_out if len(laid_out) > 1 else laid_out[0]
