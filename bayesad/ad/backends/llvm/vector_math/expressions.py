"""Writes LLVM functions of doubles as expressions: Python operators on values append the instructions."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

__all__ = ["Body", "Value", "copysign", "fused", "hexadecimal", "magnitude", "polynomial", "select"]


def hexadecimal(x: float) -> str:
    """A float64 as LLVM text takes it exactly."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', x))[0]:016X}"


class Body:
    """The instructions of one function."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def op(self, kind: str, text: str) -> Value:
        """Append an instruction and return its result, of LLVM type ``kind``."""
        name = f"%v{len(self.lines)}"
        self.lines.append(f"  {name} = {text}")
        return Value(self, kind, name)

    def literal(self, kind: str, x: Value | float) -> Value:
        """A number as an operand; values pass."""
        if isinstance(x, Value):
            return x
        return Value(self, kind, hexadecimal(float(x)) if kind == "double" else str(x))


class Value:
    """A double, an i64 or an i1; operators append instructions to the function's body.

    Those on doubles have no fast-math flags, so each rounds exactly as it is written.
    """

    __slots__ = ("body", "kind", "text")

    def __init__(self, body: Body, kind: str, text: str) -> None:
        self.body, self.kind, self.text = body, kind, text

    def _binary(self, words: dict[str, str], other: Value | float, swapped: bool = False) -> Value:
        a, b = self.text, self.body.literal(self.kind, other).text
        if swapped:
            a, b = b, a
        return self.body.op(self.kind, f"{words[self.kind]} {self.kind} {a}, {b}")

    def _compare(self, words: dict[str, str], other: Value | float) -> Value:
        return self.body.op("i1", f"{words[self.kind]} {self.kind} {self.text}, "
                                  f"{self.body.literal(self.kind, other).text}")  # fmt: skip

    def __add__(self, other: Value | float) -> Value:
        return self._binary(ADD, other)

    __radd__ = __add__

    def __sub__(self, other: Value | float) -> Value:
        return self._binary(SUBTRACT, other)

    def __rsub__(self, other: Value | float) -> Value:
        return self._binary(SUBTRACT, other, swapped=True)

    def __mul__(self, other: Value | float) -> Value:
        return self._binary(MULTIPLY, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Value | float) -> Value:
        return self._binary(DIVIDE, other)

    def __rtruediv__(self, other: Value | float) -> Value:
        return self._binary(DIVIDE, other, swapped=True)

    def __neg__(self) -> Value:
        return self.body.op(self.kind, f"fneg {self.kind} {self.text}")

    def __and__(self, other: Value | int) -> Value:
        return self._binary(AND, other)

    def __or__(self, other: Value | int) -> Value:
        return self._binary(OR, other)

    def __lshift__(self, places: int) -> Value:
        return self._binary(LEFT, places)

    def __rshift__(self, places: int) -> Value:
        """Shift with the sign."""
        return self._binary(RIGHT, places)

    def __lt__(self, other: Value | float) -> Value:
        return self._compare(LESS, other)

    def __le__(self, other: Value | float) -> Value:
        return self._compare(LESS_EQUAL, other)

    def __gt__(self, other: Value | float) -> Value:
        return self._compare(GREATER, other)

    def __ge__(self, other: Value | float) -> Value:
        return self._compare(GREATER_EQUAL, other)

    def equals(self, other: Value | float) -> Value:
        return self._compare(EQUAL, other)

    def not_at_least(self, other: Value | float) -> Value:
        """Less, or one of the two is NaN."""
        return self._compare({"double": "fcmp ult"}, other)

    def bits(self) -> Value:
        """The bits of a double as an integer."""
        return self.body.op("i64", f"bitcast double {self.text} to i64")

    def double(self) -> Value:
        """The double that has these bits."""
        return self.body.op("double", f"bitcast i64 {self.text} to double")


ADD = {"double": "fadd", "i64": "add"}
SUBTRACT = {"double": "fsub", "i64": "sub"}
MULTIPLY = {"double": "fmul", "i64": "mul"}
DIVIDE = {"double": "fdiv"}
AND, OR = {"i64": "and", "i1": "and"}, {"i64": "or", "i1": "or"}
LEFT, RIGHT = {"i64": "shl"}, {"i64": "ashr"}
LESS, LESS_EQUAL = {"double": "fcmp olt", "i64": "icmp slt"}, {"double": "fcmp ole", "i64": "icmp sle"}
GREATER, GREATER_EQUAL = {"double": "fcmp ogt", "i64": "icmp sgt"}, {"double": "fcmp oge", "i64": "icmp sge"}
EQUAL = {"double": "fcmp oeq", "i64": "icmp eq"}


def select(test: Value, a: Value | float, b: Value | float) -> Value:
    """``a`` where the test holds, else ``b``; plain numbers are doubles unless the other operand says otherwise."""
    kind = next((x.kind for x in (a, b) if isinstance(x, Value)), "double")
    body = test.body
    return body.op(kind, f"select i1 {test.text}, {kind} {body.literal(kind, a).text}, "
                         f"{kind} {body.literal(kind, b).text}")  # fmt: skip


def fused(a: Value, b: Value | float, c: Value | float) -> Value:
    """``a b + c`` where it does not matter whether the product is rounded: one instruction on processors with FMA."""
    body = a.body
    product = body.op("double", f"fmul contract double {a.text}, {body.literal('double', b).text}")
    return body.op("double", f"fadd contract double {product.text}, {body.literal('double', c).text}")


def polynomial(x: Value, coefficients: Sequence[float]) -> Value:
    """The polynomial of the given coefficients, that of the highest power first, by Horner's rule."""
    value: Value = x.body.literal("double", coefficients[0])
    for c in coefficients[1:]:
        value = fused(value, x, c)
    return value


def magnitude(x: Value) -> Value:
    return x.body.op("double", f"call double @llvm.fabs.f64(double {x.text})")


def copysign(x: Value, sign: Value) -> Value:
    """``x`` with the sign of another double."""
    return x.body.op("double", f"call double @llvm.copysign.f64(double {x.text}, double {sign.text})")


def define(name: str, attributes: str, write: Callable[..., Value], arity: int) -> str:
    """The text of an LLVM function whose result ``write`` makes of its arguments."""
    body = Body()
    arguments = [Value(body, "double", f"%x{i}") for i in range(arity)]
    result = write(*arguments)
    parameters = ", ".join(f"double {argument.text}" for argument in arguments)
    head = f"define internal double @{name}({parameters}) {attributes} {{"
    return "\n".join([head, *body.lines, f"  ret double {result.text}", "}"])
