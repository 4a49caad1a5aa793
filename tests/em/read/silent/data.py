"""The data of the cases, drawn one after the other from one generator."""

import numpy as np

_rng = np.random.default_rng(3)
N = 24
HALF = np.arange(N) < N // 2
X = np.where(HALF, -1.5, 2.0) + _rng.normal(size=N)
LABEL = np.arange(8) % 2
W = np.where(LABEL == 0, -1.0, 1.5) + 0.6 * _rng.normal(size=8)
COUNTS = np.where(HALF, _rng.poisson(0.8, N), _rng.poisson(5.0, N)) + 0
HITS = np.where(HALF, _rng.binomial(12, 0.2, N), _rng.binomial(14, 0.7, N))
S = 6
SQUARE = (_rng.random((S, S)) < np.where(np.arange(S) < 3, 0.2, 0.8)[:, None]).astype(int)
MANY = 200
FAMILY = _rng.normal(np.where(np.arange(MANY) % 2 == 0, -1.0, 1.0))
TIMES, SERIES = 5, 2
SEQUENCES = _rng.poisson(3.0, size=(TIMES, SERIES))
ROWS, COLUMNS = 4, 4
LINKS = (_rng.random((ROWS, COLUMNS)) < 0.5).astype(int)
