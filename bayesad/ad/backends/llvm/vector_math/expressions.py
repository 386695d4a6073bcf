"""Writes LLVM functions of doubles as expressions: Python operators on values append the instructions.

The same expressions make a scalar function and one of vectors of any width; only the types differ.
"""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

__all__ = ["Body", "Target", "Value", "arity", "copysign", "define", "each", "fused", "fused_exactly", "hexadecimal",
           "lookup", "magnitude", "nearest", "polynomial", "product", "rarely", "root", "select", "total",
           "total_of_any"]  # fmt: skip


def hexadecimal(x: float) -> str:
    """A float64 as LLVM text takes it exactly."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', x))[0]:016X}"


@dataclass(frozen=True)
class Target:
    """For what a function is written: the number of lanes (0: a scalar), whether the processor has FMA, and whether
    latency counts: that of a scalar in straight-line code, where nothing else keeps the processor busy."""

    lanes: int = 0
    fma: bool = False
    urgent: bool = False

    def of(self, kind: str) -> str:
        """The LLVM type of values whose elements are of a kind."""
        return f"<{self.lanes} x {kind}>" if self.lanes else kind

    def literal(self, kind: str, x: float) -> str:
        text = hexadecimal(float(x)) if kind == "double" else str(int(x))
        return f"splat ({kind} {text})" if self.lanes else text

    def intrinsic(self, name: str) -> str:
        return f"@llvm.{name}.{f'v{self.lanes}f64' if self.lanes else 'f64'}"


FEW_COEFFICIENTS = 3


@dataclass
class Body:
    """The instructions of one function, the block that is being written, and the scalar functions that it calls.

    Those are functions of the C library, or are written by what is given with their names. Tables are numbers that it
    looks up.
    """

    target: Target
    name: str = ""
    lines: list[str] = field(default_factory=list)
    block: str = "entry"
    external: dict[str, Callable[[Value], Value] | None] = field(default_factory=dict)
    tables: list[Sequence[float]] = field(default_factory=list)

    def op(self, kind: str, text: str) -> Value:
        """Append an instruction and return its result."""
        name = f"%v{len(self.lines)}"
        self.lines.append(f"  {name} = {text}")
        return Value(self, kind, name)

    def operand(self, kind: str, x: Value | float) -> str:
        """A value or a number as text."""
        return x.text if isinstance(x, Value) else self.target.literal(kind, x)

    def number(self, x: float) -> Value:
        return Value(self, "double", self.target.literal("double", x))

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")
        self.block = name


class Value:
    """A double, an i64 or an i1, or a vector of them; operators append instructions to the function's body.

    Those on doubles have no fast-math flags, so each rounds exactly as it is written.
    """

    __slots__ = ("body", "kind", "text")

    def __init__(self, body: Body, kind: str, text: str) -> None:
        self.body, self.kind, self.text = body, kind, text

    @property
    def typed(self) -> str:
        return f"{self.body.target.of(self.kind)} {self.text}"

    def _binary(self, words: dict[str, str], other: Value | float, swapped: bool = False) -> Value:
        a, b = self.text, self.body.operand(self.kind, other)
        if swapped:
            a, b = b, a
        return self.body.op(self.kind, f"{words[self.kind]} {self.body.target.of(self.kind)} {a}, {b}")

    def _compare(self, words: dict[str, str], other: Value | float) -> Value:
        return self.body.op("i1", f"{words[self.kind]} {self.typed}, {self.body.operand(self.kind, other)}")

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
        return self.body.op(self.kind, f"fneg {self.typed}")

    def __and__(self, other: Value | int) -> Value:
        return self._binary(AND, other)

    def __or__(self, other: Value | int) -> Value:
        return self._binary(OR, other)

    def __xor__(self, other: Value | int) -> Value:
        return self._binary(XOR, other)

    def __lshift__(self, places: int) -> Value:
        return self._binary(LEFT, places)

    def __rshift__(self, places: int) -> Value:
        """Shift in zeros."""
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

    def not_at_most(self, other: Value | float) -> Value:
        """Greater, or one of the two is NaN."""
        return self._compare({"double": "fcmp ugt"}, other)

    def bits(self) -> Value:
        """The bits of a double as an integer."""
        return self.body.op("i64", f"bitcast {self.typed} to {self.body.target.of('i64')}")

    def number(self) -> Value:
        """An integer as a double."""
        return self.body.op("double", f"sitofp {self.typed} to {self.body.target.of('double')}")

    def double(self) -> Value:
        """The double that has these bits."""
        return self.body.op("double", f"bitcast {self.typed} to {self.body.target.of('double')}")


ADD = {"double": "fadd", "i64": "add"}
SUBTRACT = {"double": "fsub", "i64": "sub"}
MULTIPLY = {"double": "fmul", "i64": "mul"}
DIVIDE = {"double": "fdiv"}
AND, OR = {"i64": "and", "i1": "and"}, {"i64": "or", "i1": "or"}
XOR = {"i64": "xor", "i1": "xor"}
LEFT, RIGHT = {"i64": "shl"}, {"i64": "lshr"}
LESS, LESS_EQUAL = {"double": "fcmp olt", "i64": "icmp slt"}, {"double": "fcmp ole", "i64": "icmp sle"}
GREATER, GREATER_EQUAL = {"double": "fcmp ogt", "i64": "icmp sgt"}, {"double": "fcmp oge", "i64": "icmp sge"}
EQUAL = {"double": "fcmp oeq", "i64": "icmp eq"}


def select(test: Value, a: Value | float, b: Value | float) -> Value:
    """``a`` where the test holds, else ``b``; two plain numbers are doubles, or integers if they are ints."""
    body = test.body
    plain = "i64" if isinstance(a, int) and isinstance(b, int) else "double"
    kind = next((x.kind for x in (a, b) if isinstance(x, Value)), plain)
    of = body.target.of(kind)
    return body.op(kind, f"select {test.typed}, {of} {body.operand(kind, a)}, {of} {body.operand(kind, b)}")


def fused(a: Value, b: Value | float, c: Value | float) -> Value:
    """``a b + c`` where it does not matter whether the product is rounded: one instruction on processors with FMA."""
    body, of = a.body, a.body.target.of("double")
    ab = body.op("double", f"fmul contract {of} {a.text}, {body.operand('double', b)}")
    return body.op("double", f"fadd contract {of} {ab.text}, {body.operand('double', c)}")


def polynomial(x: Value, coefficients: Sequence[float]) -> Value:
    """The polynomial of the given coefficients, that of the highest power first.

    By Horner's rule, which takes the fewest operations, or where latency counts by Estrin's, whose terms do not wait
    for each other (Muller 2016, Elementary Functions, 5.5).
    """
    if x.body.target.urgent and len(coefficients) > FEW_COEFFICIENTS:
        return _estrin(x, coefficients)
    first, second, *rest = coefficients
    value = fused(x, first, second)
    for c in rest:
        value = fused(value, x, c)
    return value


def _estrin(x: Value, coefficients: Sequence[float]) -> Value:
    terms: list[Value | float] = list(reversed(coefficients))
    power = x
    while len(terms) > 1:
        pairs = [fused(power, terms[i + 1], terms[i]) for i in range(0, len(terms) - 1, 2)]
        terms = [*pairs, *terms[2 * len(pairs) :]]
        if len(terms) > 1:
            power = power * power
    (value,) = terms
    assert isinstance(value, Value)
    return value


def _call(name: str, *arguments: Value) -> Value:
    body = arguments[0].body
    of = body.target.of("double")
    return body.op("double", f"call {of} {body.target.intrinsic(name)}({', '.join(a.typed for a in arguments)})")


def magnitude(x: Value) -> Value:
    return _call("fabs", x)


def nearest(x: Value) -> Value:
    """The nearest integer, ties to even."""
    return _call("rint", x)


def root(x: Value) -> Value:
    return _call("sqrt", x)


def copysign(x: Value, sign: Value) -> Value:
    """``x`` with the sign of another double."""
    return _call("copysign", x, sign)


def total(a: Value, b: Value | float) -> tuple[Value, Value]:
    """The rounded sum and its exact error, where ``|a| >= |b|`` or ``a`` is a multiple of b's last place (Dekker)."""
    s = a + b
    return s, (a - s) + b


