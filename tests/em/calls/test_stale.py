"""What a model reads may change between runs: it is read anew, and an old fit says so."""

import dataclasses
import functools
import types
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest
from numpyro import handlers

from mixpyro import em
from mixpyro.em.calls.fingerprint import fingerprint
from mixpyro.inference.marginal import marginalize

KEY = jax.random.key(0)
_rng = np.random.default_rng(5)
X = np.where(np.arange(30) < 18, 0.0, 5.0) + _rng.normal(size=30)


def shifted(x, shift):
    """Two normals that are ``shift`` above their locations."""
    with numpyro.plate("components", 2):
        loc = numpyro.sample("loc", dist.Normal(0, 5))
    with numpyro.plate("rows", x.shape[0]):
        z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
        numpyro.sample("x", dist.Normal(loc[z] + shift, 1.0), obs=x)


class Shifted:
    """A model as an object."""

    lower = 0.0

    def __init__(self):
        self.shift = 0.0
        self.more = {"by": [0.0]}

    def __call__(self, x):
        shifted(x, self.total())

    def total(self):
        return self.shift + self.more["by"][0] + self.lower


@dataclasses.dataclass
class Options:
    shift: float = 0.0


def shift_of_globals():
    return (
        SPACE.shift + OPTIONS.shift + MODULE.shift + FRAME["shift"].to_numpy()[0] + ARRAY[0]
    ) + LISTED[0]


SPACE = types.SimpleNamespace(shift=0.0)
OPTIONS = Options()
MODULE = types.ModuleType("settings_of_a_user")
MODULE.shift = 0.0
FRAME = pd.DataFrame({"shift": [0.0]})
ARRAY = np.zeros(1)
LISTED = [0.0]
WATCHING = types.SimpleNamespace(watched=weakref.ref(OPTIONS))


def by_globals(x):
    shifted(x, shift_of_globals())


def by_default(x, *, options=SPACE):
    shifted(x, options.shift)


def by_weak_reference(x):
    shifted(x, WATCHING.watched().shift)


def by_argument(x, options):
    shifted(x, options.shift)


def _partial_of_method(model):
    return functools.partial(handlers.seed(model.__call__, 0))


def _global_frame(monkeypatch):
    monkeypatch.setitem(globals(), "FRAME", pd.DataFrame({"shift": [1.0]}))


def _frame_in_place(monkeypatch):
    monkeypatch.setitem(globals(), "FRAME", FRAME.copy())
    FRAME.loc[0, "shift"] = 1.0


def _array_in_place(monkeypatch):
    monkeypatch.setitem(globals(), "ARRAY", ARRAY.copy())
    ARRAY[0] = 1.0


def _list_in_place(monkeypatch):
    monkeypatch.setitem(globals(), "LISTED", [*LISTED])
    LISTED[0] = 1.0


