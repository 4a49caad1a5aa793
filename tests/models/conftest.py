"""Each example of the catalogue, simulated and scored once for all the tests of the models."""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers

from mixpyro import models
from mixpyro.em.machine.by_numpy.interpret import interpreted


@dataclass(frozen=True)
class Scored:
    """Data x drawn from an example, and how its model scores them at the true parameters.

    ``log_probs`` are those of every site at the true z; ``columns`` is log p(x, z) for every class,
    (k, n), from z of shape (k, 1); of grouped rows, whose z is no axis of the data, from each class
    for all groups.
    """

    x: np.ndarray | dict[str, np.ndarray]
    z: np.ndarray
    log_probs: dict[str, np.ndarray]
    columns: np.ndarray


@pytest.fixture(scope="session")
def scored():
    return functools.cache(score)


def score(example: models.Example) -> Scored:
    kwargs, k = example.kwargs, example.num_classes
    params = {name: jnp.asarray(value) for name, value in example.params.items()}

    def log_probs(x, z):
        model = handlers.substitute(example.model, params | {"z": z})
        sites = handlers.trace(model).get_trace(x, **kwargs)
        samples = {name: site for name, site in sites.items() if site["type"] == "sample"}
        return {name: site["fn"].log_prob(site["value"]) for name, site in samples.items()}

    draws = example.simulate(jax.random.key(20), interpreted)
    x, z = draws[example.data], draws["z"]

    @interpreted
    def everything(x, z):
        if example.group is None:
            columns = log_probs(x, jnp.arange(k)[:, None])
        else:
            units = example.num_units
            columns = jax.vmap(lambda c: log_probs(x, jnp.full(units, c)))(jnp.arange(k))
            of_groups = jnp.zeros((k, units)).at[:, example.group].add(columns[example.data])
            columns[example.data] = of_groups
        rows = sum(columns[name] for name in example.columns)
        return {
            "x": x,
            "z": z,
            "log_probs": log_probs(x, z),
            "columns": columns["z"] + rows,
        }

    return Scored(**jax.tree.map(np.asarray, everything(x, z)))
