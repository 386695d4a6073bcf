"""Expressions of kernels to LLVM: each kind of syntax is one function, found through a table."""

from __future__ import annotations

import ast
import math
import types
from collections.abc import Callable, Sequence
from typing import Any

from bayesad.ad.backends.llvm.kernel_operations import COMPARISONS, MATHEMATICS, OPERATORS, Operator
from bayesad.ad.backends.llvm.kernel_source import attribute_of_module, global_value, signature
from bayesad.ad.backends.llvm.kernel_types import (
    ARRAYS,
    BOOL,
    FLOAT,
    FLOATS,
    INT,
    LOG_DENSITY,
    NOTHING,
    WIDE,
    WORD,
    WORD_MASK,
    WORDS,
    KernelError,
    Kind,
    word,
)
from bayesad.ad.backends.llvm.kernel_writer import FunctionWriter, Value, constant

__all__ = ["binary", "call", "condition", "element_address", "expression", "fitted", "global_object"]

_ALLOWED = (
    "allowed are numbers, names, a[i], a[k:], operators, comparisons, and/or/not, conditional expressions, calls of "
    "kernels, min, max, abs, float, int, word and math.*"
)
_ADD_WORD = "is arithmetic on Words, which Python does not keep within 64 bits; write word(...) around it"
_HIGHEST_INT_POWER = 64


def expression(f: FunctionWriter, node: ast.expr) -> Value:
    """Write an expression that has a value, and give it."""
    writer = _WRITERS.get(type(node))
    if writer is None:
        f.error(node, f"{_shown(node)} is not possible in a kernel; {_ALLOWED}")
    return writer(f, node)


def condition(f: FunctionWriter, node: ast.expr, yes: str, no: str) -> None:
    """End the block by going to `yes` or `no` as a Bool expression says, evaluating no more than Python does."""
    if isinstance(node, ast.BoolOp):
        for operand in node.values[:-1]:
            (other,) = f.labels("also")
            if isinstance(node.op, ast.And):
                condition(f, operand, other, no)
            else:
                condition(f, operand, yes, other)
            if not f.place(other):
                return
        condition(f, node.values[-1], yes, no)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        condition(f, node.operand, no, yes)
    elif isinstance(node, ast.Compare) and len(node.ops) > 1:
        left = expression(f, node.left)
        for operator, comparator in zip(node.ops[:-1], node.comparators, strict=False):
            right = expression(f, comparator)
            (other,) = f.labels("also")
            f.branch_if(_compare(f, node, operator, left, right), other, no)
            if not f.place(other):
                return
            left = right
        f.branch_if(_compare(f, node, node.ops[-1], left, expression(f, node.comparators[-1])), yes, no)
    else:
        test = expression(f, node)
        if test.kind is not BOOL:
            f.error(node, f"{_shown(node)} is {test.kind} where a Bool is needed; compare it, as in '!= 0'")
        f.branch_if(test, yes, no)


def fitted(f: FunctionWriter, node: ast.AST, value: Value, kind: Kind, what: str) -> Value:
    """A value that is stored or passed as `what`, which has a kind: only plain integers adapt, to Words."""
    if value.kind is kind and (kind is not INT or _fits(value, -(2**63), 2**63)):
        return value
    if kind is WORD and _fits(value, 0, 2**64):
        return Value(WORD, value.text)
    if value.kind is WIDE:
        f.error(node, f"the value for {what} {_ADD_WORD}")
    shown = value.kind.name if value.constant is None else f"{value.kind} {value.constant!r}"
    f.error(node, f"{what} is {kind} and cannot take {_article(shown)}{_remedy(value, kind)}")


def _fits(value: Value, low: int, high: int) -> bool:
    """Whether a value is no constant (when Ints are asked for), or an integer constant within bounds."""
    if value.constant is None:
        return low < 0
    return value.kind is INT and low <= value.constant < high


