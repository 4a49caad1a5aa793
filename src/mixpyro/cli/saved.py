"""A fit that a command left, read back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import em
from ..weighted import weighted
from . import recipe as recipes
from .errors import BadInput
from .modelling import load_model


def loaded(path: Path, model: str | None) -> tuple[Any, Any]:
    """The recipe of a fit, and the fit."""
    recipe = recipes.read(path)
    function, found = load_model(model or recipe.model)
    if found != recipe.model_sum and model is None:
        raise BadInput(
            f"{recipe.model.rpartition(':')[0]} has changed since the fit; fit again, or name the "
            "file that was fitted by --model"
        )
    make: Callable = function
    if any(a.form == "weights" for a in recipe.arguments):
        make = weighted(function)
    return recipe, em.load(path / "fit.npz" if path.is_dir() else path, make)
