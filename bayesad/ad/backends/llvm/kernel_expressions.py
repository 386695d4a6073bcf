"""Expressions of kernels to LLVM: each kind of syntax is one function, found through a table."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Sequence
from typing import Any

from bayesad.ad.backends.llvm.kernel_arithmetic import FUNCTIONS, alike, binary, compare, fitted, shown, unary
from bayesad.ad.backends.llvm.kernel_lanes import LANE_FUNCTIONS
from bayesad.ad.backends.llvm.kernel_source import attribute_of_module, global_value, signature
from bayesad.ad.backends.llvm.kernel_types import (
    ARRAYS,
    BOOL,
    FLOAT,
    FLOATS,
    INT,
    LOG_DENSITY,
    NOTHING,
    WORD,
    WORDS,
    KernelError,
    Kind,
    word,
)
from bayesad.ad.backends.llvm.kernel_writer import FunctionWriter, Value, constant

__all__ = ["call", "condition", "element_address", "expression", "global_object"]

_ALLOWED = (
    "allowed are numbers, names, a[i], a[k:], operators, comparisons, and/or/not, conditional expressions, calls of "
    "kernels, min, max, abs, float, int, word, lanes, put, spread, total and the math module's functions"
)


def expression(f: FunctionWriter, node: ast.expr) -> Value:
    """Write an expression that has a value, and give it."""
    writer = _WRITERS.get(type(node))
    if writer is None:
        raise f.error(node, f"{shown(node)} is not possible in a kernel; {_ALLOWED}")
    return writer(f, node)


def condition(f: FunctionWriter, node: ast.expr, yes: str, no: str) -> None:
    """End the block by going to `yes` or `no` as a Bool expression says, evaluating no more than Python does."""
    if isinstance(node, ast.BoolOp):
        for operand in node.values[:-1]:
            (others,) = f.labels("others")
            condition(f, operand, *((others, no) if isinstance(node.op, ast.And) else (yes, others)))
            if not f.place(others):
                return
        condition(f, node.values[-1], yes, no)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        condition(f, node.operand, no, yes)
    elif isinstance(node, ast.Compare) and len(node.ops) > 1:
        _chain(f, node, yes, no)
    else:
        test = expression(f, node)
        if test.kind is not BOOL:
            raise f.error(node, f"{shown(node)} is {test.kind} where a Bool is needed; compare it, as in '!= 0'")
        f.branch_if(test, yes, no)


def _chain(f: FunctionWriter, node: ast.Compare, yes: str, no: str) -> None:
    """a < b < c, with each operand evaluated once."""
    left = expression(f, node.left)
    for number, (operator, comparator) in enumerate(zip(node.ops, node.comparators, strict=True), start=1):
        right = expression(f, comparator)
        test = compare(f, node, operator, left, right)
        if number == len(node.ops):
            f.branch_if(test, yes, no)
            return
        (others,) = f.labels("others")
        f.branch_if(test, others, no)
        if not f.place(others):
            return
        left = right


def _comparison(f: FunctionWriter, node: ast.Compare) -> Value:
    if len(node.ops) > 1:
        return _truth(f, node)
    return compare(f, node, node.ops[0], expression(f, node.left), expression(f, node.comparators[0]))


def _unary(f: FunctionWriter, node: ast.UnaryOp) -> Value:
    if isinstance(node.op, ast.Not):
        return _truth(f, node)
    return unary(f, node, node.op, expression(f, node.operand))


def _truth(f: FunctionWriter, node: ast.expr) -> Value:
    """The value of a condition."""
    return _merged(f, node, node, lambda: constant(True), lambda: constant(False))


def _choice(f: FunctionWriter, node: ast.IfExp) -> Value:
    return _merged(f, node, node.test, lambda: expression(f, node.body), lambda: expression(f, node.orelse))


def _merged(
    f: FunctionWriter,
    node: ast.expr,
    test: ast.expr,
    then: Callable[[], Value],
    otherwise: Callable[[], Value],
) -> Value:
    """The one of two values that a condition chooses; only that one is computed."""
    yes, no, end = f.labels("then", "else", "end")
    condition(f, test, yes, no)
    values, blocks = [], []
    for label, write in ((yes, then), (no, otherwise)):
        if f.place(label):
            values.append(write())
            blocks.append(f.block)
            f.branch(end)
    f.place(end)
    values = alike(f, node, values)
    arms = ", ".join(f"[ {value.text}, %{block} ]" for value, block in zip(values, blocks, strict=True))
    return f.value(values[0].kind, f"phi {values[0].kind.llvm} {arms}")


def _literal(f: FunctionWriter, node: ast.Constant) -> Value:
    if not isinstance(node.value, bool | int | float):
        raise f.error(
            node,
            f"{shown(node)} is not possible in a kernel; allowed constants are int, float, True and False",
        )
    return constant(node.value)


def _name(f: FunctionWriter, node: ast.Name) -> Value:
    kind = f.variables.get(node.id)
    if kind is None:
        return _global_number(f, node)
    return f.value(kind, f"load {kind.llvm}, ptr {f.slot(node.id)}")


def _global_number(f: FunctionWriter, node: ast.expr) -> Value:
    value = global_object(f, node)
    if not isinstance(value, bool | int | float):
        raise f.error(
            node,
            f"'{shown(node)}' is a {type(value).__name__}; a module-level constant is an int, a float, or a tuple of "
            "them that is indexed",
        )
    return constant(value)


def global_object(f: FunctionWriter, node: ast.expr) -> Any:
    """What a global name or a module's attribute stands for."""
    if isinstance(node, ast.Name):
        if node.id in f.function.__code__.co_varnames:
            raise f.error(node, f"'{node.id}' is read before its first assignment; assign it above, with its type")
        try:
            return global_value(f.function, node.id)
        except KeyError:
            raise f.error(
                node, f"the name '{node.id}' is not known; assign it, or define it at the module's level"
            ) from None
    if isinstance(node, ast.Attribute):
        if isinstance(node.value, ast.Name) and node.value.id in f.variables:
            raise f.error(node, f"'{shown(node)}' is not possible: a kernel's variables have no attributes")
        owner = global_object(f, node.value)
        try:
            return attribute_of_module(owner, node.attr)
        except KeyError:
            raise f.error(
                node,
                f"'{shown(node)}' is not known; the only attributes are those of modules, such as math.pi",
            ) from None
    raise f.error(node, f"{shown(node)} is not possible in a kernel; {_ALLOWED}")


