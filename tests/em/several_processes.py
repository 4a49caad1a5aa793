"""One of the processes of a fit, with its own part of the rows; or all of it in one process.

python several_processes.py NUMBER OF PORT CHECKPOINT EVERY
"""

import sys

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)


def rows():
    rng = np.random.default_rng(4)
    near, far = rng.normal(size=(900, 2)), rng.normal(size=(700, 2)) * 1.4 + 2
    x = np.concatenate([near, far])
    return x[rng.permutation(len(x))]


def main(number, processes, port, checkpoint, every):
    if processes > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(f"localhost:{port}", processes, number)
    from mixpyro import em, models

    own = np.split(rows(), processes)[number]
    x = em.shard_rows(own) if processes > 1 else own
    print("begun", flush=True)
    kept = {"checkpoint": checkpoint, "checkpoint_every": every} if checkpoint else {}
    fitter = em.EM(models.gaussian_mixture, num_restarts=3, tolerance=1e-9, accelerate=None)
    fit = fitter.run(3, x, num_components=2, **kept)
    assert fit.status.ok, fit.message
    here = np.concatenate(
        [np.asarray(s.data) for s in fit.responsibilities().addressable_shards]
        if processes > 1
        else [np.asarray(fit.responsibilities())]
    )
    params = {n: np.asarray(v).tolist() for n, v in fit.params.items()}
    print(repr((params, fit.num_steps, fit.log_likelihood, fit.bic, here.tolist())), flush=True)


if __name__ == "__main__":
    number, processes, port, checkpoint, every = sys.argv[1:]
    main(int(number), int(processes), int(port), checkpoint, float(every))
