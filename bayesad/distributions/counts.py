"""More laws on whole numbers: waiting times, compound counts, differences of counts, draws without replacement."""

from typing import Any

import numpy as np

from bayesad import ad
from bayesad.ad.array import bind
from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.discrete import NegativeBinomial2, log_binomial_coefficient
from bayesad.distributions.domains import Count, OpenProbability, Positive, Probability, Whole, check_order
from bayesad.distributions.lazy import special
from bayesad.distributions.numerics import draw_poisson, log_gamma_ratio, safe_log, spread
from bayesad.distributions.reparametrised import Reparametrised
from bayesad.distributions.summation import EXACT, FromOneTail, gamma_median, log_partial_sum, skellam_log_tail
from bayesad.distributions.supports import NONNEGATIVE_INTEGER, POSITIVE_INTEGER, Support
from bayesad.errors import DistributionError

__all__ = [
    "BetaBinomial",
    "BetaNegativeBinomial",
    "COMPoisson",
    "DiscreteUniform",
    "DiscreteWeibull",
    "Geometric",
    "Hypergeometric",
    "NegativeBinomial",
    "NegativeBinomialP",
    "Skellam",
    "YuleSimon",
]

_LARGEST = 2.0**62


class Geometric(Distribution):
    """Number of trials up to and with the first success, 1, 2, …; `theta` is the probability of a success."""

    theta: Probability
    support = POSITIVE_INTEGER

    def _log_density(self, x: Any) -> Any:
        return np.log(self.theta) + special.xlog1py(x - 1.0, -self.theta)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        failures = np.floor(rng.standard_exponential(shape) / -np.log1p(-self.theta))
        return np.minimum(failures + 1.0, _LARGEST).astype(np.int64)

    def _cdf(self, x: Any) -> Any:
        return -np.expm1(self._log_sf(x))

    def _sf(self, x: Any) -> Any:
        return np.exp(self._log_sf(x))

    def _log_sf(self, x: Any) -> Any:
        return x * np.log1p(-self.theta)

    def _mean(self) -> Any:
        return 1.0 / self.theta


class NegativeBinomial(Reparametrised):
    """Negative binomial law with shape `alpha` and inverse scale `beta`: mean alpha/beta (Stan: neg_binomial)."""

    alpha: Positive
    beta: Positive

    def _law(self) -> Distribution:
        return NegativeBinomial2(self.alpha / self.beta, self.alpha)


class NegativeBinomialP(Reparametrised):
    """Number of failures before the `n`-th success, `p` being the probability of a success; `n` may be any size."""

    n: Positive
    p: OpenProbability

    def _law(self) -> Distribution:
        return NegativeBinomial2(self.n * ((1.0 - self.p) / self.p), self.n)


class _FiniteSum(Distribution):
    """Laws on few whole numbers whose distribution function is the sum of their probabilities."""

    def _cdf(self, x: Any) -> Any:
        return self._shares(x)[0]

    def _sf(self, x: Any) -> Any:
        return self._shares(x)[1]

    def _log_cdf(self, x: Any) -> Any:
        return _log_share(*self._shares(x))

    def _log_sf(self, x: Any) -> Any:
        return _log_share(*self._shares(x)[::-1])

    def _shares(self, x: Any) -> tuple[Any, Any]:
        """P(X <= x) and P(X > x)."""
        ndim = max(len(self.batch_shape), np.ndim(x))
        k = np.reshape(np.arange(np.max(self.support.upper) + 1.0), (-1, *(1,) * ndim))
        p = np.exp(self.log_prob(k))
        lower, upper = (np.sum(np.where(counts, p, 0.0), axis=0) for counts in (k <= x, k > x))
        return lower / (lower + upper), upper / (lower + upper)


def _log_share(share: Any, rest: Any) -> Any:
    """log of a share of 1, from the rest where that is the smaller one."""
    small = rest < 0.5
    return np.where(small, np.log1p(-np.where(small, rest, 0.0)), safe_log(share))


class BetaBinomial(_FiniteSum):
    """Binomial law of `n` trials whose probability has the law Beta(`alpha`, `beta`) (Stan: beta_binomial)."""

    n: Count
    alpha: Positive
    beta: Positive

    @property
    def support(self) -> Support:
        return Support("integer", 0, self.n)

    def _log_density(self, x: Any) -> Any:
        log_rising = log_gamma_ratio(self.alpha, x) + log_gamma_ratio(self.beta, self.n - x)
        return log_rising - log_gamma_ratio(self.alpha + self.beta, self.n) + log_binomial_coefficient(self.n, x)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.binomial(self.n.astype(np.int64), rng.beta(self.alpha, self.beta, shape), shape)

    def _mean(self) -> Any:
        return self.n * (self.alpha / (self.alpha + self.beta))


