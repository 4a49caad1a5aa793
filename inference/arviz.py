"""Runs as ArviZ takes them: an ``xarray.DataTree`` with named dimensions."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers

from ..em import Fit
from ..em.options import a_fit, whole
from ..em.plan.program import Params
from ..em.read.chains.simulated import unobserved
from ..em.report.precision import in_precision
from .density import deterministics
from .draws import site_draws, variable
from .groups import attributes_of, classes_of, estimates_of, observations, scored_site
from .latent import rows_given
from .names import Names
from .relabel import Relabelling, diagnostics
from .relabel import relabel as match
from .symmetry import symmetries_of

if TYPE_CHECKING:
    from xarray import Dataset, DataTree

# NumPyro's names of what a sampler notes, and ArviZ's.
STATISTICS = {
    "potential_energy": "lp",
    "energy": "energy",
    "num_steps": "n_steps",
    "accept_prob": "acceptance_rate",
    "diverging": "diverging",
    "adapt_state.step_size": "step_size",
}
_OUTPUT = ("relabel", "log_likelihood", "posterior_predictive", "each", "dims", "coords")


@in_precision
def to_arviz(
    run: Any,
    fit: Fit,
    *,
    guide: Any = None,
    rng_key: jax.Array | None = None,
    num_samples: int = 1000,
    method: str | None = None,
    **output: Any,
) -> DataTree:
    """Draws of the parameters, relabelled, with all that ArviZ can use.

    Args:
        run: a NumPyro ``MCMC`` that has run; the result of ``SVI.run`` (with ``guide``); or
            {site: (c, s, ...)}.
        fit: the fit of the same model and data.
        guide: the guide of an SVI result.
        rng_key: draws from the guide.
        num_samples: how many.
        method: what the tree's attribute ``method`` says.
        output: what goes into the tree:

            * ``relabel`` (True): match the components to the fit's (see `relabel`);
            * ``log_likelihood`` (True): each row's, for ``az.loo``: (c, s, n) numbers;
            * ``posterior_predictive`` (None): a JAX key draws z and the data anew for each draw;
            * ``each`` (False): the responsibilities of every draw: (c, s, n, k) numbers;
            * ``dims``, ``coords``: names as ArviZ takes them. In ``dims`` of a parameter the axes
              that number the components may be left out: they are called "component" (and
              "first_2_components" where a background comes after two).

    Returns:
        A DataTree with the groups below. If the model has several latent classes, variables and
        dimensions about one of them end in its name: ``responsibilities_z``, ``component_z``. The
        variable of a site ``nn/b`` is ``nn.b``: a DataTree takes no slashes.

        * ``posterior``: parameters, and deterministic sites that do not depend on z;
        * ``sample_stats``: ``lp``, ``diverging``, ... as far as the run noted them;
        * ``log_likelihood``: (chain, draw, row), unweighted; of a chain by "sequence";
        * ``observed_data``;
        * ``responsibilities``: mean and sd over the draws, (row, component), of a chain (time,
          sequence, component); ``each`` on request;
        * ``posterior_predictive``, on request;
        * ``relabelling``: the permutations, R-hat and ESS of each parameter before and after;
        * ``em``: the fit: estimates, standard errors (``<site>_se``), responsibilities; its
          log-likelihood, criteria and status as attributes.

    Raises:
        ValueError: draws that lack a parameter or have another shape; a missing guide; an unknown
            entry of ``output``.
    """
    a_fit("fit", fit, Fit)
    whole("num_samples", num_samples)
    check_output(output)
    statistics: dict[str, np.ndarray] = {}
    losses = None
    if hasattr(run, "get_extra_fields"):
        name = "MCMC"
        statistics = sampler_statistics(run)
    elif hasattr(run, "losses") and hasattr(run, "params"):
        name, losses = "SVI", np.asarray(run.losses)
        if guide is None or rng_key is None:
            raise ValueError("an SVI result needs guide=... and rng_key=... to draw from")
        run = draws_of_guide(guide, run.params, fit, rng_key, num_samples)
    else:
        name = "draws"
    return tree(
        site_draws(run, fit, "run"), fit, method or name, statistics, losses=losses, **output
    )


def check_output(output: Mapping[str, Any]) -> None:
    """Complain about what `to_arviz` cannot put into a tree, before a long run rather than after.

    Raises:
        ValueError: an entry that is unknown or of the wrong kind.
    """
    unknown = [name for name in output if name not in _OUTPUT]
    if unknown:
        raise ValueError(
            f"there is no argument {unknown[0]!r}; the tree takes {', '.join(_OUTPUT)}"
        )
    key = output.get("posterior_predictive")
    dtype = getattr(key, "dtype", None)
    typed = dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key)
    if key is not None and not typed and dtype != np.uint32:
        raise ValueError(
            f"posterior_predictive takes a JAX key, such as jax.random.key(1), and not {key!r}"
        )
    for name in ("dims", "coords"):
        if not isinstance(output.get(name) or {}, Mapping):
            raise ValueError(f"{name} takes a dictionary, not {output[name]!r}")


def draws_of_guide(
    guide: Any, params: Mapping[str, Any], fit: Fit, rng_key: jax.Array, num_samples: int
) -> dict[str, np.ndarray]:
    """{site: (1, s, ...)} independent draws from a guide with these parameters."""
    args, kwargs = fit.call.rebuild()
    drawn = guide.sample_posterior(rng_key, params, *args, sample_shape=(num_samples,), **kwargs)
    return {n: np.asarray(v)[None] for n, v in drawn.items()}


def sampler_statistics(mcmc: Any) -> dict[str, np.ndarray]:
    """What a NumPyro ``MCMC`` noted of its steps, (c, s) each, by ArviZ's names."""
    extra = mcmc.get_extra_fields(group_by_chain=True)
    found = {STATISTICS[n]: np.asarray(v) for n, v in extra.items() if n in STATISTICS}
    if "lp" in found:
        found["lp"] = -found["lp"]
    return found


