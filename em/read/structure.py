"""What a model declares: its latent classes, its levels of rows, its parameters, its data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from numpyro.distributions.constraints import Constraint

from .chains.chain import Chain
from .chains.steps import Before
from .latents import Latent, Level
from .trees import Tree


def apart(number: Any, size: int) -> tuple[Any, Any]:
    """``divmod`` of what is not negative: in one operation each, where jnp's take a dozen."""
    if not isinstance(number, jax.Array):
        return number // size, number % size
    divisor = jnp.full_like(number, size)
    return jax.lax.div(number, divisor), jax.lax.rem(number, divisor)


@dataclass(frozen=True)
class Parameter:
    """A parameter site: ``size`` counts its unconstrained dimensions.

    ``support`` is where its values live, if that is told without the model's data.
    """

    name: str
    shape: tuple[int, ...]
    size: int
    constraint: str
    free: bool
    support: Constraint | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Data:
    """An observed site of the rows. ``distribution`` is the type under wrappers and plates."""

    name: str
    distribution: type
    shape: tuple[int, ...]
    batch_rank: int
    cell_rank: int
    event_rank: int
    discrete: bool
    masked: bool
    choice: bool  # the mask depends on the class or on parameters: it is part of the model
    steady: bool  # the observations, and arguments that have to be data, depend on neither
    gaps: bool  # NaN may stand for a missing entry
    partial: bool  # ... and single entries of an event may be missing
    level: int
    repeats: int  # how many rows each value of z has in plates of their own
    depends: frozenset[str]
    support_depends: bool

    @property
    def incomplete(self) -> bool:
        """Whether entries may be missing, by a mask or as NaN."""
        return self.masked or self.gaps

    @property
    def holes(self) -> bool:
        """The same, where it is the data that decide which."""
        return self.incomplete and not self.choice


@dataclass(frozen=True)
class Auxiliary:
    """An observed site or factor apart from the rows of z, whose density counts as it is.

    A labelled or calibration sample beside the mixture, a normaliser, a penalty. ``depends`` are
    the parameters that it is about, ``size`` the number of its observations.
    """

    name: str
    depends: frozenset[str]
    size: int


@dataclass(frozen=True)
class Structure:
    """What a model declares, as far as abstract evaluation shows it.

    A *component* of level 0 is a combination of the units' classes; one of another level is a
    combination of these and of the classes of its rows, the units' first.
    """

    latents: tuple[Latent, ...]
    levels: tuple[Level, ...]
    parameters: tuple[Parameter, ...]
    data: tuple[Data, ...]
    auxiliary: tuple[Auxiliary, ...]
    pointwise: bool  # z is given as one value that broadcasts over the rows
    certain: bool  # that this is right, and rows depend on no other row's z, is plain to see
    gaps: bool = False  # some array of the call has a NaN
    trees: tuple[Tree, ...] = ()  # whose leaves are among the parameters
    chain: Chain | None = None  # of the units' classes, whose rows are then its steps

    @property
    def latent(self) -> Latent:
        """The (first) class of the units."""
        return self.latents[0]

    @property
    def free(self) -> tuple[Parameter, ...]:
        """The parameters to estimate."""
        return tuple(p for p in self.parameters if p.free)

    @property
    def fixed(self) -> tuple[Parameter, ...]:
        """The parameters that are held fixed."""
        return tuple(p for p in self.parameters if not p.free)

    def level_of(self, data: Data) -> Level:
        """The rows of an observed site."""
        return self.levels[data.level]

    def num_components(self, level: int = 0) -> int:
        """How many components a level has."""
        own = self.levels[level].num_classes
        return own if level == 0 else own * self.levels[0].num_classes

    def classes(self, component: Any, level: int = 0) -> dict[str, Any]:
        """{latent: class} of a component of a level; classes of other levels are 0."""
        inner = 1 if level == 0 else self.levels[level].num_classes
        rest = dict(zip((0, level), apart(component, inner), strict=True))
        rest = rest if level else {0: component}
        found: dict[str, Any] = {}
        for latent in reversed(self.latents):
            if latent.level not in rest:
                found[latent.name] = jnp.zeros_like(component)
                continue
            rest[latent.level], own = apart(rest[latent.level], latent.num_components)
            found[latent.name] = own
        return {z.name: found[z.name] for z in self.latents}

    def forced(self, component: Any, level: int = 0) -> dict[str, jax.Array]:
        """{site: value} that stands for a component, for every site that a class is made of."""
        classes = self.classes(jnp.asarray(component), level)
        values = {z.name: z.value(classes[z.name], self.pointwise) for z in self.latents}
        return values | {z.prior: values[z.name] for z in self.latents}

    def natural(self, latent: Latent) -> tuple[int, ...]:
        """The shape that a class has in NumPyro's own trace."""
        shape = latent.value(0, False).shape
        own = None if self.chain is None else self.chain.rank(latent.prior)
        return shape if own is None else (shape[0], *shape[1 + len(shape) - own :])

    def own_rows(self, latent: Latent) -> int:
        """How many values a class has: one a row, but that of whole sequences one for each."""
        chain = self.chain
        constant = chain is not None and latent.name in chain.constant
        return chain.number if chain is not None and constant else latent.num_rows

    def in_shape(self, latent: Latent, values: jax.Array) -> jax.Array:
        """Values (n, ...) of a chain's class in the shape that it has in the model."""
        shape = self.natural(latent)
        if self.own_rows(latent) < latent.num_rows:
            shape, values = shape[1:], values[: self.own_rows(latent)]
        return values.reshape(*shape, *values.shape[1:])

    def num_priors(self, level: int = 0) -> int:
        """How many combinations of classes the priors of a level's classes tell apart."""
        return self.num_components(level) if self.chain is None else self.num_pairs

    def prior_classes(self, level: int = 0) -> dict[str, jax.Array]:
        """{latent: (k,)} the classes of each of these."""
        numbers = jnp.arange(self.num_priors(level))
        return self.classes(numbers if self.chain is None else self.pair(numbers)[1], level)

    def of_units(self, weights: jax.Array) -> jax.Array:
        """The weights of the independent units: of sequences in a chain, by those of its steps."""
        chain = self.chain
        return weights if chain is None else weights.reshape(chain.length, -1).max(0)

    @property
    def num_pairs(self) -> int:
        """How many pairs of components a step of a chain and the step before may have.

        Before the first step there is none, which counts as one component more.
        """
        return (self.num_components() + 1) * self.num_components()

    def pair(self, number: Any) -> tuple[Any, Any]:
        """The component before and the component of a pair."""
        return apart(number, self.num_components())

    def before(self, component: Any) -> Before:
        """What a step is given that stands for the component before; k for none."""
        last = self.num_components()
        component = jnp.asarray(component)
        return Before(self.forced(jnp.minimum(component, last - 1)), component == last)

    def latent_value(self, component: Any) -> jax.Array:
        """The value that the first class is given to stand for ``component``."""
        return self.latent.value(component, self.pointwise)