def _remedy(value: Value, kind: Kind) -> str:
    if kind is FLOAT and value.kind is INT:
        return "; write float(...)" if value.constant is None else f"; write {float(value.constant)!r}"
    if kind is INT and value.kind in (FLOAT, WORD, BOOL):
        return "; write int(...)"
    if kind is WORD and value.kind is INT:
        return "; write word(...)"
    if kind is BOOL and value.kind in (INT, FLOAT):
        return "; compare it, as in '!= 0'"
    return ""


def binary(f: FunctionWriter, node: ast.AST, operator: ast.operator, left: Value, right: Value) -> Value:
    """Write a binary operation."""
    rule = OPERATORS.get(type(operator))
    if rule is None:
        f.error(node, "'@' is not possible in a kernel; write the loop")
    if left.constant is not None and right.constant is not None:
        return _folded(f, node, rule.python, left, right)
    if isinstance(operator, ast.LShift | ast.RShift):
        left, right = _settled(f, node, left), _settled(f, node, right)
        if right.kind not in (INT, WORD):
            f.error(node, f"a shift by {_article(right.kind.name)}; shift by an Int")
    elif isinstance(operator, ast.Pow) and left.kind is INT and right.kind is INT:
        return _integer_power(f, node, left, right)
    else:
        left, right = _common(f, node, rule, left, right)
    kind = left.kind
    code = rule.code.get(WORD if kind is WIDE else kind)
    if code is None:
        f.error(node, f"'{rule.sign}' between {left.kind} and {right.kind} is not possible; {_operands(rule)}")
    result = _word_result(f, node, operator, left, right) if kind in (WORD, WIDE) else kind
    if code.startswith("@"):
        return f.value(result, f"call {kind.llvm} {f.module.need(code[1:])}({left.typed}, {right.typed})")
    flags = f.module.float_flags if kind is FLOAT else ""
    return f.value(result, f"{code} {flags}{left.typed}, {right.text}")


def _operands(rule: Operator) -> str:
    return "it takes two " + " or two ".join(f"{kind}s" for kind in rule.code)


def _folded(f: FunctionWriter, node: ast.AST, python: Callable[..., Any], *operands: Value) -> Value:
    try:
        result = python(*(operand.constant for operand in operands))
    except (ArithmeticError, ValueError, TypeError) as error:
        f.error(node, f"this constant cannot be computed: {error}")
    if not isinstance(result, bool | int | float):
        f.error(node, f"this constant is a {type(result).__name__}; allowed are int, float and bool")
    return constant(result)


def _settled(f: FunctionWriter, node: ast.AST, value: Value) -> Value:
    """A constant integer as what it has room in."""
    if value.constant is None or value.kind is not INT or -(2**63) <= value.constant < 2**63:
        return value
    if 0 <= value.constant < 2**64:
        return Value(WORD, value.text)
    f.error(node, f"the integer {value.constant} does not fit in 64 bits")


def _common(f: FunctionWriter, node: ast.AST, rule: Operator, left: Value, right: Value) -> tuple[Value, Value]:
    """Both operands in one kind: Ints become Floats beside Floats, plain integers Words beside Words."""
    kinds = {left.kind, right.kind}
    if kinds == {FLOAT, INT}:
        return _float(f, node, left), _float(f, node, right)
    if kinds & {WORD, WIDE}:
        left, right = _word_operand(left), _word_operand(right)
    else:
        left, right = _settled(f, node, left), _settled(f, node, right)
    if left.kind is not right.kind and not {left.kind, right.kind} <= {WORD, WIDE}:
        mixed = {left.kind, right.kind} == {WORD, INT}
        remedy = "write word(...) around the Int, or int(...) around the Word" if mixed else _operands(rule)
        f.error(node, f"'{rule.sign}' between {left.kind} and {right.kind} is not possible; {remedy}")
    return left, right


def _word_operand(value: Value) -> Value:
    """A plain integer as a Word; one that Words do not hold has the right bits all the same."""
    if value.kind is not INT or value.constant is None:
        return value
    return Value(WORD if 0 <= value.constant < 2**64 else WIDE, value.text)


