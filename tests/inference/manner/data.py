"""The data of the cases, drawn one after the other from one generator."""

import numpy as np

_rng = np.random.default_rng(11)
ITEMS, LEVELS = 60, 3
RATERS = np.array([0, 0, 1, 2, 2])
TRUTH = np.arange(ITEMS) % LEVELS
_wrong = _rng.random((ITEMS, len(RATERS))) < 0.25
VOTES = np.where(_wrong, _rng.integers(LEVELS, size=_wrong.shape), TRUTH[:, None])
VISITS = _rng.poisson(3.0, 150) * (_rng.random(150) < 0.7)
YEARS = 60
DISASTERS = np.where(np.arange(YEARS) < 25, _rng.poisson(4.0, YEARS), _rng.poisson(1.2, YEARS))
OCCASIONS = 5
_caught = _rng.random(220) < 0.5
_capture = _rng.random((220, OCCASIONS)) < np.where(_caught, 0.55, 0.2)[:, None]
HISTORIES = _capture[_capture.any(1)].astype(int)
_half = np.arange(160) < 90
POINTS = np.where(_half[:, None], [-1.5, -1.0], [2.0, 1.5]) + _rng.normal(size=(160, 2)) @ np.array(
    [[1.0, 0.4], [0.0, 0.8]]
)
T = np.linspace(-2, 2, 120)
LINE = np.where(
    np.arange(120) % 8 == 0, _rng.normal(0, 8, 120), 1.0 + 2.0 * T + 0.5 * _rng.normal(size=120)
)
_which = np.arange(160) % 2
T2 = np.linspace(-2, 2, 160)
CROSSED = np.where(_which == 0, 1 + 2 * T2, -1 - T2) + 0.5 * _rng.normal(size=160)
_life = _rng.exponential(np.where(np.arange(200) < 120, 1.0, 8.0))
TIMES, DIED = np.minimum(_life, 10.0), _life < 10.0
ANSWERS = (_rng.random((150, 6)) < np.where(np.arange(150)[:, None] < 80, 0.8, 0.25)).astype(int)
_ability = np.where(np.arange(150) < 80, -1.0, 1.2)
_latent = _ability[:, None] + _rng.logistic(size=(150, 4))
GRADES = (_latent > -0.5).astype(int) + (_latent > 1.0)
