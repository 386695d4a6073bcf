"""Elementwise primitives: arithmetic, powers, exponentials, trigonometry, comparisons, selection.

Conventions where a derivative does not exist: ``abs`` and ``sign`` have derivative 0 at 0; a tie in ``maximum`` or
``minimum`` gives each side one half; ``x**0`` has derivative 0 everywhere, and ``x**p`` has derivative 0 in p where
x <= 0; ``hypot`` has derivative 0 at the origin; ``sqrt`` and ``cbrt`` have derivative +inf at 0; rounding, comparisons
and logic have derivative 0. ``0 * log(0)`` is NaN as in NumPy, with a NaN derivative: use ``scipy.special.xlogy``.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from bayesad.ad.primitives.table import INTEGER, boolean_type, define, elementwise, integer_type, promoted_type

LOG2 = float(np.log(2.0))
LOG10 = float(np.log(10.0))
HUGE = 1e150  # its square is finite, and 1 + x² is x² there
LOWEST = float(np.finfo(np.float64).min)  # stands in for -inf so that two of them give weight 0, not NaN


def power_by_base(g: Any, y: Any, x: Any, p: Any) -> Any:
    if getattr(p, "ndim", 0) == 0 and isinstance(p, (int, float, np.ndarray, np.generic)):
        exponent = float(p)
        if exponent == 0.0:
            return g * 0.0
        if exponent == 1.0:
            return g
        return g * (exponent * (x if exponent == 2.0 else x ** (exponent - 1.0)))
    constant = p == 0
    return g * np.where(constant, 0.0, p * x ** np.where(constant, 1.0, p - 1.0))


def power_by_exponent(g: Any, y: Any, x: Any, p: Any) -> Any:
    return g * (y * np.log(np.where(x > 0, x, 1.0)))


def larger(g: Any, y: Any, a: Any, b: Any) -> Any:
    return g * np.where(a > b, 1.0, np.where(a == b, 0.5, 0.0))


def smaller(g: Any, y: Any, a: Any, b: Any) -> Any:
    return g * np.where(a < b, 1.0, np.where(a == b, 0.5, 0.0))


# --- arithmetic
add = elementwise(
    "add",
    np.add,
    lambda g, y, a, b: g,
    lambda g, y, a, b: g,
    result=promoted_type,
    evaluate=operator.add,
)
subtract = elementwise(
    "subtract",
    np.subtract,
    lambda g, y, a, b: g,
    lambda g, y, a, b: -g,
    result=promoted_type,
    evaluate=operator.sub,
)
multiply = elementwise(
    "multiply",
    np.multiply,
    lambda g, y, a, b: g * b,
    lambda g, y, a, b: g * a,
    result=promoted_type,
    evaluate=operator.mul,
)
divide = elementwise(
    "divide",
    np.true_divide,
    lambda g, y, a, b: g / b,
    lambda g, y, a, b: -(g * (y / b)),
    singular=True,
)
negative = elementwise("negative", np.negative, lambda g, y, x: -g, result=promoted_type, evaluate=operator.neg)
positive = elementwise("positive", np.positive, lambda g, y, x: g, result=promoted_type)
power = elementwise(
    "power", np.power, power_by_base, power_by_exponent, result=promoted_type, singular=True, widen=INTEGER
)
float_power = elementwise("float_power", np.float_power, power_by_base, power_by_exponent, singular=True)
square = elementwise("square", np.square, lambda g, y, x: g * (2.0 * x), result=promoted_type, widen=INTEGER)
reciprocal = elementwise(
    "reciprocal", np.reciprocal, lambda g, y, x: -(g * (y * y)), singular=True, widen=INTEGER, result=promoted_type
)
absolute = elementwise("abs", np.absolute, lambda g, y, x: g * np.sign(x), result=promoted_type)
fabs = elementwise("fabs", np.fabs, lambda g, y, x: g * np.sign(x))
sqrt = elementwise("sqrt", np.sqrt, lambda g, y, x: g * (0.5 / y), singular=True)
cbrt = elementwise("cbrt", np.cbrt, lambda g, y, x: g / (3.0 * (y * y)), singular=True)
remainder = elementwise(
    "remainder",
    np.remainder,
    lambda g, y, a, b: g,
    lambda g, y, a, b: -(g * np.floor(a / b)),
    result=promoted_type,
    singular=True,
    widen=INTEGER,
)
fmod = elementwise(
    "fmod",
    np.fmod,
    lambda g, y, a, b: g,
    lambda g, y, a, b: -(g * np.trunc(a / b)),
    result=promoted_type,
    singular=True,
    widen=INTEGER,
)
floor_divide = elementwise("floor_divide", np.floor_divide, None, None, result=promoted_type, widen=INTEGER)

# --- exponentials and logarithms
exp = elementwise("exp", np.exp, lambda g, y, x: g * y, singular=True)
exp2 = elementwise("exp2", np.exp2, lambda g, y, x: g * (LOG2 * y), singular=True)
expm1 = elementwise("expm1", np.expm1, lambda g, y, x: g * (y + 1.0), singular=True)
log = elementwise("log", np.log, lambda g, y, x: g / x, singular=True)
log2 = elementwise("log2", np.log2, lambda g, y, x: g / (LOG2 * x), singular=True)
log10 = elementwise("log10", np.log10, lambda g, y, x: g / (LOG10 * x), singular=True)
log1p = elementwise("log1p", np.log1p, lambda g, y, x: g / (1.0 + x), singular=True)
log1p_unit = elementwise(  # for 0 <= x <= 1, where machine code has it at half the price
    "log1p_unit", lambda x: np.log1p(x), lambda g, y, x: g / (1.0 + x), singular=True
)
part_of_unit = elementwise(  # for 0 <= x, y <= 1; as accurate as the quotient of exact numbers
    "part_of_unit",
    lambda y, x: y / (1.0 + x),
    lambda g, r, y, x: g / (1.0 + x),
    lambda g, r, y, x: -g * r / (1.0 + x),
    singular=True,
)


def _log1p_square(x: Any) -> Any:
    size = np.abs(x)
    huge = size > HUGE
    return np.where(huge, 2.0, 1.0) * np.log1p(np.where(huge, size, size * size))


def _slope_of_log1p_square(x: Any) -> Any:
    huge = np.abs(x) > HUGE
    return 2.0 * np.where(huge, 1.0, x) / np.where(huge, x, 1.0 + x * x)


log1p_square = elementwise(  # log(1 + x²), also where x² overflows
    "log1p_square", _log1p_square, lambda g, y, x: g * _slope_of_log1p_square(x)
)


def _weight(y: Any, advantage: Any) -> Any:
    """The share of a term in logaddexp, by how much it exceeds the other; 0 where both are -inf."""
    from scipy.special import expit

    return np.where(y == -np.inf, 0.0, expit(advantage))


logaddexp = elementwise(
    "logaddexp",
    np.logaddexp,
    lambda g, y, a, b: g * _weight(y, a - b),
    lambda g, y, a, b: g * _weight(y, b - a),
)
logaddexp2 = elementwise(
    "logaddexp2",
    np.logaddexp2,
    lambda g, y, a, b: g * np.exp2(a - np.maximum(y, LOWEST)),
    lambda g, y, a, b: g * np.exp2(b - np.maximum(y, LOWEST)),
)

# --- trigonometry
sin = elementwise("sin", np.sin, lambda g, y, x: g * np.cos(x))
cos = elementwise("cos", np.cos, lambda g, y, x: -(g * np.sin(x)))
tan = elementwise("tan", np.tan, lambda g, y, x: g * (1.0 + y * y))
arcsin = elementwise("arcsin", np.arcsin, lambda g, y, x: g / np.sqrt(1.0 - x * x), singular=True)
arccos = elementwise("arccos", np.arccos, lambda g, y, x: -(g / np.sqrt(1.0 - x * x)), singular=True)
arctan = elementwise("arctan", np.arctan, lambda g, y, x: g / (1.0 + x * x))
arctan2 = elementwise(
    "arctan2",
    np.arctan2,
    lambda g, y, a, b: g * (b / (a * a + b * b)),
    lambda g, y, a, b: -(g * (a / (a * a + b * b))),
    singular=True,
)
hypot = elementwise(
    "hypot",
    np.hypot,
    lambda g, y, a, b: g * (a / np.where(y == 0, 1.0, y)),
    lambda g, y, a, b: g * (b / np.where(y == 0, 1.0, y)),
)
sinh = elementwise("sinh", np.sinh, lambda g, y, x: g * np.cosh(x), singular=True)
cosh = elementwise("cosh", np.cosh, lambda g, y, x: g * np.sinh(x), singular=True)
tanh = elementwise("tanh", np.tanh, lambda g, y, x: g * (1.0 - y * y))
arcsinh = elementwise("arcsinh", np.arcsinh, lambda g, y, x: g / np.hypot(1.0, x))
arccosh = elementwise("arccosh", np.arccosh, lambda g, y, x: g / (np.sqrt(x - 1.0) * np.sqrt(x + 1.0)), singular=True)
arctanh = elementwise("arctanh", np.arctanh, lambda g, y, x: g / ((1.0 - x) * (1.0 + x)), singular=True)
deg2rad = elementwise("deg2rad", np.deg2rad, lambda g, y, x: g * (np.pi / 180.0))
rad2deg = elementwise("rad2deg", np.rad2deg, lambda g, y, x: g * (180.0 / np.pi))

# --- order and rounding
maximum = elementwise("maximum", np.maximum, larger, lambda g, y, a, b: larger(g, y, b, a), result=promoted_type)
minimum = elementwise("minimum", np.minimum, smaller, lambda g, y, a, b: smaller(g, y, b, a), result=promoted_type)
fmax = elementwise(
    "fmax",
    np.fmax,
    lambda g, y, a, b: g * np.where(np.isnan(b), 1.0, np.where(a > b, 1.0, np.where(a == b, 0.5, 0.0))),
    lambda g, y, a, b: g * np.where(np.isnan(a), 1.0, np.where(b > a, 1.0, np.where(a == b, 0.5, 0.0))),
    result=promoted_type,
)
fmin = elementwise(
    "fmin",
    np.fmin,
    lambda g, y, a, b: g * np.where(np.isnan(b), 1.0, np.where(a < b, 1.0, np.where(a == b, 0.5, 0.0))),
    lambda g, y, a, b: g * np.where(np.isnan(a), 1.0, np.where(b < a, 1.0, np.where(a == b, 0.5, 0.0))),
    result=promoted_type,
)
sign = elementwise("sign", np.sign, None, result=promoted_type)
copysign = elementwise(
    "copysign", np.copysign, lambda g, y, a, b: g * (np.copysign(1.0, a) * np.copysign(1.0, b)), None
)
heaviside = elementwise("heaviside", np.heaviside, None, lambda g, y, x, h: g * np.where(x == 0, 1.0, 0.0))
floor = elementwise("floor", np.floor, None, result=promoted_type)
ceil = elementwise("ceil", np.ceil, None, result=promoted_type)
trunc = elementwise("trunc", np.trunc, None, result=promoted_type)
rint = elementwise("rint", np.rint, None)


# --- comparisons and logic
def _in_64_bits(shift: np.ufunc) -> Any:
    """A shift of truth values too, which NumPy computes in 8 bits; not of floats."""
    return lambda a, b: shift(np.asarray(a).astype(INTEGER, casting="safe"), b)


equal = elementwise("equal", np.equal, None, None, result=boolean_type)
not_equal = elementwise("not_equal", np.not_equal, None, None, result=boolean_type)
less = elementwise("less", np.less, None, None, result=boolean_type)
less_equal = elementwise("less_equal", np.less_equal, None, None, result=boolean_type)
greater = elementwise("greater", np.greater, None, None, result=boolean_type)
greater_equal = elementwise("greater_equal", np.greater_equal, None, None, result=boolean_type)
logical_and = elementwise("logical_and", np.logical_and, None, None, result=boolean_type)
logical_or = elementwise("logical_or", np.logical_or, None, None, result=boolean_type)
logical_xor = elementwise("logical_xor", np.logical_xor, None, None, result=boolean_type)
logical_not = elementwise("logical_not", np.logical_not, None, result=boolean_type)
bitwise_and = elementwise("bitwise_and", np.bitwise_and, None, None, result=promoted_type)
bitwise_or = elementwise("bitwise_or", np.bitwise_or, None, None, result=promoted_type)
bitwise_xor = elementwise("bitwise_xor", np.bitwise_xor, None, None, result=promoted_type)
left_shift = elementwise(
    "left_shift", np.left_shift, None, None, result=integer_type, evaluate=_in_64_bits(np.left_shift)
)
right_shift = elementwise(
    "right_shift", np.right_shift, None, None, result=integer_type, evaluate=_in_64_bits(np.right_shift)
)
nextafter = elementwise("nextafter", np.nextafter, lambda g, y, a, b: g, None)
invert = elementwise("invert", np.invert, None, result=promoted_type)
isnan = elementwise("isnan", np.isnan, None, result=boolean_type)
isinf = elementwise("isinf", np.isinf, None, result=boolean_type)
isfinite = elementwise("isfinite", np.isfinite, None, result=boolean_type)
signbit = elementwise("signbit", np.signbit, None, result=boolean_type)

# --- selection: the cotangent of the branch not taken is an exact zero
where = elementwise(
    "where",
    np.where,
    None,
    lambda g, y, condition, a, b: np.where(condition, g, 0.0),
    lambda g, y, condition, a, b: np.where(condition, 0.0, g),
    result=lambda condition, a, b: promoted_type(a, b),
)


def _cast_shape(x: Any, dtype: np.dtype) -> tuple[tuple[int, ...], np.dtype]:
    return x.shape, dtype


def _cast(x: Any, dtype: np.dtype) -> Any:
    return np.asarray(x).astype(dtype)


cast = define(
    "cast",
    _cast,
    _cast_shape,
    vjp=(lambda g, y, x, dtype: g if dtype == np.float64 and x.dtype == np.float64 else None,),
    jvp=(lambda t, y, x, dtype: t if dtype == np.float64 else None,),
    elementwise=True,
)
stop_gradient = define(
    "stop_gradient", lambda x: x, lambda x: (x.shape, x.dtype), vjp=(None,), jvp=(None,), elementwise=True
)