def _word_result(f: FunctionWriter, node: ast.AST, operator: ast.operator, left: Value, right: Value) -> Kind:
    """The kind of an operation on Words: what leaves the range of 64 bits in Python needs word() after it.

    Sums, products and bit-wise operations can wait for it; other operations need operands that had it.
    """
    kinds = (left.kind, right.kind)
    if isinstance(operator, ast.LShift):
        if right.kind is WIDE:
            f.error(node, f"the shift {_ADD_WORD}")
        return WIDE
    if isinstance(operator, ast.Add | ast.Sub | ast.Mult):
        return WIDE
    if WIDE not in kinds:
        return WORD
    if isinstance(operator, ast.BitAnd) and WORD in kinds:
        return WORD
    if isinstance(operator, ast.BitAnd | ast.BitOr | ast.BitXor):
        return WIDE
    f.error(node, f"an operand of '{OPERATORS[type(operator)].sign}' {_ADD_WORD}")


def _integer_power(f: FunctionWriter, node: ast.AST, base: Value, exponent: Value) -> Value:
    power = exponent.constant
    if power is None or not 0 < power <= _HIGHEST_INT_POWER:
        remedy = "write 1 << k" if base.constant == 2 else "write float(...) around the base"
        f.error(node, f"an Int to a power that is no constant from 1 to {_HIGHEST_INT_POWER}; {remedy}")
    result = base
    for bit in f"{int(power):b}"[1:]:
        result = f.value(INT, f"mul {result.typed}, {result.text}")
        if bit == "1":
            result = f.value(INT, f"mul {result.typed}, {base.text}")
    return result


def _compare(f: FunctionWriter, node: ast.AST, operator: ast.cmpop, left: Value, right: Value) -> Value:
    rule = COMPARISONS.get(type(operator))
    if rule is None:
        f.error(node, "'in' and 'is' are not possible in a kernel; allowed are < <= > >= == !=")
    if left.constant is not None and right.constant is not None:
        return _folded(f, node, rule.python, left, right)
    if {left.kind, right.kind} == {FLOAT, INT}:
        # Python compares an int and a float exactly: only constants are sure to become Floats without rounding.
        left, right = (_exact_float(f, node, side) for side in (left, right))
    left, right = _common(f, node, rule, left, right)
    if WIDE in (left.kind, right.kind):
        f.error(node, f"an operand of '{rule.sign}' {_ADD_WORD}")
    code = rule.code.get(left.kind)
    if code is None:
        f.error(node, f"'{rule.sign}' between {left.kind} and {right.kind} is not possible; {_operands(rule)}")
    return f.value(BOOL, f"{code} {left.typed}, {right.text}")


def _exact_float(f: FunctionWriter, node: ast.AST, value: Value) -> Value:
    if value.kind is FLOAT:
        return value
    if value.constant is None or abs(value.constant) > 2**53:
        f.error(node, "a Float compared with an Int; write float(...) around the Int")
    return constant(float(value.constant))


def _float(f: FunctionWriter, node: ast.AST, value: Value) -> Value:
    """A number as a Float."""
    if value.kind is FLOAT:
        return value
    if value.kind is WIDE:
        f.error(node, f"the argument {_ADD_WORD}")
    if value.constant is not None:
        return _folded(f, node, float, value)
    instruction = {INT: "sitofp", WORD: "uitofp", BOOL: "uitofp"}.get(value.kind)
    if instruction is None:
        f.error(node, f"{_article(value.kind.name)} where a number is needed")
    return f.value(FLOAT, f"{instruction} {value.typed} to double")


def _number(f: FunctionWriter, node: ast.Constant) -> Value:
    if not isinstance(node.value, bool | int | float):
        f.error(node, f"{_shown(node)} is not possible in a kernel; allowed constants are int, float, True and False")
    return constant(node.value)


def _name(f: FunctionWriter, node: ast.Name) -> Value:
    kind = f.variables.get(node.id)
    if kind is not None:
        return f.value(kind, f"load {kind.llvm}, ptr {f.slot(node.id)}")
    return _global_number(f, node)


