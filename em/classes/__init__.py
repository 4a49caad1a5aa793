"""From log joints to classes: soft, hard, stochastic, annealed."""
