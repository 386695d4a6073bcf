"""Programs as machine code: compiled once, called from Python with a table of addresses for each thread."""

from __future__ import annotations

import ctypes
import functools
import importlib
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesad.ad.backends.llvm import jit, libraries
from bayesad.ad.backends.llvm.constants import bytes_in_lines
from bayesad.ad.backends.llvm.prepared import is_log_density, prepare
from bayesad.ad.backends.llvm.table import HEADER, LOG_DENSITY, NEXT, NUMBER, RUN, Layout
from bayesad.ad.backends.numpy import GuardFailed
from bayesad.ad.program import Node, Program

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.kernel import CompiledKernel

__all__ = ["Chain", "Executor", "NativeProgram", "address_of", "called_kernel", "executor", "memory", "weakly"]

CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)
RUN_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
LARGE = 2048  # elements; finding out whether an array can be passed as it is costs as much as copying so many
DTYPES = {"f": np.dtype(np.float64), "i": np.dtype(np.int64), "b": np.dtype(np.bool_)}

CALLED: dict[str, tuple[str, bool]] = {
    "merge_sort": ("ordering", False),
    "dopri5": ("runge_kutta", True),
    "dopri8": ("runge_kutta", True),
    "dopri5_steps": ("runge_kutta_adjoint", True),
    "dopri8_steps": ("runge_kutta_adjoint", True),
    "dopri5_adjoint": ("runge_kutta_adjoint", True),
    "dopri8_adjoint": ("runge_kutta_adjoint", True),
    "bdf": ("bdf", True),
    "gauss_kronrod": ("quadrature", True),
    **dict.fromkeys(("gammainc_a", "gammainc_aa", "stdtr_df"), ("incomplete", False)),
    **{f"betainc_{wrt}": ("incomplete_beta", False) for wrt in ("a", "b", "aa", "ab", "bb")},
    **{
        f"com_poisson_{what}": ("com_poisson", False)
        for what in ("log_sum", "mean", "mean_log_factorial", "kk", "kl", "ll")
    },
    "transform_rows": ("fourier", True),
}
"""Kernels that programs call: their module beside this one, and whether their sums may be reordered."""


class NativeProgram:
    """A program compiled to machine code. Immutable; may be used by several threads, each with its own table.

    Parameters
    ----------
    source : Program
    wanted : str
        What of it is to be run, if not the program itself: with ``source`` it determines the result of ``derive``.
    derive : callable, optional
        Makes the program to run from ``source``; not called if the machine code is found on disk.

    Attributes
    ----------
    errors : dict
        What operations left to NumPy raised: thread -> the first exception. Their results are NaN.
    """

    def __init__(self, source: Program, wanted: str = "program", derive: Callable[[], Program] | None = None) -> None:
        prepared = prepare(source, wanted, derive or (lambda: source))
        self.layout: Layout = prepared.layout
        symbols = ["run", "log_density"] if is_log_density(self.layout.inputs, self.layout.outputs) else ["run"]
        self.library = jit.load(prepared.object_code, symbols, prepared.imports)
        self.constants = [constant.memory() for constant in self.layout.constants]
        self._special = [_special_address(name) for name in self.layout.special]
        self.errors: dict[int, Exception] = {}
        self._callback = CALLBACK(weakly(self._run_in_python))

    def table(self, number: int) -> tuple[np.ndarray, list[Any]]:
        """A new table with a workspace of its own, the last of its chain; and what must be kept alive with it."""
        workspace = bytes_in_lines(self.layout.workspace_size)
        header = [0] * HEADER
        header[RUN], header[LOG_DENSITY] = self.library["run"], self.library.get("log_density", 0)
        header[NUMBER] = number
        addresses = [*header, *[constant.ctypes.data for constant in self.constants]]
        addresses += [workspace.ctypes.data, address_of(self._callback), *self._special]
        return np.array(addresses, dtype=np.uint64), [workspace, self]

    def _run_in_python(self, number: int, workspace: int) -> None:
        """Evaluate a node with NumPy, operands and result in the workspace; an exception becomes NaN."""
        node, offsets, target = self.layout.callbacks[number]
        result = memory(workspace + target, node)
        try:
            operands = [memory(workspace + o, source)[()] for o, source in zip(offsets, node.inputs, strict=True)]
            with np.errstate(all="ignore"):
                result[...] = node.primitive.evaluate(*operands, **node.attributes)
        except Exception as error:  # must not leave a callback
            self.errors.setdefault(threading.get_ident(), error)
            result[...] = np.nan if node.dtype.kind == "f" else 0


