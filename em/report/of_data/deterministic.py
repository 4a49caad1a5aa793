"""The deterministic sites of a model: functions of its parameters, under names of their own."""

from __future__ import annotations

from typing import Any

import jax

from ...machine.jit import quick_jit
from ...read.provenance import dependencies
from ...read.reader import Params, Reader
from ...rows.streamed import Streamed, one_batch_of
from .scoring import Scored


def by_class(reader: Reader, arrays: tuple) -> frozenset[str]:
    """The names of the deterministic sites that depend on a latent class."""
    z = reader.structure.latent_value(0)

    def sites(params: Params, z: jax.Array, arrays: tuple) -> dict[str, Any]:
        return _sites(reader, reader.run(params, arrays, 0, z=z))

    found = dependencies(sites, (reader.probe_values, z, arrays), {id(z): "z"}).outputs
    return frozenset(n for n, reached in found.items() if "z" in reached)


def values_of(result: Scored) -> Params:
    """Those of a fit; those by row are left out where these are read batch by batch."""
    rows = result.rows
    found = values(result.program, result.free, one_batch_of(rows).arrays)
    if isinstance(rows, Streamed):
        return {n: v for n, v in found.items() if rows.size not in v.shape}
    return found


def values(reader: Reader, params: Params, arrays: tuple) -> Params:
    """{site: value} at some parameters, of the deterministic sites that depend on no class."""
    found = reader.compiled("by class", lambda: by_class(reader, arrays))

    def independent(params: Params, arrays: tuple) -> Params:
        sites = _sites(reader, reader.run(params, arrays, 0))
        return {n: v for n, v in sites.items() if n not in found}

    return reader.compiled("deterministic", lambda: quick_jit(reader, independent))(params, arrays)


def _sites(reader: Reader, trace: dict) -> dict[str, Any]:
    latents = {z.name for z in reader.structure.latents}  # ``obs_mask`` makes z deterministic
    return {
        n: s["value"] for n, s in trace.items() if s["type"] == "deterministic" and n not in latents
    }
