"""Distributions: log density, draws, support and (where it has a closed form) the cdf, on plain and traced arrays.

    >>> from bayesad.distributions import Gamma
    >>> Gamma(alpha=2, beta=1).log_prob([0.5, 1.0]).shape
    (2,)

Argument names, their order and the parametrisations are those of the Stan functions reference where it has the law.
Locations default to 0 and scales to 1; rates, shapes, probabilities and bounds must be given.

Adding a law
------------
A law is one class in the module of its support (`continuous`, `positive`, `bounded`, `discrete`, `multivariate`;
laws made from other laws: `wrappers`):

1. its parameters, annotated with their domains (`domains`), in Stan's order;
2. its support (`supports`): a class attribute, or a property if it depends on parameters;
3. ``_log_density``, all constants included, and ``_draw``;
4. ``_cdf``, and ``_sf``, ``_log_cdf``, ``_log_sf`` where the default would lose a tail.

Then its name in the module's ``__all__`` (listed here), and one row in the table of laws of
``tests/distributions/test_laws.py``: density, cdf, draws and gradients are tested from that row.
"""

from bayesad.distributions.base import Distribution
from bayesad.distributions.bounded import Beta
from bayesad.distributions.continuous import Cauchy, Flat, Laplace, Logistic, Normal, StudentT, Uniform
from bayesad.distributions.discrete import (
    Bernoulli,
    BernoulliLogit,
    Binomial,
    BinomialLogit,
    Categorical,
    CategoricalLogit,
    NegativeBinomial2,
    NegativeBinomial2Log,
    Poisson,
    PoissonLog,
)
from bayesad.distributions.multivariate import Dirichlet, LKJCholesky, MvNormal
from bayesad.distributions.positive import (
    Exponential,
    Gamma,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    LogNormal,
    Weibull,
)
from bayesad.distributions.supports import Support
from bayesad.distributions.wrappers import ordered, restricted, truncated

__all__ = [
    "Bernoulli",
    "BernoulliLogit",
    "Beta",
    "Binomial",
    "BinomialLogit",
    "Categorical",
    "CategoricalLogit",
    "Cauchy",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "Flat",
    "Gamma",
    "HalfCauchy",
    "HalfNormal",
    "HalfStudentT",
    "InverseGamma",
    "LKJCholesky",
    "Laplace",
    "LogNormal",
    "Logistic",
    "MvNormal",
    "NegativeBinomial2",
    "NegativeBinomial2Log",
    "Normal",
    "Poisson",
    "PoissonLog",
    "StudentT",
    "Support",
    "Uniform",
    "Weibull",
    "ordered",
    "restricted",
    "truncated",
]