def _subscript(f: FunctionWriter, node: ast.Subscript) -> Value:
    table = _table(f, node.value)
    if table is not None:
        return _table_entry(f, node, table)
    array = _array(f, node)
    if isinstance(node.slice, ast.Slice):
        if node.slice.lower is None or node.slice.upper is not None or node.slice.step is not None:
            raise f.error(node, f"the slice {shown(node)} is not possible in a kernel; the only one is a[k:]")
        return _offset(f, array, _index(f, node.slice.lower))
    if array.kind is WORDS:
        raise f.error(node, f"a read of Words is no Word uncompiled; write word({shown(node)})")
    return _element(f, node, array)


def _element(f: FunctionWriter, node: ast.Subscript, array: Value) -> Value:
    kind = _element_kind(array)
    return f.value(kind, f"load {kind.llvm}, {_offset(f, array, _index(f, node.slice)).typed}")


def element_address(f: FunctionWriter, node: ast.Subscript) -> tuple[Value, Kind]:
    """Where a[i] is to be stored, and the kind of what is there."""
    if _table(f, node.value) is not None:
        raise f.error(node, f"{shown(node)} cannot be assigned to; tables are constant")
    array = _array(f, node)
    if isinstance(node.slice, ast.Slice):
        raise f.error(node, f"{shown(node)} cannot be assigned to; write the loop")
    return _offset(f, array, _index(f, node.slice)), _element_kind(array)


def _element_kind(array: Value) -> Kind:
    assert array.kind.element is not None
    return array.kind.element


def _offset(f: FunctionWriter, array: Value, index: Value) -> Value:
    return f.value(array.kind, f"getelementptr inbounds {_element_kind(array).llvm}, {array.typed}, {index.typed}")


def _array(f: FunctionWriter, node: ast.Subscript) -> Value:
    array = expression(f, node.value)
    if array.kind not in ARRAYS:
        raise f.error(node, f"{shown(node.value)} is {array.kind}; only Floats, Ints, Words and tables are indexed")
    return array


def _index(f: FunctionWriter, node: ast.expr) -> Value:
    index = expression(f, node)
    if index.constant is not None and index.constant < 0:
        raise f.error(
            node,
            f"the index {index.constant} counts from an end that kernels do not know; index from the start",
        )
    return fitted(f, node, index, INT, "an index")


def _table(f: FunctionWriter, node: ast.expr) -> tuple[float, ...] | None:
    """The module-level tuple that an expression names, or None."""
    is_global = isinstance(node, ast.Attribute) or (
        isinstance(node, ast.Name) and node.id not in f.function.__code__.co_varnames
    )
    value = global_object(f, node) if is_global else None
    return value if isinstance(value, tuple) else None