class BetaNegativeBinomial(FromOneTail):
    """Failures before the `r`-th success at a probability with law Beta(`alpha`, `beta`) (Stan: beta_neg_binomial).

    Its distribution function has twelve digits for parameters between 0.06 and 10^4.
    """

    r: Positive
    alpha: Positive
    beta: Positive
    support = NONNEGATIVE_INTEGER

    def _log_density(self, x: Any) -> Any:
        constant = log_gamma_ratio(self.alpha, self.r) + log_gamma_ratio(self.beta, self.alpha)
        log_ratio = log_gamma_ratio(x + 1.0, self.r) - log_gamma_ratio(self.beta + x, self.alpha + self.r)
        return constant + log_ratio - np.log(x + self.r) - special.gammaln(self.r)

    def _log_tail(self, x: Any) -> tuple[Any, Any]:
        x, r, alpha, beta = np.minimum(x, _LARGEST), self.r, self.alpha, self.beta
        median = gamma_median(r) * gamma_median(beta) / gamma_median(alpha)  # of the Poisson means that it is made of
        upper = x > median - 0.5
        end = x + (1.0 + EXACT)
        slope = np.log1p((r - 1.0) / (end + 1.0)) + np.log1p(-(alpha + r) / (end + alpha + beta + r))
        bend = 1.0 / (end + r) + 1.0 / (end + beta) - 1.0 / (end + 1.0) - 1.0 / (end + alpha + beta + r)
        scale = ad.stop_gradient(1.0 / np.sqrt(slope**2 + np.abs(bend)))
        along = BetaNegativeBinomial(r[..., None], alpha[..., None], beta[..., None])
        return upper, log_partial_sum(along._log_density, x, upper, scale)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        odds = rng.standard_gamma(self.beta, shape) / rng.standard_gamma(self.alpha, shape)
        return draw_poisson(rng, odds * rng.standard_gamma(self.r, shape), shape)

    def _mean(self) -> Any:
        exists = self.alpha > 1.0
        return np.where(exists, self.r * self.beta / np.where(exists, self.alpha - 1.0, 1.0), np.inf)


class Hypergeometric(_FiniteSum):
    """Number of white balls among `N` drawn without replacement from `a` white and `b` black (Stan: hypergeometric)."""

    N: Count
    a: Count
    b: Count

    @property
    def support(self) -> Support:
        return Support("integer", np.maximum(self.N - self.b, 0.0), np.minimum(self.a, self.N))

    def _validate(self) -> None:
        if np.any(self.a + self.b < self.N):
            raise DistributionError(f"Hypergeometric: N must be at most a + b, the number of balls; got {self}.")

    def _log_density(self, x: Any) -> Any:
        white, black = log_binomial_coefficient(self.a, x), log_binomial_coefficient(self.b, self.N - x)
        return white + black - log_binomial_coefficient(self.a + self.b, self.N)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        a, b, n = (np.asarray(v).astype(np.int64) for v in (self.a, self.b, self.N))
        return rng.hypergeometric(a, b, n, shape)

    def _mean(self) -> Any:
        return self.N * (self.a / (self.a + self.b))


class DiscreteUniform(Distribution):
    """Every whole number from `lower` to `upper`, both included, with the same probability (Stan: discrete_range)."""

    lower: Whole
    upper: Whole

    @property
    def support(self) -> Support:
        return Support("integer", self.lower, self.upper)

    def _validate(self) -> None:
        check_order(self._name, self.lower, self.upper, strict=False)

    def _log_density(self, x: Any) -> Any:
        return spread(-np.log(self._count), x)

    @property
    def _count(self) -> Any:
        return self.upper - self.lower + 1.0

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.integers(self.lower.astype(np.int64), self.upper.astype(np.int64), shape, endpoint=True)

    def _cdf(self, x: Any) -> Any:
        return (x - self.lower + 1.0) / self._count

    def _sf(self, x: Any) -> Any:
        return (self.upper - x) / self._count

    def _mean(self) -> Any:
        return 0.5 * (self.lower + self.upper)


class Skellam(FromOneTail):
    """Law of the difference of two Poisson numbers with rates `mu1` and `mu2` (Skellam 1946)."""

    mu1: Positive
    mu2: Positive
    support = Support("integer")

    def _log_density(self, x: Any) -> Any:
        from bayesad.ad.primitives import special as primitives  # here, as SciPy costs more time than starting does

        root1, root2 = np.sqrt(self.mu1), np.sqrt(self.mu2)
        log_bessel = bind(primitives.log_ive, (np.abs(x), 2.0 * root1 * root2))
        return 0.5 * x * (np.log(self.mu1) - np.log(self.mu2)) + log_bessel - (root1 - root2) ** 2

    def _log_tail(self, x: Any) -> tuple[Any, Any]:
        upper = x > self.mu1 - self.mu2 - 0.5
        lower_of = [(-x - 1.0, x), (self.mu2, self.mu1), (self.mu1, self.mu2)]  # X > x if and only if -X <= -x - 1
        return upper, skellam_log_tail(*[np.where(upper, *pair) for pair in lower_of])

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return draw_poisson(rng, self.mu1, shape) - draw_poisson(rng, self.mu2, shape)

    def _mean(self) -> Any:
        return self.mu1 - self.mu2


