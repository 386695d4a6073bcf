"""Tracing: run ordinary NumPy code on traced arrays and keep the operations as a Program."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from bayesad.ad.garbage import uncollected
from bayesad.ad.primitives.table import Primitive
from bayesad.ad.program import CONSTANT, GUARD, INPUT, Node, Program, prune
from bayesad.errors import TracingError

__all__ = ["Trace", "as_data", "current_depth", "trace"]

FLOAT = np.dtype(np.float64)
_INTERNAL = ("bayesad", "numpy", "scipy")
_local = threading.local()


def current_depth() -> int:
    """How many traces are being recorded in this thread."""
    return getattr(_local, "depth", 0)


class tracing:
    """While entered, this thread is recording: NumPy functions that would refuse traced arrays are swapped.

    NumPy's warnings are off meanwhile, as operations are evaluated beside being recorded; garbage is not collected.
    """

    def __enter__(self) -> int:
        from bayesad.ad import swaps

        _local.depth = current_depth() + 1
        self._errors = np.errstate(all="ignore")
        self._errors.__enter__()
        self._uncollected = uncollected()
        self._uncollected.__enter__()
        swaps.install()
        return _local.depth

    def __exit__(self, *exception: Any) -> None:
        from bayesad.ad import swaps

        _local.depth -= 1
        swaps.uninstall()
        self._uncollected.__exit__(*exception)
        self._errors.__exit__(*exception)


class untraced:
    """While entered, this thread counts as not recording: for code that works on plain arrays inside a trace."""

    def __enter__(self) -> None:
        self.depth = current_depth()
        _local.depth = 0

    def __exit__(self, *exception: Any) -> None:
        _local.depth = self.depth


def as_data(x: Any) -> np.ndarray:
    """A plain array of float64, int64 or bool."""
    array = np.asarray(x)
    kind = array.dtype.kind
    if kind == "f":
        return array if array.dtype == np.float64 else array.astype(np.float64)
    if kind == "b":
        return array
    if kind in "iu":
        return array if array.dtype == np.int64 else array.astype(np.int64)
    raise TracingError(
        f"an array of dtype {array.dtype} cannot be mixed with traced arrays; use float64, int64 or bool "
        f"(found {array.ravel()[:3]!r})"
    )


def _is_writable(array: Any) -> bool:
    """Whether an array's memory can be written to, through it or through an array it is a view of."""
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return True
        array = array.base
    return False


class Trace:
    """A recording in progress.

    Operations on traced arrays are appended as nodes; an operation on the same inputs is recorded once. A concrete
    trace carries the values along, so that branches on values can be answered and become guards; an abstract
    one knows shapes and dtypes only and is used to build programs from programs.
    """

    __slots__ = (
        "_constants",
        "_known",
        "_numbers",
        "captures",
        "concrete",
        "depth",
        "inputs",
        "nodes",
        "rewrite",
        "source",
    )

    def __init__(
        self,
        concrete: bool,
        depth: int,
        rewrite: Callable[[Trace, Primitive, tuple[Node, ...], dict[str, Any]], Any] | None = None,
    ) -> None:
        self.concrete = concrete
        self.depth = depth
        self.inputs: list[Node] = []
        self.nodes: list[Node] = []
        self.captures: list[Any] = []  # arrays of an enclosing trace, in the order of the inputs after the own
        self.rewrite = rewrite
        self.source: Any = None  # in an abstract trace: the user's line that new operations belong to
        self._known: dict[Any, Any] = {}
        self._constants: dict[Any, tuple[Node, Any]] = {}
        self._numbers: dict[tuple[type, Any], tuple[Node, Any]] = {}

    @classmethod
    def extending(cls, program: Program, rewrite: Callable[..., Any]) -> Trace:
        """An abstract trace that goes on after a program and knows its operations."""
        trace = cls(False, 0, rewrite)
        trace.inputs = list(program.inputs)
        for node in program.constants:
            trace.constant(node.value, node)
        for node in program.nodes:
            if node.primitive is GUARD:
                trace.nodes.append(node)
            else:
                trace.adopt(node)
        return trace

    # --- leaves
    def input(self, shape: tuple[int, ...], dtype: np.dtype, value: Any = None) -> Any:
        from bayesad.ad.array import TracedArray

        node = Node(INPUT, (), {}, shape, dtype)
        self.inputs.append(node)
        return TracedArray(self, node, value)

    def constant(self, x: Any, node: Node | None = None) -> Node:
        """The constant node for plain data, as they are now; equal arrays share one node.

        Large read-only arrays are told apart by identity, others by content: a plain array may be written into
        after its first use, so the node of a writable one holds a copy.
        """
        data = as_data(x)
        writable = data is x and _is_writable(data)
        if data.size <= 64:
            key: Any = (data.shape, data.dtype.char, data.tobytes())
        else:
            key = (data.shape, data.dtype.char, blake2b(data.tobytes()).digest()) if writable else id(x)
        found = self._constants.get(key)
        if found is not None:
            return found[0]
        if writable and node is None:
            data = data.copy()
            data.flags.writeable = False
        if node is None:
            node = Node(CONSTANT, (), {}, data.shape, data.dtype, value=data)
            self._constants[id(data)] = (node, data)  # rules hand the value of a node on
        self._constants[key] = (node, x)  # x is kept alive: its id may be the key
        return node

    def operand(self, x: Any) -> tuple[Node, Any]:
        """The constant node for plain data and its value; a number as one of NumPy, which is quick to compute with."""
        kind = type(x)
        if (kind is float or kind is np.float64 or kind is int) and x:  # the sign of a zero counts
            found = self._numbers.get((kind, x))
            if found is None:
                node = self.constant(x)
                found = self._numbers[kind, x] = node, node.value[()]
            return found
        node = self.constant(x)
        return node, node.value

    def capture(self, outer: Any) -> Node:
        """The input node that stands for a traced array of an enclosing trace."""
        key = ("capture", outer.recording, outer.node)
        if key not in self._known:
            node = Node(INPUT, (), {}, outer.shape, outer.dtype)
            self.captures.append((node, outer))
            self._known[key] = node
        return self._known[key]

    # --- operations
    def record(
        self, primitive: Primitive, nodes: tuple[Node, ...], attributes: dict[str, Any], values: Sequence[Any] | None
    ) -> Any:
        """The traced result of an operation (or a plain array where only constants went in)."""
        from bayesad.ad.array import TracedArray

        key = (primitive, nodes, tuple(attributes.items()) if attributes else ())
        known = self._known.get(key)
        if known is not None:
            return TracedArray(self, known[0], known[1])
        for node in nodes:
            if node.primitive is not CONSTANT:
                break
        else:
            with np.errstate(all="ignore"):
                return primitive.evaluate(*[node.value for node in nodes], **attributes)
        if self.rewrite is not None:
            replacement = self.rewrite(self, primitive, nodes, attributes)
            if replacement is not None:
                if isinstance(replacement, Node):
                    return (
                        TracedArray(self, replacement) if replacement.primitive is not CONSTANT else replacement.value
                    )
                return replacement
        value = None
        if values is None:
            shape, dtype = primitive.infer(*nodes, **attributes)
            source = self.source
        else:
            value = primitive.evaluate(*values, **attributes)
            if type(value) is np.float64:
                shape, dtype = (), FLOAT
            else:
                array = value if isinstance(value, (np.ndarray, np.generic)) else np.asarray(value)
                shape, dtype = array.shape, array.dtype
            source = _user_line()
        node = Node(primitive, nodes, attributes, shape, dtype, source=source)
        self.nodes.append(node)
        self._known[key] = (node, value)
        return TracedArray(self, node, value)

    def adopt(self, node: Node) -> None:
        """Take over an operation of another program as it is; its inputs were taken over before."""
        self.nodes.append(node)
        self._known[node.primitive, node.inputs, tuple(node.attributes.items())] = (node, None)

    def guard(self, node: Node, expected: bool) -> None:
        """Note that the program holds only where ``node`` (a boolean scalar) is ``expected``."""
        key = (GUARD, node, expected)
        if key not in self._known:
            self._known[key] = True
            self.nodes.append(
                Node(GUARD, (node,), {"expected": expected}, (), np.dtype(bool), source=self.source or _user_line())
            )

    def program(self, outputs: Sequence[Node], name: str) -> Program:
        """What was recorded, without what the outputs do not need. Captured arrays are the last inputs."""
        return prune([*self.inputs, *(node for node, _ in self.captures)], outputs, self.nodes, name)