def global_object(f: FunctionWriter, node: ast.expr) -> Any:
    """What a global name or a module's attribute stands for."""
    if isinstance(node, ast.Name):
        if node.id in f.function.__code__.co_varnames:
            f.error(node, f"'{node.id}' is read before its first assignment; assign it above, of the type it will have")
        try:
            return global_value(f.function, node.id)
        except KeyError:
            f.error(node, f"the name '{node.id}' is not known; assign it, or define it at the module's level")
    if isinstance(node, ast.Attribute):
        try:
            return attribute_of_module(global_object(f, node.value), node.attr)
        except KeyError:
            f.error(node, f"'{_shown(node)}' is not known; the only attributes are those of modules, such as math.pi")
    f.error(node, f"{_shown(node)} is not possible in a kernel; {_ALLOWED}")


def _global_number(f: FunctionWriter, node: ast.expr) -> Value:
    value = global_object(f, node)
    if not isinstance(value, bool | int | float):
        f.error(
            node,
            f"'{_shown(node)}' is a {type(value).__name__}; a module-level constant is an int, a float, or a tuple of "
            "them that is indexed",
        )
    return constant(value)


def _unary(f: FunctionWriter, node: ast.UnaryOp) -> Value:
    if isinstance(node.op, ast.Not):
        return _truth(f, node)
    operand = expression(f, node.operand)
    sign = {ast.USub: "-", ast.UAdd: "+", ast.Invert: "~"}[type(node.op)]
    if operand.constant is not None and operand.kind is not BOOL:
        return _folded(f, node, _UNARY_PYTHON[sign], operand)
    if sign == "-" and operand.kind is FLOAT:
        return f.value(FLOAT, f"fneg {f.module.float_flags}{operand.typed}")
    if operand.kind in (INT, WORD, WIDE) or (sign == "+" and operand.kind is FLOAT):
        result = INT if operand.kind is INT else WIDE
        if sign == "+":
            return operand
        if sign == "-":
            return f.value(result, f"sub i64 0, {operand.text}")
        return f.value(result, f"xor {operand.typed}, -1")
    f.error(node, f"'{sign}' of {_article(operand.kind.name)} is not possible in a kernel")


_UNARY_PYTHON: dict[str, Callable[[Any], Any]] = {"-": lambda x: -x, "+": lambda x: +x, "~": lambda x: ~x}


def _comparison(f: FunctionWriter, node: ast.Compare) -> Value:
    if len(node.ops) > 1:
        return _truth(f, node)
    return _compare(f, node, node.ops[0], expression(f, node.left), expression(f, node.comparators[0]))


def _truth(f: FunctionWriter, node: ast.expr) -> Value:
    """The value of a condition."""
    yes, no, end = f.labels("true", "false", "end")
    condition(f, node, yes, no)
    return _merged(f, end, [(label, lambda value=value: constant(value)) for label, value in ((yes, True), (no, False))])


def _choice(f: FunctionWriter, node: ast.IfExp) -> Value:
    yes, no, end = f.labels("then", "else", "end")
    condition(f, node.test, yes, no)
    return _merged(
        f, end, [(yes, lambda: expression(f, node.body)), (no, lambda: expression(f, node.orelse))], node
    )


def _merged(
    f: FunctionWriter, end: str, branches: Sequence[tuple[str, Callable[[], Value]]], node: ast.AST | None = None
) -> Value:
    """The value of whichever of some blocks was gone through."""
    values, blocks = [], []
    for label, write in branches:
        if f.place(label):
            values.append(write())
            blocks.append(f.block)
            f.branch(end)
    f.place(end)
    if node is not None:
        values = _alike(f, node, values)
    if len(values) == 1:
        return values[0]
    arms = ", ".join(f"[ {value.text}, %{block} ]" for value, block in zip(values, blocks, strict=True))
    return f.value(values[0].kind, f"phi {values[0].kind.llvm} {arms}")


