"""The LLVM text of a kernel while it is being written: a module of functions, each of labelled blocks."""

from __future__ import annotations

import ast
import re
import struct
import types
from collections.abc import Sequence
from typing import NamedTuple

from bayesad.ad.backends.llvm.kernel_operations import HELPERS
from bayesad.ad.backends.llvm.kernel_source import Signature, Sources, signature, where
from bayesad.ad.backends.llvm.kernel_types import BOOL, FLOAT, INT, NOTHING, KernelError, Kind

__all__ = ["FunctionWriter", "ModuleWriter", "Value", "constant", "entry_point"]

_NEWLINE = "\n"


class Value(NamedTuple):
    """An LLVM operand, its kind, and its value where that is a plain number known now."""

    kind: Kind
    text: str
    constant: float | None = None

    @property
    def typed(self) -> str:
        """The operand with its LLVM type before it."""
        return f"{self.kind.llvm} {self.text}"


def constant(number: float) -> Value:
    """A number as an operand; an integer's bits are taken modulo 2^64."""
    if isinstance(number, bool):
        return Value(BOOL, "true" if number else "false", number)
    if isinstance(number, int):
        return Value(INT, str((number + 2**63) % 2**64 - 2**63), number)
    return Value(FLOAT, f"0x{struct.pack('>d', number).hex()}", float(number))


class ModuleWriter:
    """One LLVM module: the kernels met so far, what they need, and the flags of its float arithmetic."""

    def __init__(self, fast_math: Sequence[str]) -> None:
        self.sources = Sources()
        self.float_flags = "".join(f"{flag} " for flag in fast_math)
        self.functions: list[types.FunctionType] = []
        self._needed: dict[str, None] = {}
        self._tables: dict[str, str] = {}

    def symbol(self, function: types.FunctionType) -> str:
        """The LLVM name of a kernel, which is written later if it has not been yet."""
        if function not in self.functions:
            self.functions.append(function)
        return f"@k{self.functions.index(function)}.{_identifier(function.__name__)}"

    def need(self, name: str) -> str:
        """The LLVM name of a helper or library function, which is declared or defined at the end."""
        for other in HELPERS[name].needs:
            self.need(other)
        self._needed[name] = None
        return f"@{name}"

    def table(self, kind: Kind, numbers: tuple[float, ...]) -> str:
        """The LLVM name of a constant array."""
        entries = ", ".join(constant(number).typed for number in numbers)
        text = f"private unnamed_addr constant [{len(numbers)} x {kind.llvm}] [{entries}]"
        return self._tables.setdefault(text, f"@table.{len(self._tables)}")

    def text(self, functions: Sequence[str]) -> str:
        """The whole module."""
        parts = [f"{name} = {text}" for text, name in self._tables.items()]
        parts += [HELPERS[name].text for name in self._needed]
        return "\n\n".join([*parts, *functions, _ATTRIBUTES]) + "\n"


_ATTRIBUTES = """\
attributes #0 = { nounwind "prefer-vector-width"="256" }
attributes #1 = { alwaysinline nounwind willreturn memory(none) }
attributes #2 = { nobuiltin nounwind willreturn memory(none) }"""