def tree(
    draws: Mapping[str, np.ndarray],
    fit: Fit,
    method: str,
    statistics: Mapping[str, np.ndarray] | None = None,
    *,
    relabel: bool = True,
    log_likelihood: bool = True,
    posterior_predictive: jax.Array | None = None,
    each: bool = False,
    dims: Mapping[str, Sequence[str]] | None = None,
    coords: Mapping[str, Any] | None = None,
    losses: np.ndarray | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> DataTree:
    """The tree of draws {site: (c, s, ...)}; arguments as in `to_arviz`."""
    from xarray import DataTree

    done = _relabelled(draws, fit, relabel)
    rows = rows_given(done.draws, fit, log_likelihood=log_likelihood, each=each)
    names = Names(fit, done.symmetries, dims, coords)
    groups: dict[str, dict[str, Any]] = {
        "posterior": {**done.draws, **deterministics(fit, done.draws)},
        "sample_stats": dict(statistics or {}),
        "observed_data": observations(fit),
        "responsibilities": {
            **names.by_latent("responsibilities", rows.responsibilities),
            **names.by_latent("responsibilities_sd", rows.spread),
        },
        "relabelling": names.by_latent("permutations", done.permutations) | _mixing(done),
        "em": estimates_of(fit) | names.by_latent("responsibilities", classes_of(fit)),
    }
    if log_likelihood:
        groups["log_likelihood"] = {scored_site(fit): rows.log_likelihood}
    if each:
        groups["responsibilities"] |= names.by_latent("each", rows.each)
    if posterior_predictive is not None:
        groups["posterior_predictive"] = _predictive(done.draws, fit, posterior_predictive)
    if losses is not None:
        groups["optimisation"] = {"loss": losses}
    found = DataTree.from_dict(
        {group: _dataset(group, values, names) for group, values in groups.items() if values}
    )
    found["em"].attrs.update(attributes_of(fit))
    found["relabelling"].attrs["message"] = done.message
    found.attrs.update(
        {
            "inference_library": "numpyro",
            "inference_library_version": importlib.metadata.version("numpyro"),
            "creation_library": "mixpyro",
            "arviz_version": importlib.metadata.version("arviz"),
            "method": method,
            "relabelled": int(relabel),
            **(attrs or {}),
        }
    )
    found["posterior"].attrs.update(found.attrs)
    return found


def prepare(fit: Fit) -> None:
    """Find out ahead what every tree of this fit needs: it is kept."""
    for name in ("arviz_stats.base", "xarray"):
        importlib.import_module(name)
    symmetries_of(fit)
    fit.standard_errors()


def _dataset(group: str, values: Mapping[str, Any], names: Names) -> Dataset:
    import xarray

    by_draw = ("posterior", "sample_stats", "log_likelihood", "posterior_predictive")
    variables: dict[str, Any] = {}
    used: set[tuple[str, int]] = set()
    for name, value in values.items():
        array = np.asarray(value)
        drawn = group in by_draw or name.startswith(("each", "permutations"))
        ahead = ["chain", "draw"] if drawn else []
        own = [names.unit] if group == "log_likelihood" else names.of(name, array.ndim - len(ahead))
        if variable(name) in variables:
            raise ValueError(f"two sites are called {variable(name)!r} in the tree; rename one")
        variables[variable(name)] = ([variable(d) for d in (*ahead, *own)], array)
        used.update(zip([*ahead, *own], array.shape, strict=True))
    coords = {variable(d): names.coords.get(d, np.arange(size)) for d, size in used}
    return xarray.Dataset(variables, coords=coords)


def _relabelled(draws: Mapping[str, np.ndarray], fit: Fit, wanted: bool) -> Relabelling:
    if wanted:
        return match(draws, fit)
    c, s = next(iter(draws.values())).shape[:2]
    same = {
        z.name: np.broadcast_to(np.arange(z.num_components), (c, s, z.num_components))
        for z in fit.program.structure.latents
    }
    found = diagnostics(draws)
    return Relabelling(dict(draws), same, symmetries_of(fit), found, found)


def _mixing(done: Relabelling) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for when, values in (("before", done.before), ("after", done.after)):
        for name, (rhat, ess) in values.items():
            found[f"{name}_rhat_{when}"], found[f"{name}_ess_{when}"] = rhat, ess
    return found


def _predictive(draws: Mapping[str, np.ndarray], fit: Fit, rng_key: jax.Array) -> dict[str, Any]:
    """z and the data, drawn anew for each draw of the parameters."""
    program = fit.program
    structure = program.structure
    names = [z.name for z in structure.latents] + [d.name for d in structure.data]

    def one(params: Params, key: jax.Array, arrays: tuple) -> dict[str, jax.Array]:
        args, kwargs = program.template.rebuild(arrays)
        model = handlers.substitute(unobserved(program.model), data=params)
        trace = handlers.trace(handlers.seed(model, key)).get_trace(*args, **kwargs)
        return {n: trace[n]["value"] for n in names}

    c, s = next(iter(draws.values())).shape[:2]
    flat = {n: jnp.asarray(v).reshape(c * s, *v.shape[2:]) for n, v in draws.items()}
    fixed = {p.name: fit.leaves[p.name] for p in program.structure.fixed}
    every = jax.jit(jax.vmap(lambda p, key, arrays: one({**fixed, **p}, key, arrays), (0, 0, None)))
    found = every(flat, jax.random.split(rng_key, c * s), fit.call.arrays)
    return {n: np.asarray(v).reshape(c, s, *v.shape[1:]) for n, v in found.items()}
