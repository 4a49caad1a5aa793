"""How a fit ended: a value that carries a sentence saying what to try next."""

from __future__ import annotations

import enum


class Status(enum.IntEnum):
    """The outcome of a fit. ``ok`` is True for CONVERGED only."""

    CONVERGED = 0
    MAX_STEPS = 1
    COLLAPSED = 2
    NEARLY_SINGULAR = 3
    EMPTIED = 4
    NOT_IDENTIFIED = 5
    LOWERED = 6
    NOT_FINITE = 7
    NO_INFORMATION = 8
    NO_MODE = 9
    MISREAD = 10
    STALLED = 11
    INTERRUPTED = 12

    def __str__(self) -> str:
        return self.name

    @property
    def ok(self) -> bool:
        """Whether the fit can be used as it is."""
        return self is Status.CONVERGED

    @property
    def advice(self) -> str:
        """What happened in general, and what to try."""
        return _ADVICE[self]


_ADVICE = {
    Status.CONVERGED: "EM converged.",
    Status.MAX_STEPS: (
        "EM stopped at max_steps before it converged. Raise max_steps, or loosen tolerance if "
        "the trace is flat enough for your purpose."
    ),
    Status.COLLAPSED: (
        "The likelihood is unbounded: in every start a component shrank onto rows that are few, or "
        "equal next to the spread of all, and its scale went to 0. Share the scale or covariance "
        "between the components, hold it fixed with handlers.condition, use fewer components or "
        "more restarts, or add a prior."
    ),
    Status.NEARLY_SINGULAR: (
        "The best solution rests on a nearly singular component of a few rows, as an unbounded "
        "likelihood invites; no sound one was found. Share the scale or covariance between the "
        "components, use fewer components, or more restarts."
    ),
    Status.EMPTIED: (
        "A component lost all its rows, so its own parameters mean nothing. Use fewer components "
        "or more restarts; with labelled data, check that every label occurs."
    ),
    Status.NOT_IDENTIFIED: (
        "The data do not determine all parameters: moving them together in some direction leaves "
        "the likelihood unchanged. Use fewer components, tie or fix parameters with "
        "handlers.condition, or observe more per row."
    ),
    Status.LOWERED: (
        "The objective fell, so an M-step did not maximise. Check that the model's log density "
        "is smooth in its parameters, use float64 (`with jax.enable_x64(True):` around the call), "
        "or give better init_params."
    ),
    Status.NOT_FINITE: (
        "The objective is not finite: no component gives some row a positive density at the "
        "start. Give init_params with which every row is possible, or check for outliers."
    ),
    Status.NO_INFORMATION: (
        "EM converged, but the log-likelihood has no finite second derivatives there, so it is "
        "not known whether the data determine all parameters, and there are no standard errors. "
        "Use float64 (`with jax.enable_x64(True):` around the call), write the density without "
        "branches that are infinite on one side, or use em.bootstrap for standard errors."
    ),
    Status.NO_MODE: (
        "The posterior density is infinite at the boundary. Where a probability or a rate is 0, "
        "its prior is infinite and the data do not outweigh it: give the Dirichlet, Beta or Gamma "
        "prior a concentration of 1 or more. Where a scale that only priors know is 0, their "
        "parameters are all equal: give the scale a prior that vanishes at 0 faster than any "
        "power, LogNormal or InverseGamma, or hold it fixed. Or use objective='likelihood'."
    ),
    Status.MISREAD: (
        "The log-likelihood that was climbed is not the model's own at the estimate, by NumPyro's "
        "densities: the estimate is not to be trusted. Use float64 (`with jax.enable_x64(True):` "
        "around the call); if that does not help, this is a fault of mixpyro, which is worth a "
        "report with the model."
    ),
    Status.STALLED: (
        "EM stands still at a point that is no maximum: some move of its parameters still raises "
        "the objective. The density may have corners or steps in a parameter that is fitted "
        "numerically. Write it smoothly, hold such a parameter fixed at several values in turn "
        "with handlers.condition and compare the fits, or give better init_params."
    ),
    Status.INTERRUPTED: (
        "EM was interrupted (Ctrl-C) before it had converged: this is the best fit so far. Run it "
        "again, from fit.leaves as init_params to go on from here; with checkpoint=... the same "
        "call goes on by itself."
    ),
}


class FitError(RuntimeError):
    """A fit that did not end well, raised by ``EM(..., throw=True)``."""
