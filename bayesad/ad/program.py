"""Programs: straight-line array code in static single assignment form, and how it is printed."""

from __future__ import annotations

import functools
import linecache
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayesad.ad.primitives.table import Primitive

__all__ = ["CONSTANT", "GUARD", "INPUT", "Node", "Program", "guards_first", "prune", "statements"]


def _leaf(*args: Any, **attributes: Any) -> Any:
    raise AssertionError("inputs, constants and guards are not evaluated as operations")


INPUT = Primitive("input", _leaf, _leaf)
CONSTANT = Primitive("constant", _leaf, _leaf)
GUARD = Primitive("guard", _leaf, _leaf)


class Node:
    """One value of a program: an operation applied to earlier nodes. Immutable; compared by identity.

    Attributes
    ----------
    primitive : Primitive
    inputs : tuple of Node
    attributes : dict
        Static parameters of the operation; hashable values.
    shape : tuple of int
    dtype : numpy.dtype
        float64, int64 or bool.
    value : ndarray or None
        Of a constant; otherwise None.
    source : tuple or None
        (code object, offset of the instruction in it) in the user's code that made it.
    """

    __slots__ = ("attributes", "dtype", "inputs", "primitive", "shape", "source", "value")

    def __init__(
        self,
        primitive: Primitive,
        inputs: tuple[Node, ...],
        attributes: dict[str, Any],
        shape: tuple[int, ...],
        dtype: np.dtype,
        value: Any = None,
        source: Any = None,
    ) -> None:
        self.primitive = primitive
        self.inputs = inputs
        self.attributes = attributes
        self.shape = shape
        self.dtype = dtype
        self.value = value
        self.source = source

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def line(self) -> str:
        """``file:line`` of the user code that made this node, or an empty string."""
        if self.source is None:
            return ""
        code, place = self.source
        numbers = (number for start, stop, number in code.co_lines() if start <= place < stop)
        return f"{code.co_filename}:{next(numbers, None) or code.co_firstlineno}"

    def __repr__(self) -> str:
        return f"<{self.primitive.name} {_type_name(self)}>"


@dataclass(frozen=True, eq=False)
class Program:
    """A list of operations from inputs to outputs, in an order in which each can be computed.

    Attributes
    ----------
    inputs, outputs : tuple of Node
    nodes : tuple of Node
        Operations and guards (neither inputs nor constants), in order of execution. A guard has one boolean
        input and the attribute ``expected``; where it differs, the program does not apply to its inputs.
    name : str
    """

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    nodes: tuple[Node, ...]
    name: str = field(default="program")

    @functools.cached_property
    def guards(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.primitive is GUARD)

    @functools.cached_property
    def constants(self) -> tuple[Node, ...]:
        """The constants in use, in order of first use."""
        used = [node for operation in self.nodes for node in operation.inputs if node.primitive is CONSTANT]
        return tuple(dict.fromkeys([*used, *(node for node in self.outputs if node.primitive is CONSTANT)]))

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def prune(inputs: Sequence[Node], outputs: Sequence[Node], nodes: Iterable[Node], name: str) -> Program:
    """A program of those ``nodes`` that the outputs or a guard depend on."""
    kept: list[Node] = []
    needed = set(outputs)
    for node in reversed(list(nodes)):
        if node in needed or node.primitive is GUARD:
            kept.append(node)
            needed.update(node.inputs)
    return Program(tuple(inputs), tuple(outputs), tuple(reversed(kept)), name)


def guards_first(program: Program) -> Program:
    """The program with each guard as early as it can be: only what it depends on, and earlier guards, come before."""
    if not program.guards:
        return program
    place = {node: i for i, node in enumerate(program.nodes)}
    moved: dict[Node, None] = {}
    for guard in program.guards:
        needed: set[Node] = set()
        waiting = [guard]
        while waiting:
            node = waiting.pop()
            if node in place and node not in moved and node not in needed:
                needed.add(node)
                waiting += node.inputs
        moved |= dict.fromkeys(sorted(needed, key=place.__getitem__))
    moved |= dict.fromkeys(program.nodes)
    return Program(program.inputs, program.outputs, tuple(moved), program.name)


def statements(program: Program, order: Iterable[Node] | None = None) -> dict[Node, str]:
    """How each operation of a program is printed, with the user's line that it comes from.

    What stands in that line is added where another line begins, in the order in which the operations will be shown.
    """
    names = _names(program)
    told = [""]

    def text(node: Node) -> str:
        operands = [names[i] if i in names else _literal(i) for i in node.inputs]
        operands += [
            f"{key}={value.name if isinstance(value, Program) else value}"
            for key, value in node.attributes.items()
            if key != "expected"
        ]
        call = f"{node.primitive.name}({', '.join(operands)})"
        if node.primitive is GUARD:
            statement = f"{call} is {node.attributes['expected']}"
        else:
            statement = f"{names[node]}: {_type_name(node)} = {call}"
        if node.source is None:
            return statement
        told.append(node.line)
        return f"{statement:<58}  # {_short_line(node, with_text=told[-1] != told[-2])}"

    return {node: text(node) for node in (program.nodes if order is None else order)}


def _names(program: Program) -> dict[Node, str]:
    names = {node: f"x{i}" for i, node in enumerate(program.inputs)}
    names |= {node: f"v{i}" for i, node in enumerate(node for node in program.nodes if node.primitive is not GUARD)}
    return names | {node: f"c{i}" for i, node in enumerate(node for node in program.constants if node.ndim)}


def _lines(program: Program) -> Iterable[str]:
    names = _names(program)
    arguments = ", ".join(f"{names[node]}: {_type_name(node)}" for node in program.inputs)
    yield f"{program.name}({arguments}) {{"
    for node in program.constants:
        if node in names:
            yield f"  {names[node]}: {_type_name(node)} = {_literal(node)}"
    for node, statement in statements(program).items():
        yield f"  {statement}"
        for value in node.attributes.values():
            if isinstance(value, Program):
                yield from (f"    {line}" for line in _lines(value))
    yield f"  return {', '.join(names[node] if node in names else _literal(node) for node in program.outputs)}"
    yield "}"


def _type_name(node: Node) -> str:
    kind = {"f": "f64", "i": "i64", "b": "bool"}.get(node.dtype.kind, str(node.dtype))
    return f"{kind}[{','.join(map(str, node.shape))}]"


def _literal(node: Node) -> str:
    if node.value is None:
        return "?"
    if node.ndim == 0:
        return repr(node.value.item())
    flat = np.ravel(node.value)
    shown = ", ".join(repr(x.item()) for x in flat[:4])
    return f"[{shown}{', …' if flat.size > 4 else ''}]"


def _short_line(node: Node, with_text: bool) -> str:
    """The file and number of the user's line, and what stands there."""
    file, _, number = node.line.rpartition(":")
    text = linecache.getline(file, int(number)).strip() if with_text else ""
    return f"{file.rsplit('/', 1)[-1]}:{number}" + (f"  {text}" if text else "")
