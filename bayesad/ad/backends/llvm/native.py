"""Programs as machine code: compiled once, called with a table of addresses."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesad.ad.backends.llvm import jit, libraries, matrices, ordering, vector_math
from bayesad.ad.backends.llvm.decompose import decompose
from bayesad.ad.backends.llvm.kernel import compile_kernel
from bayesad.ad.backends.llvm.lower import lower
from bayesad.ad.backends.llvm.table import Layout
from bayesad.ad.backends.numpy import GuardFailed
from bayesad.ad.program import Node, Program

__all__ = ["NativeLogDensity", "NativeProgram", "executor"]

STRAIGHT_LINE_LIMIT = 16_000  # above this many instructions, code is not optimised: compile time counts more
CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)
LOG_DENSITY = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
DTYPES = {"f": np.float64, "i": np.int64, "b": np.bool_}


class NativeProgram:
    """A program compiled to machine code. Immutable; may be used by several threads, each with its own table."""

    def __init__(self, program: Program, *, log_density: bool = False) -> None:
        lowered = lower(decompose(program), log_density=log_density)
        self.program = program
        self.text = lowered.text
        self.layout: Layout = lowered.layout
        symbols = ["run", "log_density"] if log_density else ["run"]
        self.library = jit.build(
            lowered.text,
            symbols,
            imports=vector_math.addresses(lowered.mathematics),
            optimise=lowered.n_instructions <= STRAIGHT_LINE_LIMIT,
        )
        self.constants = [constant.memory() for constant in self.layout.constants]
        self.kernels: list[Any] = []  # kept alive for their addresses
        self.special = [self._address(name) for name in self.layout.special]
        self.callback_error: list[BaseException] = []
        self.callback = CALLBACK(self._run_in_python)

    def _address(self, name: str) -> int:
        """Where a function is that the program calls."""
        if name in libraries.ROUTINES:
            return libraries.address(name)
        if matrices.is_kernel(name):
            self.kernels.append(matrices.kernel(name))
            return self.kernels[-1]["kernel"]
        if name in ordering.KERNELS:
            self.kernels.append(compile_kernel(ordering.KERNELS[name]))
            return self.kernels[-1].address
        return _special_address(name)

    def table(self) -> tuple[np.ndarray, list[Any]]:
        """A new table with a workspace of its own, and what must be kept alive with it."""
        layout = self.layout
        workspace = _aligned_bytes(layout.workspace_size)
        addresses = [0] * (len(layout.inputs) + len(layout.outputs))
        addresses += [c.ctypes.data for c in self.constants]
        addresses += [workspace.ctypes.data, ctypes.cast(self.callback, ctypes.c_void_p).value or 0]
        addresses += [*self.special, 0]
        return np.array(addresses, dtype=np.uint64), [workspace, self]

    def _run_in_python(self, number: int, workspace: int) -> None:
        """Evaluate a node with NumPy, operands and result in the workspace; an exception becomes NaN."""
        node, offsets, target = self.layout.callbacks[number]
        result = _memory(workspace + target, node)
        try:
            operands = [_memory(workspace + o, source)[()] for o, source in zip(offsets, node.inputs, strict=True)]
            with np.errstate(all="ignore"):
                result[...] = node.primitive.evaluate(*operands, **node.attributes)
        except Exception as error:  # must not leave a callback
            self.callback_error.append(error)
            result[...] = np.nan if node.dtype.kind == "f" else 0


def _aligned_bytes(n: int) -> np.ndarray:
    raw = np.zeros(n + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + n]


def _memory(address: int, node: Node) -> np.ndarray:
    dtype = np.dtype(DTYPES[node.dtype.kind])
    raw = (ctypes.c_char * (node.size * dtype.itemsize)).from_address(address)
    return np.frombuffer(raw, dtype, node.size).reshape(node.shape)  # type: ignore[call-overload]


def _special_address(name: str) -> int:
    """The address of one of SciPy's scalar functions on doubles."""
    from scipy.special import cython_special

    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    for key, capsule in cython_special.__pyx_capi__.items():
        signature = get_name(capsule)
        named = key == name or (key.startswith("__pyx_fuse_") and key[12:] == name)
        if named and signature.startswith(b"double (double") and b"complex" not in signature:
            return int(get_pointer(capsule, signature))
    raise KeyError(f"scipy.special.cython_special exports no double function {name!r}")


def executor(program: Program) -> Callable[[Sequence[Any]], list[Any]]:
    """A function from the values of a program's inputs to those of its outputs, by machine code.

    It raises GuardFailed where a branch that was taken while tracing would not be taken now.
    """
    native = NativeProgram(program)
    run = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(native.library["run"])
    inputs_of, outputs_of = program.inputs, program.outputs

    own = threading.local()  # each thread has a table, and fixed places for inputs and outputs

    def prepare() -> None:
        own.table, own.alive = native.table()
        own.places = [np.empty(node.shape, dtype=DTYPES[node.dtype.kind]) for node in (*inputs_of, *outputs_of)]
        own.table[: len(own.places)] = [place.ctypes.data for place in own.places]
        own.address = own.table.ctypes.data

    def execute(inputs: Sequence[Any]) -> list[Any]:
        if not hasattr(own, "table"):
            prepare()
        for place, x in zip(own.places, inputs, strict=False):
            place[...] = x
        if run(own.address):
            raise GuardFailed
        return [place.copy()[()] for place in own.places[len(inputs_of) :]]

    return execute


class NativeLogDensity:
    """Value and gradient of a log density as a C function.

    Its form is ``double f(void* context, const double* q, double* gradient)``.

    Parameters
    ----------
    program : Program
        One input of shape (d,), outputs of shapes () and (d,).
    otherwise : callable
        ``otherwise(q, gradient) -> float`` for points where a guard fails.
    """

    def __init__(self, program: Program, otherwise: Callable[[np.ndarray, np.ndarray], float]) -> None:
        self.native = NativeProgram(program, log_density=True)
        self.dimension = program.inputs[0].size
        self.address = self.native.library["log_density"]
        self.error: BaseException | None = None

        def fallback(context: int, q: int, gradient: int) -> float:
            try:
                node = program.inputs[0]
                return float(otherwise(_memory(q, node).copy(), _memory(gradient, node)))
            except BaseException as error:  # must not leave a callback
                self.error = error
                return float("nan")

        self._fallback = LOG_DENSITY(fallback)

    def context(self) -> tuple[np.ndarray, list[Any]]:
        """A table for one thread, whose address is the context; and what must be kept alive with it."""
        table, alive = self.native.table()
        table[-1] = ctypes.cast(self._fallback, ctypes.c_void_p).value or 0
        return table, [*alive, self]
