"""Response families of formulas: what the linear predictor means, as text of the model's last statement.

The texts hold ``{eta}``, the linear predictor, and ``{scale}``, the response's standard deviation, for priors. Default
priors of the further parameters are those of brms where it has the family.
"""

from __future__ import annotations

from dataclasses import dataclass

from bayesad.errors import ModelError, suggestion

__all__ = ["FAMILIES", "Family", "family_of"]


@dataclass(frozen=True)
class Family:
    """A family: the law for each link (the first is the default), further parameters, and what responses fit.

    Attributes
    ----------
    links : dict
        Link -> text of the law.
    parameters : tuple of (name, prior)
        Beyond the linear predictor.
    response : str
        "numeric", "count", "proportion", "binary", "ordered" or "categoric".
    """

    links: dict[str, str]
    parameters: tuple[tuple[str, str], ...] = ()
    response: str = "numeric"


_SIGMA = ("sigma", "ba.HalfStudentT(3, {scale})")
_PHI = ("phi", "ba.InverseGamma(0.4, 0.3)")
_PRECISION = ("phi", "ba.Gamma(0.01, 0.01)")
_SHAPE = ("shape", "ba.Gamma(0.01, 0.01)")
_EXCESS = ("zero_share", "ba.Beta(1, 1)")

FAMILIES = {
    "gaussian": Family({"identity": "ba.Normal({eta}, sigma)", "log": "ba.Normal(np.exp({eta}), sigma)"}, (_SIGMA,)),
    "student": Family({"identity": "ba.StudentT(nu, {eta}, sigma)"}, (("nu", "ba.Gamma(2, 0.1)"), _SIGMA)),
    "lognormal": Family({"identity": "ba.LogNormal({eta}, sigma)"}, (("sigma", "ba.HalfStudentT(3, 2.5)"),)),
    "exponential": Family({"log": "ba.Exponential(np.exp(-({eta})))"}),
    "gamma": Family({"log": "ba.Gamma(shape, shape * np.exp(-({eta})))"}, (_SHAPE,)),
    "hurdle_gamma": Family(
        {"log": "ba.hurdle(ba.Gamma(shape, shape * np.exp(-({eta}))), zero_share)"}, (_SHAPE, _EXCESS)
    ),
    "wald": Family({"log": "ba.InverseGaussian(np.exp({eta}), shape)"}, (_SHAPE,)),
    "weibull": Family({"log": "ba.Weibull(shape, np.exp({eta} - scipy.special.gammaln(1 + 1 / shape)))"}, (_SHAPE,)),
    "beta": Family(
        {"logit": "ba.Beta(scipy.special.expit({eta}) * phi, scipy.special.expit(-({eta})) * phi)"},
        (_PRECISION,),
    ),
    "bernoulli": Family(
        {
            "logit": "ba.BernoulliLogit({eta})",
            "probit": "ba.Bernoulli(scipy.special.ndtr({eta}))",
            "cloglog": "ba.Bernoulli(-np.expm1(-np.exp({eta})))",
        },
        response="binary",
    ),
    "binomial": Family(
        {
            "logit": "ba.BinomialLogit(trials, {eta})",
            "probit": "ba.Binomial(trials, scipy.special.ndtr({eta}))",
            "cloglog": "ba.Binomial(trials, -np.expm1(-np.exp({eta})))",
        },
        response="proportion",
    ),
    "beta_binomial": Family(
        {"logit": "ba.BetaBinomial(trials, scipy.special.expit({eta}) * phi, scipy.special.expit(-({eta})) * phi)"},
        (_PRECISION,),
        response="proportion",
    ),
    "zero_inflated_binomial": Family(
        {"logit": "ba.zero_inflated(ba.BinomialLogit(trials, {eta}), zero_share)"}, (_EXCESS,), response="proportion"
    ),
    "poisson": Family({"log": "ba.PoissonLog({eta})"}, response="count"),
    "negativebinomial": Family({"log": "ba.NegativeBinomial2Log({eta}, phi)"}, (_PHI,), response="count"),
    "zero_inflated_poisson": Family(
        {"log": "ba.zero_inflated(ba.PoissonLog({eta}), zero_share)"}, (_EXCESS,), response="count"
    ),
    "zero_inflated_negativebinomial": Family(
        {"log": "ba.zero_inflated(ba.NegativeBinomial2Log({eta}, phi), zero_share)"}, (_PHI, _EXCESS), response="count"
    ),
    "hurdle_poisson": Family({"log": "ba.hurdle(ba.PoissonLog({eta}), zero_share)"}, (_EXCESS,), response="count"),
    "hurdle_negativebinomial": Family(
        {"log": "ba.hurdle(ba.NegativeBinomial2Log({eta}, phi), zero_share)"}, (_PHI, _EXCESS), response="count"
    ),
    "cumulative": Family(
        {"logit": "ba.OrderedLogistic({eta}, cutpoints)", "probit": "ba.OrderedProbit({eta}, cutpoints)"},
        response="ordered",
    ),
    "categorical": Family({"logit": "ba.CategoricalLogit({eta})"}, response="categoric"),
}

_ELSEWHERE = {
    "normal": "gaussian",
    "t": "student",
    "negbinomial": "negativebinomial",
    "neg_binomial": "negativebinomial",
    "zero_inflated_negbinomial": "zero_inflated_negativebinomial",
    "hurdle_negbinomial": "hurdle_negativebinomial",
    "inverse_gaussian": "wald",
    "inverse.gaussian": "wald",
    "logistic": "bernoulli",
    "ordinal": "cumulative",
    "multinomial": "categorical",
}
"""Names that families have in other packages."""


def family_of(name: str, link: str | None) -> tuple[Family, str, str]:
    """The family, its link and the text of its law.

    Raises
    ------
    ModelError
        For an unknown family, or a link that the family does not have.
    """
    if name not in FAMILIES:
        usual = _ELSEWHERE.get(name.lower(), name.lower())
        raise ModelError(f"family {name!r} is unknown{suggestion(usual, FAMILIES)}; there are {', '.join(FAMILIES)}")
    family = FAMILIES[name]
    link = next(iter(family.links)) if link is None else link
    if link not in family.links:
        raise ModelError(f"family {name!r} has no link {link!r}; it has {', '.join(family.links)}")
    return family, link, family.links[link]
