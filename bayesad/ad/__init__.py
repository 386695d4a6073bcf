"""Automatic differentiation of ordinary NumPy code, by tracing it into programs.

>>> from bayesad import ad
>>> import numpy as np
>>> ad.gradient(lambda x: np.sum(np.sin(x["a"]) * x["b"]), {"a": np.zeros(2), "b": np.ones(2)})
{'a': array([1., 1.]), 'b': array([0., 0.])}
"""

from typing import TYPE_CHECKING, Any

from bayesad.ad import functions as functions
from bayesad.ad.array import TracedArray, is_traced
from bayesad.ad.array import plain_or_traced as asarray
from bayesad.ad.compiled import Compiled, compile
from bayesad.ad.custom import custom_jvp, custom_vjp
from bayesad.ad.operators import Forward, Reverse, gradient, jvp, stop_gradient, value_and_gradient, vjp
from bayesad.ad.program import Program
from bayesad.ad.rewrites import REWRITES
from bayesad.ad.scan import scan
from bayesad.ad.trace import trace

if TYPE_CHECKING:
    from bayesad.ad.activity import (
        Active,
        BatchDuplicated,
        Const,
        Derivatives,
        Duplicated,
        Tangents,
        autodiff,
        make_zero,
        set_zero,
    )
    from bayesad.ad.checking import Check, check
    from bayesad.ad.control import cond, while_loop
    from bayesad.ad.foreign import primitive
    from bayesad.ad.fourier import irfft, rfft
    from bayesad.ad.inspection import inspect
    from bayesad.ad.jacobians import hessian, hvp, jacobian
    from bayesad.ad.odes import odeint
    from bayesad.ad.quadrature import quad
    from bayesad.ad.solutions import fixed_point, minimize, root
    from bayesad.ad.sparsity import Sparsity
    from bayesad.ad.splines import cubic_spline

__all__ = [
    "REWRITES",
    "Active",
    "BatchDuplicated",
    "Check",
    "Compiled",
    "Const",
    "Derivatives",
    "Duplicated",
    "Forward",
    "Program",
    "Reverse",
    "Sparsity",
    "Tangents",
    "TracedArray",
    "asarray",
    "autodiff",
    "check",
    "compile",
    "cond",
    "cubic_spline",
    "custom_jvp",
    "custom_vjp",
    "fixed_point",
    "gradient",
    "hessian",
    "hvp",
    "inspect",
    "irfft",
    "is_traced",
    "jacobian",
    "jvp",
    "make_zero",
    "minimize",
    "odeint",
    "primitive",
    "quad",
    "rfft",
    "root",
    "scan",
    "set_zero",
    "stop_gradient",
    "trace",
    "value_and_gradient",
    "vjp",
    "while_loop",
]


_NAMES_IN = {  # what not every run needs: module -> names
    "activity": "Active BatchDuplicated Const Derivatives Duplicated Tangents autodiff make_zero set_zero",
    "checking": "Check check",
    "control": "cond while_loop",
    "fourier": "irfft rfft",
    "inspection": "inspect",
    "jacobians": "hessian hvp jacobian",
    "foreign": "primitive",
    "odes": "odeint",
    "quadrature": "quad",
    "solutions": "fixed_point minimize root",
    "splines": "cubic_spline",
    "sparsity": "Sparsity",
}
_MODULE_OF = {name: module for module, names in _NAMES_IN.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        from importlib import import_module

        value = globals()[name] = getattr(import_module(f"bayesad.ad.{_MODULE_OF[name]}"), name)  # found next time
        return value
    from bayesad.errors import suggestion

    raise AttributeError(f"module 'bayesad.ad' has no attribute {name!r}{suggestion(name, __all__)}")


def __dir__() -> list[str]:
    return __all__