def trace(f: Callable[..., Any], *values: Any, name: str | None = None) -> tuple[Program, list[Any], list[Any]]:
    """Record ``f`` at the given inputs.

    Parameters
    ----------
    f : callable
        Takes as many arrays as there are values; returns an array, a traced array or a (flat) sequence of them.
    *values : arrays
        Plain or (of an enclosing trace) traced.
    name : str, optional
        The program's name; default: that of the function.

    Returns
    -------
    program : Program
        Its inputs are the values and after them the captured arrays.
    captures : list
        Arrays of enclosing traces that f used without taking them as an argument.
    result : list
        The outputs at these values (None where an enclosing trace is abstract).
    """
    from bayesad.ad.array import TracedArray, node_of, unwrapped

    with tracing() as depth:
        plain = [v.value if isinstance(v, TracedArray) else v for v in values]
        concrete = all(v is not None for v in plain)
        recording = Trace(concrete, depth)
        arguments = []
        for value, given in zip(plain, values, strict=True):
            shape, dtype = (given.shape, given.dtype) if value is None else (np.shape(value), np.asarray(value).dtype)
            arguments.append(recording.input(shape, dtype, value))
        result = _called(f, arguments)
        flat = list(result) if isinstance(result, (list, tuple)) else [result]
        flat = [unwrapped(x) for x in flat]
        outputs = [node_of(recording, x) for x in flat]
        found = [x.value if isinstance(x, TracedArray) else x for x in flat]
    program = recording.program(outputs, name or str(getattr(f, "__name__", "program")))
    return program, [outer for _, outer in recording.captures], found


def _called(f: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """``f(*arguments)``; an error of compiled code that met a traced array is told as a TracingError."""
    try:
        return f(*arguments)
    except ValueError as error:  # a[0] = x with a plain a: NumPy hides the TracingError of float(x)
        if isinstance(error.__cause__, TracingError):
            raise error.__cause__ from error
        raise
    except (TypeError, AttributeError) as error:
        if isinstance(error, TracingError) or "TracedArray" not in str(error):
            raise
        raise TracingError(
            f"{error} (a TracedArray is an array that depends on unknowns); use real arrays and functions of NumPy or "
            "SciPy that have a traced meaning, or ad.custom_vjp for code that needs plain arrays"
        ) from error


_internal: set[int] = set()  # ids of the namespaces of modules of this package, NumPy and SciPy, which stay


def _user_line() -> Any:
    """(code, place in it) of the innermost frame outside this package, NumPy and SciPy; cheap."""
    frame: Any = sys._getframe(3)  # below it are this function, the trace's, and `bind` or a property
    while frame is not None:
        namespace = frame.f_globals
        if id(namespace) not in _internal:
            if namespace.get("__name__", "").partition(".")[0] not in _INTERNAL:
                return frame.f_code, frame.f_lasti
            _internal.add(id(namespace))
        frame = frame.f_back
    return None
