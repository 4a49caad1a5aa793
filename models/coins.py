"""Two coins and a hidden choice between them: the tutorial's model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ._arguments import check_per_row, check_shape, vector_rows
from ._catalogue import example

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Bool, Int


@example(params={"pi": 0.4, "p": 0.85, "q": 0.3}, num_tosses=10, num_rows=400)
def two_coins(
    x: Int[ArrayLike, " n"] | None = None,
    z: Int[ArrayLike, " n"] | None = None,
    *,
    num_tosses: int | Int[ArrayLike, " n"] = 1,
    known: Bool[ArrayLike, " n"] | None = None,
    num_rows: int | None = None,
    weights_concentration: float = 1.0,
    probs_concentration: tuple[float, float] = (1.0, 1.0),
) -> Any:
    r"""Each row: choose a coin out of sight, toss it num_tosses times, note the number of heads.

    The coin with heads probability p is chosen with probability pi (z = 1), the coin with heads
    probability q otherwise (z = 0)::

        p(x_n) = pi Binomial(x_n | t, p) + (1 - pi) Binomial(x_n | t, q),    t = num_tosses

    Where the coins are known, the ML estimates are counts: pi is the share of rows with z = 1,
    and p and q are heads per toss of either coin.

    Without labels, at least three tosses a row are needed: single tosses tell
    ``pi p + (1 - pi) q`` and nothing else (k binomials need 2k - 1 tosses; Blischke, 1964, JASA
    59:510). Do and Batzoglou (2008), "What is the expectation maximization algorithm?", Nature
    Biotechnology 26:897, have 10 tosses a row and pi known; hold it fixed by
    ``handlers.condition(two_coins, {"pi": 0.5})``.

    Sites: ``pi``, ``p``, ``q``, scalars; ``z`` (n,), 0 or 1; ``x`` (n,).

    Priors: pi ~ Beta(c, c), c = weights_concentration; p, q ~ Beta(*probs_concentration). All are
    uniform by default, with which the posterior mode is the ML fit. They are the same for p and
    q, so the posterior is symmetric in the two coins.

    Args:
        x: numbers of heads, (n,), or None to simulate.
        z: the coin of each row, (n,), 1 for the coin of p and 0 for that of q, or None.
        num_tosses: tosses a row, one number or (n,).
        known: which entries of z count, (n,) boolean; None for all. An unknown entry may hold any
            label.
        num_rows: n, read only where neither x nor z is given.
        weights_concentration: of the Beta prior of pi.
        probs_concentration: of the Beta prior of p and q, (heads, tails).

    Returns:
        x, (n,).

    Raises:
        ValueError: an argument has a wrong shape; ``known`` without ``z``; no number of rows.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> coins = handlers.substitute(models.two_coins, {"pi": 0.4, "p": 0.85, "q": 0.3})
        >>> x = handlers.seed(coins, jax.random.key(0))(num_tosses=10, num_rows=5)
        >>> x.shape
        (5,)
    """
    n = vector_rows(z if x is None else x, num_rows)
    check_per_row("num_tosses", num_tosses, n)
    if known is not None and z is None:
        raise ValueError("known says which labels count, but z is missing; give z too")
    for name, value in (("z", z), ("known", known)):
        if value is not None and check_shape(name, value, "n") != (n,):
            raise ValueError(f"{name} has shape {jnp.shape(value)}, but there are {n} rows")

    c = weights_concentration
    pi = numpyro.sample("pi", dist.Beta(c, c))
    p = numpyro.sample("p", dist.Beta(*probs_concentration))
    q = numpyro.sample("q", dist.Beta(*probs_concentration))
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Bernoulli(pi), obs=z, obs_mask=known)
        heads = jnp.where(z == 1, p, q)
        return numpyro.sample("x", dist.Binomial(num_tosses, heads), obs=x)
