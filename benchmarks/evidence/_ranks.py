"""Ranks of true values among 99 draws, which are uniform if a posterior is right."""

import numpy as np
from scipy import stats


def tenths(ranks):
    """How many lie in each tenth, and the p value of a chi-squared test of uniformity."""
    counts = np.histogram(ranks, 10, (-0.5, 99.5))[0]
    return counts.tolist(), stats.chisquare(counts).pvalue
