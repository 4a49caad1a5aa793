"""The log prior that ``objective="posterior"`` adds: the model's densities of its parameters."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpyro import validation_enabled
from numpyro.distributions import constraints

from ..machine.jit import quick_jit
from ..plan.chunks import Rows
from ..plan.program import Params, Program
from ..read.replay import site_constraint


def log_prior(program: Program, params: Params, arrays: tuple) -> jax.Array:
    """``log p(params)``, the density in the model's own (constrained) coordinates.

    No Jacobian of a transformation enters: the mode is that of the density as it is written. Sites
    of ``numpyro.param`` have no prior. At the edge of a support where the density is finite (a rate
    of 0 under an exponential) its logarithm is often 0 log 0, NaN, in NumPyro: it is taken a hair
    inside. Where it is infinite it stays so: no mode lies there.
    """
    trace = program.run(params, arrays, 0)
    total = jnp.zeros(())
    for p in program.structure.parameters:
        site = trace[p.name]
        if site["type"] == "sample":
            with validation_enabled(False):  # 0 is no value of a Gamma for NumPyro
                at_edge = jax.lax.stop_gradient(site["fn"].log_prob(site["value"]))
                log_density = site["fn"].log_prob(_off_edge(site))
            log_density = jnp.where(at_edge == jnp.inf, jnp.inf, log_density)
            scale = 1.0 if site["scale"] is None else site["scale"]
            total = total + (scale * log_density).sum()
    return total


def _off_edge(site: dict) -> jax.Array:
    """A site's value, with 0 replaced by the smallest number where 0 is an edge of its support."""
    value = jnp.asarray(site["value"])
    support = site_constraint(site)
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    tiny, near_one = jnp.finfo(value.dtype).tiny, 1 - jnp.finfo(value.dtype).epsneg
    if support in (constraints.simplex, constraints.positive, constraints.nonnegative):
        return jnp.maximum(value, tiny)
    if support is constraints.unit_interval:
        return jnp.clip(value, tiny, near_one)
    return value


def without_mode(program: Program, params: Params, rows: Rows) -> jax.Array:
    """Whether a positive hyperparameter ran to the bound that numeric M-steps keep.

    The scale of a prior that has all its values together goes to 0, where the joint density is
    infinite unless the hyperparameter's own prior vanishes fast enough.
    """
    hyper = {n for b in program.blocks if b.hyper for n in b.parameters}
    lost = jnp.asarray(False)
    for p in program.structure.free:
        if p.name in hyper and p.constraint in ("positive", "nonnegative", "softpluspositive"):
            away = jnp.abs(jnp.log(params[p.name]))
            lost = lost | (away >= 0.999 * program.limit(p.name, rows)).any()
    return lost


def curvature(program: Program, params: Params, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """(m,) the gradient and (m, m) the Hessian of the log prior in unconstrained coordinates."""

    def both(params: Params, rows: Rows) -> tuple[jax.Array, jax.Array]:
        start, unravel = ravel_pytree(program.unconstrain(params, rows.arrays))

        def value(vector: jax.Array) -> jax.Array:
            new = program.constrain(unravel(vector), params, rows.arrays)
            return log_prior(program, new, rows.arrays)

        return jax.grad(value)(start), jax.hessian(value)(start)

    compiled = program.compiled("prior", lambda: quick_jit(program, both))
    slope, hessian = compiled(params, rows)
    return np.asarray(slope, float), np.asarray(hessian, float)
