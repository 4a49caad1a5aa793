"""StudentT and MultivariateStudentT: ``df``, ``loc`` and ``scale``, each free, tied or fixed."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from ..machine.arrays import product
from ._family import Args, Ties, own_scale, ratio
from ._matrices import inverse_of_tril
from ._rows import RowFamily, moments
from ._solve import root_of_score
from ._special import log_minus_digamma, stirling
from .normal import LOG_2PI, nested, standard

_LEAST_DF = 1e-2


class StudentT(RowFamily):
    """``log f = log Gamma((df + 1) / 2) - ... - (df + 1) / 2 log(1 + v^2 / df)``.

    A row is normal given a latent precision, whose expectation is ``(df + 1) / (df + v^2)``: the
    loc is the mean by those weights, the squared scale the mean square, divided by the sum of the
    weights where the scale is a cell's own (parameter expansion, Liu, Rubin & Wu 1998, Biometrika
    85:755). The df then maximise the likelihood of the rows itself (ECME, Liu & Rubin 1994,
    Biometrika 81:633). Where they rise towards the normal they stop at 1e6 (300 in single
    precision), beyond which NumPyro's density is rounding noise.
    """

    distributions = (dist.StudentT,)
    domains = {"df": "positive", "loc": "real", "scale": "positive"}
    scores = True

    def limits(self, dtype: jnp.dtype) -> Mapping[str, float]:
        return {"df": 1e6 if jnp.finfo(dtype).bits > 32 else 300.0}

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        return moments(x, weights, {n: ties[n] for n in ("loc", "scale")})

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        return standard(x, reference)

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        return jnp.broadcast_to(-jnp.log(reference["spread"])[:, None], x.shape)

    def log_density(self, u: jax.Array, known: Args, args: Args, reference: Args) -> jax.Array:
        loc = (args["loc"] - reference["centre"]) / reference["spread"]
        scale = args["scale"] / reference["spread"]
        distance = ((u - loc[..., None]) / scale[..., None]) ** 2
        return _log_density(distance, 1, args["df"]) - jnp.log(scale)[..., None]

    def improve(
        self,
        u: jax.Array,
        weights: jax.Array,
        known: Args,
        args: Args,
        ties: Mapping[str, Ties],
        reference: Args,
    ) -> dict[str, jax.Array]:
        centre, spread = reference["centre"], reference["spread"]
        tie_loc, tie_scale = ties["loc"], ties["scale"]
        df, old_loc = args["df"], (args["loc"] - centre) / spread
        old_square = (args["scale"] / spread) ** 2

        away = (u - old_loc[..., None]) ** 2
        precision = weights * (df + 1)[..., None]
        precision = precision / (df[..., None] + away / old_square[..., None])
        mass = precision.sum(-1)
        pull = tie_loc.pool((precision * u).sum(-1) / old_square)
        loc = tie_loc.choose(ratio(pull, tie_loc.pool(mass / old_square), old_loc), old_loc)
        away = (u - loc[..., None]) ** 2
        square = (precision * away).sum(-1)
        count = weights.sum(-1) * jnp.ones_like(square)
        rows = mass if tie_scale.alone else count
        square = ratio(tie_scale.pool(square), tie_scale.pool(rows), old_square)
        square = tie_scale.choose(square, old_square)
        least = jnp.finfo(square.dtype).tiny
        distance = away / jnp.maximum(square, least)[..., None]
        return {
            "df": degrees(distance, 1, weights, df, ties["df"], self.limits(u.dtype)["df"]),
            "loc": tie_loc.choose(centre + spread * loc, args["loc"]),
            "scale": tie_scale.choose(spread * jnp.sqrt(square), args["scale"]),
        }

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return u

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        return own_scale(args["scale"] / reference["spread"], ties["scale"])


class MultivariateStudentT(RowFamily):
    """The same in d dimensions: ``(df + d) / (df + v'v)``, v whitened by ``scale_tril``."""

    distributions = (dist.MultivariateStudentT,)
    domains = {"df": "positive", "loc": "real", "scale_tril": "lower_cholesky"}
    rank = {"df": 0, "loc": 1, "scale_tril": 2}
    scores = True

    def solves(self, ties: Mapping[str, Ties]) -> bool:
        """Locs nested in scales and df, so that neither enters the mean."""
        return nested(ties["loc"], ties["scale_tril"])

    def limits(self, dtype: jnp.dtype) -> Mapping[str, float]:
        return StudentT().limits(dtype)

    def reference(
        self, x: jax.Array, weights: jax.Array, args: Args, ties: Mapping[str, Ties]
    ) -> Args:
        return moments(x, weights, {n: ties[n] for n in ("loc", "scale_tril")})

    def coordinates(self, x: jax.Array, reference: Args) -> jax.Array:
        return standard(x, reference)

    def base(self, x: jax.Array, known: Args, reference: Args) -> jax.Array:
        constant = -jnp.log(reference["spread"]).sum(-1)
        return jnp.broadcast_to(constant[:, None], (x.shape[0], x.shape[-1]))

    def log_density(self, u: jax.Array, known: Args, args: Args, reference: Args) -> jax.Array:
        spread = reference["spread"]
        tril = args["scale_tril"] / spread[..., :, None]
        _, distance = _whitened(u, (args["loc"] - reference["centre"]) / spread, tril)
        log_det = jnp.log(jnp.diagonal(tril, axis1=-2, axis2=-1)).sum(-1)
        return _log_density(distance, u.shape[1], args["df"]) - log_det[..., None]

    def improve(
        self,
        u: jax.Array,
        weights: jax.Array,
        known: Args,
        args: Args,
        ties: Mapping[str, Ties],
        reference: Args,
    ) -> dict[str, jax.Array]:
        centre, spread = reference["centre"], reference["spread"]
        tie_loc, tie_tril = ties["loc"], ties["scale_tril"]
        df, old_loc = args["df"], (args["loc"] - centre) / spread
        old_tril = args["scale_tril"] / spread[..., :, None]
        d = u.shape[1]

        _, distance = _whitened(u, old_loc, old_tril)
        precision = weights * (df + d)[..., None] / (df[..., None] + distance)
        mass = precision.sum(-1)
        first = jnp.einsum("kcn,cin->kci", precision, u, precision="highest")
        mean = ratio(tie_loc.pool(first), tie_loc.pool(mass)[..., None], old_loc)
        loc = tie_loc.choose(mean, old_loc)
        away = u - loc[..., None]
        square = jnp.einsum("kcn,kcin,kcjn->kcij", precision, away, away, precision="highest")
        count = weights.sum(-1) * jnp.ones_like(mass)
        rows = tie_tril.pool(mass if tie_tril.alone else count)
        old = product(old_tril, old_tril.mT)
        square = ratio(tie_tril.pool(square), rows[..., None, None], old)
        tril = tie_tril.choose(jnp.linalg.cholesky(square), old_tril)
        _, distance = _whitened(u, loc, tril)
        distance = jnp.where(jnp.isfinite(distance), distance, 0)
        return {
            "df": degrees(distance, d, weights, df, ties["df"], self.limits(u.dtype)["df"]),
            "loc": tie_loc.choose(centre + spread * loc, args["loc"]),
            "scale_tril": tie_tril.choose(spread[..., :, None] * tril, args["scale_tril"]),
        }

    def view(self, u: jax.Array, known: Args, weights: jax.Array, reference: Args) -> jax.Array:
        return u.reshape(-1, u.shape[-1])

    def relative_scale(
        self, args: Args, ties: Mapping[str, Ties], reference: Args
    ) -> jax.Array | None:
        own = jnp.diagonal(args["scale_tril"], axis1=-2, axis2=-1) / reference["spread"]
        own = jnp.where(jnp.isfinite(own), own, 0).min(-1)
        return own_scale(own, ties["scale_tril"])


def _whitened(u: jax.Array, loc: jax.Array, tril: jax.Array) -> tuple[jax.Array, jax.Array]:
    """``L^-1 (u - loc)`` (k, c, d, n) and its squared length (k, c, n)."""
    inverse = inverse_of_tril(tril)
    white = jnp.einsum("kcij,kcjn->kcin", inverse, u - loc[..., None], precision="highest")
    return white, (white**2).sum(-2)


def _log_density(distance: jax.Array, d: int, df: jax.Array) -> jax.Array:
    """The log density (k, c, n) at squared distances in d dimensions, without the determinant."""
    a = df / 2
    ratio_of_gammas = stirling(a + d / 2) - stirling(a) + a * jnp.log1p(d / df) - d / 2
    constant = ratio_of_gammas + d / 2 * (jnp.log1p(d / df) - LOG_2PI)
    return constant[..., None] - (df + d)[..., None] / 2 * jnp.log1p(distance / df[..., None])


def degrees(
    distance: jax.Array, d: int, weights: jax.Array, df: jax.Array, tie: Ties, most: float
) -> jax.Array:
    """The df of highest likelihood given squared distances (k, c, n) in d dimensions."""
    if tie.fixed.all():
        return df
    rows = tie.pool(weights.sum(-1) * jnp.ones_like(df))

    def score(v: jax.Array) -> jax.Array:
        own = v[..., None]
        tail = (own + d) / (own + distance) * distance / own - jnp.log1p(distance / own)
        gap = log_minus_digamma(v / 2)[0] - log_minus_digamma((v + d) / 2)[0]
        own_score = jnp.log1p(d / v) - d / v + gap
        return tie.pool((weights * (own_score[..., None] + tail)).sum(-1))

    return tie.choose(root_of_score(score, df, rows, _LEAST_DF, most), df)
