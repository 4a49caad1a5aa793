"""A random model as a plan: plain values from which a NumPyro model and its data are made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro import handlers
from numpyro.distributions import constraints
from numpyro.ops.indexing import Vindex

PRIORS: dict[str, tuple[dist.Distribution, Any]] = {
    "real": (dist.Normal(0.0, 2.0), constraints.real),
    "positive": (dist.Gamma(2.0, 1.0), constraints.positive),
    "unit": (dist.Beta(2.0, 2.0), constraints.unit_interval),
}
FIXED = {"real": 0.4, "positive": 1.3, "unit": 0.35}

# {what an argument needs: {transform: (the parameter's support, the function of it)}}.
PLAIN: dict[str, dict[str, tuple[str, Callable]]] = {
    "real": {
        "none": ("real", lambda v: v),
        "minus": ("real", lambda v: -v),
        "affine": ("real", lambda v: 2 * v + 1),
        "abs": ("real", jnp.abs),
        "clip": ("real", lambda v: jnp.clip(v, -1, 1)),
        "relu": ("real", jax.nn.relu),
        "log": ("positive", jnp.log),
        "kink": ("real", lambda v: jnp.where(v > 1, v, 2 * v - 1)),
    },
    "positive": {
        "none": ("positive", lambda v: v),
        "exp": ("real", jnp.exp),
        "softplus": ("real", jax.nn.softplus),
        "clip": ("positive", lambda v: jnp.clip(v, 0.8)),
        "abs": ("real", lambda v: jnp.abs(v) + 0.1),
        "inverse": ("positive", lambda v: 1 / v),
        "sqrt": ("positive", jnp.sqrt),
    },
    "unit": {
        "none": ("unit", lambda v: v),
        "complement": ("unit", lambda v: 1 - v),
        "sigmoid": ("real", jax.nn.sigmoid),
        "clip": ("unit", lambda v: jnp.clip(v, 0.2, 0.8)),
        "half": ("unit", lambda v: v / 2),
    },
}
# With what else an argument is made, of data of the rows (t) or of a scalar parameter (shared).
JOINED: dict[str, tuple[str, ...]] = {
    "real": ("alone", "plus data", "times data", "plus shared"),
    "positive": ("alone", "times data", "plus shared"),
    "unit": ("alone", "times shared"),
}
INDEXING = ("index", "where", "stack", "take", "one hot", "vindex", "sum")
FAMILIES: dict[str, tuple[str, ...]] = {
    "Normal": ("real", "positive"),
    "Poisson": ("positive",),
    "Bernoulli": ("unit",),
    "Binomial": ("unit",),
    "BinomialByClass": ("unit",),
    "Gamma": ("positive", "positive"),
    "Exponential": ("positive",),
    "StudentT": ("real", "positive"),
    "Categorical": ("simplex",),
    "MultivariateNormal": ("real",),
}
LAYOUTS = ("rows", "last but one", "expand", "groups", "nested", "global", "two", "within")


@dataclass(frozen=True)
class Argument:
    """How an argument of a site comes of parameters.

    ``share`` is "class", "one" (a scalar), "tied" (the first two classes share), "fixed", or the
    name of another parameter; ``early`` transforms before indexing.
    """

    needs: str
    transform: str = "none"
    joined: str = "alone"
    indexing: str = "index"
    share: str = "class"
    declare: str = "plate"
    early: bool = True
    second: bool = False


@dataclass(frozen=True)
class Site:
    """An observed site; ``shape`` is "row", "columns" (a plate) or "event"."""

    family: str
    arguments: tuple[Argument, ...]
    shape: str = "row"
    by_cell: bool = False
    mask: str = "none"
    observed: str = "as it is"


@dataclass(frozen=True)
class Plan:
    """A mixture of few rows; ``seed`` is that of its data and parameters."""

    n: int
    k: int
    d: int
    layout: str
    weights: str
    sites: tuple[Site, ...]
    labels: str = "none"
    calibration: bool = False
    outer_factor: bool = False
    inner_factor: str = "none"
    scaled: bool = False
    held: str = "none"
    seed: int = 0

    @property
    def units(self) -> int:
        """How many values the first class has."""
        return {"groups": 2, "nested": 2, "within": 2, "global": 1}.get(self.layout, self.n)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The batch shape of the rows."""
        if self.layout in ("nested", "within"):
            return (self.units, self.n)
        return (self.n, 1) if self.layout == "last but one" else (self.n,)

    def shape_of(self, site: Site) -> tuple[int, ...]:
        """The shape of a site's value."""
        if site.family == "MultivariateNormal":
            return (*self.row_shape, 2)
        if site.shape == "row":
            return self.row_shape
        if site.shape == "event":
            return (*self.row_shape, self.d)
        return (self.n, self.d) if self.layout == "last but one" else (self.d, *self.row_shape)