def product(a: Value, b: Value | float) -> tuple[Value, Value]:
    """The rounded product and its exact error: by an FMA, or by Dekker's splitting (no overflow below 2**996)."""
    p = a * b
    body = a.body
    if body.target.fma:
        of = body.target.of("double")
        text = f"call {of} {body.target.intrinsic('fma')}({a.typed}, {of} {body.operand('double', b)}, {(-p).typed})"
        return p, body.op("double", text)
    (a1, a2), (b1, b2) = _split(a), _split(b)
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


def _split(x: Value | float) -> tuple[Value | float, Value | float]:
    """Two halves of 26 bits (Veltkamp)."""
    scaled = x * 134217729.0
    high = scaled - (scaled - x)
    return high, x - high


def total_of_any(a: Value, b: Value | float) -> tuple[Value, Value]:
    """The rounded sum and its exact error (Knuth)."""
    s = a + b
    c = s - a
    return s, (a - (s - c)) + (b - c)


def fused_exactly(a: Value, b: Value, c: float) -> Value:
    """``a b + c`` where the product nearly cancels c, rounded as if the product were exact."""
    p, lost = product(a, b)
    return (p + c) + lost if not a.body.target.fma else _call("fma", a, b, a.body.number(c))


def lookup(table: Sequence[float], index: Value) -> Value:
    """An element of a table, for a scalar index."""
    body = index.body
    if not any(table is other for other in body.tables):
        body.tables.append(table)
    number = next(i for i, other in enumerate(body.tables) if table is other)
    place = body.op("", f"getelementptr inbounds double, ptr @{body.name}.table{number}, {index.typed}").text
    return body.op("double", f"load double, ptr {place}")