def _alike(f: FunctionWriter, node: ast.AST, values: list[Value]) -> list[Value]:
    """Values of one kind; plain integers adapt to Words."""
    kinds = {value.kind for value in values if value.constant is None} or {value.kind for value in values}
    if len(kinds) > 1:
        f.error(node, f"the values are {' and '.join(sorted(map(str, kinds)))}; give all of them one type")
    kind = kinds.pop()
    return [fitted(f, node, value, kind, "the result") for value in values]


def _subscript(f: FunctionWriter, node: ast.Subscript) -> Value:
    table = _table(f, node.value)
    if table is not None:
        return _table_element(f, node, table)
    array = _array(f, node)
    if isinstance(node.slice, ast.Slice):
        if node.slice.upper is not None or node.slice.step is not None or node.slice.lower is None:
            f.error(node, f"the slice {_shown(node)} is not possible in a kernel; the only one is a[k:]")
        return f.value(array.kind, _element_pointer(f, array, _index(f, node.slice.lower)))
    if array.kind is WORDS:
        f.error(node, f"a read of Words is not a Word uncompiled; write word({_shown(node)})")
    return _element(f, node, array)


def _element(f: FunctionWriter, node: ast.Subscript, array: Value) -> Value:
    address, kind = element_address(f, node, array)
    return f.value(kind, f"load {kind.llvm}, ptr {address}")


def element_address(f: FunctionWriter, node: ast.Subscript, array: Value | None = None) -> tuple[str, Kind]:
    """The address of a[i] and the kind of what is there."""
    if array is None:
        array = _array(f, node)
    if isinstance(node.slice, ast.Slice):
        f.error(node, f"{_shown(node)} cannot be assigned to; write the loop")
    kind = array.kind.element
    assert kind is not None
    return f.value(array.kind, _element_pointer(f, array, _index(f, node.slice))).text, kind


def _element_pointer(f: FunctionWriter, array: Value, index: Value) -> str:
    assert array.kind.element is not None
    return f"getelementptr inbounds {array.kind.element.llvm}, {array.typed}, {index.typed}"


def _array(f: FunctionWriter, node: ast.Subscript) -> Value:
    array = expression(f, node.value)
    if array.kind not in ARRAYS:
        f.error(node, f"{_shown(node.value)} is {array.kind}, not an array; only Floats, Ints and Words are indexed")
    return array


def _index(f: FunctionWriter, node: ast.expr) -> Value:
    index = expression(f, node)
    if index.constant is not None and index.constant < 0:
        f.error(node, f"the index {index.constant} counts from the end, which arrays in kernels do not know; use n - 1")
    return fitted(f, node, index, INT, "an index")


def _table(f: FunctionWriter, node: ast.expr) -> tuple[float, ...] | None:
    """The module-level tuple that an expression names, or None."""
    if isinstance(node, ast.Name) and node.id in f.function.__code__.co_varnames:
        return None
    if not isinstance(node, ast.Name | ast.Attribute):
        return None
    table = global_object(f, node)
    return table if isinstance(table, tuple) else None


def _table_element(f: FunctionWriter, node: ast.Subscript, table: tuple[float, ...]) -> Value:
    if isinstance(node.slice, ast.Slice):
        f.error(node, f"the slice {_shown(node)} of a table is not possible in a kernel; index it")
    types_found = {type(entry) for entry in table}
    if types_found not in ({int}, {float}):
        f.error(node, f"'{_shown(node.value)}' is no table; it has to be a tuple of floats only, or of ints only")
    kind = FLOAT if types_found == {float} else INT
    if kind is INT and max(table) >= 2**63:
        kind = WORD
    low, high = (0, 2**64) if kind is WORD else (-(2**63), 2**63)
    if kind is not FLOAT and not all(low <= entry < high for entry in table):
        f.error(node, f"the integers of '{_shown(node.value)}' do not fit in 64 bits")
    index = _index(f, node.slice)
    if index.constant is not None:
        if index.constant >= len(table):
            f.error(node, f"'{_shown(node.value)}' has {len(table)} entries; the index {index.constant} is beyond")
        return constant(table[int(index.constant)])
    name = f.module.table(kind, table)
    address = f.value(FLOATS, f"getelementptr inbounds {kind.llvm}, ptr {name}, {index.typed}")
    return f.value(kind, f"load {kind.llvm}, ptr {address.text}")


