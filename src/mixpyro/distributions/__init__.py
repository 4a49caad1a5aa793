"""Distributions that NumPyro lacks: what models declare with and EM reads."""

from .. import _numpyro  # noqa: F401  (before all that imports NumPyro)
from .censored import CensoredWeibull
from .eigen import CayleyTransform, EigenNormal, HaarRotation, rotation
from .hurdle import HurdlePoisson
from .markov import MarkovChain
from .or_uniform import (
    EigenNormalOrUniform,
    MultivariateNormalOrUniform,
    NormalOrUniform,
    OrUniform,
    or_uniform,
)
from .rasch import ConditionalRasch
from .truncated import PositiveBinomial

__all__ = [
    "CayleyTransform",
    "CensoredWeibull",
    "ConditionalRasch",
    "EigenNormal",
    "EigenNormalOrUniform",
    "HaarRotation",
    "HurdlePoisson",
    "MarkovChain",
    "MultivariateNormalOrUniform",
    "NormalOrUniform",
    "OrUniform",
    "PositiveBinomial",
    "or_uniform",
    "rotation",
]