class Chain:
    """The tables of programs that are tried one after the other; belongs to one thread.

    Parameters
    ----------
    end : int
        The address that the last table has as that of the next one.
    """

    def __init__(self, end: int = 0) -> None:
        self.tables: list[np.ndarray] = []
        self._end = end
        self._alive: list[Any] = []

    def extend(self, programs: Sequence[NativeProgram]) -> np.ndarray:
        """Put programs at the end; gives the first new table."""
        first = len(self.tables)
        for program in programs:
            table, alive = program.table(len(self.tables))
            table[NEXT] = self._end
            self._alive += alive
            if self.tables:
                self.tables[-1][NEXT] = table.ctypes.data
            self.tables.append(table)
        return self.tables[first]

    def __len__(self) -> int:
        return len(self.tables)


class Executor:
    """Programs with inputs of the same shapes, called from Python: the first one whose guards hold is run.

    Attributes
    ----------
    programs : list of NativeProgram
        At least one; more may be appended.
    """

    def __init__(self, programs: Sequence[NativeProgram]) -> None:
        self.programs = list(programs)
        self._own = threading.local()

    def __call__(
        self, inputs: Sequence[Any], take: Callable[[int, list[Any]], Any] | None = None
    ) -> tuple[int, Any] | None:
        """The number of the program that applies and its outputs, or None where none does.

        Parameters
        ----------
        inputs : sequence of arrays
        take : callable, optional
            ``take(number, outputs)`` is given in place of copies of the outputs; it may read them where they are, in
            memory that the next call overwrites.

        Raises
        ------
        Exception
            What an operation left to NumPy raised.
        """
        own = self._own.__dict__
        call = own.pop("call", None) or _Call(self.programs)  # another one where NumPy, called from it, calls again
        try:
            number = call(inputs)
            if number is None:
                return None
            return number, call.copies(number) if take is None else take(number, call.views[number])
        finally:
            own["call"] = call


class _Call:
    """One thread's tables, and places for inputs and outputs; large inputs are read where they are if they can be."""

    def __init__(self, programs: list[NativeProgram]) -> None:
        self.programs = programs
        self.chain = Chain()
        self.inputs = [np.empty(node.shape, DTYPES[node.dtype.kind]) for node in programs[0].layout.inputs]
        self.copied = [(i, place) for i, place in enumerate(self.inputs) if place.size <= LARGE]
        self.passed = [(i, place) for i, place in enumerate(self.inputs) if place.size > LARGE]
        self.outputs: list[np.ndarray] = []  # memory that is large enough for each program's
        self.views: list[list[np.ndarray]] = []  # for each program: its outputs in that memory
        self._copying: list[list[Callable[[], Any]]] = []  # for each program: what copies its outputs
        self.run = RUN_FUNCTION(programs[0].library["run"])
        self.extend()

    def extend(self) -> None:
        """Take in programs that were added."""
        new = self.programs[len(self.chain) :]
        self.chain.extend(new)
        for program in new:
            nodes = program.layout.outputs
            for i, node in enumerate(nodes):
                if i == len(self.outputs) or self.outputs[i].nbytes < 8 * node.size:
                    self.outputs[i : i + 1] = [np.empty(node.size)]
        self.views = [
            [memory(place.ctypes.data, node) for place, node in zip(self.outputs, program.layout.outputs, strict=False)]
            for program in self.programs[: len(self.chain)]
        ]
        self._copying = [
            [view.copy if view.ndim else functools.partial(view.__getitem__, ()) for view in views]
            for views in self.views
        ]
        self.arguments = np.array([place.ctypes.data for place in (*self.inputs, *self.outputs)], dtype=np.uint64)
        self.addresses = self.chain.tables[0].ctypes.data, self.arguments.ctypes.data
        self.risky = [program for program in self.programs if program.layout.callbacks]

    def copies(self, number: int) -> list[Any]:
        """The outputs of a program that has just run."""
        return [copy() for copy in self._copying[number]]

    def __call__(self, inputs: Sequence[Any]) -> int | None:
        """Run the programs; the number of the one that applies."""
        for i, place in self.copied:
            place[...] = inputs[i]
        for i, place in self.passed:
            x = inputs[i]
            if not (x.flags.c_contiguous and x.flags.aligned):
                place[...] = x
                x = place
            self.arguments[i] = x.ctypes.data
        for program in self.risky:
            program.errors.pop(threading.get_ident(), None)
        number = self.run(*self.addresses)
        if number < 0:
            if len(self.chain) == len(self.programs):
                return None
            self.extend()
            return self(inputs)
        if self.risky and (error := self.programs[number].errors.pop(threading.get_ident(), None)):
            raise error
        return number


