"""Settings and surroundings that others have: each in a process of its own."""

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.slow

START = """
import warnings
warnings.simplefilter("error")
import numpy as np, jax, jax.numpy as jnp
from mixpyro import em, inference, models
x = np.random.default_rng(5).normal(size=60) + 6.0 * (np.arange(60) % 2)
counts = np.random.default_rng(5).poisson(2.0 + 9.0 * (np.arange(60) % 2))
def fit(model, x, seed=0, **kwargs):
    return em.EM(model, num_restarts=2).run(seed, x, num_components=2, **kwargs)
"""

# A fit by each rung, with gaps, hard EM, k-means, a chain, standard errors, and a posterior.
MANY = """
gaps = np.where(np.arange(60) % 7 == 0, np.nan, x)[:, None]
line = np.column_stack([np.ones(60), np.linspace(-1, 1, 60)])
found = [
    fit(models.gaussian_mixture, x[:, None]),
    fit(models.gaussian_mixture, gaps),
    fit(models.poisson_mixture, counts),
    fit(models.poisson_regression_mixture, counts, covariates=line),
    em.EM(models.hidden_markov, num_restarts=1).run(0, counts, num_components=2),
]
assert all(np.isfinite(f.log_likelihood) for f in found)
assert found[2].status.ok and found[2].summary().notna().all(axis=None)
assert em.kmeans(x, 2, 0).status.ok
tree = inference.run_laplace(found[2], 0, num_samples=30)
assert bool(np.isfinite(tree["posterior"]["rate"]).all())
"""


def run(code, *flags, **environment):
    done = subprocess.run(
        [sys.executable, *flags, "-c", textwrap.dedent(START) + textwrap.dedent(code)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize(
    "environment",
    [
        {"JAX_CHECK_TRACER_LEAKS": "1"},
        {"JAX_DEBUG_NANS": "1"},
        {"JAX_ENABLE_X64": "1", "PYTHONOPTIMIZE": "1"},
        {"PYTHONHASHSEED": "1", "JAX_NUMPY_DTYPE_PROMOTION": "standard", "PYTHONWARNINGS": "error"},
    ],
    ids=lambda e: next(iter(e)),
)
def test_settings_of_jax_and_python(environment):
    run(MANY, **environment)


def test_four_threads_give_what_one_gives():
    run("""
    from concurrent.futures import ThreadPoolExecutor
    def one(seed):
        own = np.roll(counts, seed) + seed
        f = fit(models.poisson_mixture, own, seed)
        g = fit(models.gaussian_mixture, x[:, None] * (1 + seed), seed)
        tree = inference.run_laplace(f, seed, num_samples=30)
        drawn = f.sample(seed, num_rows=60)
        return [
            f.log_likelihood, g.log_likelihood, *map(float, f.params["rate"]), f.status,
            float(drawn["x"].sum()), float(tree["posterior"]["rate"].sum()),
        ]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(one, range(4)))
    assert together == [one(seed) for seed in range(4)], together
    """)


def test_a_process_that_was_spawned():
    run("""
    import multiprocessing, os, tempfile
    text = '''
    from mixpyro import em, models
    def task(counts):
        f = em.EM(models.poisson_mixture, num_restarts=2).run(0, counts, num_components=2)
        return f.log_likelihood
    '''
    import sys, textwrap
    folder = tempfile.mkdtemp()
    open(folder + "/own_task.py", "w").write(textwrap.dedent(text))
    sys.path.insert(0, folder)
    import own_task
    alone = fit(models.poisson_mixture, counts).log_likelihood
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        assert pool.map(own_task.task, [counts, counts]) == [alone, alone]
    """)


def test_a_process_that_was_forked_before_any_fit():
    run("""
    import os
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        value = fit(models.poisson_mixture, counts).log_likelihood
        os.write(write, repr(value).encode())
        os._exit(0)
    os.close(write)
    there = float(os.read(read, 100))
    assert os.waitpid(child, 0)[1] == 0
    assert there == fit(models.poisson_mixture, counts).log_likelihood
    """)


def test_nothing_global_is_touched():
    run(
        """
    import random, matplotlib, pandas as pd, locale, threading, signal
    def state():
        return dict(
            flags=dict(jax.config.values),
            rc=dict(matplotlib.rcParams), errors=np.geterr(), printing=np.get_printoptions(),
            numpy=str(np.random.get_state()), random=random.getstate(),
            filters=list(warnings.filters), directory=os.getcwd(), environment=dict(os.environ),
            precision=pd.get_option("display.precision"), locale=locale.setlocale(locale.LC_ALL),
            threads=threading.active_count(), path=list(sys.path), umask=os.umask(os.umask(0o22)),
            handlers=[signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)],
        )
    import os, sys, tempfile
    fit(models.poisson_mixture, counts)  # JAX and NumPyro are imported, and have set theirs
    before = state()
    """
        + textwrap.indent(MANY, "    ")
        + """
    axes = found[2].plot.density()
    print(found[2].summary(), found[2].spec)
    found[2].save(os.path.join(tempfile.mkdtemp(), "fit.npz"))
    after = state()
    assert before.keys() == after.keys()
    for name in before:
        assert str(before[name]) == str(after[name]), (name, before[name], after[name])
    """,
    )


def test_ranks_are_promoted_by_nobody_but_numpyro():
    run("""
    with jax.numpy_rank_promotion("raise"):
        fit(models.poisson_mixture, counts).summary()
    """)