def data(plan: Plan) -> dict[str, Any]:
    """The data that the model is called with: NumPy arrays by name."""
    rng = np.random.default_rng(plan.seed)
    rows = plan.row_shape
    found: dict[str, Any] = {
        "t": rng.normal(size=rows),
        "exposure": rng.uniform(0.5, 2.0, size=rows),
        "group": np.arange(plan.n) % 2,
        "label": rng.integers(plan.k, size=rows),
        "known": rng.random(rows) < 0.5,
        "keep": rng.random(rows) < 0.7,
        "row_weights": rng.integers(1, 4, size=rows).astype(float),
        "calibrated": np.arange(3) % plan.k,
    }
    for number, site in enumerate(plan.sites):
        found[f"y{number}"] = values(site.family, rng, plan.shape_of(site))
    if plan.calibration:
        found["w"] = values(plan.sites[0].family, rng, (3,))
    return found


def values(family: str, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Data in a family's support."""
    if family in ("Normal", "StudentT", "MultivariateNormal"):
        return 2 * rng.normal(size=shape)
    if family in ("Gamma", "Exponential"):
        return rng.gamma(2.0, size=shape)
    return rng.integers({"Bernoulli": 2, "Categorical": 3, "Poisson": 8}.get(family, 6), size=shape)


def build(plan: Plan, only: int | None = None) -> Callable:
    """The model of a plan; ``only`` masks all rows but one (-1: all), and leaves weights out."""

    def model(**given: Any) -> None:
        parameters: dict[str, jax.Array] = {}
        weights = _weights(plan, given)
        moved = any(site.observed == "less a parameter" for site in plan.sites)
        if plan.outer_factor or plan.inner_factor != "none" or moved:
            parameters["push"] = numpyro.sample("push", dist.Normal(0, 1))
        for number, site in enumerate(plan.sites):
            for place, argument in enumerate(site.arguments):
                _declare(plan, site, argument, f"{number}{place}", parameters)
        if plan.calibration:
            with numpyro.plate("calibration", 3):
                c = jnp.asarray(given["calibrated"])
                fn, value = _observation(plan, 0, c, None, parameters, given, calibration=True)
                numpyro.sample("w", fn, obs=value)
        with ExitStack() as around:
            if plan.scaled and only is None:
                around.enter_context(handlers.scale(scale=given["row_weights"]))
            if only is not None:
                chosen = np.arange(plan.n).reshape(plan.row_shape) == only
                around.enter_context(handlers.mask(mask=chosen))
            _rows(plan, weights, parameters, given)
        if plan.outer_factor:
            numpyro.factor("outer", -0.3 * (parameters["push"] - 0.5) ** 2)

    held = {"00": FIXED[support_of(plan.sites[0].arguments[0])]} if plan.held != "none" else {}
    if held:
        handler = handlers.condition if plan.held == "condition" else handlers.substitute
        return handler(model, {"a00": jnp.full(_size(plan, 0, 0), held["00"])})
    return model


def support_of(argument: Argument) -> str:
    """Where the parameter of an argument lives."""
    if argument.needs == "simplex":
        return "simplex"
    return PLAIN[argument.needs][argument.transform][0]


def _size(plan: Plan, number: int, place: int) -> tuple[int, ...]:
    site, argument = plan.sites[number], plan.sites[number].arguments[place]
    first = {"one": (), "tied": (plan.k - 1,)}.get(argument.share, (plan.k,))
    cells = (plan.d,) if site.by_cell else (2,) if site.family == "MultivariateNormal" else ()
    return (*first, *cells)


def _declare(plan: Plan, site: Site, argument: Argument, name: str, out: dict) -> None:
    number, place = int(name[0]), int(name[1:])
    if argument.needs == "simplex":
        fn = dist.Dirichlet(jnp.ones(3))
        with numpyro.plate(f"classes{name}", plan.k):
            out[name] = numpyro.sample(f"a{name}", fn)
        return
    if argument.joined.endswith("shared"):
        fn = PRIORS[argument.needs][0]
        out[f"shared{name}"] = numpyro.sample(f"shared{name}", fn)
    if argument.share == "fixed":
        out[name] = jnp.linspace(0.2, 0.7, plan.k)
        return
    if argument.share == "first":  # tied to the first argument of all
        out[name] = out["00"]
        return
    shape = _size(plan, number, place)
    fn, constraint = PRIORS[support_of(argument)]
    if argument.declare == "param":
        start = jnp.full(shape, FIXED[support_of(argument)])
        out[name] = numpyro.param(f"a{name}", start, constraint=constraint)
    elif argument.declare == "plate" and len(shape) == 1:
        with numpyro.plate(f"classes{name}", shape[0]):
            out[name] = numpyro.sample(f"a{name}", fn)
    else:
        out[name] = numpyro.sample(f"a{name}", fn.expand(shape).to_event(len(shape)))
    if argument.share == "tied":
        out[name] = jnp.concatenate([out[name][:1], out[name]])


def _weights(plan: Plan, given: dict) -> Callable:
    """The class's distribution, from nothing or from another class."""
    if plan.weights == "beta":
        p = numpyro.sample("weight", dist.Beta(1, 1))
        return lambda: dist.Bernoulli(p)
    if plan.weights == "stacked":
        p = numpyro.sample("weight", dist.Beta(1, 1))
        return lambda: dist.Categorical(jnp.stack([p, 1 - p]))
    if plan.weights in ("softmax", "covariates"):
        a = numpyro.sample("logits", dist.Normal(0, 1).expand([plan.k]).to_event(1))
        if plan.weights == "softmax":
            return lambda: dist.Categorical(jax.nn.softmax(a))
        return lambda: dist.Categorical(logits=a * given["t"][..., None])
    if plan.weights == "fixed":
        return lambda: dist.Categorical(jnp.arange(1.0, plan.k + 1) / (plan.k * (plan.k + 1) / 2))
    w = numpyro.sample("weights", dist.Dirichlet(jnp.ones(plan.k)))
    return lambda: dist.Categorical(w)


def _rows(plan: Plan, weights: Callable, parameters: dict, given: dict) -> None:
    n, g = plan.n, plan.units
    u = None

    def draw(**more: Any) -> Any:
        return numpyro.sample("z", weights(), **more)

    if plan.layout == "global":
        z = draw()
        with numpyro.plate("rows", n):
            return _sites(plan, z, u, parameters, given)
    if plan.layout == "groups":
        with numpyro.plate("groups", g):
            z = draw()
        with numpyro.plate("rows", n):
            return _sites(plan, z[given["group"]], u, parameters, given)
    if plan.layout == "expand":
        z = numpyro.sample("z", weights().expand([n]))
        return _sites(plan, z, u, parameters, given)
    if plan.layout in ("nested", "within"):
        with numpyro.plate("groups", g, dim=-2):
            z = draw()
            with numpyro.plate("rows", n, dim=-1):
                if plan.layout == "within":
                    u = numpyro.sample("u", dist.Bernoulli(jnp.array([0.3, 0.6, 0.8])[z]))
                return _sites(plan, z, u, parameters, given)
    labels = {
        "none": {},
        "all": {"obs": given["label"]},
        "some": {"obs": given["label"], "obs_mask": given["known"]},
    }[plan.labels]
    with numpyro.plate("rows", n, dim=-2 if plan.layout == "last but one" else -1):
        z = draw(**labels)
        if plan.layout == "two":
            u = numpyro.sample("u", dist.Bernoulli(0.4))
        return _sites(plan, z, u, parameters, given)


def _sites(plan: Plan, z: Any, u: Any, parameters: dict, given: dict) -> None:
    for number, site in enumerate(plan.sites):
        with ExitStack() as around:
            if site.mask == "handler":
                around.enter_context(handlers.mask(mask=given["keep"]))
            if site.shape == "columns":
                dim = -1 if plan.layout == "last but one" else -1 - len(plan.row_shape)
                around.enter_context(numpyro.plate(f"columns{number}", plan.d, dim=dim))
            fn, value = _observation(plan, number, z, u, parameters, given)
            if site.mask == "distribution":
                fn = fn.mask(given["keep"])
            numpyro.sample(f"y{number}", fn, obs=value)
    if plan.inner_factor == "shared":
        numpyro.factor("inner", 0.1 * parameters["push"] * jnp.ones(plan.row_shape))
    elif plan.inner_factor == "by class":
        numpyro.factor("inner", 0.1 * parameters["push"] * (z + 1) * jnp.ones(plan.row_shape))


def _observation(
    plan: Plan,
    number: int,
    z: Any,
    u: Any,
    parameters: dict,
    given: dict,
    calibration: bool = False,
) -> tuple[dist.Distribution, Any]:
    site = plan.sites[number]
    args = []
    for place, argument in enumerate(site.arguments):
        c = u if argument.second and u is not None else z
        k = 2 if c is u and u is not None else plan.k
        args.append(_argument(plan, site, argument, f"{number}{place}", c, k, parameters, given))
    event = site.shape == "event" and not calibration
    fn = _distribution(site.family, args, z)
    if event:
        fn = fn.expand((*fn.batch_shape[:-1], plan.d)).to_event(1)
    value = jnp.asarray(given["w" if calibration else f"y{number}"])
    if site.observed == "scaled":
        value = 2 * value
    elif site.observed == "less a parameter":
        value = value - parameters["push"]
    return fn, value


def _argument(
    plan: Plan,
    site: Site,
    argument: Argument,
    name: str,
    c: Any,
    k: int,
    parameters: dict,
    given: dict,
) -> jax.Array:
    v = parameters[name]
    if argument.needs == "simplex":
        return _pick(v, c, plan.k, "index", "event")
    _, function = PLAIN[argument.needs][argument.transform]
    if argument.early:
        v = function(v)
    cell: Any = None
    if site.by_cell and site.shape == "columns":
        width = jnp.arange(plan.d)
        inner = 0 if plan.layout == "last but one" else len(plan.row_shape)
        cell = width.reshape(plan.d, *[1] * inner)
    elif site.by_cell or site.family == "MultivariateNormal":
        cell = "event"
    if argument.share == "one":
        v = v if cell is None or isinstance(cell, str) else v[cell]
    else:
        v = _pick(v, c, k, argument.indexing, cell)
    if not argument.early:
        v = function(v)
    if site.shape == "event" and cell is None:
        v = v[..., None]
    t, exposure = jnp.asarray(given["t"]), jnp.asarray(given["exposure"])
    if site.shape == "event" or site.family == "MultivariateNormal":
        t, exposure = t[..., None], exposure[..., None]
    data = exposure if argument.needs == "positive" else t
    if argument.joined == "plus data":
        v = v + data
    elif argument.joined == "times data":
        v = v * data
    elif argument.joined == "plus shared":
        v = v + parameters[f"shared{name}"]
    elif argument.joined == "times shared":
        v = v * parameters[f"shared{name}"]
    return v


def _pick(v: jax.Array, c: Any, k: int, how: str, cell: Any) -> jax.Array:
    """The parameters of class c: of (k,) or of (k, d) by column."""
    if cell is not None and not isinstance(cell, str):
        if how == "where":
            out = v[k - 1][cell]
            for j in range(k - 1):
                out = jnp.where(c == j, v[j][cell], out)
            return out
        return Vindex(v)[c, cell]
    c = jnp.asarray(c)
    wide = c[..., None] if isinstance(cell, str) else c
    if how == "where":
        out = v[k - 1]
        for j in range(k - 1):
            out = jnp.where(wide == j, v[j], out)
        return out
    if how == "stack":
        return jnp.stack([v[j] for j in range(k)])[c]
    if how == "take":
        return jnp.take(v, c, axis=0)
    if how == "one hot":
        return jax.nn.one_hot(c, k) @ v[:k]
    if how == "vindex":
        return Vindex(v)[c]
    if how == "sum":
        return sum(((wide == j) * v[j] for j in range(k)), jnp.zeros(()))
    return v[c]


def _distribution(family: str, args: list, z: Any) -> dist.Distribution:
    if family == "Binomial":
        return dist.Binomial(6, args[0])
    if family == "BinomialByClass":
        return dist.Binomial(jnp.array([6, 9, 7])[z], args[0])
    if family == "StudentT":
        return dist.StudentT(4.0, *args)
    if family == "MultivariateNormal":
        return dist.MultivariateNormal(args[0], jnp.array([[1.5, 0.4], [0.4, 0.8]]))
    return getattr(dist, family)(*args)