def _call_with_value(f: FunctionWriter, node: ast.Call) -> Value:
    result = call(f, node)
    if result is None:
        f.error(node, f"{_shown(node.func)} returns nothing that could be used")
    return result


def call(f: FunctionWriter, node: ast.Call) -> Value | None:
    """Write a call; its value is None if it has none."""
    if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
        f.error(node, f"the call of {_shown(node.func)} has keyword or starred arguments; pass them by position")
    if isinstance(node.func, ast.Name) and node.func.id in f.variables:
        return _log_density_call(f, node, _name(f, node.func))
    function = global_object(f, node.func)
    try:
        if function in _BUILTINS:
            return _BUILTINS[function](f, node)
        if function in MATHEMATICS:
            return _mathematics(f, node, function)
    except TypeError:  # unhashable
        f.error(node, f"{_shown(node.func)} cannot be called in a kernel; {_ALLOWED}")
    if not isinstance(function, types.FunctionType):
        f.error(node, f"{_shown(node.func)} cannot be called in a kernel; {_ALLOWED}")
    return _kernel_call(f, node, function)


def _arguments(f: FunctionWriter, node: ast.Call, kinds: Sequence[Kind], names: Sequence[str]) -> list[Value]:
    _count_arguments(f, node, len(kinds))
    return [
        fitted(f, argument, expression(f, argument), kind, f"argument '{name}' of {_shown(node.func)}")
        for argument, kind, name in zip(node.args, kinds, names, strict=True)
    ]


def _count_arguments(f: FunctionWriter, node: ast.Call, count: int) -> None:
    if len(node.args) != count:
        f.error(node, f"{_shown(node.func)} takes {count} argument{'s' * (count != 1)}, not {len(node.args)}")


def _kernel_call(f: FunctionWriter, node: ast.Call, function: types.FunctionType) -> Value | None:
    try:
        parameters, result = signature(function)
    except KernelError as problem:
        f.error(node, f"{_shown(node.func)} is called but is no kernel ({problem})")
    arguments = _arguments(f, node, list(parameters.values()), list(parameters))
    text = ", ".join(argument.typed for argument in arguments)
    instruction = f"call {result.llvm} {f.module.symbol(function)}({text})"
    if result is NOTHING:
        f.emit(instruction)
        return None
    return f.value(result, instruction)


def _log_density_call(f: FunctionWriter, node: ast.Call, log_density: Value) -> Value:
    """A call through the pair (address, context)."""
    if log_density.kind is not LOG_DENSITY:
        f.error(node, f"{_shown(node.func)} is {log_density.kind}, which cannot be called; only a LogDensity can")
    q, gradient = _arguments(f, node, [FLOATS, FLOATS], ["q", "gradient"])
    address = f.value(LOG_DENSITY, f"load ptr, {log_density.typed}")
    second = f.value(LOG_DENSITY, f"getelementptr inbounds i64, {log_density.typed}, i64 1")
    context = f.value(LOG_DENSITY, f"load ptr, {second.typed}")
    return f.value(FLOAT, f"call double {address.text}({context.typed}, {q.typed}, {gradient.typed})")


def _mathematics(f: FunctionWriter, node: ast.Call, function: Callable[..., Any]) -> Value:
    rule = MATHEMATICS[function]
    _count_arguments(f, node, rule.arity)
    arguments = [_float(f, argument, expression(f, argument)) for argument in node.args]
    if all(argument.constant is not None for argument in arguments):
        return _folded(f, node, function, *arguments)
    operands = ", ".join(argument.typed for argument in arguments)
    return f.value(rule.result, f"call {rule.result.llvm} {f.module.need(rule.helper)}({operands})")


