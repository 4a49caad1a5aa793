"""The result of a run, which knows its model and its data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from ..calls.call import Call
from ..climb.boundary import boundary, inside, settled
from ..climb.selection import Restarts
from ..climb.status import Status
from ..options import as_key
from ..plan.program import Program
from ..plan.spec import Spec, describe
from ..read.reader import Params
from ..read.trees import join
from ..rows.streamed import Streamed
from ..rows.unobserved import dimensions, never_observed
from . import information as info
from .criteria import entropy_of, unclear
from .gradient import GradientFunction, gradient_function, proof
from .identification import what_happened
from .of_data.deterministic import values_of
from .of_data.in_batches import InBatches, Scoring, streamed
from .of_data.scoring import decoded, score
from .of_data.simulation import simulated
from .precision import in_own_precision
from .scores import clearly_identified, gram, identified_by_some
from .words import entries, few, of_starts

if TYPE_CHECKING:
    import pandas as pd


@in_own_precision(lambda fit: fit)
@dataclass(frozen=True, eq=False)
class Result:
    """A fitted mixture: see `Fit`, which says what the attributes are and adds tables and files."""

    program: Program
    call: Call
    rows: Any  # `Rows`, or `Streamed`
    leaves: dict[str, jax.Array]
    log_likelihood: float
    objective: float
    trace: np.ndarray
    num_steps: int
    total_weight: float
    counts: np.ndarray
    base_status: Status
    reseeded: int
    restart_results: Restarts
    labels: jax.Array | None = None
    looked: bool = True  # whether `status` looks at more than the climb

    @cached_property
    def params(self) -> dict[str, Any]:
        """{site: value}, constrained, by the model's own site names.

        Ready for ``numpyro.handlers.substitute`` and ``numpyro.infer.Predictive``; parameters that
        were held fixed are among them. One that is a pytree in the model is one here.
        """
        return join(self.leaves, self.program.structure.trees)

    # ---- how it went -----------------------------------------------------------------------

    @cached_property
    def spec(self) -> Spec:
        """What was understood of the model."""
        rows = self.rows.num_rows if isinstance(self.rows, Streamed) else None
        return describe(self.program, rows)

    @cached_property
    def status(self) -> Status:
        """How the fit ended; ``status.ok`` is True for CONVERGED only.

        The first look asks whether the likelihood is flat in some direction, unless that is dear:
        by the rows' scores, in doubt by the observed information.
        """
        looked = self.looked and info.cost(self.program, self.rows) <= info.BUDGET
        if not (looked and self.base_status.ok):
            return self.base_status
        known = vars(self).get("information")  # if it was worked out, it may save the scores
        if (known is not None and known.regular) or self._clear:
            return self.base_status
        if not np.isfinite(self.information.matrix).all():
            return Status.NO_INFORMATION
        return self.base_status if self.information.regular else Status.NOT_IDENTIFIED

    @cached_property
    def message(self) -> str:
        """The status in a sentence, and what to try."""
        parts = what_happened(self)
        parts += of_starts(self.restart_results)
        if self.status.ok and self.labels is None and not getattr(self.rows, "hard", False):
            parts += proof(self)
        if self.reseeded:
            parts.append(f"Emptied clusters were re-seeded {self.reseeded} times.")
        if edges := self._edges():
            parts.append(f"At the boundary: {', '.join(edges)}.")
        if never := few(entries(self.program, self.call, self.never_observed)):
            parts.append(f"Never observed, and no dimensions: {', '.join(never)}.")
        return " ".join(parts)

    @property
    def restarts(self) -> pd.DataFrame:
        """One row a start: final objective, steps, status, smallest relative scale, chosen."""
        return self.restart_results.table()

    def __repr__(self) -> str:
        return (
            f"Fit({self.spec.num_components} components, {self.spec.num_rows} rows, "
            f"log_likelihood={self.log_likelihood:.6g}, status={self.status.name})"
        )

    # ---- criteria --------------------------------------------------------------------------

    @property
    def num_free_params(self) -> int:
        """Free dimensions: simplexes and covariances by their constraints, tied ones once.

        Probabilities of categories that no row has (`never_observed`) are none: they are 0
        whatever the classes are, so that m categories of which u never occur are m - u - 1.
        """
        return self.spec.num_free_params - dimensions(self.never_observed)

    @cached_property
    def never_observed(self) -> dict[str, np.ndarray]:
        """{site: bool} which probabilities belong to categories that no row has; none if empty."""
        return never_observed(self.program, self.rows)

    @property
    def aic(self) -> float:
        """``-2 log L + 2 p`` (Akaike 1974); lower is better."""
        return -2 * self.log_likelihood + 2 * self.num_free_params

    @property
    def bic(self) -> float:
        """``-2 log L + p log n`` (Schwarz 1978), n the sum of weights (steps); lower is better."""
        return -2 * self.log_likelihood + self.num_free_params * float(np.log(self.total_weight))

    @cached_property
    def icl(self) -> float:
        """``BIC - 2 sum_n w_n log r_n,MAP``: BIC with the price of unclear classes.

        Biernacki, Celeux & Govaert (2000, IEEE TPAMI 22:719), as mclust computes it; lower is
        better.
        """
        return self.bic + unclear(self)

    @cached_property
    def entropy(self) -> float:
        """``-sum_n w_n sum_k r_nk log r_nk``: how unclear the classes are (0: certain)."""
        return entropy_of(self)

    # ---- rows ------------------------------------------------------------------------------

    def responsibilities(self, *args: Any, **kwargs: Any) -> Any:
        """(n, k) ``p(z_n = k | x, params)``, of the training data or of new data.

        New data are given as the model takes them; keyword arguments that are no arrays are
        remembered and needed only to change them. Rows whose label is known are one-hot. With
        several latent classes {site: (n, k)}, each for its own rows. In a chain the smoothed
        probabilities, given all of the sequence, in the shape of z in its scan: (time, ..., k). Of
        `Batches` an iterable of the batches' arrays, to be written by ``.to_parquet(path)`` too.
        """
        return self._by_row(lambda a, k: self._only(score(self, a, k)[0]), None, args, kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """(n,) the most probable class of each row; data and form as in `responsibilities`.

        In a chain of each step by itself: `decode` has the most probable path.
        """

        def of(args: tuple, kwargs: dict[str, Any]) -> Any:
            found = self._only(score(self, args, kwargs)[0])
            return jax.tree.map(lambda r: r.argmax(-1), found)

        return self._by_row(of, None, args, kwargs)

    def decode(self, *args: Any, **kwargs: Any) -> Any:
        """The most probable path of a chain's classes, (time, ...), by Viterbi's algorithm.

        ``argmax_z p(z_1, ..., z_T | x, params)`` (Viterbi 1967, IEEE Transactions on Information
        Theory 13:260). Data and form as in `responsibilities`.

        Raises:
            ValueError: a model without a chain.
        """
        return self._by_row(lambda a, k: self._only(decoded(self, a, k)), None, args, kwargs)

    def log_prob(self, *args: Any, **kwargs: Any) -> Any:
        """(n,) ``log p(x_n | params)`` of each independent unit: a row, a group, a sequence.

        Unweighted; data as in `responsibilities`.
        """
        return self._by_row(lambda a, k: score(self, a, k)[1], "log_prob", args, kwargs)

    def _by_row(self, of: Scoring, name: str | None, args: tuple, kwargs: dict[str, Any]) -> Any:
        if (data := streamed(self, args, kwargs)) is None:
            return of(args, kwargs)
        steps = self.program.structure.chain is not None and name is None
        return InBatches(data, name or self.spec.latent, of, int(steps))

    def _only(self, by_latent: dict[str, jax.Array]) -> jax.Array | dict[str, jax.Array]:
        """What one latent class has, or all of it by name."""
        return next(iter(by_latent.values())) if len(by_latent) == 1 else by_latent

    def sample(self, rng_key: jax.Array, *args: Any, **kwargs: Any) -> dict[str, jax.Array]:
        """Simulate from the fitted model: {site: value} of z and of every observed site.

        Without arguments the model is called as it was fitted, so that as many rows come back;
        otherwise with the arguments given (arrays are not remembered, the rest is).
        """
        return simulated(self, self.leaves, as_key(rng_key), args, kwargs)

    @cached_property
    def deterministics(self) -> dict[str, jax.Array]:
        """{site: value} of the ``numpyro.deterministic`` sites that do not depend on z.

        They are functions of the parameters, and so not among ``params``.
        """
        return values_of(self)

    def gradient_function(self) -> GradientFunction:
        """Whether any mixture, of however many components, is higher: see `GradientFunction`.

        Raises:
            ValueError: components that differ in more than one number each.
        """
        return gradient_function(self)

    @cached_property
    def information(self) -> info.Information:
        """The exact observed information of the free parameters (unconstrained scale)."""
        return info.observed_information(self.program, self.settled, self.rows, lambda: self._gram)

    @cached_property
    def boundary(self) -> dict[str, np.ndarray]:
        """{site: bool} which entries of the free parameters are at the edge of their support.

        A probability is if it accounts for less than a millionth of a row.
        """
        return boundary(self.program, self.settled, self.rows)

    def standard_errors(self, kind: str = "observed") -> dict[str, np.ma.MaskedArray]:
        """{parameter: standard errors}, by the delta method from the observed information.

        ``kind="sandwich"`` stays right where the model is wrong (White 1982, Econometrica 50:1):
        ``I^{-1} G I^{-1}`` with I the information and G the sum of the rows' squared scores.

        Entries that have none (at the boundary of their support, not identified, or held fixed)
        are masked; `summary` gives the reason.
        """
        factors = [a.name for a in self.program.structure.auxiliary if not a.size]
        if isinstance(kind, str) and kind == "sandwich" and factors:
            raise ValueError(
                f"the sandwich is of independent observations; the factor {factors[0]!r} is none"
            )
        errors = info.standard_errors(self.information, self.shapes, kind)
        for p in self.program.structure.fixed:
            errors[p.name] = np.ma.masked_all(p.shape)
        return {name: errors[name] for name in self.leaves}

    @cached_property
    def shapes(self) -> dict[str, tuple]:
        """{site: shape} of the free parameters."""
        return {p.name: p.shape for p in self.program.structure.free}

    @property
    def _clear(self) -> bool:
        known = "_gram" in vars(self)
        return (not known and identified_by_some(*self._place)) or clearly_identified(self._gram)

    @cached_property
    def _gram(self) -> np.ndarray:
        return gram(*self._place)

    @property
    def _place(self) -> tuple:
        return self.program, inside(self.program, jax.device_get(self.settled)), self.rows

    @cached_property
    def settled(self) -> Params:
        """The free parameters, with probabilities on their way to 0 or 1 put there."""
        return settled(self.program, self.free, self.rows)

    @property
    def free(self) -> Params:
        """The free parameters."""
        return {p.name: self.leaves[p.name] for p in self.program.structure.free}

    def _edges(self) -> list[str]:
        never = self.never_observed
        marks = {n: m & ~never.get(n, np.False_) for n, m in self.boundary.items()}
        return few(entries(self.program, self.call, marks))
