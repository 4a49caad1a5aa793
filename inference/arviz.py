"""Runs as ArviZ takes them: an ``xarray.DataTree`` with named dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers

from .. import __version__
from ..em import Fit
from ..em.layout import row_value_shape
from .draws import site_draws
from .latent import rows_given
from .posterior import posterior_of
from .relabel import largest, relabel

if TYPE_CHECKING:
    from xarray import DataTree
