"""The data of the cases, drawn one after the other from one generator."""

import numpy as np

_rng = np.random.default_rng(4)
N = 24
HALF = np.arange(N) < N // 2
X = np.where(HALF, -1.5, 2.0) + _rng.normal(size=N)
Y = np.stack([X, _rng.normal(size=N) + HALF], 1)
TIME = np.arange(40)
EVENTS = np.where(TIME < 17, _rng.poisson(4.0, 40), _rng.poisson(1.0, 40))
ITEMS, POSITIONS, LEVELS = 15, 4, 3
ANNOTATORS = np.array([0, 0, 1, 2])
_true = np.arange(ITEMS) % LEVELS
_wrong = _rng.random((ITEMS, POSITIONS)) < 0.3
VOTES = np.where(_wrong, _rng.integers(LEVELS, size=(ITEMS, POSITIONS)), _true[:, None])
SERIES = _rng.normal(size=30)
