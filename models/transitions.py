"""Latent classes of people that may change from wave to wave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import scan

from ._arguments import check_count, check_shape
from ._catalogue import example
from ._gaps import observe
from ._items import Categories, items, num_categories_of
from ._states import states

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Num


@example(
    params={
        "initial": [0.6, 0.4],
        "transition": [[0.8, 0.2], [0.1, 0.9]],
        "probs": [
            [[0.8, 0.15, 0.05], [0.75, 0.15, 0.1], [0.1, 0.1, 0.8]],
            [[0.05, 0.1, 0.85], [0.1, 0.1, 0.8], [0.85, 0.1, 0.05]],
        ],
    },
    chain=True,
    num_components=2,
    num_categories=3,
    num_times=3,
    num_rows=200,
    num_features=3,
)
@items("x", waves=True, probs=("component", "item", "category"))
def latent_transition(
    x: Num[ArrayLike, "t n d"] | None = None,
    *,
    num_components: int,
    num_categories: int | None = None,
    categories: Categories | None = None,
    num_times: int | None = None,
    num_rows: int | None = None,
    num_features: int | None = None,
    stationary: bool = False,
    concentration: float = 1.0,
    probs_concentration: float = 1.0,
) -> Any:
    r"""Latent transition analysis: a latent class for each person and wave (a latent Markov model).

    Of each person, with answers x_t, (d,), to the same items in the waves 1, ..., T, and categories
    numbered 0, ..., C - 1::

        p(x_1, ..., x_n) = prod_n sum_z p(z_1) p(x_n1 | z_1) prod_t p(z_t | z_{t-1}) p(x_nt | z_t)
        p(z_1 = k) = initial_k,   p(z_t = j | z_{t-1} = i) = transition_ij
        p(x_nt | z_t = k) = prod_d probs_kdc,   c = x_ntd

    What classes mean does not change, and people move between any two waves alike. See Wiggins
    (1973), *Panel Analysis*; Collins and Lanza (2010), *Latent Class and Latent Transition
    Analysis*; Bartolucci, Farcomeni and Pennoni (2013), *Latent Markov Models for Longitudinal
    Data*.

    Sites: ``initial`` (k,), unless the chain is stationary; ``transition`` (k, k), whose rows sum
    to 1; ``probs`` (k, d, C); ``z`` (t, n), within a scan over the waves; ``x`` (t, n, d).

    Priors: initial and the rows of transition ~ Dirichlet(c, ..., c), c = concentration; each row
    of probs is Dirichlet with probs_concentration. All are uniform by default.

    Args:
        x: categories, (t, n, d): waves first, as a scan goes along its first axis; None to
            simulate. `mixpyro.em` takes a list of t tables (n, d) as well, frames of the same
            people and items, and what is in them as it comes, as `latent_class` does: text, pandas
            categories, with gaps (None, NaN, NA), which are left out. Called by itself, the model
            takes integers from 0, or floats with NaN for a gap.
        num_components: k, the number of classes.
        num_categories: C; unless given, the largest number of categories of an item.
        categories: their names, ``((item, (category, ...)), ...)``; a fit finds them in the data.
        num_times: t, at least 2, needed only without x.
        num_rows: n, the number of people, needed only without x.
        num_features: d, needed only without x.
        stationary: whether classes are as frequent in the first wave as in the long run: initial is
            then no parameter. The M-step is numeric.
        concentration: of the Dirichlet priors of initial and transition.
        probs_concentration: of the Dirichlet prior of probs.

    Returns:
        x, (t, n, d).

    Raises:
        ValueError: num_components or num_categories below 1; x of another shape; neither x nor its
            shape given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.latent_transition, jax.random.key(0))
        >>> sizes = {"num_times": 4, "num_rows": 5, "num_features": 3}
        >>> simulate(num_components=2, num_categories=2, **sizes).shape
        (4, 5, 3)
    """
    k = check_count("num_components", num_components)
    if x is None:
        sizes = {"num_times": num_times, "num_rows": num_rows, "num_features": num_features}
        for name, size in sizes.items():
            if size is None:
                raise ValueError(f"{name} is missing: without x, give the size to simulate")
        t, n, d = (check_count(name, size) for name, size in sizes.items())
    else:
        t, n, d = check_shape("x", x, "t", "n", "d")
    c = num_categories_of(x, num_categories, categories)

    initial, transition = states(k, concentration, stationary)
    with numpyro.plate("components", k):
        prior = dist.Dirichlet(probs_concentration * jnp.ones(c))
        probs = numpyro.sample("probs", prior.expand([d]).to_event(1))

    def step(carry: tuple[Any, Any], x: Any) -> tuple[tuple[Any, Any], Any]:
        z, time = carry
        with numpyro.plate("rows", n):
            z = numpyro.sample("z", dist.Categorical(jnp.where(time == 0, initial, transition[z])))
            x = observe("x", dist.Categorical(probs[z]), x, event_rank=1)
        return (z, time + 1), x

    begin = (jnp.zeros(n, int), 0)
    return scan(step, begin, None if x is None else jnp.asarray(x), length=t)[1]
