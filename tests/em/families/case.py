"""What a family's test file says of it: see ``Case``; `test_contract.py` does the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro import handlers

WEIGHTS = np.array([0.4, 0.6])


@dataclass(frozen=True, eq=False)
class Case:
    """A NumPyro type as the component distribution of a two-component mixture.

    Attributes:
        distribution: the NumPyro type.
        params: true values of its arguments, the component first; well separated.
        supports: the constraint of each argument.
        make: the distribution of x from the arguments of one component; ``known`` is given to it
            where there is some.
        draw: x from a NumPy generator and the arguments of each row, (n, ...).
        log_density: log p(x) (n,) by SciPy, from the arguments of one component.
        known: values of an argument that is data, from a generator and n.
        identified: whether the likelihood determines every parameter.
        needed: arguments that determine no mixture when all components share them.
        slow: its tests by whole fits are marked slow: a case before it is much like it, or its
            estimate is tested by itself.
        smooth: whether the likelihood has derivatives, by which to tell a maximum.
        exact: the relative error of NumPyro's own density, where it is larger than rounding.
        m_step: the rung of the component's block when every argument is free.
    """

    distribution: type[dist.Distribution]
    params: Mapping[str, Any]
    supports: Mapping[str, Any]
    make: Callable[..., dist.Distribution]
    draw: Callable[..., np.ndarray]
    log_density: Callable[..., np.ndarray]
    known: Callable[..., np.ndarray] | None = None
    identified: bool = True
    needed: tuple[str, ...] = ()
    slow: bool = False
    smooth: bool = True
    exact: float = 0.0
    m_step: str = "closed form"
    values: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        values = {name: np.asarray(value, float) for name, value in self.params.items()}
        object.__setattr__(self, "values", values)

    def __str__(self) -> str:
        return f"{self.distribution.__name__}[{'-'.join(self.params)}]"

    def truth(self, tied: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
        """The true arguments; those in ``tied`` have one value, that of component 0."""
        return {n: v[0] if n in tied else v for n, v in self.values.items()}

    def simulate(
        self, num_rows: int, seed: int, tied: tuple[str, ...] = ()
    ) -> dict[str, np.ndarray]:
        """{"x": (n, ...), "z": (n,), perhaps "known": (n,)} at the true parameters."""
        rng = np.random.default_rng(seed)
        z = (rng.random(num_rows) < WEIGHTS[1]).astype(int)
        known = {} if self.known is None else {"known": self.known(rng, num_rows)}
        args = {n: v[0 * z if n in tied else z] for n, v in self.values.items()}
        return {"x": self.draw(rng, **known, **args), "z": z, **known}

    def model(self, tied: tuple[str, ...] = ()) -> Callable:
        """The mixture; arguments in ``tied`` are shared by its two components."""

        def mixture(x, known=None, z=None, row_weights=None):
            weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(2)))
            args = {}
            for name, value in self.values.items():
                flat = dist.ImproperUniform(self.supports[name], (), value.shape[1:])
                if name in tied:
                    args[name] = numpyro.sample(name, flat)
                else:
                    with numpyro.plate("components", 2):
                        args[name] = numpyro.sample(name, flat)
            scale = 1.0 if row_weights is None else row_weights
            with numpyro.plate("rows", x.shape[0]), handlers.scale(scale=scale):
                z = numpyro.sample("z", dist.Categorical(weights), obs=z)
                own = {n: v if n in tied else v[z] for n, v in args.items()}
                given = {} if known is None else {"known": known}
                numpyro.sample("x", self.make(**given, **own), obs=x)

        return mixture
