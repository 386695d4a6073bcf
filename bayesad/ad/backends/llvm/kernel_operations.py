"""What kernels can compute: tables of operators, comparisons and functions, and the LLVM helpers they need.

An entry that begins with "@" is a helper or library function to call; any other is an LLVM instruction.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from bayesad.ad.backends.llvm.kernel_types import BOOL, FLOAT, INT, LANES, WORD, Kind

__all__ = ["COMPARISONS", "HELPERS", "MATHEMATICS", "OPERATORS", "Function", "Helper", "Operator"]


class Operator(NamedTuple):
    """A binary operator or comparison: its sign, Python's own operation, and what computes it for each kind."""

    sign: str
    python: Callable[[Any, Any], Any]
    code: dict[Kind, str]


OPERATORS: dict[type[ast.operator], Operator] = {
    ast.Add: Operator("+", operator.add, {FLOAT: "fadd", LANES: "fadd", INT: "add", WORD: "add"}),
    ast.Sub: Operator("-", operator.sub, {FLOAT: "fsub", LANES: "fsub", INT: "sub", WORD: "sub"}),
    ast.Mult: Operator("*", operator.mul, {FLOAT: "fmul", LANES: "fmul", INT: "mul", WORD: "mul"}),
    ast.Div: Operator("/", operator.truediv, {FLOAT: "fdiv", LANES: "fdiv"}),
    ast.FloorDiv: Operator(
        "//", operator.floordiv, {FLOAT: "@float.floordiv", INT: "@int.floordiv", WORD: "@word.floordiv"}
    ),
    ast.Mod: Operator("%", operator.mod, {FLOAT: "@float.mod", INT: "@int.mod", WORD: "@word.mod"}),
    ast.Pow: Operator("**", operator.pow, {FLOAT: "@pow"}),
    ast.LShift: Operator("<<", operator.lshift, {INT: "@shift.left", WORD: "@shift.left"}),
    ast.RShift: Operator(">>", operator.rshift, {INT: "@int.shift.right", WORD: "@word.shift.right"}),
    ast.BitAnd: Operator("&", operator.and_, {INT: "and", WORD: "and", BOOL: "and"}),
    ast.BitOr: Operator("|", operator.or_, {INT: "or", WORD: "or", BOOL: "or"}),
    ast.BitXor: Operator("^", operator.xor, {INT: "xor", WORD: "xor", BOOL: "xor"}),
}


def _comparison(sign: str, python: Callable[[Any, Any], bool], ordered: str, signed: str, unsigned: str) -> Operator:
    code = {FLOAT: f"fcmp {ordered}", INT: f"icmp {signed}", WORD: f"icmp {unsigned}"}
    if signed == unsigned:
        code[BOOL] = f"icmp {signed}"
    return Operator(sign, python, code)


COMPARISONS: dict[type[ast.cmpop], Operator] = {
    ast.Lt: _comparison("<", operator.lt, "olt", "slt", "ult"),
    ast.LtE: _comparison("<=", operator.le, "ole", "sle", "ule"),
    ast.Gt: _comparison(">", operator.gt, "ogt", "sgt", "ugt"),
    ast.GtE: _comparison(">=", operator.ge, "oge", "sge", "uge"),
    ast.Eq: _comparison("==", operator.eq, "oeq", "eq", "eq"),
    ast.NotEq: _comparison("!=", operator.ne, "une", "ne", "ne"),
}


class Function(NamedTuple):
    """A function of Floats: how many, the kind of its result, and the helper that computes it."""

    arity: int
    result: Kind
    helper: str


MATHEMATICS: dict[Any, Function] = {
    math.exp: Function(1, FLOAT, "exp"),
    math.log: Function(1, FLOAT, "log"),
    math.log1p: Function(1, FLOAT, "log1p"),
    math.expm1: Function(1, FLOAT, "expm1"),
    math.sqrt: Function(1, FLOAT, "llvm.sqrt.f64"),
    math.sin: Function(1, FLOAT, "sin"),
    math.cos: Function(1, FLOAT, "cos"),
    math.tanh: Function(1, FLOAT, "tanh"),
    math.pow: Function(2, FLOAT, "pow"),
    math.fabs: Function(1, FLOAT, "llvm.fabs.f64"),
    math.floor: Function(1, INT, "float.floor"),
    math.isnan: Function(1, BOOL, "float.isnan"),
    math.isfinite: Function(1, BOOL, "float.isfinite"),
    math.isinf: Function(1, BOOL, "float.isinf"),
}


