"""bayesad: a model as a Python function, its posterior by HMC and NUTS on its own automatic differentiation.

>>> import bayesad as ba
>>> @ba.model
... def mean_of(y):
...     mu = ba.sample("mu", ba.Normal(0, 10))
...     ba.sample("y", ba.Normal(mu, 1), obs=y)
>>> posterior = mean_of(y=[1.0, 2.0, 3.0])
>>> draws = posterior.sample(seed=1)  # doctest: +SKIP

Names are imported from their modules when first used, so that importing the package costs next to nothing. The
distributions are those of `bayesad.distributions`.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayesad import ad as ad
    from bayesad import distributions as distributions
    from bayesad import gp as gp
    from bayesad.ad import odeint as odeint
    from bayesad.basis import bspline_basis as bspline_basis
    from bayesad.basis import monotonic as monotonic
    from bayesad.basis import zero_sum_basis as zero_sum_basis
    from bayesad.changes import condition as condition
    from bayesad.changes import do as do
    from bayesad.changes import reparameterise as reparameterise
    from bayesad.composing import plate as plate
    from bayesad.composing import prefix as prefix
    from bayesad.composing import submodel as submodel
    from bayesad.distributions import *  # noqa: F403
    from bayesad.dsl import Model as Model
    from bayesad.dsl import coord as coord
    from bayesad.dsl import deterministic as deterministic
    from bayesad.dsl import factor as factor
    from bayesad.dsl import model as model
    from bayesad.dsl import sample as sample
    from bayesad.formulas import glm as glm
    from bayesad.gp import GaussianProcess as GaussianProcess
    from bayesad.posterior import Posterior as Posterior
    from bayesad.priors import global_scale as global_scale
    from bayesad.priors import r2d2 as r2d2
    from bayesad.priors import regularised_horseshoe as regularised_horseshoe
    from bayesad.samplers import HMC as HMC
    from bayesad.samplers import NUTS as NUTS
    from bayesad.scanning import scan as scan

_MODULE_OF = {
    "model": "bayesad.dsl",
    "sample": "bayesad.dsl",
    "deterministic": "bayesad.dsl",
    "factor": "bayesad.dsl",
    "coord": "bayesad.dsl",
    "Model": "bayesad.dsl",
    "plate": "bayesad.composing",
    "prefix": "bayesad.composing",
    "submodel": "bayesad.composing",
    "condition": "bayesad.changes",
    "do": "bayesad.changes",
    "reparameterise": "bayesad.changes",
    "Posterior": "bayesad.posterior",
    "glm": "bayesad.formulas",
    "GaussianProcess": "bayesad.gp",
    "r2d2": "bayesad.priors",
    "regularised_horseshoe": "bayesad.priors",
    "global_scale": "bayesad.priors",
    "NUTS": "bayesad.samplers",
    "HMC": "bayesad.samplers",
    "scan": "bayesad.scanning",
    "bspline_basis": "bayesad.basis",
    "monotonic": "bayesad.basis",
    "zero_sum_basis": "bayesad.basis",
    "odeint": "bayesad.ad.odes",
}


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module 'bayesad' has no attribute {name!r}")
    if name not in _MODULE_OF and find_spec(f"bayesad.{name}") is not None:
        return import_module(f"bayesad.{name}")
    home = import_module(_MODULE_OF.get(name, "bayesad.distributions"))
    if name not in home.__all__:
        from bayesad.errors import suggestion

        raise AttributeError(f"module 'bayesad' has no attribute {name!r}{suggestion(name, __dir__())}")
    value = globals()[name] = getattr(home, name)  # found at once next time
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF, *import_module("bayesad.distributions").__all__})
