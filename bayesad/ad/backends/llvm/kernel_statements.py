"""Statements of kernels to LLVM, and whole kernels: each kind of syntax is one function, found through a table."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Sequence
from typing import Any

from bayesad.ad.backends.llvm.kernel_arithmetic import binary, fitted, shown
from bayesad.ad.backends.llvm.kernel_expressions import (
    call,
    condition,
    element_address,
    expression,
    global_object,
)
from bayesad.ad.backends.llvm.kernel_types import BOOL, INT, LANES, NOTHING, WIDE, WORD
from bayesad.ad.backends.llvm.kernel_writer import FunctionWriter, ModuleWriter, Value, constant, entry_point

__all__ = ["kernel_text"]

_ALLOWED = "allowed are assignments, for i in range(...), while, if, break, continue, return, calls and docstrings"


def kernel_text(root: types.FunctionType, fast_math: Sequence[str] = ()) -> str:
    """The LLVM module of a kernel and of all the kernels it calls; it exports the function `kernel`.

    Raises
    ------
    KernelError
        If any of them uses Python that cannot be compiled.
    """
    module = ModuleWriter(fast_math)
    module.symbol(root)
    # Writing a function finds the functions it calls, which makes the list grow.
    functions = [_function(module, function) for function in module.functions]
    return module.text([*functions, entry_point(module, root)])


def _function(module: ModuleWriter, function: types.FunctionType) -> str:
    f = FunctionWriter(module, function)
    _block(f, f.node.body)
    if f.open and f.signature.result is not NOTHING:
        raise f.error(f.node, f"its end can be reached without a return of {f.signature.result}; end with a return")
    if f.open:
        f.end("ret void")
    return f.text()


def _block(f: FunctionWriter, statements: Sequence[ast.stmt]) -> None:
    for statement in statements:
        writer = _WRITERS.get(type(statement))
        if writer is None:
            raise f.error(statement, f"{_heading(statement)} is not possible in a kernel; {_ALLOWED}")
        if not f.open:
            raise f.error(statement, f"{_heading(statement)} is never reached; remove it")
        writer(f, statement)


def _heading(statement: ast.stmt) -> str:
    """The first line of a statement."""
    return f"'{ast.unparse(statement).splitlines()[0]}'"


def _expression_statement(f: FunctionWriter, node: ast.Expr) -> None:
    if isinstance(node.value, ast.Call):
        call(f, node.value)
    elif not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)):
        raise f.error(node, f"{shown(node)} computes a value that is not used; assign it or remove it")


def _assignment(f: FunctionWriter, node: ast.Assign) -> None:
    (target, *others) = node.targets
    if others:
        raise f.error(node, f"{_heading(node)} has several targets; assign them one by one")
    if not isinstance(target, ast.Tuple):
        _assign(f, target, expression(f, node.value))
        return
    if not isinstance(node.value, ast.Tuple) or len(node.value.elts) != len(target.elts):
        raise f.error(node, f"{_heading(node)} does not assign as many expressions as it has targets; write them out")
    values = [expression(f, value) for value in node.value.elts]
    for part, value in zip(target.elts, values, strict=True):
        _assign(f, part, value)


def _assign(f: FunctionWriter, target: ast.expr, value: Value) -> None:
    if isinstance(target, ast.Name):
        _assign_variable(f, target, target.id, value)
    elif isinstance(target, ast.Subscript):
        address, kind = element_address(f, target)
        f.emit(f"store {fitted(f, target, value, kind, shown(target)).typed}, {address.typed}")
    else:
        raise f.error(target, f"{shown(target)} cannot be assigned to in a kernel; assign to a name or to a[i]")


def _assign_variable(f: FunctionWriter, node: ast.AST, name: str, value: Value) -> None:
    kind = f.variables.get(name)
    if kind is None:
        beyond_int = value.kind is INT and value.constant is not None and value.constant >= 2**63
        kind = WORD if beyond_int or value.kind is WIDE else value.kind
    stored = fitted(f, node, value, kind, f"variable '{name}'")
    if name not in f.variables:
        f.declare(name, kind)
    f.emit(f"store {stored.typed}, ptr {f.slot(name)}")


def _augmented_assignment(f: FunctionWriter, node: ast.AugAssign) -> None:
    if isinstance(node.target, ast.Name):
        old = expression(f, ast.Name(node.target.id, ast.Load(), lineno=node.lineno))
        if node.target.id not in f.variables:
            raise f.error(node, f"'{node.target.id}' is changed before its first assignment; assign it above")
        if old.kind is LANES:
            problem = "is changed in place, which uncompiled changes other names of the same Lanes; assign it anew"
            raise f.error(node, f"'{node.target.id}' {problem}")
        _assign_variable(f, node, node.target.id, binary(f, node, node.op, old, expression(f, node.value)))
    elif isinstance(node.target, ast.Subscript):
        address, kind = element_address(f, node.target)
        if kind is WORD:
            place = shown(node.target)
            raise f.error(
                node,
                f"{place} is changed in place, but a read of Words is no Word uncompiled; use word({place})",
            )
        old = f.value(kind, f"load {kind.llvm}, {address.typed}")
        new = binary(f, node, node.op, old, expression(f, node.value))
        f.emit(f"store {fitted(f, node, new, kind, shown(node.target)).typed}, {address.typed}")
    else:
        raise f.error(node, f"{shown(node.target)} cannot be assigned to in a kernel; assign to a name or to a[i]")


def _if(f: FunctionWriter, node: ast.If) -> None:
    yes, no, end = f.labels("then", "else", "end")
    condition(f, node.test, yes, no if node.orelse else end)
    for label, statements in ((yes, node.body), (no, node.orelse)):
        if statements and f.place(label):
            _block(f, statements)
            if f.open:
                f.branch(end)
    f.place(end)


def _while(f: FunctionWriter, node: ast.While) -> None:
    test, body, end = f.labels("while", "do", "end")
    f.place(test)
    condition(f, node.test, body, end)
    _loop(f, node, body, test, end)
    f.place(end)


def _for(f: FunctionWriter, node: ast.For) -> None:
    if not isinstance(node.target, ast.Name):
        raise f.error(node, f"{_heading(node)} has no plain loop variable; write 'for i in range(...)'")
    start, stop, step = _range(f, node)
    # Python's loop does not mind what its body does to the loop variable: the counter is apart from it.
    counter = f.temporary(INT)
    test, first, body, advance, end = f.labels("for", "assign", "do", "next", "end")
    f.emit(f"store {start.typed}, ptr {counter}")
    f.place(test)
    number = f.value(INT, f"load i64, ptr {counter}")
    f.branch_if(_continues(f, number, stop, step), first, end)
    if f.place(first):
        _assign_variable(f, node, node.target.id, number)
    _loop(f, node, body, advance, end)
    if f.place(advance):
        f.emit(f"store {f.value(INT, f'add {number.typed}, {step.text}').typed}, ptr {counter}")
        f.branch(test)
    f.place(end)


def _range(f: FunctionWriter, node: ast.For) -> tuple[Value, Value, Value]:
    """Start, stop and step of the range that a loop runs over."""
    iterable = node.iter
    is_range = isinstance(iterable, ast.Call) and global_object(f, iterable.func) is range
    if not isinstance(iterable, ast.Call) or not is_range or not 1 <= len(iterable.args) <= 3 or iterable.keywords:
        raise f.error(node, f"{_heading(node)} does not loop over a range; write 'for i in range(...)'")
    arguments = [
        fitted(f, argument, expression(f, argument), INT, "an argument of range") for argument in iterable.args
    ]
    if len(arguments) == 1:
        arguments.insert(0, constant(0))
    start, stop, step = arguments if len(arguments) == 3 else (*arguments, constant(1))
    if step.constant == 0:
        raise f.error(node, "the step of range is 0; it has to be positive or negative")
    return start, stop, step


def _continues(f: FunctionWriter, number: Value, stop: Value, step: Value) -> Value:
    """Whether a counter has not reached the end of its range."""
    below = f.value(BOOL, f"icmp slt {number.typed}, {stop.text}")
    if step.constant is not None and step.constant > 0:
        return below
    above = f.value(BOOL, f"icmp sgt {number.typed}, {stop.text}")
    if step.constant is not None:
        return above
    rises = f.value(BOOL, f"icmp sgt {step.typed}, 0")
    return f.value(BOOL, f"select {rises.typed}, {below.typed}, {above.typed}")


def _loop(f: FunctionWriter, node: ast.While | ast.For, body: str, again: str, end: str) -> None:
    """The statements of a loop, where `continue` goes to `again` and `break` to `end`."""
    if node.orelse:
        raise f.error(node, "'else' after a loop is not possible in a kernel; set a Bool before 'break'")
    f.has_loop = True
    if f.place(body):
        f.loops.append((again, end))
        _block(f, node.body)
        f.loops.pop()
        if f.open:
            f.branch(again)


def _return(f: FunctionWriter, node: ast.Return) -> None:
    kind = f.signature.result
    value = node.value
    if kind is NOTHING:
        if value is not None and not (isinstance(value, ast.Constant) and value.value is None):
            raise f.error(node, "a value is returned, but the kernel is annotated '-> None'")
        f.end("ret void")
    elif value is None:
        raise f.error(node, f"nothing is returned, but the kernel is annotated '-> {kind}'")
    else:
        f.end(f"ret {fitted(f, node, expression(f, value), kind, 'the result').typed}")


_WRITERS: dict[type[ast.stmt], Callable[[FunctionWriter, Any], None]] = {
    ast.Expr: _expression_statement,
    ast.Assign: _assignment,
    ast.AugAssign: _augmented_assignment,
    ast.If: _if,
    ast.While: _while,
    ast.For: _for,
    ast.Break: lambda f, node: f.branch(f.loops[-1][1]),
    ast.Continue: lambda f, node: f.branch(f.loops[-1][0]),
    ast.Return: _return,
}