def _table_entry(f: FunctionWriter, node: ast.Subscript, table: tuple[float, ...]) -> Value:
    if isinstance(node.slice, ast.Slice):
        raise f.error(node, f"the slice {shown(node)} of a table is not possible in a kernel; index it")
    entry_types = {type(entry) for entry in table}
    if entry_types not in ({int}, {float}):
        raise f.error(node, f"'{shown(node.value)}' is no table; it has to be a tuple of floats only, or of ints only")
    kind = FLOAT if entry_types == {float} else WORD if max(table) >= 2**63 else INT
    for entry in table:
        fitted(f, node, constant(entry), kind, f"a table's entry in '{shown(node.value)}'")
    index = _index(f, node.slice)
    if index.constant is None:
        array = Value(FLOATS, f.module.table(kind, table))
        address = f.value(FLOATS, f"getelementptr inbounds {kind.llvm}, {array.typed}, {index.typed}")
        return f.value(kind, f"load {kind.llvm}, {address.typed}")
    if index.constant >= len(table):
        raise f.error(node, f"the index {index.constant} is beyond the {len(table)} entries of '{shown(node.value)}'")
    return constant(table[int(index.constant)])


def _call_with_value(f: FunctionWriter, node: ast.Call) -> Value:
    result = call(f, node)
    if result is None:
        raise f.error(node, f"{shown(node.func)} returns None, which has no use here")
    return result


def call(f: FunctionWriter, node: ast.Call) -> Value | None:
    """Write a call; None if what is called returns None."""
    if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
        raise f.error(node, f"the call of {shown(node.func)} has keyword or starred arguments; pass them by position")
    if isinstance(node.func, ast.Name) and node.func.id in f.variables:
        return _log_density_call(f, node, _name(f, node.func))
    function = global_object(f, node.func)
    if isinstance(function, types.BuiltinFunctionType | type) or function in _FUNCTIONS:
        return _builtin_call(f, node, function)
    if not isinstance(function, types.FunctionType):
        raise f.error(node, f"{shown(node.func)} cannot be called in a kernel; {_ALLOWED}")
    return _kernel_call(f, node, function)


_FUNCTIONS: dict[Any, tuple[Callable[..., Value | None], int, int]] = {**FUNCTIONS, **LANE_FUNCTIONS}


def _builtin_call(f: FunctionWriter, node: ast.Call, function: Any) -> Value | None:
    if function not in _FUNCTIONS:
        raise f.error(node, f"{shown(node.func)} cannot be called in a kernel; {_ALLOWED}")
    write, least, greatest = _FUNCTIONS[function]
    if not least <= len(node.args) <= greatest:
        raise f.error(
            node,
            f"{shown(node)} has {len(node.args)} arguments; {shown(node.func)} takes {least} in a kernel",
        )
    if function is word:
        return write(f, node, _word_argument(f, node.args[0]))
    return write(f, node, *(expression(f, argument) for argument in node.args))


def _word_argument(f: FunctionWriter, node: ast.expr) -> Value:
    """The argument of word(), the one place where Words are read."""
    if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice) and _table(f, node.value) is None:
        return _element(f, node, _array(f, node))
    return expression(f, node)


def _kernel_call(f: FunctionWriter, node: ast.Call, function: types.FunctionType) -> Value | None:
    try:
        parameters, result = signature(function)
    except KernelError as problem:
        raise f.error(node, f"{shown(node.func)} is called but cannot be compiled: {problem}") from None
    arguments = ", ".join(value.typed for value in _arguments(f, node, parameters))
    instruction = f"call {result.llvm} {f.module.symbol(function)}({arguments})"
    if result is NOTHING:
        f.emit(instruction)
        return None
    return f.value(result, instruction)


def _log_density_call(f: FunctionWriter, node: ast.Call, log_density: Value) -> Value:
    """A call through the pair (address, context)."""
    if log_density.kind is not LOG_DENSITY:
        raise f.error(
            node,
            f"{shown(node.func)} is {log_density.kind}; of a kernel's variables only a LogDensity is called",
        )
    q, gradient = _arguments(f, node, {"q": FLOATS, "gradient": FLOATS})
    address = f.value(LOG_DENSITY, f"load ptr, {log_density.typed}")
    second = f.value(LOG_DENSITY, f"getelementptr inbounds i64, {log_density.typed}, i64 1")
    context = f.value(LOG_DENSITY, f"load ptr, {second.typed}")
    return f.value(FLOAT, f"call double {address.text}({context.typed}, {q.typed}, {gradient.typed})")


def _arguments(f: FunctionWriter, node: ast.Call, parameters: dict[str, Kind]) -> Sequence[Value]:
    if len(node.args) != len(parameters):
        raise f.error(node, f"{shown(node.func)} takes {len(parameters)} arguments, not {len(node.args)}")
    return [
        fitted(f, argument, expression(f, argument), kind, f"argument '{name}' of {shown(node.func)}")
        for argument, (name, kind) in zip(node.args, parameters.items(), strict=True)
    ]


_WRITERS: dict[type[ast.expr], Callable[[FunctionWriter, Any], Value]] = {
    ast.Constant: _literal,
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
