"""Check a fitted mixture with the very same model: marginalise z, NUTS, SVI, Laplace, ArviZ."""

from .arviz import to_arviz
from .cross_check import CrossCheck, cross_check
from .laplace import run_laplace
from .latent import draw_latent
from .marginal import marginalize
from .nuts import run_nuts
from .relabel import relabel
from .variational import init_to_fit, run_svi

__all__ = [
    "CrossCheck",
    "cross_check",
    "draw_latent",
    "init_to_fit",
    "marginalize",
    "relabel",
    "run_laplace",
    "run_nuts",
    "run_svi",
    "to_arviz",
]