class FunctionWriter:
    """One LLVM function: its variables and its blocks up to the place being written.

    Each local variable is a stack slot that holds zero before its first assignment; the optimiser turns slots
    into registers.
    """

    def __init__(self, module: ModuleWriter, function: types.FunctionType) -> None:
        self.module = module
        self.function = function
        self.node = module.sources.definition(function)
        self.signature: Signature = signature(function)
        self.variables: dict[str, Kind] = {}
        self.loops: list[tuple[str, str]] = []
        self.has_loop = False
        self.block = "body"
        self.open = True
        self._slots: list[str] = []
        self._lines: list[str] = []
        self._targets: set[str] = set()
        self._count = 0
        for name, kind in self.signature.parameters.items():
            self._slot(name, kind, f"%{_identifier(name)}.in")

    def error(self, node: ast.AST, problem: str) -> KernelError:
        """The error for a node, naming file, line and kernel."""
        return KernelError(f"{where(self.function, getattr(node, 'lineno', None))}: {problem}")

    def emit(self, instruction: str) -> None:
        """Write an instruction without a result."""
        self._lines.append(f"  {instruction}")

    def value(self, kind: Kind, instruction: str) -> Value:
        """Write an instruction and give its result."""
        self._count += 1
        name = f"%.{self._count}"
        self.emit(f"{name} = {instruction}")
        return Value(kind, name)

    def declare(self, name: str, kind: Kind) -> None:
        """Make the slot of a new local variable."""
        self._slot(name, kind, kind.zero)

    def _slot(self, name: str, kind: Kind, initial: str) -> None:
        self.variables[name] = kind
        slot = self.slot(name)
        self._slots += [f"{slot} = alloca {kind.llvm}", f"store {kind.llvm} {initial}, ptr {slot}"]

    def slot(self, name: str) -> str:
        """The address of a local variable."""
        return f"%{_identifier(name)}.slot"

    def temporary(self, kind: Kind) -> str:
        """The address of a variable that has no name in the kernel."""
        self._count += 1
        slot = f"%slot.{self._count}"
        self._slots.append(f"{slot} = alloca {kind.llvm}")
        return slot

    def labels(self, *names: str) -> list[str]:
        """New names for blocks."""
        self._count += 1
        return [f"{name}.{self._count}" for name in names]

    def place(self, label: str) -> bool:
        """Begin a block here, if anything leads to it; says whether control can reach this place."""
        if self.open:
            self.branch(label)
        self.open = label in self._targets
        if self.open:
            self._lines.append(f"{label}:")
            self.block = label
        return self.open

    def branch(self, label: str) -> None:
        """End the block by going to a label."""
        self.end(f"br label %{label}", label)

    def branch_if(self, condition: Value, yes: str, no: str) -> None:
        """End the block by going to one of two labels."""
        if condition.constant is None:
            self.end(f"br {condition.typed}, label %{yes}, label %{no}", yes, no)
        else:
            self.branch(yes if condition.constant else no)

    def end(self, instruction: str, *targets: str) -> None:
        """End the block."""
        self.emit(instruction)
        self._targets.update(targets)
        self.open = False

    def text(self) -> str:
        """The finished function."""
        parameters = ", ".join(
            f"{kind.llvm} %{_identifier(name)}.in" for name, kind in self.signature.parameters.items()
        )
        # Inlined loops make compiling slow and running no faster; functions without loops are left to LLVM.
        attributes = "#0 noinline" if self.has_loop else "#0"
        symbol = self.module.symbol(self.function)
        head = f"define internal {self.signature.result.llvm} {symbol}({parameters}) {attributes} {{"
        slots = [f"  {line}" for line in self._slots]
        return _NEWLINE.join([head, "entry:", *slots, "  br label %body", "body:", *self._lines, "}"])


def entry_point(module: ModuleWriter, root: types.FunctionType) -> str:
    """The exported function `kernel`, which has the C interface: truth values are bytes there."""
    parameters, result = signature(root)
    lines, outer, inner = [], [], []
    for number, kind in enumerate(parameters.values()):
        outer.append(f"{_c_type(kind)} %a{number}")
        if kind is BOOL:
            lines.append(f"%b{number} = icmp ne i8 %a{number}, 0")
        inner.append(f"{kind.llvm} %{'b' if kind is BOOL else 'a'}{number}")
    call = f"call {result.llvm} {module.symbol(root)}({', '.join(inner)})"
    if result is NOTHING:
        lines += [call, "ret void"]
    elif result is BOOL:
        lines += [f"%r = {call}", "%s = zext i1 %r to i8", "ret i8 %s"]
    else:
        lines += [f"%r = {call}", f"ret {result.llvm} %r"]
    body = [f"  {line}" for line in lines]
    return _NEWLINE.join([f"define {_c_type(result)} @kernel({', '.join(outer)}) #0 {{", *body, "}"])


def _c_type(kind: Kind) -> str:
    return "i8" if kind is BOOL else kind.llvm


def _identifier(name: str) -> str:
    """A Python name in the letters LLVM allows."""
    return re.sub(r"[^A-Za-z0-9_]", lambda match: f"${ord(match[0]):x}", name)
