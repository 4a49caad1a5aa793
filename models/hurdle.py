"""Counts whose zeros are decided before anything is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpyro
import numpyro.distributions as dist

from ..distributions import HurdlePoisson
from ._arguments import check_count, vector_or_matrix
from ._catalogue import example
from ._gaps import observe
from ._items import columns
from ._priors import mean_of, weights_prior

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from jaxtyping import Int


@example(
    params={"weights": [0.4, 0.6], "gate": 0.15, "rate": [3.0, 20.0]},
    num_components=2,
    num_rows=500,
)
@example(
    params={
        "weights": [0.4, 0.6],
        "gate": [[0.1, 0.6], [0.5, 0.2]],
        "rate": [[2.0, 12.0], [10.0, 3.0]],
    },
    num_components=2,
    num_rows=500,
    num_features=2,
    again=True,
)
@columns(rate=("x",), gate=("x",))
def hurdle_poisson(
    x: Int[ArrayLike, " n"] | Int[ArrayLike, "n d"] | None = None,
    *,
    num_components: int = 1,
    num_rows: int | None = None,
    num_features: int | None = None,
    weights_concentration: float = 1.0,
    gate_concentration: float = 1.0,
    mean_rate: float | None = None,
) -> Any:
    r"""A mixture of Poisson counts behind a hurdle: one part says whether, another how many.

    With T(x | r) = Poisson(x | r) / (1 - e^-r), the Poisson count that is not zero::

        p(x_n) = gate                                        x (n,), x_n = 0
        p(x_n) = (1 - gate) sum_k weights_k T(x_n | rate_k)  x (n,), x_n > 0
        p(x_n) = sum_k weights_k prod_d h_nkd                x (n, d)
        h_nkd = gate_kd if x_nd = 0, else (1 - gate_kd) T(x_nd | rate_kd)

    A zero of a vector x says nothing of its class, which is why all classes share its gate: gates
    of their own could not be told from the weights. Zeros of several columns do tell classes
    apart, and each has its own gates. See Mullahy (1986), "Specification and testing of some
    modified count data models", Journal of Econometrics 33:341.

    Sites: ``weights`` (k,); ``gate`` () and ``rate`` (k,) for x (n,), both (k, d) for x (n, d);
    ``z`` (n,); ``x``.

    Priors: weights ~ Dirichlet(c, ..., c), c = weights_concentration, and gate ~ Beta(g, g), g =
    gate_concentration, both uniform by default; each rate is Exponential with mean mean_rate, by
    default the mean of its column of x, or 1 without x.

    Args:
        x: counts, (n,) or (n, d), NaN where missing, or None to simulate.
        num_components: k; with one, and x (n,), this is the plain hurdle model.
        num_rows: n, read only without x.
        num_features: d, read only without x: None simulates x (n,).
        weights_concentration: of the Dirichlet prior of the weights.
        gate_concentration: of the Beta prior of the gates.
        mean_rate: mean of the prior of the rates.

    Returns:
        x, (n,) or (n, d).

    Raises:
        ValueError: num_components below 1; x of another shape; neither x nor num_rows given.

    Example:
        >>> import jax
        >>> from numpyro import handlers
        >>> from mixpyro import models
        >>> simulate = handlers.seed(models.hurdle_poisson, jax.random.key(0))
        >>> simulate(num_components=2, num_rows=5).shape
        (5,)
    """
    k = check_count("num_components", num_components)
    n, features = vector_or_matrix(x, num_rows, num_features)
    event_rank = len(features)
    closed = dist.Beta(gate_concentration, gate_concentration)

    weights = numpyro.sample("weights", weights_prior(k, weights_concentration))
    components = numpyro.plate("components", k)
    with components:
        prior = dist.Exponential(1 / mean_of(x, features, mean_rate=mean_rate)).to_event(event_rank)
        rate = numpyro.sample("rate", prior)
    if features:
        with components:
            gate = numpyro.sample("gate", closed.expand(features).to_event(1))
    else:
        gate = numpyro.sample("gate", closed)
    with numpyro.plate("rows", n):
        z = numpyro.sample("z", dist.Categorical(weights))
        counts = HurdlePoisson(gate[z] if features else gate, rate[z])
        return observe("x", counts, x, event_rank)