class DiscreteWeibull(Distribution):
    """Law on 0, 1, … with P(X >= x) = `q`^(x^`beta`) (Nakagawa & Osaki 1975)."""

    q: OpenProbability
    beta: Positive
    support = NONNEGATIVE_INTEGER

    def _log_density(self, x: Any) -> Any:
        positive = x > 0.0
        y = np.where(positive, x, 1.0)
        power = y**self.beta
        step = np.where(positive, power * np.expm1(self.beta * np.log1p(1.0 / y)), 1.0)  # (x + 1)^beta - x^beta
        log_q = np.log(self.q)
        return np.where(positive, power, 0.0) * log_q + np.log(-np.expm1(log_q * step))

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        x = np.floor((rng.standard_exponential(shape) / -np.log(self.q)) ** (1.0 / self.beta))
        return np.minimum(x, _LARGEST).astype(np.int64)

    def _cdf(self, x: Any) -> Any:
        return -np.expm1(self._log_sf(x))

    def _sf(self, x: Any) -> Any:
        return np.exp(self._log_sf(x))

    def _log_sf(self, x: Any) -> Any:
        return (x + 1.0) ** self.beta * np.log(self.q)


class COMPoisson(FromOneTail):
    """Conway–Maxwell–Poisson law: probabilities proportional to `lambda_`^x / (x!)^`nu` (Shmueli et al. 2005).

    `nu` > 1: less dispersed than a Poisson law, which has `nu` = 1; < 1: more dispersed. The normalising sum goes on
    until a bound for its rest is below rounding; where that needs more than 10^5 terms the density is NaN. There are
    derivatives up to the second order.
    """

    lambda_: Positive
    nu: Positive
    support = NONNEGATIVE_INTEGER

    def _log_density(self, x: Any) -> Any:
        return x * self._log_rate - self.nu * special.gammaln(x + 1.0) - self._partial("com_poisson_log_sum")

    def _log_tail(self, x: Any) -> tuple[Any, Any]:
        upper = x + 1.0 > np.exp(self._log_rate / self.nu)  # beyond the mode
        first, last = np.where(upper, np.minimum(x, _LARGEST) + 1.0, 0.0), np.where(upper, np.inf, x)
        return upper, self._partial("com_poisson_log_sum", first, last) - self._partial("com_poisson_log_sum")

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        from bayesad.ad.primitives.tails import com_poisson_bounds, com_poisson_terms

        log_rate, nu = (np.ravel(a) for a in np.broadcast_arrays(np.log(self.lambda_), self.nu))
        bounds = com_poisson_bounds(log_rate, nu)
        thresholds = np.cumsum(com_poisson_terms(log_rate, nu, *bounds)[2], axis=-1)
        start, thresholds = (np.reshape(a, (*self.batch_shape, *a.shape[1:])) for a in (bounds[0], thresholds))
        u = rng.random(shape) * thresholds[..., -1]
        return (start + (u[..., None] >= thresholds).sum(axis=-1)).astype(np.int64)

    def _mean(self) -> Any:
        return self._partial("com_poisson_mean")

    @derived
    def _log_rate(self) -> Any:
        return np.log(self.lambda_)

    def _partial(self, name: str, first: Any = 0.0, last: Any = np.inf) -> Any:
        """A primitive of the terms of the normalising sum from `first` to `last`."""
        from bayesad.ad.primitives import special as primitives  # here, as SciPy costs more time than starting does

        return bind(getattr(primitives, name), (self._log_rate, self.nu, first, last))


class YuleSimon(Distribution):
    """Yule–Simon law on 1, 2, …: P(X = x) = alpha B(x, alpha + 1) (Stan: yule_simon)."""

    alpha: Positive
    support = POSITIVE_INTEGER

    def _log_density(self, x: Any) -> Any:
        return np.log(self.alpha) + self._log_beta(x)

    def _log_beta(self, x: Any) -> Any:
        return special.gammaln(self.alpha + 1.0) - log_gamma_ratio(x, self.alpha + 1.0)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        p = np.exp(
            -rng.standard_exponential(shape) / self.alpha
        )  # of a success, in the geometric law it is a mixture of
        failures = np.floor(rng.standard_exponential(shape) / -np.log1p(-p))
        return np.minimum(failures + 1.0, _LARGEST).astype(np.int64)

    def _cdf(self, x: Any) -> Any:
        return -np.expm1(self._log_sf(x))

    def _sf(self, x: Any) -> Any:
        return np.exp(self._log_sf(x))

    def _log_sf(self, x: Any) -> Any:
        return np.log(x) + self._log_beta(x)

    def _mean(self) -> Any:
        exists = self.alpha > 1.0
        return np.where(exists, self.alpha / np.where(exists, self.alpha - 1.0, 1.0), np.inf)
