"""``mixpyro demo``: the eruptions of Old Faithful, from declaration to answer."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import jax
import numpy as np

from . import em, inference, models
from .data import load_old_faithful


def run(out: Path) -> None:
    """Fit Old Faithful by EM and k-means, check it by NUTS; print tables, write pictures."""
    with jax.enable_x64(True):
        _run(out)


def _run(out: Path) -> None:
    x = load_old_faithful().to_numpy()
    key = jax.random.key(0)
    _title("Old Faithful: 272 eruptions, their length and the wait for the next (minutes)")
    print("Data: Azzalini & Bowman (1990), Applied Statistics 39:357.\n")

    fit = em.EM(models.gaussian_mixture).run(key, x, num_components=2)
    _title("What was read from the model")
    print(fit.spec, "\n")

    _title("The fit")
    print(fit.summary().round(4).fillna("").to_string(), "\n")
    print(f"log-likelihood {fit.log_likelihood:12.3f}   ({fit.num_free_params} free parameters)")
    for name in ("aic", "bic", "icl"):
        print(f"{name.upper():<14} {getattr(fit, name):12.3f}")
    print(f"{'status':<14} {fit.status} after {fit.num_steps} steps: {_wrapped(fit.message)}\n")

    _title("Soft EM, hard EM and k-means on the same data")
    hard = em.EM(models.gaussian_mixture, assign="hard").run(key, x, num_components=2)
    raw = em.kmeans(x, 2, key)
    labels = {
        "soft EM": np.asarray(fit.predict()),
        "hard EM": np.asarray(hard.predict()),
        "k-means": np.asarray(raw.labels),
    }
    centres = {
        "soft EM": fit.params["loc"],
        "hard EM": hard.params["loc"],
        "k-means": raw.centroids,
    }
    reference = labels["soft EM"]
    print(f"{'':10}{'long eruptions':>16}{'centre (min, min)':>22}{'rows unlike soft EM':>22}")
    for name, found in labels.items():
        if np.mean(found == reference) < 0.5:
            labels[name] = found = 1 - found
            centres[name] = centres[name][::-1]
        long = int(np.argmax(centres[name][:, 0]))
        centre = centres[name][long]
        print(
            f"{name:<10}{np.mean(found == long):>15.1%} {f'({centre[0]:.3f}, {centre[1]:.2f})':>21}"
            f"{int((found != reference).sum()):>22}"
        )
    print(
        textwrap.fill(
            "Soft EM weighs every row by its responsibility. Hard EM gives each row to one "
            "component, which pushes the components apart. k-means also fixes one round shape for "
            "both, in the units of the data, so that waiting (in tens of minutes) decides alone.",
            92,
        ),
        "\n",
    )

    _title("The same model under NUTS, SVI and the Laplace approximation: do they agree?")
    posterior = inference.run_nuts(fit, key, num_warmup=300, num_samples=500)
    report = inference.cross_check(
        fit,
        nuts=posterior,
        svi=inference.run_svi(fit, key, num_steps=1500),
        laplace=inference.run_laplace(fit, key),
    )
    print(report, "\n")

    out.mkdir(parents=True, exist_ok=True)
    pictures = fit.plot(columns=["eruption (minutes)", "waiting (minutes)"])
    climb = hard.plot.objective(fit.plot.objective(label="soft EM"), label="hard EM")
    drawn = {
        "clusters": pictures.clusters(),
        "density": pictures.density(),
        "objective": climb,
        "cross_check": report.plot(),
        "posterior": fit.plot.posterior(posterior),
    }
    files = [_written(axes, out / f"old_faithful_{name}.png") for name, axes in drawn.items()]
    _title("Pictures")
    for file in files:
        print(f"  {file}")


def _written(drawn: Any, path: Path) -> Path:
    """Save a picture and close it: axes, several of them, or arviz-plots' collection."""
    import matplotlib.pyplot as plt

    if hasattr(drawn, "savefig"):
        drawn.savefig(path)
    else:
        np.ravel(drawn)[0].figure.savefig(path, dpi=140)
    plt.close("all")
    return path


def _title(words: str) -> None:
    print(f"{words}\n{'-' * len(words)}")


def _wrapped(words: str) -> str:
    return textwrap.fill(words, 92, initial_indent="", subsequent_indent=" " * 15)
