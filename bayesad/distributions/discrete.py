"""Laws on whole numbers: two outcomes, counts with and without a limit, categories."""

from typing import Any

import numpy as np

from bayesad import ad
from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.domains import Count, NonNegative, Positive, Probability, Real, RealVector, SimplexVector
from bayesad.distributions.lazy import special
from bayesad.distributions.numerics import draw_poisson, log_gamma_ratio, safe_log, spread
from bayesad.distributions.supports import NONNEGATIVE_INTEGER, ZERO_OR_ONE, Support

__all__ = [
    "Bernoulli",
    "BernoulliLogit",
    "Binomial",
    "BinomialLogit",
    "Categorical",
    "CategoricalLogit",
    "NegativeBinomial2",
    "NegativeBinomial2Log",
    "Poisson",
    "PoissonLog",
]


class Bernoulli(Distribution):
    """1 with probability `theta`, else 0 (Stan: bernoulli)."""

    theta: Probability
    support = ZERO_OR_ONE

    def _log_density(self, x: Any) -> Any:
        return special.xlogy(x, self.theta) + special.xlog1py(1.0 - x, -self.theta)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.binomial(1, self.theta, shape)

    def _cdf(self, x: Any) -> Any:
        return spread(1.0 - self.theta, x)  # x is 0: the rest is settled by the support

    def _sf(self, x: Any) -> Any:
        return spread(self.theta, x)

    def _mean(self) -> Any:
        return self.theta


class BernoulliLogit(Distribution):
    """1 with probability expit(`alpha`), else 0 (Stan: bernoulli_logit)."""

    alpha: Real
    support = ZERO_OR_ONE

    def _log_density(self, x: Any) -> Any:
        return special.log_expit((2.0 * x - 1.0) * self.alpha)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.binomial(1, special.expit(self.alpha), shape)

    def _cdf(self, x: Any) -> Any:
        return spread(special.expit(-self.alpha), x)

    def _sf(self, x: Any) -> Any:
        return spread(special.expit(self.alpha), x)

    def _mean(self) -> Any:
        return special.expit(self.alpha)


class Binomial(Distribution):
    """Number of successes in `n` trials with probability `theta` (Stan: binomial)."""

    n: Count
    theta: Probability

    @property
    def support(self) -> Support:
        return Support("integer", 0, self.n)

    def _log_density(self, x: Any) -> Any:
        log_power = special.xlogy(x, self.theta) + special.xlog1py(self.n - x, -self.theta)
        return log_power + log_binomial_coefficient(self.n, x)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.binomial(self.n.astype(np.int64), self.theta, shape)

    def _cdf(self, x: Any) -> Any:
        return special.betaincc(x + 1.0, np.maximum(self.n - x, 1.0), self.theta)

    def _sf(self, x: Any) -> Any:
        return special.betainc(x + 1.0, np.maximum(self.n - x, 1.0), self.theta)

    def _mean(self) -> Any:
        return self.n * self.theta


class BinomialLogit(Distribution):
    """Number of successes in `n` trials with probability expit(`alpha`) (Stan: binomial_logit)."""

    n: Count
    alpha: Real

    @property
    def support(self) -> Support:
        return Support("integer", 0, self.n)

    def _log_density(self, x: Any) -> Any:
        log_power = x * special.log_expit(self.alpha) + (self.n - x) * special.log_expit(-self.alpha)
        return log_power + log_binomial_coefficient(self.n, x)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.binomial(self.n.astype(np.int64), special.expit(self.alpha), shape)

    def _cdf(self, x: Any) -> Any:
        return special.betainc(np.maximum(self.n - x, 1.0), x + 1.0, special.expit(-self.alpha))

    def _sf(self, x: Any) -> Any:
        return special.betainc(x + 1.0, np.maximum(self.n - x, 1.0), special.expit(self.alpha))

    def _mean(self) -> Any:
        return self.n * special.expit(self.alpha)


class _Count(Distribution):
    """Counts whose probability of 0 is written with all its digits, as that of 1 or more then is too."""

    def _log_sf(self, x: Any) -> Any:
        if not ad.is_traced(x) and not np.any(x):
            return np.log(-np.expm1(self._log_density(x)))
        return safe_log(self._sf(x))


class Poisson(_Count):
    """Poisson law with rate `lambda_` (Stan: poisson)."""

    lambda_: NonNegative
    support = NONNEGATIVE_INTEGER

    def _log_density(self, x: Any) -> Any:
        return special.xlogy(x, self.lambda_) - self.lambda_ - special.gammaln(x + 1.0)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return draw_poisson(rng, self.lambda_, shape)

    def _cdf(self, x: Any) -> Any:
        return special.gammaincc(x + 1.0, self.lambda_)

    def _sf(self, x: Any) -> Any:
        return special.gammainc(x + 1.0, self.lambda_)

    def _mean(self) -> Any:
        return self.lambda_


