"""The draws of a posterior beside the fit, by arviz-plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..em.report.result import Result

if TYPE_CHECKING:
    from arviz_plots import PlotCollection
    from xarray import DataTree


def posterior(
    fit: Result, tree: DataTree, var_names: Any = None, backend: str | None = None, **kwargs: Any
) -> PlotCollection:
    """Marginal densities with the estimates as lines (see `FitPlots.posterior`)."""
    import arviz_plots
    import xarray

    if "posterior" not in getattr(tree, "children", {}):
        raise ValueError(
            "posterior takes what run_nuts, run_svi, run_laplace or to_arviz gave: a DataTree with "
            "a group 'posterior'"
        )
    draws = tree["posterior"]
    values = {}
    for name, value in fit.leaves.items():
        if name in draws.data_vars:
            of = draws.dataset[name].isel(chain=0, draw=0, drop=True)
            if np.shape(value) != of.shape:
                raise ValueError(
                    f"the draws of {name!r} have shape {of.shape}, the fit {np.shape(value)}: they "
                    "are of another model"
                )
            values[name] = xarray.DataArray(
                np.asarray(value, float), coords=of.coords, dims=of.dims
            )
    if not values:
        raise ValueError("the posterior has none of the fit's parameters: it is of another model")
    shown = list(values) if var_names is None else var_names
    given: Any = backend
    # By ArviZ's two digits a mean of 54.48 is "54.0".
    visuals = {"point_estimate_text": {"round_to": "4g"}} | (kwargs.pop("visuals", None) or {})
    collection = arviz_plots.plot_dist(
        tree, var_names=shown, backend=given, visuals=visuals, **kwargs
    )
    drawn = [n for n in values if n in collection.viz["plot"].data_vars]
    estimates = xarray.Dataset({n: values[n].expand_dims("ref_dim", -1) for n in drawn})
    arviz_plots.add_lines(collection, values=estimates)
    figure = collection.viz["figure"].item()
    if getattr(figure, "get_layout_engine", lambda: "of another backend")() is None:
        figure.set_layout_engine("constrained")  # titles apart from the axes above them
    return collection
