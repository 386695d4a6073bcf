"""How each elementwise primitive becomes LLVM instructions on scalars: one table.

An entry takes the writer and the operands and returns the result; operands are ``(text, kind)`` with kind "f"
(double), "i" (i64) or "b" (i1). A primitive that has no entry is left to the NumPy callback.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from bayesad.ad.backends.llvm.integers import INTEGERS
from bayesad.ad.backends.llvm.vector_math import FUNCTIONS, hexadecimal

__all__ = ["FLAGS", "ON_INTEGERS", "SCALARS", "SPECIAL", "Operand", "as_kind", "emit_scalar"]

FLAGS = "reassoc contract nsz arcp "
Operand = tuple[str, str]
TYPES = {"f": "double", "i": "i64", "b": "i1"}


def as_kind(writer: Any, operand: Operand, kind: str) -> str:
    """An operand converted to a kind."""
    text, have = operand
    if have == kind:
        return text
    if kind == "f":
        return writer.op(f"{'sitofp' if have == 'i' else 'uitofp'} {TYPES[have]} {text} to double")
    if kind == "i":
        return writer.op(f"fptosi double {text} to i64" if have == "f" else f"zext i1 {text} to i64")
    zero = hexadecimal(0.0)
    return writer.op(f"fcmp une double {text}, {zero}" if have == "f" else f"icmp ne i64 {text}, 0")


Emitter = Callable[..., Any]
SCALARS: dict[str, Emitter] = {}


def _common(operands: tuple[Operand, ...]) -> str:
    kinds = {kind for _, kind in operands}
    return "f" if "f" in kinds else "i"


def _arithmetic(name: str, on_floats: str, on_ints: str | None) -> None:
    def emit(writer: Any, a: Operand, b: Operand) -> Operand | None:
        kind = _common((a, b)) if on_ints else "f"
        x, y = as_kind(writer, a, kind), as_kind(writer, b, kind)
        if kind == "f":
            return writer.op(f"{on_floats} {FLAGS}double {x}, {y}"), "f"
        return writer.op(f"{on_ints} i64 {x}, {y}"), "i"

    SCALARS[name] = emit


def _comparison(name: str, on_floats: str, on_ints: str) -> None:
    def emit(writer: Any, a: Operand, b: Operand) -> Operand:
        kind = _common((a, b))
        x, y = as_kind(writer, a, kind), as_kind(writer, b, kind)
        word, test = ("fcmp", on_floats) if kind == "f" else ("icmp", on_ints)
        return writer.op(f"{word} {test} {TYPES[kind]} {x}, {y}"), "b"

    SCALARS[name] = emit


def _function(name: str, callee: str) -> None:
    """A float function of floats."""

    def emit(writer: Any, *operands: Operand) -> Operand:
        arguments = ", ".join(f"double {as_kind(writer, o, 'f')}" for o in operands)
        return writer.op(f"call double @{writer.function(callee, len(operands))}({arguments})"), "f"

    SCALARS[name] = emit


def _floats(name: str) -> Callable[[Emitter], Emitter]:
    """Register an emitter that takes and returns doubles."""

    def register(f: Emitter) -> Emitter:
        def emit(writer: Any, *operands: Operand) -> Operand | None:
            return f(writer, *[as_kind(writer, o, "f") for o in operands]), "f"

        SCALARS[name] = emit
        return f

    return register


def _on_floats_only(name: str) -> Callable[[Emitter], Emitter]:
    """Register an emitter for doubles; where all operands are integers it is left to the callback."""

    def register(f: Emitter) -> Emitter:
        def emit(writer: Any, *operands: Operand) -> Operand | None:
            if all(kind != "f" for _, kind in operands):
                return None
            return f(writer, *[as_kind(writer, o, "f") for o in operands]), "f"

        SCALARS[name] = emit
        return f

    return register


_arithmetic("add", "fadd", "add")
_arithmetic("subtract", "fsub", "sub")
_arithmetic("multiply", "fmul", "mul")
_arithmetic("divide", "fdiv", None)
_comparison("equal", "oeq", "eq")
_comparison("not_equal", "une", "ne")
_comparison("less", "olt", "slt")
_comparison("less_equal", "ole", "sle")
_comparison("greater", "ogt", "sgt")
_comparison("greater_equal", "oge", "sge")
for _name, _callee in {
    **{name: f"bayesad.{name}" for name in FUNCTIONS},
    "sqrt": "llvm.sqrt.f64",
    "fabs": "llvm.fabs.f64",
    "floor": "llvm.floor.f64",
    "ceil": "llvm.ceil.f64",
    "trunc": "llvm.trunc.f64",
    "rint": "llvm.rint.f64",
    "copysign": "llvm.copysign.f64",
    "fmax": "llvm.maxnum.f64",
    "fmin": "llvm.minnum.f64",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan2": "atan2",
    "hypot": "hypot",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "exp2": "exp2",
    "log2": "log2",
    "log10": "log10",
    "exp2_special": "exp2",
    "expm1_special": "bayesad.expm1",
    "log1p_special": "bayesad.log1p",
    "cbrt_special": "cbrt",
    "round_special": "llvm.rint.f64",
    "cbrt": "cbrt",
    "fmod": "fmod",
}.items():
    _function(_name, _callee)


@_on_floats_only("power")
def _power(writer: Any, x: str, p: str) -> str:
    """That of the C library for single numbers, which looks up tables."""
    name = writer.function("bayesad.power" if writer.loops_open else "pow", 2)
    return writer.op(f"call double @{name}(double {x}, double {p})")


_floats("float_power")(_power)


@_on_floats_only("negative")
def _negative(writer: Any, x: str) -> str:
    return writer.op(f"fneg {FLAGS}double {x}")


@_on_floats_only("square")
def _square(writer: Any, x: str) -> str:
    return writer.op(f"fmul {FLAGS}double {x}, {x}")


@_on_floats_only("reciprocal")
def _reciprocal(writer: Any, x: str) -> str:
    return writer.op(f"fdiv {FLAGS}double {hexadecimal(1.0)}, {x}")


@_on_floats_only("abs")
def _abs(writer: Any, x: str) -> str:
    return writer.op(f"call double @llvm.fabs.f64(double {x})")


@_on_floats_only("sign")
def _sign(writer: Any, x: str) -> str:
    above = writer.op(f"fcmp ogt double {x}, {hexadecimal(0.0)}")
    below = writer.op(f"fcmp olt double {x}, {hexadecimal(0.0)}")
    other = writer.op(f"fadd double {x}, {hexadecimal(0.0)}")  # zero, of sign +, and NaN stay
    up = writer.op(f"select i1 {above}, double {hexadecimal(1.0)}, double {other}")
    return writer.op(f"select i1 {below}, double {hexadecimal(-1.0)}, double {up}")


def _extreme(test: str) -> Emitter:
    def emit(writer: Any, a: str, b: str) -> str:
        first = writer.op(f"fcmp {test} double {a}, {b}")  # true for a NaN in a
        nan_b = writer.op(f"fcmp uno double {b}, {b}")
        larger = writer.op(f"select i1 {first}, double {a}, double {b}")
        return writer.op(f"select i1 {nan_b}, double {b}, double {larger}")

    return emit


_on_floats_only("maximum")(_extreme("ugt"))
_on_floats_only("minimum")(_extreme("ult"))


@_floats("xlogy")
def _xlogy(writer: Any, x: str, y: str) -> str:
    return _zero_wins(writer, x, y, writer.op(f"call double @{writer.function('bayesad.log', 1)}(double {y})"))


@_floats("xlog1py")
def _xlog1py(writer: Any, x: str, y: str) -> str:
    return _zero_wins(writer, x, y, writer.op(f"call double @{writer.function('bayesad.log1p', 1)}(double {y})"))


def _zero_wins(writer: Any, x: str, y: str, logarithm: str) -> str:
    product = writer.op(f"fmul {FLAGS}double {x}, {logarithm}")
    zero = writer.op(f"fcmp oeq double {x}, {hexadecimal(0.0)}")
    number = writer.op(f"fcmp ord double {y}, {y}")
    both = writer.op(f"and i1 {zero}, {number}")
    return writer.op(f"select i1 {both}, double {hexadecimal(0.0)}, double {product}")


@_floats("remainder")
def _remainder(writer: Any, a: str, b: str) -> str:
    """Of the sign of b (C's fmod has that of a)."""
    rest = writer.op(f"call double @{writer.function('fmod', 2)}(double {a}, double {b})")
    moved = writer.op(f"fadd double {rest}, {b}")
    signed = _zero_signed_as(writer, b)
    zero = writer.op(f"fcmp oeq double {rest}, {hexadecimal(0.0)}")
    result = writer.op(f"select i1 {_signs_differ(writer, rest, b)}, double {moved}, double {rest}")
    return writer.op(f"select i1 {zero}, double {signed}, double {result}")


def _zero_signed_as(writer: Any, x: str) -> str:
    copysign = writer.function("llvm.copysign.f64", 2)
    return writer.op(f"call double @{copysign}(double {hexadecimal(0.0)}, double {x})")


def _signs_differ(writer: Any, a: str, b: str) -> str:
    tests = [writer.op(f"fcmp olt double {x}, {hexadecimal(0.0)}") for x in (a, b)]
    return writer.op(f"xor i1 {tests[0]}, {tests[1]}")


@_floats("floor_divide")
def _floor_divide(writer: Any, a: str, b: str) -> str:
    """From the exact remainder, as NumPy does it: the quotient itself may round up to a whole number."""
    quotient = writer.op(f"fdiv double {a}, {b}")
    rest = writer.op(f"call double @{writer.function('fmod', 2)}(double {a}, double {b})")
    whole = writer.op(f"fdiv double {writer.op(f'fsub double {a}, {rest}')}, {b}")
    none = writer.op(f"fcmp oeq double {rest}, {hexadecimal(0.0)}")
    up = writer.op(f"and i1 {_signs_differ(writer, rest, b)}, {writer.op(f'xor i1 {none}, true')}")
    lower = writer.op(f"fsub double {whole}, {hexadecimal(1.0)}")
    whole = writer.op(f"select i1 {up}, double {lower}, double {whole}")
    nearest = writer.op(f"call double @{writer.function('llvm.rint.f64', 1)}(double {whole})")
    signed = _zero_signed_as(writer, quotient)
    zero = writer.op(f"fcmp oeq double {whole}, {hexadecimal(0.0)}")
    result = writer.op(f"select i1 {zero}, double {signed}, double {nearest}")
    by_zero = writer.op(f"fcmp oeq double {b}, {hexadecimal(0.0)}")
    return writer.op(f"select i1 {by_zero}, double {quotient}, double {result}")


@_floats("heaviside")
def _heaviside(writer: Any, x: str, at_zero: str) -> str:
    above = writer.op(f"fcmp ogt double {x}, {hexadecimal(0.0)}")
    step = writer.op(f"select i1 {above}, double {hexadecimal(1.0)}, double {hexadecimal(0.0)}")
    zero = writer.op(f"fcmp oeq double {x}, {hexadecimal(0.0)}")
    step = writer.op(f"select i1 {zero}, double {at_zero}, double {step}")
    number = writer.op(f"fcmp ord double {x}, {x}")
    return writer.op(f"select i1 {number}, double {step}, double {x}")


@_floats("logaddexp2")
def _logaddexp2(writer: Any, a: str, b: str) -> str:
    """max + log2(1 + 2**-distance); equal operands, infinite ones too, are doubled."""
    distance = writer.op(f"fsub double {a}, {b}")
    size = writer.op(f"call double @llvm.fabs.f64(double {distance})")
    power = writer.op(f"call double @{writer.function('exp2', 1)}(double {writer.op(f'fneg double {size}')})")
    more = writer.op(f"call double @{writer.function('bayesad.log1p', 1)}(double {power})")
    more = writer.op(f"fmul double {more}, {hexadecimal(1.0 / math.log(2.0))}")
    larger = _extreme("ugt")(writer, a, b)
    equal = writer.op(f"fcmp oeq double {a}, {b}")
    more = writer.op(f"select i1 {equal}, double {hexadecimal(1.0)}, double {more}")
    return writer.op(f"fadd double {larger}, {more}")


@_floats("deg2rad")
def _deg2rad(writer: Any, x: str) -> str:
    return writer.op(f"fmul double {x}, {hexadecimal(math.pi / 180.0)}")


@_floats("rad2deg")
def _rad2deg(writer: Any, x: str) -> str:
    return writer.op(f"fmul double {x}, {hexadecimal(180.0 / math.pi)}")


def _signbit(writer: Any, a: Operand) -> Operand:
    bits = writer.op(f"bitcast double {as_kind(writer, a, 'f')} to i64")
    return writer.op(f"icmp slt i64 {bits}, 0"), "b"


def _where(writer: Any, condition: Operand, a: Operand, b: Operand) -> Operand:
    test = as_kind(writer, condition, "b")
    kinds = {a[1], b[1]}
    kind = a[1] if len(kinds) == 1 else ("f" if "f" in kinds else "i")
    x, y = as_kind(writer, a, kind), as_kind(writer, b, kind)
    return writer.op(f"select i1 {test}, {TYPES[kind]} {x}, {TYPES[kind]} {y}"), kind


def _logic(word: str) -> Emitter:
    def emit(writer: Any, a: Operand, b: Operand) -> Operand:
        return writer.op(f"{word} i1 {as_kind(writer, a, 'b')}, {as_kind(writer, b, 'b')}"), "b"

    return emit


def _bits(word: str) -> Emitter:
    def emit(writer: Any, a: Operand, b: Operand) -> Operand:
        kind = "b" if a[1] == b[1] == "b" else "i"
        return writer.op(f"{word} {TYPES[kind]} {as_kind(writer, a, kind)}, {as_kind(writer, b, kind)}"), kind

    return emit


def _not(writer: Any, a: Operand) -> Operand:
    return writer.op(f"xor i1 {as_kind(writer, a, 'b')}, true"), "b"


def _invert(writer: Any, a: Operand) -> Operand:
    return (writer.op(f"xor i1 {a[0]}, true"), "b") if a[1] == "b" else (writer.op(f"xor i64 {a[0]}, -1"), "i")


def _isnan(writer: Any, a: Operand) -> Operand:
    x = as_kind(writer, a, "f")
    return writer.op(f"fcmp uno double {x}, {x}"), "b"


def _magnitude_test(test: str) -> Emitter:
    def emit(writer: Any, a: Operand) -> Operand:
        size = writer.op(f"call double @llvm.fabs.f64(double {as_kind(writer, a, 'f')})")
        return writer.op(f"fcmp {test} double {size}, {hexadecimal(math.inf)}"), "b"

    return emit


def _same(writer: Any, a: Operand) -> Operand:
    return a


SCALARS["where"], SCALARS["signbit"] = _where, _signbit
SCALARS["logical_and"], SCALARS["logical_or"], SCALARS["logical_xor"] = _logic("and"), _logic("or"), _logic("xor")
SCALARS["bitwise_and"], SCALARS["bitwise_or"], SCALARS["bitwise_xor"] = _bits("and"), _bits("or"), _bits("xor")
SCALARS["logical_not"], SCALARS["invert"] = _not, _invert
SCALARS["isnan"], SCALARS["isinf"], SCALARS["isfinite"] = _isnan, _magnitude_test("oeq"), _magnitude_test("one")
SCALARS["positive"] = SCALARS["stop_gradient"] = _same


def _kernel(name: str) -> None:
    """A kernel of floats, called by its address (the table in `native`)."""

    def emit(writer: Any, *operands: Operand) -> Operand:
        arguments = ", ".join(f"double {as_kind(writer, o, 'f')}" for o in operands)
        return writer.op(f"call double {writer.special(name)}({arguments})"), "f"

    SCALARS[name] = emit


for _family, _names in {
    "gammainc": ("a", "aa"),
    "betainc": ("a", "b", "aa", "ab", "bb"),
    "stdtr": ("df",),
    "com_poisson": ("log_sum", "mean", "mean_log_factorial", "kk", "kl", "ll"),
}.items():
    for _name in _names:
        _kernel(f"{_family}_{_name}")

# Those that have instructions for integers too.
ON_INTEGERS = {*INTEGERS, "where", "invert", "bitwise_and", "bitwise_or", "bitwise_xor"}

# Functions of doubles that SciPy exports (scipy.special.cython_special), by their number of arguments; called by
# address. Those that take whole numbers are left out: given others they warn, which is nothing for machine code.
_EXPORTED = {
    1: """
        cosdg cosm1 cotdg dawsn ellipe ellipk entr erfcinv erfi erfinv exp1 exp10 expi exprel gamma gammasgn
        i0 i0e i1 i1e j0 j1 k0 k0e k1 k1e loggamma ndtri_exp rgamma sindg spence tandg wrightomega y0 y1
    """,
    2: """
        beta betaln binom boxcox boxcox1p chdtr chdtrc gammainc gammaincc gammainccinv gammaincinv huber hyp0f1
        inv_boxcox inv_boxcox1p iv ive jv kl_div kv kve owens_t pdtr pdtrc poch powm1 pseudo_huber rel_entr
        stdtr stdtrit yv
    """,
    3: """
        betainc betaincc betainccinv betaincinv fdtr fdtrc gdtr gdtrc hyp1f1 hyperu voigt_profile wright_bessel
    """,
    4: "hyp2f1",
}
SPECIAL = {name: arity for arity, names in _EXPORTED.items() for name in names.split()}


def emit_scalar(writer: Any, node: Any, operands: list[Operand]) -> Operand | None:
    """The instructions of an elementwise node, or None if it has none for these kinds."""
    name = node.primitive.name
    if name == "cast":
        kind = {"f": "f", "i": "i", "b": "b"}[node.attributes["dtype"].kind]
        return as_kind(writer, operands[0], kind), kind
    if name in INTEGERS and all(kind != "f" for _, kind in operands):
        return INTEGERS[name](writer, *[as_kind(writer, o, "i") for o in operands]), "i"
    if name in SCALARS:
        return SCALARS[name](writer, *operands)
    if name in SPECIAL:
        arguments = ", ".join(f"double {as_kind(writer, o, 'f')}" for o in operands)
        return writer.op(f"call double {writer.special(name)}({arguments}, i32 0)"), "f"
    if node.primitive.address:
        arguments = ", ".join(f"double {as_kind(writer, o, 'f')}" for o in operands)
        return writer.op(f"call double {writer.special(f'address {node.primitive.address}')}({arguments})"), "f"
    return None