class PoissonLog(_Count):
    """Poisson law with rate exp(`alpha`) (Stan: poisson_log)."""

    alpha: Real
    support = NONNEGATIVE_INTEGER

    def _log_density(self, x: Any) -> Any:
        return x * self.alpha - np.exp(self.alpha) - special.gammaln(x + 1.0)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return draw_poisson(rng, np.exp(self.alpha), shape)

    def _cdf(self, x: Any) -> Any:
        return special.gammaincc(x + 1.0, np.exp(self.alpha))

    def _sf(self, x: Any) -> Any:
        return special.gammainc(x + 1.0, np.exp(self.alpha))

    def _mean(self) -> Any:
        return np.exp(self.alpha)


class NegativeBinomial2(_Count):
    """Negative binomial law with mean `mu` and variance mu + mu²/phi (Stan: neg_binomial_2).

    For large `phi` it goes over into Poisson(mu) without loss of digits.
    """

    mu: Positive
    phi: Positive
    support = NONNEGATIVE_INTEGER

    def _log_density(self, x: Any) -> Any:
        ratio = self.mu / self.phi
        log_power = special.xlogy(x, ratio) - (x + self.phi) * np.log1p(ratio)
        return log_power + log_gamma_ratio(self.phi, x) - special.gammaln(x + 1.0)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return draw_poisson(rng, rng.gamma(self.phi, self.mu / self.phi, shape), shape)

    def _cdf(self, x: Any) -> Any:
        return special.betainc(self.phi, x + 1.0, self.phi / (self.phi + self.mu))

    def _sf(self, x: Any) -> Any:
        return special.betainc(x + 1.0, self.phi, self.mu / (self.phi + self.mu))

    def _mean(self) -> Any:
        return self.mu


class NegativeBinomial2Log(_Count):
    """Negative binomial law with mean exp(`eta`) and overdispersion `phi` (Stan: neg_binomial_2_log)."""

    eta: Real
    phi: Positive
    support = NONNEGATIVE_INTEGER

    def _log_density(self, x: Any) -> Any:
        log_ratio = self.eta - np.log(self.phi)
        log_power = x * log_ratio + (x + self.phi) * special.log_expit(-log_ratio)
        return log_power + log_gamma_ratio(self.phi, x) - special.gammaln(x + 1.0)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return draw_poisson(rng, rng.gamma(self.phi, np.exp(self.eta) / self.phi, shape), shape)

    def _cdf(self, x: Any) -> Any:
        return special.betainc(self.phi, x + 1.0, special.expit(np.log(self.phi) - self.eta))

    def _sf(self, x: Any) -> Any:
        return special.betainc(x + 1.0, self.phi, special.expit(self.eta - np.log(self.phi)))

    def _mean(self) -> Any:
        return np.exp(self.eta)


class Categorical(Distribution):
    """A label 0 … K-1 with probabilities `theta`, shape (..., K): one label per leading index (Stan counts from 1)."""

    theta: SimplexVector

    @derived
    def support(self) -> Support:
        return Support("integer", 0, self.theta.shape[-1] - 1)

    def _log_density(self, x: Any) -> Any:
        if x.size < self.theta.size:
            return safe_log(chosen(self.theta, x))
        return chosen(safe_log(self.theta), x)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return draw_labels(rng, self.theta, shape)

    def _cdf(self, x: Any) -> Any:
        return chosen(np.cumsum(self.theta, axis=-1), x)

    def _mean(self) -> Any:
        return (self.theta * np.arange(self.theta.shape[-1])).sum(axis=-1)


class CategoricalLogit(Distribution):
    """A label 0 … K-1 with probabilities softmax(`beta`), shape (..., K): one label per leading index."""

    beta: RealVector

    @derived
    def support(self) -> Support:
        return Support("integer", 0, self.beta.shape[-1] - 1)

    def _log_density(self, x: Any) -> Any:
        return chosen(self.beta, x) - special.logsumexp(self.beta, axis=-1)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return draw_labels(rng, special.softmax(self.beta, axis=-1), shape)

    def _cdf(self, x: Any) -> Any:
        return chosen(np.cumsum(special.softmax(self.beta, axis=-1), axis=-1), x)

    def _mean(self) -> Any:
        return (special.softmax(self.beta, axis=-1) * np.arange(self.beta.shape[-1])).sum(axis=-1)


def log_binomial_coefficient(n: Any, k: Any) -> Any:
    return -np.log1p(n) - special.betaln(n - k + 1.0, k + 1.0)


def chosen(table: Any, labels: Any) -> Any:
    """table[..., label] for every label; the leading axes of the table broadcast against the labels."""
    batch = table.shape[:-1]
    grids = [(np.arange(n) * (n > 1)).reshape(-1, *(1,) * (len(batch) - axis - 1)) for axis, n in enumerate(batch)]
    labels = labels.astype(np.int64) if ad.is_traced(labels) else np.asarray(labels, dtype=np.int64)
    return table[(*grids, labels)]


def draw_labels(rng: np.random.Generator, theta: Any, shape: Shape) -> np.ndarray:
    """Labels by inversion of the cumulative probabilities."""
    cumulative = np.cumsum(theta, axis=-1)
    thresholds = cumulative[..., :-1] / cumulative[..., -1:]
    return (rng.random(shape)[..., None] >= thresholds).sum(axis=-1)
