"""The laws of scipy.stats on traced arrays: their public methods pick entries by masks, which depend on unknowns here.

The formulas are SciPy's own (the methods that begin with an underscore), evaluated everywhere: outside the support at
a point inside, of which nothing is used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from bayesad.ad.array import asarray, implements, is_traced
from bayesad.ad.imports import when_imported

__all__ = ["CHOICES", "CONTINUOUS", "DISCRETE"]

Method = Callable[..., Any]


def _interior(lower: Any, upper: Any) -> Any:
    """A point between the bounds."""
    low = np.where(np.isfinite(lower), lower, np.where(np.isfinite(upper), upper - 2.0, -1.0))
    high = np.where(np.isfinite(upper), upper, low + 2.0)
    return 0.5 * (low + high)


def _on_values(name: str, below: float, above: float, density: bool) -> Method:
    """A method of a value: densities are divided by the scale, distribution functions are not."""

    def method(self: Any, x: Any, *args: Any, **options: Any) -> Any:
        shapes, loc, scale = self._parse_args(*args, **options)
        shapes = tuple(asarray(shape) for shape in shapes)
        z = (asarray(x) - loc) / scale
        lower, upper = self._get_support(*shapes)
        under, over = z < lower, z > upper
        value = getattr(self, name)(np.where(under | over, _interior(lower, upper), z), *shapes)
        if density:
            value = value - np.log(scale) if "log" in name else value / scale
        return np.where(under, below, np.where(over, above, value))

    return method


def _on_counts(name: str, below: float, above: float, density: bool) -> Method:
    """A method of a whole number; between whole numbers there is no mass, and the distribution function is flat."""

    def method(self: Any, k: Any, *args: Any, **options: Any) -> Any:
        shapes, loc, _ = self._parse_args(*args, **options)
        shapes = tuple(asarray(shape) for shape in shapes)
        z = asarray(k) - loc
        lower, upper = self._get_support(*shapes)
        under, over = z < lower, z > upper
        whole = np.floor(z)
        value = getattr(self, name)(np.where(under | over, lower, whole), *shapes)
        if density:
            value = np.where(z == whole, value, below)
        return np.where(under, below, np.where(over, above, value))

    return method


def _on_chances(name: str) -> Method:
    def method(self: Any, q: Any, *args: Any, **options: Any) -> Any:
        shapes, loc, scale = self._parse_args(*args, **options)
        return getattr(self, name)(asarray(q), *(asarray(shape) for shape in shapes)) * scale + loc

    return method


def apply_where(cond: Any, args: Any, f1: Method, f2: Any = None, /, *, fill_value: Any = None, **_: Any) -> Any:
    """array_api_extra's choice between two functions of the same arguments, both of them evaluated everywhere."""
    arguments = args if isinstance(args, (tuple, list)) else (args,)
    if not is_traced(cond) and np.all(cond):
        return f1(*arguments)
    otherwise = fill_value if f2 is None else f2(*arguments)
    return otherwise if not is_traced(cond) and not np.any(cond) else np.where(cond, f1(*arguments), otherwise)


def lazyselect(condlist: Any, choicelist: Any, arrays: Any, default: Any = 0) -> Any:
    """SciPy's choice between several functions: the first whose condition holds."""
    return np.select(condlist, [choice(*arrays) for choice in choicelist], default)


_DISTRIBUTION_FUNCTIONS = {
    "cdf": ("_cdf", 0.0, 1.0, False),
    "sf": ("_sf", 1.0, 0.0, False),
    "logcdf": ("_logcdf", -np.inf, 0.0, False),
    "logsf": ("_logsf", 0.0, -np.inf, False),
}

CONTINUOUS: dict[str, Method] = {
    "pdf": _on_values("_pdf", 0.0, 0.0, True),
    "logpdf": _on_values("_logpdf", -np.inf, -np.inf, True),
    **{name: _on_values(*rule) for name, rule in _DISTRIBUTION_FUNCTIONS.items()},
    "ppf": _on_chances("_ppf"),
    "isf": _on_chances("_isf"),
}
"""Method of rv_continuous -> its traced meaning."""

DISCRETE: dict[str, Method] = {
    "pmf": _on_counts("_pmf", 0.0, 0.0, True),
    "logpmf": _on_counts("_logpmf", -np.inf, -np.inf, True),
    **{name: _on_counts(*rule) for name, rule in _DISTRIBUTION_FUNCTIONS.items()},
}
"""Method of rv_discrete -> its traced meaning."""

CHOICES: dict[str, dict[str, Method]] = {
    "scipy._lib.array_api_extra": {"apply_where": apply_where},
    "scipy._external.array_api_extra": {"apply_where": apply_where},  # SciPy 1.18
    "scipy._lib._util": {"_lazyselect": lazyselect},
}
"""Module of SciPy -> functions in it that the laws' formulas choose by."""


# --- private ufuncs that formulas call
def _beta_pdf(x: Any, a: Any, b: Any) -> Any:
    return np.exp(_special.xlogy(a - 1.0, x) + _special.xlog1py(b - 1.0, -x) - _special.betaln(a, b))


def _cauchy_isf(p: Any, loc: Any, scale: Any) -> Any:
    return loc + scale / np.tan(np.pi * p)


_PRIVATE: dict[str, Method] = {
    "_beta_pdf": _beta_pdf,
    "_beta_ppf": lambda p, a, b: _special.betaincinv(a, b, p),
    "_cauchy_isf": _cauchy_isf,
    "_cauchy_ppf": lambda p, loc, scale: _cauchy_isf(p, loc, -scale),
}
_special: Any = None  # scipy.special, once it has been imported


def _know_private(ufuncs: ModuleType) -> None:
    global _special
    _special = sys.modules["scipy.special"]
    for name, meaning in _PRIVATE.items():
        if hasattr(ufuncs, name):  # not every version of SciPy has them
            implements(getattr(ufuncs, name))(meaning)


when_imported("scipy.special._ufuncs", _know_private)