def _extreme(comparison: type[ast.cmpop]) -> Callable[[FunctionWriter, ast.Call], Value]:
    """min or max: as in Python the first argument stays unless a later one compares better."""

    def write(f: FunctionWriter, node: ast.Call) -> Value:
        if len(node.args) < 2:
            f.error(node, f"{_shown(node.func)} takes two or more numbers in a kernel")
        values = _alike(f, node, [expression(f, argument) for argument in node.args])
        result = values[0]
        for value in values[1:]:
            better = _compare(f, node, comparison(), value, result)
            if better.constant is not None:
                result = value if better.constant else result
            else:
                result = f.value(value.kind, f"select {better.typed}, {value.typed}, {result.typed}")
        return result

    return write


def _one_argument(f: FunctionWriter, node: ast.Call) -> Value:
    _count_arguments(f, node, 1)
    return expression(f, node.args[0])


def _absolute(f: FunctionWriter, node: ast.Call) -> Value:
    value = _one_argument(f, node)
    if value.constant is not None:
        return _folded(f, node, abs, value)
    if value.kind is FLOAT:
        return f.value(FLOAT, f"call double {f.module.need('llvm.fabs.f64')}({value.typed})")
    if value.kind is WORD:
        return value
    if value.kind is not INT:
        f.error(node, f"abs of {_article(value.kind.name)} is not possible in a kernel")
    negative = f.value(BOOL, f"icmp slt {value.typed}, 0")
    opposite = f.value(INT, f"sub i64 0, {value.text}")
    return f.value(INT, f"select {negative.typed}, {opposite.typed}, {value.typed}")


def _to_float(f: FunctionWriter, node: ast.Call) -> Value:
    return _float(f, node, _one_argument(f, node))


def _to_int(f: FunctionWriter, node: ast.Call) -> Value:
    value = _one_argument(f, node)
    if value.constant is not None:
        return _folded(f, node, int, value)
    if value.kind is FLOAT:
        return f.value(INT, f"call i64 {f.module.need('int.truncate')}({value.typed})")
    if value.kind is BOOL:
        return f.value(INT, f"zext {value.typed} to i64")
    if value.kind in (INT, WORD):
        return Value(INT, value.text)
    if value.kind is WIDE:
        f.error(node, f"the argument {_ADD_WORD}")
    f.error(node, f"int of {_article(value.kind.name)} is not possible in a kernel")


def _to_word(f: FunctionWriter, node: ast.Call) -> Value:
    _count_arguments(f, node, 1)
    argument = node.args[0]
    if isinstance(argument, ast.Subscript) and _table(f, argument.value) is None:
        array = _array(f, argument)
        if array.kind is WORDS and not isinstance(argument.slice, ast.Slice):
            return _element(f, argument, array)
    value = expression(f, argument)
    if value.kind not in (INT, WORD, WIDE):
        f.error(node, f"word of {_article(value.kind.name)} is not possible; write word(int(...))")
    if value.constant is not None:
        return Value(WORD, constant(int(value.constant) & WORD_MASK).text)
    return Value(WORD, value.text)


def _range(f: FunctionWriter, node: ast.Call) -> Value:
    f.error(node, "range(...) has its place in 'for i in range(...)' only")


_BUILTINS: dict[Any, Callable[[FunctionWriter, ast.Call], Value]] = {
    min: _extreme(ast.Lt),
    max: _extreme(ast.Gt),
    abs: _absolute,
    float: _to_float,
    int: _to_int,
    word: _to_word,
    range: _range,
}

_WRITERS: dict[type[ast.expr], Callable[[FunctionWriter, Any], Value]] = {
    ast.Constant: _number,
    ast.Name: _name,
    ast.Attribute: _global_number,
    ast.BinOp: lambda f, node: binary(f, node, node.op, expression(f, node.left), expression(f, node.right)),
    ast.UnaryOp: _unary,
    ast.BoolOp: _truth,
    ast.Compare: _comparison,
    ast.IfExp: _choice,
    ast.Subscript: _subscript,
    ast.Call: _call_with_value,
}


def _shown(node: ast.AST) -> str:
    """An expression as the user wrote it, cut short."""
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "AEIOU" else f"a {noun}"
