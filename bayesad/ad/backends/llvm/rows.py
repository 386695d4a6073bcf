"""Writes LLVM functions on small matrices whose rows are vectors in registers.

A function is ``void kernel(ptr, ...)`` with pointers to row-major float64 matrices that do not overlap. Lengths are
part of the text, so a vector has the length of a row, and LLVM splits it as the machine needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bayesad.ad.backends.llvm.scalars import FLAGS
from bayesad.ad.backends.llvm.vector_math import hexadecimal

__all__ = ["Number", "Rows", "Value", "number"]

Number = int | str  # an i64: known, or the name of one


class Value(NamedTuple):
    """A double (or of another LLVM type ``element``), or a vector of them if ``lanes`` is not 0."""

    text: str
    lanes: int = 0
    element: str = "double"

    @property
    def type(self) -> str:
        return f"<{self.lanes} x {self.element}>" if self.lanes else self.element

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


def number(x: float, lanes: int = 0) -> Value:
    """A constant."""
    return Value("zeroinitializer" if lanes and x == 0.0 else hexadecimal(x), lanes)


class Rows:
    """The body of one function being written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.block = "entry"
        self.count = 0
        self.declared: set[str] = set()

    def text(self, pointers: str) -> str:
        """The module; ``pointers`` are the names of the parameters."""
        head = ", ".join(f"ptr noalias nocapture %{name}" for name in pointers.split())
        lines = [*sorted(self.declared), f"define void @kernel({head}) nounwind {{", "entry:", *self.lines]
        return "\n".join([*lines, "  ret void", "}", ""])

    def op(self, text: str) -> str:
        self.count += 1
        self.lines.append(f"  %t{self.count} = {text}")
        return f"%t{self.count}"

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")
        self.block = name

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    # --- control
    def loop(
        self,
        start: Number,
        stop: Number,
        body: Callable[..., Sequence[Value] | None],
        carried: Sequence[Value] = (),
        down: bool = False,
    ) -> list[Value]:
        """``body(i, *carried)`` gives the values carried on, for i from start up to stop, or from stop - 1 down."""
        head, inside, done = self.fresh("head"), self.fresh("inside"), self.fresh("done")
        index, before = f"%{self.fresh('i')}", self.block
        first = self.minus(stop, 1) if down else start
        self.lines.append(f"  br label %{head}")
        self.label(head)
        place = len(self.lines)
        names = [value._replace(text=f"%{self.fresh('c')}") for value in carried]
        self.lines += [""] * (1 + len(names))
        more = self.op(f"icmp sge i64 {index}, {start}" if down else f"icmp slt i64 {index}, {stop}")
        self.lines.append(f"  br i1 {more}, label %{inside}, label %{done}")
        self.label(inside)
        results = body(index, *names) or ()
        following = self.op(f"add nsw i64 {index}, {-1 if down else 1}")
        self.lines[place] = f"  {index} = phi i64 [ {first}, %{before} ], [ {following}, %{self.block} ]"
        for i, (name, old, new) in enumerate(zip(names, carried, results, strict=True)):
            phi = f"  {name.text} = phi {name.type} [ {old.text}, %{before} ], [ {new.text}, %{self.block} ]"
            self.lines[place + 1 + i] = phi
        self.lines.append(f"  br label %{head}")
        self.label(done)
        return names

    def when(self, condition: str, body: Callable[[], object]) -> None:
        """``body()`` where the condition, an i1, holds."""
        inside, done = self.fresh("then"), self.fresh("after")
        self.lines.append(f"  br i1 {condition}, label %{inside}, label %{done}")
        self.label(inside)
        body()
        self.lines.append(f"  br label %{done}")
        self.label(done)

    # --- integers
    def plus(self, a: Number, b: Number) -> Number:
        return a + b if isinstance(a, int) and isinstance(b, int) else self.op(f"add nsw i64 {a}, {b}")

    def minus(self, a: Number, b: Number) -> Number:
        return a - b if isinstance(a, int) and isinstance(b, int) else self.op(f"sub nsw i64 {a}, {b}")

    def times(self, a: Number, b: Number) -> Number:
        return a * b if isinstance(a, int) and isinstance(b, int) else self.op(f"mul nsw i64 {a}, {b}")

    # --- memory
    def place(self, pointer: str, stride: Number, i: Number, j: Number = 0) -> str:
        """The address of row i, column j of a matrix whose rows are ``stride`` doubles apart."""
        offset = self.plus(self.times(i, stride), j)
        return pointer if offset == 0 else self.op(f"getelementptr inbounds double, ptr {pointer}, i64 {offset}")

    def load(self, address: str, lanes: int = 0) -> Value:
        value = Value("", lanes)
        return value._replace(text=self.op(f"load {value.type}, ptr {address}, align 8"))

    def store(self, value: Value, address: str) -> None:
        self.lines.append(f"  store {value}, ptr {address}, align 8")

    # --- arithmetic
    def _binary(self, word: str, a: Value, b: Value) -> Value:
        return a._replace(text=self.op(f"{word} {FLAGS}{a}, {b.text}"))

    def add(self, a: Value, b: Value) -> Value:
        return self._binary("fadd", a, b)

    def subtract(self, a: Value, b: Value) -> Value:
        return self._binary("fsub", a, b)

    def multiply(self, a: Value, b: Value) -> Value:
        return self._binary("fmul", a, b)

    def divide(self, a: Value, b: Value) -> Value:
        return self._binary("fdiv", a, b)

    def function(self, name: str, *arguments: Value) -> Value:
        """An intrinsic of values of one type, such as ``llvm.sqrt``."""
        first = arguments[0]
        suffix = f"v{first.lanes}f64" if first.lanes else "f64"
        self.declared.add(f"declare {first.type} @{name}.{suffix}({', '.join(a.type for a in arguments)})")
        return first._replace(text=self.op(f"call {first.type} @{name}.{suffix}({', '.join(map(str, arguments))})"))

    # --- lanes
    def splat(self, x: Value, lanes: int) -> Value:
        """A vector of equal numbers."""
        if not lanes:
            return x
        one = self.op(f"insertelement <{lanes} x double> poison, {x}, i64 0")
        zeros = f"<{lanes} x i32> zeroinitializer"
        return Value(self.op(f"shufflevector <{lanes} x double> {one}, <{lanes} x double> poison, {zeros}"), lanes)

    def lane(self, v: Value, k: int) -> Value:
        """The k-th number of a vector."""
        return Value(self.op(f"extractelement {v}, i64 {k}")) if v.lanes else v

    def total(self, v: Value) -> Value:
        """The sum of the lanes."""
        name = f"@llvm.vector.reduce.fadd.v{v.lanes}f64"
        self.declared.add(f"declare double {name}(double, {v.type})")
        return Value(self.op(f"call {FLAGS}double {name}(double {hexadecimal(-0.0)}, {v})"))

    def widen(self, v: Value, lanes: int) -> Value:
        """A vector with lanes that are 0 added."""
        order = ", ".join(f"i32 {min(lane, v.lanes)}" for lane in range(lanes))
        text = self.op(f"shufflevector {v}, {v.type} zeroinitializer, <{lanes} x i32> <{order}>")
        return Value(text, lanes)

    def add_neighbours(self, a: Value, b: Value | None = None) -> Value:
        """The sums of lanes 0 and 1, 2 and 3, … of a, followed by those of b."""
        lanes = 2 * a.lanes if b else a.lanes
        parts = []
        for first in (0, 1):
            order = ", ".join(f"i32 {lane}" for lane in range(first, lanes, 2))
            other = b.text if b else "poison"
            text = self.op(f"shufflevector {a}, {a.type} {other}, <{lanes // 2} x i32> <{order}>")
            parts.append(Value(text, lanes // 2))
        return self.add(*parts)

    def lanes(self, test: str, i: Number, n: int) -> str:
        """The mask of the lanes whose number passes a test against i: "slt", "sgt", ...."""
        spread = self.op(f"insertelement <{n} x i64> poison, i64 {i}, i64 0")
        spread = self.op(f"shufflevector <{n} x i64> {spread}, <{n} x i64> poison, <{n} x i32> zeroinitializer")
        numbers = ", ".join(f"i64 {lane}" for lane in range(n))
        return self.op(f"icmp {test} <{n} x i64> <{numbers}>, {spread}")

    def select(self, mask: str, a: Value, b: Value) -> Value:
        """Lanes of a where the mask holds, else of b; for doubles the mask is an i1."""
        kind = f"<{a.lanes} x i1>" if a.lanes else "i1"
        return a._replace(text=self.op(f"select {kind} {mask}, {a}, {b}"))