def executor(program: Program) -> Callable[[Sequence[Any]], list[Any]]:
    """A function from the values of a program's inputs to those of its outputs, by machine code.

    It raises GuardFailed where a branch that was taken while tracing would not be taken now.
    """
    run = Executor([NativeProgram(program)])

    def execute(inputs: Sequence[Any]) -> list[Any]:
        found = run(inputs)
        if found is None:
            raise GuardFailed
        return found[1]

    return execute


def weakly(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method as a function that does not keep its object alive, so that the object may hold a callback of it."""
    reference = weakref.WeakMethod(method)

    def call(*arguments: Any) -> Any:
        found = reference()
        assert found is not None, "machine code outlived what keeps it alive"
        return found(*arguments)

    return call


def address_of(function: Any) -> int:
    """The address of a ctypes function."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def memory(address: int, node: Node) -> np.ndarray:
    """An array over the memory at an address, of a node's shape and dtype."""
    dtype = DTYPES[node.dtype.kind]
    raw: Any = (ctypes.c_char * (node.size * dtype.itemsize)).from_address(address)
    return np.frombuffer(raw, dtype, node.size).reshape(node.shape)


@functools.cache
def called_kernel(name: str) -> CompiledKernel:
    """A kernel that programs call, by its name in the table above; kept alive from then on."""
    from bayesad.ad.backends.llvm.kernel import FAST_MATH, compile_kernel

    module, reorders = CALLED[name]
    function = getattr(importlib.import_module(f"{__package__}.{module}"), name)
    return compile_kernel(function, fast_math=FAST_MATH if reorders else ())


@functools.cache
def _matrix_kernel(name: str) -> Any:
    from bayesad.ad.backends.llvm import matrices

    return matrices.kernel(name)


@functools.cache
def _special_address(name: str) -> int:
    """Where a function is that a program calls: our own, of BLAS or LAPACK, or SciPy's scalar function on doubles."""
    if name in libraries.ROUTINES:
        return libraries.address(name)
    from bayesad.ad.backends.llvm.matrices import is_kernel

    if is_kernel(name):
        return _matrix_kernel(name)["kernel"]
    if name in CALLED:
        return called_kernel(name).address
    if name.startswith("address "):
        return int(name.removeprefix("address "))
    from scipy.special import cython_special

    from bayesad.ad.backends.llvm.scalars import SPECIAL

    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    wanted = f"double ({'double, ' * SPECIAL[name]}int __pyx_skip_dispatch)".encode()
    for key, capsule in cython_special.__pyx_capi__.items():
        signature = get_name(capsule)
        named = key == name or (key.startswith("__pyx_fuse_") and key[12:] == name)
        if named and signature == wanted:
            return int(get_pointer(capsule, signature))
    raise KeyError(f"scipy.special.cython_special exports no double function {name!r}")
