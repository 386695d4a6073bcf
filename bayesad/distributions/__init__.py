"""Distributions: log density, draws, support and (where it has a closed form) the cdf, on plain and traced arrays.

    >>> from bayesad.distributions import Gamma
    >>> Gamma(alpha=2, beta=1).log_prob([0.5, 1.0]).shape
    (2,)

Argument names, their order and the parametrisations are those of the Stan functions reference where it has the law.
Locations default to 0 and scales to 1; rates, shapes, probabilities and bounds must be given.

Adding a law
------------
A law is one class in the module of its kind (the table below): a known law in other parameters is a
`reparametrised.Reparametrised`; laws made from other laws are in `wrappers`, `censoring`, `mixtures` and `custom`.
It says

1. its parameters, annotated with their domains (`domains`), in Stan's order;
2. its support (`supports`): a class attribute, or a property if it depends on parameters;
3. ``_log_density``, all constants included, and ``_draw``;
4. ``_cdf``, and ``_sf``, ``_log_cdf``, ``_log_sf`` where the default would lose a tail; ``_icdf`` and ``_mean`` where
   they have closed forms.

Then its name in the module's ``__all__`` and in the table below, and one row in the table of laws of
``tests/distributions/test_laws.py``: density, cdf, draws and gradients are tested from that row.

A module is imported when one of its names is first used, because creating a class of laws costs 0.1 ms.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayesad.distributions.base import *  # noqa: F403
    from bayesad.distributions.bounded import *  # noqa: F403
    from bayesad.distributions.censoring import *  # noqa: F403
    from bayesad.distributions.continuous import *  # noqa: F403
    from bayesad.distributions.copulas import *  # noqa: F403
    from bayesad.distributions.counts import *  # noqa: F403
    from bayesad.distributions.custom import *  # noqa: F403
    from bayesad.distributions.diffusion import *  # noqa: F403
    from bayesad.distributions.discrete import *  # noqa: F403
    from bayesad.distributions.extremes import *  # noqa: F403
    from bayesad.distributions.graphs import *  # noqa: F403
    from bayesad.distributions.interop import *  # noqa: F403
    from bayesad.distributions.lifetimes import *  # noqa: F403
    from bayesad.distributions.markov import *  # noqa: F403
    from bayesad.distributions.matrices import *  # noqa: F403
    from bayesad.distributions.mixtures import *  # noqa: F403
    from bayesad.distributions.multinomial import *  # noqa: F403
    from bayesad.distributions.multivariate import *  # noqa: F403
    from bayesad.distributions.ordinal import *  # noqa: F403
    from bayesad.distributions.positive import *  # noqa: F403
    from bayesad.distributions.regression import *  # noqa: F403
    from bayesad.distributions.skewed import *  # noqa: F403
    from bayesad.distributions.spatial import *  # noqa: F403
    from bayesad.distributions.state_space import *  # noqa: F403
    from bayesad.distributions.supports import *  # noqa: F403
    from bayesad.distributions.time_series import *  # noqa: F403
    from bayesad.distributions.walks import *  # noqa: F403
    from bayesad.distributions.wrappers import *  # noqa: F403
    from bayesad.distributions.zero_inflation import *  # noqa: F403

_NAMES = {
    "base": ("Distribution",),
    "bounded": (
        "Beta",
        "BetaProportion",
        "Interpolated",
        "Kumaraswamy",
        "LogitNormal",
        "Triangular",
        "VonMises",
    ),
    "censoring": ("censored", "interval_censored"),
    "continuous": ("Cauchy", "DoubleExponential", "Flat", "Laplace", "Logistic", "Normal", "StudentT", "Uniform"),
    "copulas": ("ClaytonCopula", "FrankCopula", "GaussianCopula", "GumbelCopula", "StudentTCopula"),
    "counts": (
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
    ),
    "custom": ("Bijection", "CustomDistribution", "transformed"),
    "diffusion": ("Wiener",),
    "discrete": (
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
    ),
    "extremes": ("Frechet", "GeneralizedExtremeValue", "GeneralizedPareto", "Gumbel", "Pareto", "ParetoType2"),
    "lifetimes": (
        "ChiSquare",
        "InverseChiSquare",
        "InverseGaussian",
        "LogLogistic",
        "Rayleigh",
        "Rice",
        "ScaledInverseChiSquare",
        "Wald",
    ),
    "graphs": ("Graph",),
    "interop": ("foreign",),
    "markov": ("DiscreteMarkovChain", "HiddenMarkov"),
    "matrices": (
        "InverseWishart",
        "LKJ",
        "LKJCholesky",
        "LKJCholeskyCovariance",
        "LKJCovariance",
        "MatrixNormal",
        "Wishart",
    ),
    "mixtures": ("Mixture", "hurdle", "mixture_same_family", "zero_inflated"),
    "multinomial": ("DirichletMultinomial", "Multinomial", "MultinomialLogit"),
    "multivariate": ("Dirichlet", "MvNormal", "MvStudentT", "StickBreaking", "UnitVector", "stick_breaking"),
    "ordinal": ("OrderedLogistic", "OrderedProbit"),
    "positive": (
        "Exponential",
        "Gamma",
        "HalfCauchy",
        "HalfNormal",
        "HalfStudentT",
        "InverseGamma",
        "LogNormal",
        "Weibull",
    ),
    "spatial": ("BYM2", "CAR", "ICAR", "bym2_scaling_factor"),
    "regression": (
        "BernoulliLogitGLM",
        "BinomialLogitGLM",
        "CategoricalLogitGLM",
        "NegativeBinomial2LogGLM",
        "NormalIDGLM",
        "OrderedLogisticGLM",
        "PoissonLogGLM",
    ),
    "skewed": (
        "AsymmetricLaplace",
        "ExGaussian",
        "ExpModNormal",
        "Moyal",
        "SkewDoubleExponential",
        "SkewNormal",
        "SkewStudentT",
    ),
    "state_space": ("LinearGaussianStateSpace",),
    "supports": ("Support",),
    "time_series": ("AR", "ARMA", "GARCH"),
    "walks": ("GaussianRandomWalk", "MvGaussianRandomWalk", "RandomWalk"),
    "wrappers": ("ordered", "restricted", "truncated", "zero_sum"),
    "zero_inflation": (
        "HurdleGamma",
        "HurdleLogNormal",
        "HurdleNegativeBinomial2",
        "HurdlePoisson",
        "ZeroInflatedBinomial",
        "ZeroInflatedNegativeBinomial2",
        "ZeroInflatedPoisson",
    ),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}

if not TYPE_CHECKING:  # a type checker reads the imports above
    __all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'bayesad.distributions' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"bayesad.distributions.{_MODULE_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
