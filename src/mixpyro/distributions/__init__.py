"""Distributions that NumPyro lacks: what models declare with and EM reads."""

from .eigen import CayleyTransform, EigenNormal, HaarRotation, rotation
from .or_uniform import (
    EigenNormalOrUniform,
    MultivariateNormalOrUniform,
    NormalOrUniform,
    OrUniform,
    or_uniform,
)

__all__ = [
    "CayleyTransform",
    "EigenNormal",
    "EigenNormalOrUniform",
    "HaarRotation",
    "MultivariateNormalOrUniform",
    "NormalOrUniform",
    "OrUniform",
    "or_uniform",
    "rotation",
]
