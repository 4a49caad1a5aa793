"""NUTS from a fit: NumPyro's sampler, started and scaled by what EM found."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer import MCMC, NUTS
from numpyro.infer.util import ParamInfo

from ..em import Fit
from ..em.machine.jit import loop_jit
from ..em.options import a_fit, as_key, flag, whole
from ..em.plan.chunks import Rows
from ..em.plan.program import Program
from ..em.report.precision import in_precision
from .arviz import STATISTICS, check_output, prepare, tree
from .density import Coordinates, coordinates, energy, energy_of
from .posterior import Posterior, derivatives_at, posterior_of

if TYPE_CHECKING:
    from xarray import DataTree

# How often starts without a finite density are drawn in towards the mode.
_DRAWN_IN = 20


@in_precision
def run_nuts(
    fit: Fit,
    rng_key: jax.Array,
    *,
    num_warmup: int = 500,
    num_samples: int = 1000,
    num_chains: int = 4,
    progress_bar: bool = False,
    kernel: Mapping[str, Any] | None = None,
    mcmc: Mapping[str, Any] | None = None,
    **output: Any,
) -> DataTree:
    """Sample the posterior of a fitted model, z summed out, by NumPyro's NUTS.

    From the fit, Newton's method leads to the posterior mode u* beside it, in unconstrained
    coordinates u, and the normal approximation there has the inverse of the observed information
    (priors included) as its covariance ``L L'``. NUTS works on v, with ``u = u* + L v``, where that
    normal is standard: which is to give NUTS on u the information as its mass matrix. Each chain
    starts at a standard normal v of its own. If the information is positive definite, the mass
    matrix of v stays the identity and warm-up only has to find the step size; otherwise directions
    without curvature are given some and NUTS adapts it. Chains advance together in one compiled
    call, which later runs of the same shapes use again. The draws are relabelled to match the
    fit's components.

    Args:
        fit: the fit; every free parameter needs a prior.
        rng_key: a JAX key.
        num_warmup: steps of each chain that are thrown away.
        num_samples: draws of each chain that are kept.
        num_chains: c.
        progress_bar: show NumPyro's; the steps are then taken by its ``MCMC``.
        kernel: further arguments of ``numpyro.infer.NUTS``, such as ``target_accept_prob``; those
            about the mass matrix are about v.
        mcmc: further arguments of ``numpyro.infer.MCMC``, such as ``chain_method`` or
            ``thinning``; the steps are then taken by it.
        output: what goes into the tree, as in `to_arviz`.

    Returns:
        A DataTree, see `to_arviz`.

    Raises:
        ValueError: a parameter without a prior, nothing to sample, no steps or chains, or a
            density without finite derivatives at the fit.
    """
    a_fit("fit", fit, Fit)
    check_output(output)
    whole("num_warmup", num_warmup, least=0)
    whole("num_samples", num_samples)
    whole("num_chains", num_chains)
    flag("progress_bar", progress_bar)
    rng_key = as_key(rng_key)
    for name, value in (("kernel", kernel), ("mcmc", mcmc)):
        if value is not None and not isinstance(value, Mapping):
            raise ValueError(f"{name} takes a dictionary of NumPyro's arguments, not {value!r}")
    coordinates(fit)  # complains where there is no posterior
    key_start, key_run = jax.random.split(rng_key)
    sizes = Sizes(num_warmup, num_samples, num_chains)
    by_numpyro = progress_bar or bool(mcmc)
    with ThreadPoolExecutor(1) as pool:
        if not by_numpyro:  # one thread compiles the sampler while this one finds the mode
            _compiled(fit, sizes, _options(True, kernel), key_run, pool)
        posterior = posterior_of(fit)
        start = starts(posterior, key_start, num_chains)
    options = _options(posterior.regular, kernel)
    began = time.perf_counter()
    if by_numpyro:
        more = {"chain_method": "vectorized", "progress_bar": progress_bar, **(mcmc or {})}
        found = _by_numpyro(posterior, sizes, options, key_run, start.z, more)
        ended = _when_ready(found)
    else:
        run, keys = _compiled(fit, sizes, options, key_run), jax.random.split(key_run, num_chains)
        place = [jnp.asarray(value, float) for value in (posterior.mode, posterior.root)]
        found = run(keys, start, *place, fit.rows, fit.call.arrays)
        with ThreadPoolExecutor(1) as pool:  # one thread waits for the chains, this one goes on
            waiting = pool.submit(_when_ready, found)
            prepare(fit)
        ended = waiting.result()
    v, noted = found
    statistics = {STATISTICS[n]: np.asarray(value) for n, value in noted.items()}
    statistics["lp"] = -statistics["lp"]
    draws = posterior.constrain(posterior.from_white(np.asarray(v, float)))
    attrs = {"num_warmup": num_warmup, "sampling_time": ended - began}
    return tree(draws, fit, "NUTS", statistics, attrs=attrs, **output)


class Sizes(NamedTuple):
    """How many steps and chains a run has."""

    num_warmup: int
    num_samples: int
    num_chains: int


def _options(regular: bool, kernel: Mapping[str, Any] | None) -> dict[str, Any]:
    """The arguments of NUTS on v: where the information is regular, its mass matrix is known."""
    return {"dense_mass": not regular, "adapt_mass_matrix": not regular, **(kernel or {})}


def starts(posterior: Posterior, rng_key: jax.Array, num_chains: int) -> ParamInfo:
    """Each chain's start v (c, m), a standard normal, so that u has the posterior's scale.

    With it come its energies (c,) and their gradients (c, m). A start where these are not finite
    is drawn in towards the mode.
    """
    seed = np.asarray(jax.random.key_data(rng_key)).ravel()  # JAX would compile every step here
    found = []
    for v in np.random.default_rng(seed).standard_normal((num_chains, posterior.size)):
        for _ in range(_DRAWN_IN):
            energy, slope, _ = derivatives_at(posterior.fit, posterior.from_white(v))
            if np.isfinite(energy) and np.isfinite(slope).all():
                break
            v = v / 4
        found.append((v, energy, slope @ posterior.root))
    return ParamInfo(*(jnp.asarray(values, float) for values in zip(*found, strict=True)))


def _compiled(
    fit: Fit,
    sizes: Sizes,
    options: Mapping[str, Any],
    rng_key: jax.Array,
    pool: Executor | None = None,
) -> Any:
    """The draws of all chains and what was noted, compiled for any data of these shapes.

    A new one is traced here and, if there is a pool, compiled there: XLA leaves other threads free.
    """
    program, where = fit.program, coordinates(fit)
    hashable = all(isinstance(value, Hashable) for value in options.values())

    def shaped(*shape: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, jnp.result_type(float))

    def make() -> Any:
        run: Any = loop_jit(program, _chains(program, where, sizes, options))
        if pool is not None and hashable:  # or it is not kept, and compiled once more
            c, m = sizes.num_chains, where.size
            keys = jax.eval_shape(lambda key: jax.random.split(key, c), rng_key)
            start, place = (
                ParamInfo(shaped(c, m), shaped(c), shaped(c, m)),
                (shaped(m), shaped(m, m)),
            )
            pool.submit(run.lower(keys, start, *place, fit.rows, fit.call.arrays).compile)
        return run

    if not hashable:
        return make()
    return program.compiled(("nuts", sizes, tuple(sorted(options.items()))), make)


def _chains(
    program: Program, where: Coordinates, sizes: Sizes, options: Mapping[str, Any]
) -> Callable:
    def run(
        keys: jax.Array,
        start: ParamInfo,
        mode: jax.Array,
        root: jax.Array,
        rows: Rows,
        arrays: tuple,
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        def potential(v: jax.Array) -> jax.Array:
            return energy_of(program, where, mode + root @ v, rows, arrays)

        sampler = NUTS(potential_fn=traced_once(potential), **options)

        def chain(key: jax.Array, start: ParamInfo) -> tuple[jax.Array, dict[str, jax.Array]]:
            def step(state: Any, _: None) -> tuple[Any, tuple]:
                state = sampler.sample(state, (), {})
                noted = {name: _field(state, name) for name in STATISTICS}
                return state, (state.z, noted)

            first = sampler.init(key, sizes.num_warmup, start, (), {})
            _, found = jax.lax.scan(step, first, length=sizes.num_warmup + sizes.num_samples)
            return jax.tree.map(lambda v: v[sizes.num_warmup :], found)

        return jax.vmap(chain)(keys, start)

    return run


def traced_once(potential: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array], jax.Array]:
    """The same function, its value and gradient traced once however often NumPyro takes them."""
    both = jax.jit(jax.value_and_grad(potential))

    @jax.custom_jvp
    def value(v: jax.Array) -> jax.Array:
        return both(v)[0]

    @value.defjvp
    def along(at: tuple, direction: tuple) -> tuple[jax.Array, jax.Array]:
        found, slope = both(*at)
        return found, slope @ direction[0]

    return value


def _by_numpyro(
    posterior: Posterior,
    sizes: Sizes,
    options: Mapping[str, Any],
    rng_key: jax.Array,
    start: jax.Array,
    mcmc: Mapping[str, Any],
) -> tuple[jax.Array, dict[str, jax.Array]]:
    def potential(v: jax.Array) -> jax.Array:
        return energy(posterior.fit, posterior.from_white(v))

    sampler = NUTS(potential_fn=traced_once(potential), **options)
    run = MCMC(sampler, **sizes._asdict(), **mcmc)
    run.run(
        rng_key,
        init_params=start[0] if sizes.num_chains == 1 else start,
        extra_fields=tuple(STATISTICS),
    )
    noted = run.get_extra_fields(group_by_chain=True)
    return run.get_samples(group_by_chain=True), {n: noted[n] for n in STATISTICS}


def _when_ready(found: Any) -> float:
    """The time at which arrays that are still being computed are there."""
    jax.block_until_ready(found)
    return time.perf_counter()


def _field(state: Any, name: str) -> jax.Array:
    for part in name.split("."):
        state = getattr(state, part)
    return state
