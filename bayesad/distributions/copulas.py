"""Copulas: laws of vectors whose entries have any continuous laws, tied together by a dependence of their own.

Each density is the product of the marginal ones and of the copula's at the marginal distribution functions. Both tails
of these are taken in logarithms, so that values far out keep their digits. Formulas are those of Joe (2014),
"Dependence modeling with copulas", chapter 4, or Nelsen (2006), "An introduction to copulas", chapter 4.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bayesad import ad
from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.continuous import Normal
from bayesad.distributions.domains import CholeskyFactor, Matrix, Positive, Real, shown
from bayesad.distributions.interop import foreign
from bayesad.distributions.lazy import special
from bayesad.distributions.multivariate import MvNormal, MvStudentT
from bayesad.distributions.nesting import require_law
from bayesad.distributions.numerics import LOG_PI, log1p_square, log_gamma_ratio
from bayesad.distributions.scatter import Scatter, scatter_of
from bayesad.distributions.supports import REAL, TOLERANCE, Support
from bayesad.errors import DistributionError

__all__ = ["ClaytonCopula", "FrankCopula", "GaussianCopula", "GumbelCopula", "StudentTCopula"]

# Logarithms of probabilities per degree of freedom, up to 2.5 of these, below which t scores stay where they are: there
# they are about 1e40, and for more degrees of freedom the probability is 1e-100, up to which scipy.special has them.
_LEAST_PER_NU, _MOST_NU = -92.0, 2.5

# The logarithm of the least positive number.
_UNDERFLOW = -745.0


class _Tails(NamedTuple):
    """Where an entry is in its marginal law: logarithms of the distribution function u and of 1 − u."""

    log_cdf: Any
    log_sf: Any


class _Copula(Distribution):
    """What copulas have in common."""

    marginals: Any

    @derived
    def laws(self) -> tuple[Distribution, ...]:
        """The marginal laws; those of other libraries wrapped."""
        given = self.marginals
        if not isinstance(given, Sequence) or len(given) < 2:
            raise DistributionError(f"{self._name}: marginals must be a list of two laws or more; got {given!r}.")
        found = tuple(d if isinstance(d, Distribution) else foreign(d) for d in given)
        for d in found:
            require_law(self._name, d, "each of the marginals")
            if d.support.kind != "real" or d.event_shape or not d.has_cdf:
                raise DistributionError(
                    f"{self._name}: marginals must be continuous laws of real numbers with a distribution function; "
                    f"got {d}."
                )
        return found

    @property
    def event_shape(self) -> Shape:
        return (len(self.laws),)

    @property
    def support(self) -> Support:
        supports = [d.support for d in self.laws]
        bounds = [_bounds([getattr(s, side) for s in supports], none) for side, none in _SIDES]
        if all(bound is None for bound in bounds):
            return REAL
        closed = tuple(all(s.closed[i] for s in supports) for i in (0, 1))
        return Support("real", bounds[0], bounds[1], closed)  # type: ignore[arg-type]

    def _batch_shapes(self) -> dict[str, Shape]:
        shapes = super()._batch_shapes()
        shapes["marginals"] = np.broadcast_shapes(*[d.batch_shape for d in self.laws])
        return shapes

    def _log_density(self, x: Any) -> Any:
        entries = [(d, x[..., i]) for i, d in enumerate(self.laws)]
        return sum(d._log_density(v) for d, v in entries) + self._log_copula(entries)

    @abstractmethod
    def _log_copula(self, entries: list[tuple[Distribution, Any]]) -> Any:
        """The log density of the copula, from the marginal laws with their entries."""

    @abstractmethod
    def _draw_uniform(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        """Draws of the copula itself: entries between 0 and 1."""

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        u = np.clip(self._draw_uniform(rng, shape), np.finfo(float).tiny, 1.0 - np.finfo(float).epsneg)
        return np.stack([np.broadcast_to(d.icdf(u[..., i]), shape[:-1]) for i, d in enumerate(self.laws)], axis=-1)

    def _mean(self) -> Any:
        return np.stack([np.broadcast_to(d.mean, self.batch_shape) for d in self.laws], axis=-1)


_SIDES = (("lower", -np.inf), ("upper", np.inf))


def _bounds(bounds: list[Any], none: float) -> Any:
    """The bounds of all entries as one array, None where none has any."""
    if all(b is None for b in bounds):
        return None
    shape = np.broadcast_shapes(*[np.shape(b) for b in bounds if b is not None])
    return np.stack([np.broadcast_to(none if b is None else b, shape) for b in bounds], axis=-1)


def _tails(entries: list[tuple[Distribution, Any]]) -> list[_Tails]:
    return [_Tails(_floored(d._log_cdf(x)), _floored(d._log_sf(x))) for d, x in entries]


def _floored(log_p: Any) -> Any:
    """The logarithm of a probability; where that underflowed because the law has no logarithmic form, of the least."""
    return np.where(log_p == -np.inf, _UNDERFLOW, log_p)


def _nearer(tails: _Tails) -> tuple[Any, Any]:
    """Whether the lower tail is the smaller one, and its logarithm."""
    below = tails.log_cdf < tails.log_sf
    return below, np.where(below, tails.log_cdf, tails.log_sf)


# --- from elliptical laws
class _Elliptical(_Copula):
    """What the Gaussian and the t copula have in common; a copula has the parameters `correlation` and `chol`."""

    @derived
    def _scatter(self) -> Scatter:
        given = self.parameters
        return scatter_of(self._name, correlation=given["correlation"], chol=given["chol"])

    def _validate(self) -> None:
        factor, d = self._scatter.factor, len(self.laws)
        if factor.shape[-1] != d:
            raise DistributionError(
                f"{self._name}: there are {d} marginals, but the correlation has shape {factor.shape}."
            )
        if not ad.is_traced(factor) and (np.abs((factor**2).sum(axis=-1) - 1.0) > 10.0 * TOLERANCE).any():
            raise DistributionError(
                f"{self._name}: a correlation matrix has ones on its diagonal; scales belong into the marginal laws."
            )


class GaussianCopula(_Elliptical):
    """Entries of any continuous laws whose normal scores are multivariate normal.

    The score of an entry is the standard normal quantile of its marginal distribution function.

    Parameters
    ----------
    marginals : sequence of d laws
        Of real numbers, with a distribution function; their parameters may be unknown or come in batches. Frozen laws
        of scipy.stats and the like are taken too (see `foreign`).
    correlation, chol : array, shape (..., d, d)
        Exactly one: the correlation matrix of the scores, or its lower Cholesky factor (law `LKJCholesky`).

    Examples
    --------
    ::

        chol = ba.sample("chol", ba.LKJCholesky(2, 2.0))
        ba.sample("y", ba.GaussianCopula([ba.Gamma(a, b), scipy.stats.expon()], chol=chol), obs=y)
    """

    marginals: Any
    correlation: Matrix = None
    chol: CholeskyFactor = None

    def _log_copula(self, entries: list[tuple[Distribution, Any]]) -> Any:
        z = np.stack(np.broadcast_arrays(*[self._score(d, x) for d, x in entries]), axis=-1)
        whitened = self._scatter.whiten(z)
        return 0.5 * (z**2 - whitened**2).sum(axis=-1) - self._scatter.log_scale

    @staticmethod
    def _score(d: Distribution, x: Any) -> Any:
        if type(d) is Normal:
            return (x - d.mu) / d.sigma
        below, log_p = _nearer(_tails([(d, x)])[0])
        z = special.ndtri_exp(log_p)
        return np.where(below, z, -z)

    def _draw_uniform(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return special.ndtr(MvNormal(0.0, chol=self._scatter.factor).draw(rng, shape))


class StudentTCopula(_Elliptical):
    """Entries of any continuous laws whose t scores are multivariate t: extremes come together, in both tails.

    Parameters
    ----------
    marginals : sequence of d laws
        As for `GaussianCopula`.
    nu : array
        Degrees of freedom, positive.
    correlation, chol : array, shape (..., d, d)
        Exactly one: the correlation matrix of the scores (the scale of their t law), or its lower Cholesky factor.

    Notes
    -----
    Scores of marginal probabilities below 1e-100 (with nu < 2.5 below exp(−92 nu)) are those of this.
    """

    marginals: Any
    nu: Positive
    correlation: Matrix = None
    chol: CholeskyFactor = None

    def _log_copula(self, entries: list[tuple[Distribution, Any]]) -> Any:
        t = np.stack(np.broadcast_arrays(*[self._score(tails) for tails in _tails(entries)]), axis=-1)
        nu = self.nu[..., None]
        constant = log_gamma_ratio(0.5 * nu, 0.5) - 0.5 * (np.log(nu) + LOG_PI)
        alone = constant - 0.5 * (nu + 1.0) * log1p_square(t / np.sqrt(nu))
        return MvStudentT(self.nu, 0.0, chol=self._scatter.factor)._log_density(t) - alone.sum(axis=-1)

    def _score(self, tails: _Tails) -> Any:
        below, log_p = _nearer(tails)
        t = special.stdtrit(self.nu, np.exp(np.maximum(log_p, _LEAST_PER_NU * np.minimum(self.nu, _MOST_NU))))
        return np.where(below, t, -t)

    def _draw_uniform(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        t = MvStudentT(self.nu, 0.0, chol=self._scatter.factor).draw(rng, shape)
        return special.stdtr(self.nu[..., None], t)


# --- Archimedean
class ClaytonCopula(_Copula):
    """Clayton's copula of any number of entries: low values come together. Kendall's tau is theta / (theta + 2).

    Parameters
    ----------
    marginals : sequence of d laws
        As for `GaussianCopula`.
    theta : array
        Positive; near 0 is independence.
    """

    marginals: Any
    theta: Positive

    def _log_copula(self, entries: list[tuple[Distribution, Any]]) -> Any:
        theta, d = self.theta, len(entries)
        log_u = np.stack(np.broadcast_arrays(*[tails.log_cdf for tails in _tails(entries)]), axis=-1)
        a = -theta[..., None] * log_u
        constant = sum(np.log1p(k * theta) for k in range(1, d))
        return constant - (theta + 1.0) * log_u.sum(axis=-1) - (d + 1.0 / theta) * _log_sum_excess(a)

    def _draw_uniform(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        """By a gamma frailty (Marshall & Olkin 1988)."""
        frailty = rng.standard_gamma(1.0 / self.theta, shape[:-1])[..., None]
        return np.exp(-np.log1p(rng.standard_exponential(shape) / frailty) / self.theta[..., None])


def _log_sum_excess(a: Any) -> Any:
    """log(1 + Σ (exp(a_i) − 1)) over the last axis for a >= 0, without overflow or cancellation."""
    most = ad.stop_gradient(np.max(a, axis=-1))
    small = most < 1.0
    near = np.log1p(np.expm1(np.where(small[..., None], a, 0.0)).sum(axis=-1))
    scaled = np.exp(a - most[..., None]).sum(axis=-1) - (a.shape[-1] - 1.0) * np.exp(-most)
    return np.where(small, near, most + np.log(np.where(small, 1.0, scaled)))


class _OfTwo(_Copula):
    """What copulas of two entries have in common."""

    def _validate(self) -> None:
        if len(self.laws) != 2:
            raise DistributionError(f"{self._name}: is a copula of two entries; got {len(self.laws)} marginals.")


class FrankCopula(_OfTwo):
    """Frank's copula of two entries: symmetric in both tails, with dependence of either sign.

    Parameters
    ----------
    marginals : sequence of 2 laws
        As for `GaussianCopula`.
    theta : array
        Positive for positive dependence, negative for negative; 0 is independence.
    """

    marginals: Any
    theta: Real

    def _log_copula(self, entries: list[tuple[Distribution, Any]]) -> Any:
        """theta exprel(−theta) exp(−theta (u + v)) over the square of a sum of positive terms."""
        first, second = _tails(entries)
        theta, u, v = self.theta, np.exp(first.log_cdf), np.exp(second.log_cdf)
        left = np.logaddexp(
            second.log_cdf + np.log(special.exprel(-theta * v)) - theta * u,
            second.log_sf + np.log(special.exprel(-theta * np.exp(second.log_sf))) - theta * v,
        )
        return np.log(special.exprel(-theta)) - theta * (u + v) - 2.0 * left

    def _draw_uniform(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        """The second given the first, by its conditional quantile."""
        u, t = np.moveaxis(rng.random(shape), -1, 0)
        theta = np.broadcast_to(self.theta, u.shape)
        safe = np.where(theta == 0.0, 1.0, theta)
        v = -np.log1p(t * np.expm1(-safe) / (np.exp(-safe * u) - t * np.expm1(-safe * u))) / safe
        return np.stack([u, np.where(theta == 0.0, t, v)], axis=-1)


class GumbelCopula(_OfTwo):
    """Gumbel's copula of two entries: high values come together. Kendall's tau is 1 − 1/theta.

    Parameters
    ----------
    marginals : sequence of 2 laws
        As for `GaussianCopula`.
    theta : array
        At least 1, which is independence.
    """

    marginals: Any
    theta: Positive

    def _validate(self) -> None:
        super()._validate()
        if not ad.is_traced(self.theta) and (self.theta < 1.0).any():
            raise DistributionError(f"GumbelCopula: theta must be at least 1; got {shown(self.theta)}.")

    def _log_copula(self, entries: list[tuple[Distribution, Any]]) -> Any:
        tails = _tails(entries)
        theta, logs = self.theta, [_log_minus_log(one) for one in tails]
        log_A = np.logaddexp(*[theta * log for log in logs]) / theta
        A = np.exp(log_A)
        total = sum(-one.log_cdf for one in tails)
        return total - A + (theta - 1.0) * sum(logs) + (1.0 - 2.0 * theta) * log_A + np.log(A + (theta - 1.0))

    def _draw_uniform(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        """By a positive stable frailty (Marshall & Olkin 1988; Kanter 1975)."""
        alpha = np.broadcast_to(1.0 / self.theta, shape[:-1])
        angle, wait = np.pi * rng.random(shape[:-1]), rng.standard_exponential(shape[:-1])
        turned = (np.sin((1.0 - alpha) * angle) / wait) ** ((1.0 - alpha) / alpha)
        frailty = np.sin(alpha * angle) / np.sin(angle) ** (1.0 / alpha) * turned
        return np.exp(-((rng.standard_exponential(shape) / frailty[..., None]) ** alpha[..., None]))


def _log_minus_log(tails: _Tails) -> Any:
    """log(−log u), also where u has rounded to 1."""
    upper = tails.log_sf < -1.0
    far = tails.log_sf < -37.0  # −log u = 1 − u to the last digit
    near_one = np.log(-np.log1p(-np.exp(np.where(upper & ~far, tails.log_sf, -1.0))))
    below = np.log(-np.where(upper, -1.0, tails.log_cdf))
    return np.where(far, tails.log_sf, np.where(upper, near_one, below))
