"""Arithmetic of kernels on operands already written: conversions, operators, comparisons and built-in functions.

The kinds follow Python's own results. Plain integers adapt to Words and Floats, Ints become Floats beside Floats,
and nothing else converts silently.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Sequence
from typing import Any

from bayesad.ad.backends.llvm.kernel_operations import COMPARISONS, MATHEMATICS, OPERATORS, Operator
from bayesad.ad.backends.llvm.kernel_types import BOOL, FLOAT, INT, LANES, WIDE, WIDTH, WORD, Kind, word
from bayesad.ad.backends.llvm.kernel_writer import FunctionWriter, Value, constant

__all__ = ["FUNCTIONS", "alike", "binary", "compare", "fitted", "shown", "spread_out", "unary"]

_ADD_WORD = "is arithmetic on Words, which Python does not keep within 64 bits; write word(...) around it"
_HIGHEST_INT_POWER = 64
_RANGES = {INT: (-(2**63), 2**63), WORD: (0, 2**64)}


def shown(node: ast.AST) -> str:
    """An expression as the user wrote it, cut short."""
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:57]}..."


def fitted(f: FunctionWriter, node: ast.AST, value: Value, kind: Kind, what: str) -> Value:
    """A value to be stored or passed as `what`, which has a kind: only plain integers adapt, to Words."""
    if value.kind is INT and value.constant is not None and kind in _RANGES:
        low, high = _RANGES[kind]
        if low <= value.constant < high:
            return value._replace(kind=kind)
        raise f.error(node, f"{what} is {kind}, from {low} to {high - 1}, and cannot take {value.constant}")
    if value.kind is kind:
        return value
    if value.kind is WIDE and kind is WORD:
        raise f.error(node, f"the value for {what} {_ADD_WORD}")
    given = value.kind.name if value.constant is None else f"{value.kind} {value.constant!r}"
    raise f.error(node, f"{what} is {kind} and cannot take {_article(given)}{_remedy(value, kind)}")


def _remedy(value: Value, kind: Kind) -> str:
    if kind is FLOAT and value.kind is INT:
        return "; write float(...)" if value.constant is None else f"; write {float(value.constant)!r}"
    if (kind, value.kind) in _CONVERSIONS:
        return f"; write {_CONVERSIONS[kind, value.kind]}(...)"
    return "; compare it, as in '!= 0'" if kind is BOOL else ""


_CONVERSIONS = {
    (INT, FLOAT): "int",
    (INT, WORD): "int",
    (INT, BOOL): "int",
    (FLOAT, WORD): "float",
    (WORD, INT): "word",
}


def alike(f: FunctionWriter, node: ast.AST, values: Sequence[Value]) -> list[Value]:
    """Values that have to be of one kind."""
    kinds = {value.kind for value in values}
    if kinds == {INT, WORD}:
        kinds = {WORD}
    if len(kinds) > 1:
        raise f.error(node, f"the values are {' and '.join(sorted(map(str, kinds)))}; give all of them one type")
    (kind,) = kinds
    if kind is WIDE:
        raise f.error(node, f"a value {_ADD_WORD}")
    return [fitted(f, node, value, kind, "the result") for value in values]


def binary(f: FunctionWriter, node: ast.AST, operator: ast.operator, left: Value, right: Value) -> Value:
    """Write a binary operation."""
    rule = OPERATORS.get(type(operator))
    if rule is None:
        raise f.error(node, "'@' is not possible in a kernel; write the loop")
    if left.constant is not None and right.constant is not None:
        return _folded(f, node, rule.python, left, right)
    if isinstance(operator, ast.Pow) and left.kind is INT and right.kind is INT:
        return _integer_power(f, node, left, right)
    if isinstance(operator, ast.LShift | ast.RShift):
        left, right = _settled(f, node, left), _settled(f, node, right)
        if right.kind is WIDE:
            raise f.error(node, f"the shift {_ADD_WORD}")
        if right.kind not in (INT, WORD):
            raise f.error(node, f"a shift by {_article(right.kind.name)}; shift by an Int")
    else:
        left, right = _common(f, node, rule, left, right)
    kind = left.kind
    code = rule.code.get(WORD if kind is WIDE else kind)
    if code is None:
        raise f.error(node, f"'{rule.sign}' between {left.kind} and {right.kind} is not possible; {_operands(rule)}")
    result = _word_result(f, node, operator, left, right) if kind in (WORD, WIDE) else kind
    if code.startswith("@"):
        return f.value(result, f"call {kind.llvm} {f.module.need(code[1:])}({left.typed}, {right.typed})")
    flags = f.module.float_flags if kind in (FLOAT, LANES) else ""
    return f.value(result, f"{code} {flags}{left.typed}, {right.text}")


def _folded(f: FunctionWriter, node: ast.AST, python: Callable[..., Any], *operands: Value) -> Value:
    """What Python itself makes of constants."""
    try:
        result = python(*(operand.constant for operand in operands))
    except (ArithmeticError, ValueError, TypeError) as error:
        raise f.error(node, f"this constant cannot be computed: {error}") from error
    if not isinstance(result, bool | int | float):
        raise f.error(node, f"this constant is a {type(result).__name__}; allowed are int, float and bool")
    return constant(result)


def _settled(f: FunctionWriter, node: ast.AST, value: Value) -> Value:
    """An operand; a plain integer beyond the Ints is a Word."""
    if value.kind is not INT or value.constant is None or -(2**63) <= value.constant < 2**63:
        return value
    return fitted(f, node, value, WORD, f"the integer {value.constant}")


def _common(f: FunctionWriter, node: ast.AST, rule: Operator, left: Value, right: Value) -> tuple[Value, Value]:
    """Both operands in one kind: Ints become Floats beside Floats, plain integers Words beside Words."""
    kinds = {left.kind, right.kind}
    if kinds == {FLOAT, INT}:
        return _float(f, node, left), _float(f, node, right)
    if kinds == {FLOAT, LANES}:
        return spread_out(f, node, left), spread_out(f, node, right)
    if kinds & {WORD, WIDE}:
        left, right = _word_operand(left), _word_operand(right)
    else:
        left, right = _settled(f, node, left), _settled(f, node, right)
    if left.kind is not right.kind and not {left.kind, right.kind} <= {WORD, WIDE}:
        mixed = {left.kind, right.kind} == {WORD, INT}
        remedy = "write word(...) around the Int, or int(...) around the Word" if mixed else _operands(rule)
        raise f.error(node, f"'{rule.sign}' between {left.kind} and {right.kind} is not possible; {remedy}")
    return left, right


def spread_out(f: FunctionWriter, node: ast.AST, value: Value) -> Value:
    """A number as Lanes."""
    if value.kind is LANES:
        return value
    number = _float(f, node, value)
    first = f.value(LANES, f"insertelement {LANES.llvm} poison, {number.typed}, i32 0")
    return f.value(LANES, f"shufflevector {first.typed}, {first.typed}, <{WIDTH} x i32> zeroinitializer")


def _operands(rule: Operator) -> str:
    return "it takes " + " or ".join(f"two {kind}s" for kind in rule.code if kind is not LANES)


def _word_operand(value: Value) -> Value:
    """A plain integer as a Word; one that is not in their range has the right bits all the same."""
    if value.kind is not INT or value.constant is None:
        return value
    return Value(WORD if 0 <= value.constant < 2**64 else WIDE, value.text)


def _word_result(f: FunctionWriter, node: ast.AST, operator: ast.operator, left: Value, right: Value) -> Kind:
    """The kind of an operation on Words: what can leave the range of 64 bits in Python needs word() after it.

    Sums, products and bit-wise operations may come before that word(), as their low bits depend on low bits only.
    """
    wide = WIDE in (left.kind, right.kind)
    if isinstance(operator, ast.Add | ast.Sub | ast.Mult | ast.LShift):
        return WIDE
    if isinstance(operator, ast.BitAnd) and WORD in (left.kind, right.kind):
        return WORD
    if isinstance(operator, ast.BitAnd | ast.BitOr | ast.BitXor):
        return WIDE if wide else WORD
    if wide:
        raise f.error(node, f"an operand of '{OPERATORS[type(operator)].sign}' {_ADD_WORD}")
    return WORD


def _integer_power(f: FunctionWriter, node: ast.AST, base: Value, exponent: Value) -> Value:
    """A power by repeated squaring."""
    power = exponent.constant
    if power is None or not 0 < power <= _HIGHEST_INT_POWER:
        remedy = "write 1 << k" if base.constant == 2 else "write float(...) around the base"
        raise f.error(
            node,
            f"an Int to a power that is no constant from 1 to {_HIGHEST_INT_POWER} is not possible; {remedy}",
        )
    result = base
    for bit in f"{int(power):b}"[1:]:
        result = f.value(INT, f"mul {result.typed}, {result.text}")
        if bit == "1":
            result = f.value(INT, f"mul {result.typed}, {base.text}")
    return result


def unary(f: FunctionWriter, node: ast.AST, operator: ast.unaryop, operand: Value) -> Value:
    """Write + - ~ of a number."""
    sign, python = _UNARY[type(operator)]
    if operand.constant is not None and operand.kind is not BOOL:
        return _folded(f, node, python, operand)
    if operand.kind in (FLOAT, LANES) and sign == "-":
        return f.value(operand.kind, f"fneg {f.module.float_flags}{operand.typed}")
    if operand.kind in (INT, WORD, WIDE) or (operand.kind is FLOAT and sign == "+"):
        result = INT if operand.kind is INT else WIDE
        if sign == "+":
            return operand
        return f.value(result, f"sub i64 0, {operand.text}" if sign == "-" else f"xor {operand.typed}, -1")
    raise f.error(node, f"'{sign}' of {_article(operand.kind.name)} is not possible in a kernel")


_UNARY: dict[type[ast.unaryop], tuple[str, Callable[[Any], Any]]] = {
    ast.USub: ("-", lambda x: -x),
    ast.UAdd: ("+", lambda x: +x),
    ast.Invert: ("~", lambda x: ~x),
}


def compare(f: FunctionWriter, node: ast.AST, operator: ast.cmpop, left: Value, right: Value) -> Value:
    """Write one comparison."""
    rule = COMPARISONS.get(type(operator))
    if rule is None:
        raise f.error(node, "'in' and 'is' are not possible in a kernel; allowed are < <= > >= == !=")
    if left.constant is not None and right.constant is not None:
        return _folded(f, node, rule.python, left, right)
    if {left.kind, right.kind} == {FLOAT, INT}:
        left, right = _exact_float(f, node, left), _exact_float(f, node, right)
    left, right = _common(f, node, rule, left, right)
    if WIDE in (left.kind, right.kind):
        raise f.error(node, f"an operand of '{rule.sign}' {_ADD_WORD}")
    code = rule.code.get(left.kind)
    if code is None:
        raise f.error(node, f"'{rule.sign}' between {left.kind} and {right.kind} is not possible; {_operands(rule)}")
    return f.value(BOOL, f"{code} {left.typed}, {right.text}")


def _exact_float(f: FunctionWriter, node: ast.AST, value: Value) -> Value:
    """An operand to be compared with a Float, which Python does without rounding an int first."""
    if value.kind is FLOAT:
        return value
    if value.constant is None or abs(value.constant) > 2**53:
        raise f.error(node, "a Float is compared with an Int; write float(...) around the Int")
    return constant(float(value.constant))


def _float(f: FunctionWriter, node: ast.AST, value: Value) -> Value:
    """A number as a Float."""
    if value.kind is FLOAT:
        return value
    if value.kind is WIDE:
        raise f.error(node, f"the argument {_ADD_WORD}")
    if value.constant is not None:
        return _folded(f, node, float, value)
    instruction = {INT: "sitofp", WORD: "uitofp", BOOL: "uitofp"}.get(value.kind)
    if instruction is None:
        raise f.error(node, f"{_article(value.kind.name)} stands where a number is needed")
    return f.value(FLOAT, f"{instruction} {value.typed} to double")


def _int(f: FunctionWriter, node: ast.AST, value: Value) -> Value:
    """A number as an Int, truncated."""
    if value.constant is not None:
        return _folded(f, node, int, value)
    if value.kind is FLOAT:
        return f.value(INT, f"call i64 {f.module.need('int.truncate')}({value.typed})")
    if value.kind is BOOL:
        return f.value(INT, f"zext {value.typed} to i64")
    if value.kind in (INT, WORD):
        return Value(INT, value.text)
    if value.kind is WIDE:
        raise f.error(node, f"the argument {_ADD_WORD}")
    raise f.error(node, f"int of {_article(value.kind.name)} is not possible in a kernel")


def _word(f: FunctionWriter, node: ast.AST, value: Value) -> Value:
    """An integer modulo 2^64, which its bits are already."""
    if value.kind not in (INT, WORD, WIDE):
        raise f.error(node, f"word of {_article(value.kind.name)} is not possible; write word(int(...))")
    return Value(WORD, value.text)


def _absolute(f: FunctionWriter, node: ast.AST, value: Value) -> Value:
    if value.constant is not None:
        return _folded(f, node, abs, value)
    if value.kind is FLOAT:
        return f.value(FLOAT, f"call double {f.module.need('llvm.fabs.f64')}({value.typed})")
    if value.kind is WORD:
        return value
    if value.kind is not INT:
        raise f.error(node, f"abs of {_article(value.kind.name)} is not possible in a kernel")
    negative = f.value(BOOL, f"icmp slt {value.typed}, 0")
    opposite = f.value(INT, f"sub i64 0, {value.text}")
    return f.value(INT, f"select {negative.typed}, {opposite.typed}, {value.typed}")


def _extreme(better: ast.cmpop, f: FunctionWriter, node: ast.AST, *values: Value) -> Value:
    """min or max: as in Python the first argument stays unless a later one compares better."""
    result, *others = alike(f, node, values)
    for value in others:
        replaces = compare(f, node, better, value, result)
        if replaces.constant is None:
            result = f.value(value.kind, f"select {replaces.typed}, {value.typed}, {result.typed}")
        elif replaces.constant:
            result = value
    return result


def _mathematics(python: Callable[..., Any], f: FunctionWriter, node: ast.AST, *values: Value) -> Value:
    rule = MATHEMATICS[python]
    arguments = [_float(f, node, value) for value in values]
    if all(argument.constant is not None for argument in arguments):
        return _folded(f, node, python, *arguments)
    operands = ", ".join(argument.typed for argument in arguments)
    return f.value(rule.result, f"call {rule.result.llvm} {f.module.need(rule.helper)}({operands})")


FUNCTIONS: dict[Any, tuple[Callable[..., Value], int, int]] = {
    min: (functools.partial(_extreme, ast.Lt()), 2, 100),
    max: (functools.partial(_extreme, ast.Gt()), 2, 100),
    abs: (_absolute, 1, 1),
    float: (_float, 1, 1),
    int: (_int, 1, 1),
    word: (_word, 1, 1),
    **{
        function: (functools.partial(_mathematics, function), rule.arity, rule.arity)
        for function, rule in MATHEMATICS.items()
    },
}
"""Python's function -> what writes it, the least and the greatest number of arguments."""


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "AEIOU" else f"a {noun}"
