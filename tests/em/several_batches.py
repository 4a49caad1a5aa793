"""One of the processes of fits to `em.Batches`, each with files of its own; or one with all files.

python several_batches.py NUMBER OF PORT FOLDER CHECKPOINT
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro import handlers

# Where the rows of the second process begin; it has fewer, and fewer batches.
ROWS, CUT, SIZE = 1000, 620, 100


def write(folder):
    """Two features with gaps, a weight, and a count, in a file for each process and one of all."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(ROWS, 2)) + 2.5 * (rng.random((ROWS, 1)) < 0.4)
    x[rng.random(x.shape) < 0.05] = np.nan
    weights = rng.integers(1, 4, ROWS).astype(float)
    counts = rng.poisson(np.where(rng.random(ROWS) < 0.5, 2, 9)).astype(float)
    table = np.column_stack([x, weights, counts])
    bad = table.copy()
    bad[-3, 3] = -1
    for name, whole in (("rows", table), ("bad", bad)):
        np.save(folder / f"{name}.npy", whole)
        for i, part in enumerate(np.split(whole, [CUT])):
            np.save(folder / f"{name}{i}.npy", part)


def profiles(x, weights, num_components):
    shares = numpyro.sample("shares", dist.Dirichlet(jnp.ones(num_components)))
    with numpyro.plate("components", num_components):
        loc = numpyro.sample("loc", dist.Normal(0, 5).expand([2]).to_event(1))
        scale = numpyro.sample("scale", dist.HalfNormal(2.0))
    with numpyro.plate("rows", x.shape[0]), handlers.scale(scale=weights):
        z = numpyro.sample("z", dist.Categorical(shares))
        for j in range(2):
            there = ~jnp.isnan(x[:, j])
            with handlers.mask(mask=there):
                value = jnp.where(there, x[:, j], 0)
                numpyro.sample(f"x{j}", dist.Normal(loc[z, j], scale[z]), obs=value)


def main(number, processes, port, folder, checkpoint):
    if processes > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(f"localhost:{port}", processes, number)
    from mixpyro import em, models

    def batches(*columns, name="rows", own=number):
        file = f"{name}{own if processes > 1 else ''}.npy"
        columns = columns[0] if len(columns) == 1 else list(columns)
        return em.Batches(folder / file, columns, batch_size=SIZE)

    def told(fit):
        assert fit.status.ok, fit.message
        errors = {n: np.asarray(v).tolist() for n, v in fit.standard_errors().items()}
        params = {n: np.asarray(v).tolist() for n, v in fit.params.items()}
        here = np.concatenate([np.asarray(r) for r in fit.responsibilities()]).tolist()
        numbers = fit.num_steps, fit.log_likelihood, fit.bic, fit.icl
        return params, errors, numbers, here

    def show(name, found):
        print(repr((name, found)), flush=True)

    def refused(function):
        try:
            function()
        except (ValueError, RuntimeError) as error:
            return type(error).__name__, str(error)
        raise AssertionError("it was fitted")

    print("begun", flush=True)
    kept = {"checkpoint": checkpoint, "checkpoint_every": 0} if checkpoint else {}
    with jax.enable_x64(True):
        fitter = em.EM(profiles, num_restarts=3, tolerance=1e-10)
        data = lambda: (batches(0, 1), batches(2))  # noqa: E731
        show("gaps and weights", told(fitter.run(3, *data(), num_components=2, **kept)))
        if checkpoint:
            return
        far = {
            "shares": np.array([0.5, 0.5]),
            "loc": np.array([[-1.0, -1.0], [3.0, 3.0]]),
            "scale": np.array([1.0, 1.0]),
        }
        given = {"num_components": 2, "init_params": far}
        show("from parameters", told(fitter.run(3, *data(), **given)))
        stepwise = em.EM(profiles, accelerate=em.Stepwise(), tolerance=1e-10)
        show("stepwise", told(stepwise.run(3, *data(), **given)))
        rates = em.EM(models.poisson_mixture, tolerance=1e-10)
        if processes > 1:
            same = batches(3, own=0)
            show("the same rows", refused(lambda: rates.run(3, same, num_components=2)))
            wide = batches(*range(2 + number))
            show("other columns", refused(lambda: fitter.run(3, wide, batches(2), 2)))
            show("other numbers", refused(lambda: fitter.run(3, batches(0, 1), 1.0 + number, 2)))
            fit = rates.run(3, batches(3), num_components=2)
            show("no file", refused(lambda: fit.save(folder / "fit.npz")))
        bad = batches(3, name="bad")
        show("a bad row", refused(lambda: rates.run(3, bad, num_components=2)))
    single = em.EM(models.poisson_mixture, num_restarts=3)
    show("single precision", told(single.run(3, batches(3), num_components=2)))


if __name__ == "__main__":
    number, processes, port, folder, checkpoint = sys.argv[1:]
    main(int(number), int(processes), int(port), Path(folder), checkpoint)
