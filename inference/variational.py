"""Variational inference from a fit, by NumPyro's SVI."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro import handlers, optim
from numpyro.distributions import constraints
from numpyro.infer import SVI, Trace_ELBO, init_to_value
from numpyro.infer.autoguide import AutoMultivariateNormal

from ..em import Fit
from ..em.climb.boundary import inside
from ..em.options import a_fit, as_key, flag, function, number, whole
from ..em.report.precision import in_precision
from .arviz import check_output, draws_of_guide, tree
from .density import energy
from .draws import site_draws
from .laplace import from_guide
from .marginal import marginalize
from .posterior import Posterior, posterior_of

if TYPE_CHECKING:
    from xarray import DataTree

# The rate of Adam falls by this factor over the run, geometrically.
_FALL = 0.01
# Nats that the mean loss may still move by, besides its noise.
_SETTLED = 0.1


def init_to_fit(fit: Fit) -> Callable:
    """An initialisation for NumPyro's kernels and guides: the fit's free parameters.

    Such as ``NUTS(marginalize(model), init_strategy=init_to_fit(fit))`` or
    ``AutoNormal(marginalize(model), init_loc_fn=init_to_fit(fit))``. Estimates at the edge of
    their support are moved off it by a hair.
    """
    a_fit("fit", fit, Fit)
    found = inside(fit.program, jax.device_get(fit.leaves))
    return init_to_value(values={n: jnp.asarray(v) for n, v in found.items()})


@in_precision
def run_svi(
    fit: Fit,
    rng_key: jax.Array,
    *,
    num_steps: int = 2000,
    num_samples: int = 1000,
    guide: Callable[[Callable], Any] | None = None,
    step_size: float = 0.02,
    num_particles: int = 10,
    progress_bar: bool = False,
    **output: Any,
) -> DataTree:
    r"""Draws from the variational approximation q that is closest to the posterior, z summed out.

    ::

        minimise  E_q[log q(u) - log p(u, data)]    (minus the evidence lower bound)

    by NumPyro's SVI with ``Trace_ELBO`` and Adam, whose rate falls geometrically to a hundredth.
    The default guide is ``AutoMultivariateNormal``, a normal of full rank in unconstrained
    coordinates u, started at the Laplace approximation beside the fit and optimised in the
    coordinates that make that one standard normal. A warning says if the loss had not settled:
    if its mean over the last quarter of the steps differs from that over the quarter before by
    more than 0.1 and two standard errors. ``pareto_k`` judges the default guide as in
    `run_laplace`.

    Args:
        fit: the fit; every free parameter needs a prior.
        rng_key: a JAX key.
        num_steps: steps of Adam.
        num_samples: independent draws from the guide.
        guide: another guide: a function of the (marginalised) model, such as
            ``functools.partial(AutoNormal, init_loc_fn=init_to_fit(fit))``.
        step_size: the first rate of Adam; for the default guide in posterior standard deviations.
        num_particles: draws of u for each gradient.
        progress_bar: show NumPyro's.
        output: what goes into the tree, as in `to_arviz`.

    Returns:
        A DataTree of one chain, see `to_arviz`; group ``optimisation`` has the ``loss`` of every
        step, the attribute ``settled`` says whether it settled.

    Raises:
        ValueError: a parameter without a prior, nothing to sample, or a density without finite
            derivatives at the fit.
    """
    a_fit("fit", fit, Fit)
    check_output(output)
    for name, value in (
        ("num_steps", num_steps),
        ("num_samples", num_samples),
        ("num_particles", num_particles),
    ):
        whole(name, value)
    number("step_size", step_size, above=0)
    flag("progress_bar", progress_bar)
    if guide is not None:
        function("guide", guide, "a function of the model")
    rng_key = as_key(rng_key)
    posterior = posterior_of(fit)
    key_run, key_draw = jax.random.split(rng_key)
    args: tuple = ()
    kwargs: dict[str, Any] = {}
    if guide is None:
        model: Callable = whitened(posterior)
        start = init_to_value(values={"v": jnp.zeros(posterior.size)})
        made = AutoMultivariateNormal(model, init_loc_fn=start, init_scale=1.0)
    else:
        model = marginalize(fit.program.model)
        made = guide(model)
        args, kwargs = fit.call.rebuild()
    rate = optim.Adam(lambda step: step_size * _FALL ** (step / num_steps))
    svi = SVI(model, made, rate, Trace_ELBO(num_particles=num_particles))
    state = jax.jit(lambda key: svi.init(key, *args, **kwargs))(key_run)
    run = svi.run(key_run, num_steps, *args, progress_bar=progress_bar, init_state=state, **kwargs)
    losses = np.asarray(run.losses, float)
    move, noise = settling(losses)
    settled = bool(np.isfinite(losses).all() and abs(move) <= _SETTLED + 2 * noise)
    if not settled:
        warnings.warn(
            f"SVI has not settled: the mean loss moved by {move:.3g} between the last two quarters "
            f"of {num_steps} steps. Take more steps, or another step_size",
            stacklevel=2,
        )
    attrs = {"settled": int(settled), "num_steps": num_steps, "elbo": float(-losses[-100:].mean())}
    more = {"attrs": attrs, "losses": losses, **output}
    if guide is not None:
        draws = site_draws(draws_of_guide(made, run.params, fit, key_draw, num_samples), fit)
        return tree(draws, fit, "SVI", **more)
    normal = made.get_posterior(run.params)
    v = normal.sample(key_draw, (num_samples,))
    u, log_q = posterior.from_white(np.asarray(v, float)), np.asarray(normal.log_prob(v))
    return from_guide(posterior, u, log_q, method="SVI", **more)


def whitened(posterior: Posterior) -> Callable[[], None]:
    """The posterior as a model of one site, in which its normal approximation is standard."""
    flat = constraints.real_vector

    def model() -> None:
        v = numpyro.sample("v", dist.ImproperUniform(flat, (), (posterior.size,)))
        with handlers.block():  # the sites inside are no sites of this model
            log_density = -energy(posterior.fit, posterior.from_white(v))
        numpyro.factor("log_density", log_density)

    return model


def settling(losses: np.ndarray) -> tuple[float, float]:
    """How much the mean loss moved between the last two quarters, and that number's noise."""
    quarter = max(len(losses) // 4, 1)
    last, before = losses[-quarter:], losses[-2 * quarter : -quarter]
    noise = [part.std() / np.sqrt(max(len(part), 1)) for part in (last, before) if len(part)]
    if not len(before):
        return np.inf, 0.0
    return float(last.mean() - before.mean()), float(np.hypot(*noise))