def rarely(test: Value, usual: Value, otherwise: Callable[[], Value]) -> Value:
    """``otherwise()`` in lanes where the test holds, else ``usual``; a branch skips it where the test holds nowhere."""
    body, lanes = test.body, test.body.target.lanes
    some = body.op("", f"call i1 @llvm.vector.reduce.or.v{lanes}i1({test.typed})").text if lanes else test.text
    before, number = body.block, len(body.lines)
    body.lines.append(f"  br i1 {some}, label %rare{number}, label %usual{number}")
    body.label(f"rare{number}")
    result = select(test, otherwise(), usual)
    body.lines.append(f"  br label %usual{number}")
    after = body.block
    body.label(f"usual{number}")
    of = body.target.of("double")
    return body.op("double", f"phi {of} [ {usual.text}, %{before} ], [ {result.text}, %{after} ]")


def each(name: str, x: Value, write: Callable[[Value], Value] | None = None) -> Value:
    """A scalar function, lane by lane: of the C library, or as it is written."""
    body = x.body
    body.external[name] = write
    if not body.target.lanes:
        return body.op("double", f"call double @{name}({x.typed})")
    result = x
    for i in range(body.target.lanes):
        element = body.op("", f"extractelement {x.typed}, i64 {i}").text
        found = body.op("", f"call double @{name}(double {element})").text
        result = body.op("double", f"insertelement {result.typed}, double {found}, i64 {i}")
    return result


def define(
    name: str, write: Callable[..., Value], target: Target, attributes: str, linkage: str = ""
) -> tuple[str, dict[str, Callable[[Value], Value] | None]]:
    """The text of an LLVM function whose result ``write`` makes of its arguments; and the functions that it calls."""
    body = Body(target, name)
    arguments = [Value(body, "double", f"%x{i}") for i in range(arity(write))]
    result = write(*arguments)
    head = f"define {linkage} {target.of('double')} @{name}({', '.join(a.typed for a in arguments)}) {attributes} {{"
    tables = [
        f"@{name}.table{i} = private unnamed_addr constant [{len(table)} x double] "
        f"[{', '.join(f'double {hexadecimal(x)}' for x in table)}]"
        for i, table in enumerate(body.tables)
    ]
    return "\n".join([*tables, head, "entry:", *body.lines, f"  ret {result.typed}", "}"]), body.external


def arity(write: Callable[..., Value]) -> int:
    return len(inspect.signature(write).parameters)