class Helper(NamedTuple):
    """A function that kernels call: its LLVM text and the helpers which that needs."""

    text: str
    needs: tuple[str, ...] = ()


def _library(name: str, arity: int) -> Helper:
    """A C library function. It is no builtin to LLVM, which would rewrite some calls with other rounding."""
    return Helper(f"declare double @{name}({', '.join(['double'] * arity)}) #2")


def _intrinsic(name: str, result: str, arity: int) -> Helper:
    return Helper(f"declare {result} @{name}({', '.join(['double'] * arity)})")


def _function(head: str, body: str, *needs: str) -> Helper:
    lines = [f"  {line.strip()}" for line in body.strip().splitlines()]
    return Helper("\n".join([f"define internal {head} #1 {{", *lines, "}"]), needs)


_INFINITY = "0x7ff0000000000000"

HELPERS: dict[str, Helper] = {
    **{name: _library(name, 1) for name in ("exp", "log", "log1p", "expm1", "sin", "cos", "tanh")},
    **{name: _library(name, 2) for name in ("pow", "fmod")},
    **{f"llvm.{name}.f64": _intrinsic(f"llvm.{name}.f64", "double", 1) for name in ("sqrt", "fabs", "floor")},
    "llvm.copysign.f64": _intrinsic("llvm.copysign.f64", "double", 2),
    "llvm.fptosi.sat.i64.f64": _intrinsic("llvm.fptosi.sat.i64.f64", "i64", 1),
    # Python: the remainder has the divisor's sign; a remainder of zero too.
    "float.mod": _function(
        "double @float.mod(double %a, double %b)",
        """
        %m = call double @fmod(double %a, double %b)
        %inexact = fcmp une double %m, 0.0
        %b.negative = fcmp olt double %b, 0.0
        %m.negative = fcmp olt double %m, 0.0
        %opposite = xor i1 %b.negative, %m.negative
        %moved = fadd double %m, %b
        %remainder = select i1 %opposite, double %moved, double %m
        %zero = call double @llvm.copysign.f64(double 0.0, double %b)
        %result = select i1 %inexact, double %remainder, double %zero
        ret double %result
        """,
        "fmod",
        "llvm.copysign.f64",
    ),
    # CPython's float_floor_div: the quotient without the remainder is whole but for rounding; snap it.
    "float.floordiv": _function(
        "double @float.floordiv(double %a, double %b)",
        """
        %m = call double @fmod(double %a, double %b)
        %rest = fsub double %a, %m
        %q = fdiv double %rest, %b
        %inexact = fcmp une double %m, 0.0
        %b.negative = fcmp olt double %b, 0.0
        %m.negative = fcmp olt double %m, 0.0
        %opposite = xor i1 %b.negative, %m.negative
        %lower = and i1 %inexact, %opposite
        %q.less = fsub double %q, 1.0
        %whole = select i1 %lower, double %q.less, double %q
        %floor = call double @llvm.floor.f64(double %whole)
        %gap = fsub double %whole, %floor
        %short = fcmp ogt double %gap, 0.5
        %floor.more = fadd double %floor, 1.0
        %snapped = select i1 %short, double %floor.more, double %floor
        %quotient = fdiv double %a, %b
        %zero = call double @llvm.copysign.f64(double 0.0, double %quotient)
        %nonzero = fcmp une double %whole, 0.0
        %result = select i1 %nonzero, double %snapped, double %zero
        ret double %result
        """,
        "fmod",
        "llvm.floor.f64",
        "llvm.copysign.f64",
    ),
    # Division by 0 and of -2^63 by -1 would trap. Dividing by 0 gives 0, as NumPy does.
    "int.floordiv": _function(
        "i64 @int.floordiv(i64 %a, i64 %b)",
        """
        %b.plus = add i64 %b, 1
        %special = icmp ult i64 %b.plus, 2
        %d = select i1 %special, i64 1, i64 %b
        %q = sdiv i64 %a, %d
        %back = mul i64 %q, %d
        %rest = sub i64 %a, %back
        %inexact = icmp ne i64 %rest, 0
        %signs = xor i64 %rest, %d
        %opposite = icmp slt i64 %signs, 0
        %lower = and i1 %inexact, %opposite
        %step = zext i1 %lower to i64
        %floor = sub i64 %q, %step
        %product = mul i64 %a, %b
        %result = select i1 %special, i64 %product, i64 %floor
        ret i64 %result
        """,
    ),
    "int.mod": _function(
        "i64 @int.mod(i64 %a, i64 %b)",
        """
        %b.plus = add i64 %b, 1
        %special = icmp ult i64 %b.plus, 2
        %d = select i1 %special, i64 1, i64 %b
        %rest = srem i64 %a, %d
        %inexact = icmp ne i64 %rest, 0
        %signs = xor i64 %rest, %d
        %opposite = icmp slt i64 %signs, 0
        %lower = and i1 %inexact, %opposite
        %moved = add i64 %rest, %d
        %result = select i1 %lower, i64 %moved, i64 %rest
        ret i64 %result
        """,
    ),
    "word.floordiv": _function(
        "i64 @word.floordiv(i64 %a, i64 %b)",
        """
        %by.zero = icmp eq i64 %b, 0
        %d = select i1 %by.zero, i64 1, i64 %b
        %q = udiv i64 %a, %d
        %result = select i1 %by.zero, i64 0, i64 %q
        ret i64 %result
        """,
    ),
    "word.mod": _function(
        "i64 @word.mod(i64 %a, i64 %b)",
        """
        %by.zero = icmp eq i64 %b, 0
        %d = select i1 %by.zero, i64 1, i64 %b
        %result = urem i64 %a, %d
        ret i64 %result
        """,
    ),
    # Shifting by 64 or more shifts everything out, as in Python; LLVM leaves it undefined.
    "shift.left": _function(
        "i64 @shift.left(i64 %a, i64 %k)",
        """
        %inside = icmp ult i64 %k, 64
        %by = and i64 %k, 63
        %shifted = shl i64 %a, %by
        %result = select i1 %inside, i64 %shifted, i64 0
        ret i64 %result
        """,
    ),
    "word.shift.right": _function(
        "i64 @word.shift.right(i64 %a, i64 %k)",
        """
        %inside = icmp ult i64 %k, 64
        %by = and i64 %k, 63
        %shifted = lshr i64 %a, %by
        %result = select i1 %inside, i64 %shifted, i64 0
        ret i64 %result
        """,
    ),
    "int.shift.right": _function(
        "i64 @int.shift.right(i64 %a, i64 %k)",
        """
        %inside = icmp ult i64 %k, 64
        %by = select i1 %inside, i64 %k, i64 63
        %result = ashr i64 %a, %by
        ret i64 %result
        """,
    ),
    # Saturating: NaN and what lies outside the integers have a defined result, if no meaningful one.
    "int.truncate": _function(
        "i64 @int.truncate(double %x)",
        """
        %result = call i64 @llvm.fptosi.sat.i64.f64(double %x)
        ret i64 %result
        """,
        "llvm.fptosi.sat.i64.f64",
    ),
    "float.floor": _function(
        "i64 @float.floor(double %x)",
        """
        %floor = call double @llvm.floor.f64(double %x)
        %result = call i64 @llvm.fptosi.sat.i64.f64(double %floor)
        ret i64 %result
        """,
        "llvm.floor.f64",
        "llvm.fptosi.sat.i64.f64",
    ),
    "float.isnan": _function(
        "i1 @float.isnan(double %x)",
        """
        %result = fcmp uno double %x, 0.0
        ret i1 %result
        """,
    ),
    "float.isfinite": _function(
        "i1 @float.isfinite(double %x)",
        f"""
        %size = call double @llvm.fabs.f64(double %x)
        %result = fcmp olt double %size, {_INFINITY}
        ret i1 %result
        """,
        "llvm.fabs.f64",
    ),
    "float.isinf": _function(
        "i1 @float.isinf(double %x)",
        f"""
        %size = call double @llvm.fabs.f64(double %x)
        %result = fcmp oeq double %size, {_INFINITY}
        ret i1 %result
        """,
        "llvm.fabs.f64",
    ),
}
