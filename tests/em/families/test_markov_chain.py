import numpy as np
from numpyro.distributions import constraints

from mixpyro.distributions import MarkovChain

from .case import Case

STEPS = 5
INITIAL = np.array([[0.7, 0.2, 0.1], [0.2, 0.2, 0.6]])
TRANSITION = np.array(
    [
        [[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6]],
        [[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.7, 0.1, 0.2]],
    ]
)


def choose(rng, probs):
    return (rng.random((len(probs), 1)) > probs.cumsum(-1)).sum(-1).clip(0, 2)


def draw(rng, initial_probs, transition_probs):
    steps = [choose(rng, initial_probs)]
    rows = np.arange(len(initial_probs))
    for _ in range(STEPS - 1):
        steps.append(choose(rng, transition_probs[rows, steps[-1]]))
    return np.stack(steps, -1)


def log_density(x, initial_probs, transition_probs):
    with np.errstate(divide="ignore"):
        steps = np.log(transition_probs)[x[:, :-1], x[:, 1:]]
        return np.log(initial_probs)[x[:, 0]] + steps.sum(-1)


CASES = [
    Case(
        distribution=MarkovChain,
        params={"initial_probs": INITIAL, "transition_probs": TRANSITION},
        supports={
            "initial_probs": constraints.simplex,
            "transition_probs": constraints.independent(constraints.simplex, 1),
        },
        make=lambda initial_probs, transition_probs: MarkovChain(
            initial_probs, transition_probs, STEPS
        ),
        draw=draw,
        log_density=log_density,
        needed=("transition_probs",),  # one category is no mixture
    ),
]
