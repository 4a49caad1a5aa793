"""Conjugate priors, which the textbook's estimator takes in as statistics."""

from __future__ import annotations

from dataclasses import dataclass

import jax

from ...families import Args
from ...plan.blocks import Rung, Task
from ...plan.conjugate import coefficients
from ...plan.program import Params
from ...rows import point
from ..work import Work
from ._ascent import expected_log_posterior, higher
from ._estimate import FIRST_ROUNDS, as_parameters, estimated, statistical_site, statistics_of

_ROUNDS = 2


@dataclass(frozen=True)
class Absorbed(Rung):
    """The estimate with conjugate priors among the statistics.

    Where there are several arguments they take turns: what a prior of one adds may depend on the
    others (a normal loc's on the scale).
    """

    name = "closed form, with the prior"
    place = 40
    closed = True
    estimates = True

    def takes(self, task: Task) -> bool:
        """Where the family takes in all priors."""
        return task.absorbed

    def maximise(self, work: Work) -> Params:
        """The mode given the statistics, argument by argument."""
        site = statistical_site(work)
        family, ties = site.family, site.ties or {}
        priors = coefficients(work.program, site, work.params, work.rows.arrays)
        free = [n for n, tie in ties.items() if not tie.fixed.all()]
        if len(free) > 1:
            objective = expected_log_posterior(work)
            estimate = estimated(work)
            begin = higher(objective, work.params | estimate, work.params)
            work = work._replace(params=begin)
        args = point.arguments(work.program, work.params, work.rows)[site.name]
        statistics, reference = statistics_of(work, site, args)

        def once(_: jax.Array | int, args: Args) -> Args:
            for name in free:
                args = family.conditional(name, priors.get(name), statistics, args, ties, reference)
            return args

        if len(free) == 1:
            args = once(0, args)
        else:
            args = jax.lax.fori_loop(0, work.rounds(FIRST_ROUNDS, _ROUNDS), once, args)
        return as_parameters(work, site, args)
