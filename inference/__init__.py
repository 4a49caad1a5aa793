"""Check a fitted mixture with the very same model: marginalise z, NUTS, SVI, Laplace, ArviZ."""

from .arviz import to_arviz
from .latent import draw_latent
from .marginal import marginalize
from .nuts import run_nuts
from .relabel import relabel

__all__ = ["draw_latent", "marginalize", "relabel", "run_nuts", "to_arviz"]