CHANGES = {
    "attribute of a callable object": (lambda m: m, lambda m, _: setattr(m, "shift", 1.0)),
    "its list in a dict, in place": (lambda m: m, lambda m, _: m.more["by"].__setitem__(0, 1.0)),
    "attribute of its class": (lambda m: m, lambda _, p: p.setattr(Shifted, "lower", 1.0)),
    "a method of its class": (
        lambda m: m,
        lambda _, p: p.setattr(Shifted, "total", lambda self: self.shift + 1.0),
    ),
    "attribute through a bound method": (
        lambda m: m.__call__,
        lambda m, _: setattr(m, "shift", 1.0),
    ),
    "through a partial and a handler": (
        _partial_of_method,
        lambda m, _: setattr(m, "shift", 1.0),
    ),
    "a namespace": (lambda _: by_globals, lambda _, p: p.setattr(SPACE, "shift", 1.0)),
    "a dataclass": (lambda _: by_globals, lambda _, p: p.setattr(OPTIONS, "shift", 1.0)),
    "a module": (lambda _: by_globals, lambda _, p: p.setattr(MODULE, "shift", 1.0)),
    "a rebound frame": (lambda _: by_globals, lambda _, p: _global_frame(p)),
    "a frame in place": (lambda _: by_globals, lambda _, p: _frame_in_place(p)),
    "an array in place": (lambda _: by_globals, lambda _, p: _array_in_place(p)),
    "a list in place": (lambda _: by_globals, lambda _, p: _list_in_place(p)),
    "a function that is called": (
        lambda _: by_globals,
        lambda _, p: p.setitem(globals(), "shift_of_globals", lambda: 1.0),
    ),
    "a weak reference": (
        lambda _: by_weak_reference,
        lambda _, p: p.setattr(OPTIONS, "shift", 1.0),
    ),
    "a default argument": (lambda _: by_default, lambda _, p: p.setattr(SPACE, "shift", 1.0)),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_is_in_the_fingerprint(case, monkeypatch):
    make, change = CHANGES[case]
    model = Shifted()
    made = make(model)
    before, again = fingerprint(made), fingerprint(made)
    assert before.complete
    assert before.key == again.key
    hash(before.key)
    change(model, monkeypatch)
    assert fingerprint(made).key != before.key


# That each change is in the fingerprint is shown above.
@pytest.mark.parametrize(
    "case",
    ["attribute of a callable object", pytest.param("a rebound frame", marks=pytest.mark.slow)],
)
def test_a_change_leads_to_a_new_fit_and_the_old_one_says_so(case, monkeypatch):
    make, change = CHANGES[case]
    model = Shifted()
    made = make(model)
    first = em.EM(made, num_restarts=2).run(KEY, X)
    change(model, monkeypatch)
    second = em.EM(made, num_restarts=2).run(KEY, X)
    np.testing.assert_allclose(
        np.sort(first.params["loc"]) - 1, np.sort(second.params["loc"]), atol=1e-3
    )
    with pytest.raises(ValueError, match=r"the model changed since it was read \(.*\).* Fit again"):
        first.predict(X[:11])
    with pytest.raises(ValueError, match="the model changed"):
        first.sample(KEY)


def test_an_object_that_is_given_as_an_argument_is_looked_into():
    options = type("Mutable", (), {"shift": 0.0})()
    first = em.EM(by_argument, num_restarts=2).run(KEY, X, options=options)
    options.shift = 1.0
    second = em.EM(by_argument, num_restarts=2).run(KEY, X, options=options)
    np.testing.assert_allclose(first.params["loc"] - 1, second.params["loc"], atol=1e-3)


def test_a_marginal_model_is_read_anew_too():
    model = Shifted()

    def log_density():
        params = {"loc": jnp.array([0.0, 5.0])}
        return float(numpyro.infer.util.log_density(marginalize(model), (X,), {}, params)[0])

    before = log_density()
    model.shift = 1.0
    after = log_density()
    prior = -0.5 * (0 + 1) - 2 * np.log(5 * np.sqrt(2 * np.pi))
    for shift, found in ((0.0, before), (1.0, after)):
        far = X[:, None] - np.array([0.0, 5.0]) - shift
        by_hand = np.log(0.5 * (np.exp(-(far**2) / 2) / np.sqrt(2 * np.pi)).sum(1)).sum()
        np.testing.assert_allclose(found, by_hand + prior, rtol=1e-5)


def test_what_cannot_be_told_is_not_kept(watch_jax):
    model = Shifted()
    model.generator = (n for n in range(3))
    assert not fingerprint(model).complete
    fits = []
    for _ in range(2):
        with watch_jax() as work:
            fits.append(em.EM(model, num_restarts=2).run(KEY, X[:9]))
        assert work.traced
    assert fits[0].log_likelihood == fits[1].log_likelihood
    assert fits[0].program is not fits[1].program


def test_what_a_model_changes_itself_is_no_change():
    class Counting(Shifted):
        def __call__(self, x):
            self.calls = [*getattr(self, "calls", []), None]
            super().__call__(x)

    model = Counting()
    fit = em.EM(model, num_restarts=2).run(KEY, X)
    assert fit.predict(X[:12]).shape == (12,)
    model.shift = 1.0
    with pytest.raises(ValueError, match=r"the model changed since it was read \(shift\)"):
        fit.predict(X[:13])


def test_cycles_and_the_size_of_what_is_reached():
    model = Shifted()
    model.itself, model.more["round"] = model, model.more
    assert fingerprint(model).complete
    model.much = list(range(100_000))
    assert not fingerprint(model).complete


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        ("1", b"1"),
        ([1], (1,)),
        (np.float32(1), np.float64(1)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0]})),
        (pd.Series([1.0], [0]), pd.Series([1.0], [1])),
        (jnp.zeros(2), jnp.zeros(2)),  # by identity
        (np.random.default_rng(0), np.random.default_rng(1)),
    ],
)
def test_unlike_things_have_unlike_fingerprints(one, other):
    assert fingerprint(one).key == fingerprint(one).key
    assert fingerprint(one).key != fingerprint(other).key
    assert fingerprint(float("nan")).key == fingerprint(float("nan")).key


SPREAD = dist.ZeroSumNormal(1.0, (2,))


def test_a_distribution_that_models_share_may_remember_its_inverse():
    """NumPyro's transforms keep one by a weak reference, which comes and goes."""

    def model_of(centre):
        def model(x):
            spread = numpyro.sample("spread", SPREAD)
            with numpyro.plate("rows", x.shape[0]):
                z = numpyro.sample("z", dist.Categorical(jnp.ones(2) / 2))
                numpyro.sample("x", dist.Normal(centre + 3 * spread[z], 1.0), obs=x)

        return model

    for centre in (2.0, 2.5, 3.0):
        assert em.EM(model_of(centre), num_restarts=1).run(KEY, X).status.ok
