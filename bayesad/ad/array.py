"""TracedArray: an array that records what NumPy code does to it."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bayesad.ad.primitives import elementwise as ew
from bayesad.ad.primitives import indexing, shaping
from bayesad.ad.primitives.table import UFUNCS, Primitive
from bayesad.ad.program import CONSTANT, Node
from bayesad.errors import TracingError

__all__ = [
    "FUNCTIONS",
    "TracedArray",
    "asarray",
    "bind",
    "guarded",
    "implements",
    "is_traced",
    "may_hold_traced",
    "node_of",
    "value_of",
]

FUNCTIONS: dict[Any, Callable[..., Any]] = {}


def implements(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the decorated function the traced meaning of NumPy functions."""

    def register(f: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            FUNCTIONS[function] = f
        return f

    return register


class TracedArray:
    """An array inside a trace; behaves as a NumPy array and records the operations.

    It is mutable as NumPy's arrays are: ``a[i] = v`` and ``a += v`` put a new value behind the same object, and views
    (slices, transposes, reshapes) see and pass on such changes. The recorded program itself only has pure operations.

    An array made by ``np.zeros`` and the like inside a trace starts as a *buffer*: plain values, no node. It becomes
    part of the program when a traced value is written into it. Single elements or rows written at plain positions are
    kept aside (``_pending``) until the whole array is asked for, so loops over preallocated arrays
    record scalars, not copies of the array.
    """

    __slots__ = (
        "__weakref__",
        "_base",
        "_node",
        "_pending",
        "_seen",
        "_trace",
        "_value",
        "_version",
        "_view",
    )
    __array_priority__ = 1000.0
    __pandas_priority__ = 5000.0  # pandas leaves operators to what has more than its own 4000

    def __init__(self, trace: Any, node: Node | None, value: Any = None) -> None:
        self._trace = trace
        self._node = node
        self._value = value
        self._base: TracedArray | None = None
        self._view: Callable[[Any], Any] | None = None
        self._seen = 0
        self._version = 0
        self._pending: dict[tuple[int, ...], Any] | None = None

    # --- state
    def _refresh(self) -> None:
        """Bring views and pending writes up to date."""
        self._follow()
        if self._pending:
            self._flush()

    def _follow(self) -> None:
        """Let a view show what its base holds now; what is pending there stays so."""
        base = self._base
        if base is None:
            return
        base._follow()
        if self._seen != base._version:
            fresh = self._view(base)  # type: ignore[misc]
            if type(fresh) is TracedArray:
                self._trace, self._node, self._value = fresh._trace, fresh._node, fresh._value
            else:  # of plain values
                self._trace, self._node, self._value = None, None, fresh
            self._seen = base._version
            self._version += 1

    def _settle(self) -> None:
        if self._base is not None or self._pending:
            self._refresh()

    def _flush(self) -> None:
        pending, self._pending = self._pending, None
        assert pending is not None
        depth = len(next(iter(pending)))
        lead, rest = self.shape[:depth], self.shape[depth:]
        values = shaping.stack_rows([_broadcast_to(v, rest) for v in pending.values()])
        positions = np.array(list(pending), dtype=np.int64)
        if len(pending) == math.prod(lead):
            flat = np.ravel_multi_index(tuple(positions.T), lead)
            if not np.array_equal(flat, np.arange(flat.size)):
                values = values[np.argsort(flat)]
            new = values.reshape(self.shape)
        else:
            new = index_set(self, tuple(positions.T), values)
        self._replace(new)

    def _replace(self, new: Any) -> None:
        """Let this object stand for a new value, and tell its base if it is a view."""
        if isinstance(new, TracedArray):
            new._refresh()
            self._trace, self._node, self._value = new._trace, new._node, new._value
        else:
            self._trace, self._node, self._value = None, None, np.array(new)
        self._version += 1

    @property
    def node(self) -> Node | None:
        """The node of the current value; None for a buffer that holds plain values only."""
        self._settle()
        return self._node

    @property
    def recording(self) -> Any:
        """The trace the current node belongs to."""
        self._settle()  # a view may have changed traces
        return self._trace

    @property
    def value(self) -> Any:
        """The concrete value carried along, or None in an abstract trace."""
        self._settle()
        return self._value

    @property
    def is_buffer(self) -> bool:
        """Whether only plain values are inside."""
        return self._pending is None and (self._node if self._base is None else self.node) is None

    # --- what NumPy arrays have
    @property
    def shape(self) -> tuple[int, ...]:
        if self._node is not None:
            return self._node.shape
        return np.shape(self._value)

    @property
    def dtype(self) -> np.dtype:
        if self._pending:
            return np.dtype(np.float64)
        return self._node.dtype if self._node is not None else self._value.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def T(self) -> Any:
        return np.transpose(self)

    @property
    def mT(self) -> Any:
        return np.swapaxes(self, -1, -2)

    @property
    def real(self) -> Any:
        return self

    @property
    def imag(self) -> Any:
        return np.zeros(self.shape)

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def flat(self) -> Any:
        """The elements in order: a view of one axis, so that they can be read and written by number."""
        return self.reshape(-1)

    @flat.setter
    def flat(self, new: Any) -> None:
        self.reshape(-1)[...] = new

    def _no_memory(self) -> Any:
        wanted = "plain memory, which compiled code asks for"
        raise TracingError(self._refusal(wanted, "np.* functions, or ad.custom_vjp"))

    flags = strides = data = ctypes = property(_no_memory)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a traced scalar (an array of shape ()); it has no axis to count")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("a traced scalar (an array of shape ()) cannot be iterated over")
        return (self[i] for i in range(self.shape[0]))

    def __hash__(self) -> int:
        raise TracingError(
            self._refusal("a key of a dict or set (or a cached argument)", "a name or a position as the key")
        )

    def __repr__(self) -> str:
        held = self.value
        shown = "abstract" if held is None else np.array2string(np.asarray(held), threshold=6, precision=6)
        return f"TracedArray({shown}, shape={self.shape}, dtype={self.dtype})"

    # --- conversions
    def __bool__(self) -> bool:
        node = self.node
        if node is None:
            return bool(self._value)
        if node.shape not in ((), (1,)) and node.size != 1:
            raise ValueError(
                f"the truth value of an array of shape {node.shape} is ambiguous; use .any(), .all() or np.where"
            )
        if self._value is None:
            raise TracingError(
                "a branch on a value was met where only shapes are known (inside a derivative rule); use np.where"
            )
        truth: Any = self if node.dtype == np.bool_ else (self != 0)
        answer = bool(truth._value)
        if truth._node is not None:
            self._trace.guard(truth.node, answer)
        return answer

    def __index__(self) -> int:
        if self.dtype.kind not in "ib" or self.size != 1:
            raise TracingError(self._refusal("an integer index or size", "np.floor(x).astype(int) or np.where"))
        node = self.node
        if node is None:
            return operator.index(self._value.item())
        if self._value is None:
            raise TracingError("an index depends on a value where only shapes are known")
        answer = int(np.asarray(self._value).item())
        bool(self == answer)  # a guard: the program holds while the index keeps this value
        return answer

    def _refusal(self, wanted: str, instead: str) -> str:
        return (
            f"a traced array of shape {self.shape} cannot be turned into {wanted}: its value would become a "
            f"constant and its derivative would be lost; use {instead}"
        )

    def __float__(self) -> float:
        if self.is_buffer:
            return float(self._value)
        raise TracingError(
            self._refusal(
                "a Python float",
                "it as it is, and np.exp, np.log, … instead of math.exp, math.log, …; an array to write it into "
                "must be made inside the traced function, for example with np.zeros",
            )
        )

    def __int__(self) -> int:
        if self.is_buffer:
            return int(self._value)
        if self.dtype.kind in "ib":
            return self.__index__()
        if self.size != 1 or self.value is None:
            raise TracingError(self._refusal("a Python int", "np.floor(x) or x.astype(int)"))
        return int(guarded(np.trunc(self)).item())

    def __complex__(self) -> complex:
        raise TracingError(self._refusal("a complex number", "real and imaginary parts apart"))

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        if self.is_buffer:
            return np.array(self._value, dtype=dtype)
        if self.dtype == np.bool_:
            return np.array(guarded(self), dtype=dtype)
        if self.dtype.kind == "i":
            instead = "np.take(a, i) instead of a[i] to index data a"
        else:
            instead = (
                "np.* and scipy.special.* functions or operators on it (a @ x instead of a.dot(x); np.array([x, y]) "
                "for a list of them), np.zeros inside the traced function to write it into, or ad.custom_vjp for code "
                "that needs plain arrays"
            )
        raise TracingError(self._refusal("a plain NumPy array", instead))

    def __format__(self, specification: str) -> str:
        if specification and self.value is not None and self.ndim == 0:
            return format(np.asarray(self._value).item(), specification)
        return repr(self)

    # --- protocols
    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The functions of the Python array API standard for this array: NumPy's, which know traced arrays."""
        return _namespace_for(sys._getframe(1).f_globals.get("__name__", ""))

    @property
    def device(self) -> str:
        """Where the array is, as the array API standard asks: "cpu"."""
        return "cpu"

    def to_device(self, device: str, /, *, stream: Any = None) -> Any:
        """The array itself; there is no other device than "cpu"."""
        if device != "cpu":
            raise ValueError(f"unsupported device {device!r}; traced arrays are on 'cpu'")
        return self

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if method == "__call__" and out is None and not options:
            primitive = UFUNCS.get(ufunc)
            if primitive is not None and all([isinstance(x, _SCALARS) for x in inputs]):
                return bind(primitive, inputs)
        from bayesad.ad.functions import ufuncs

        return ufuncs.apply(ufunc, method, inputs, out, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if self._node is not None and function in FUNCTIONS and "out" not in kwargs:
            return FUNCTIONS[function](*args, **kwargs)
        from bayesad.ad.functions import call

        return call(function, args, kwargs)

    # --- indexing and mutation
    def __getitem__(self, index: Any) -> Any:
        pending = self._pending
        if pending:
            position = _plain_position(index, self.shape)
            if position is not None:
                depth = len(next(iter(pending)))
                if len(position) >= depth:
                    row = pending.get(position[:depth])
                    if row is None:
                        row = _take_plain(self, index)
                    else:
                        row = _broadcast_to(row, self.shape[depth:])
                        row = row[position[depth:]] if len(position) > depth else row
                    return _linked(self, lambda a: a[index], row) if np.ndim(row) else row
        if self.is_buffer and not is_traced_index(index):
            plain = _plain_index(index)
            picked = self._value[plain]
            return _view_of(self, lambda a: a[index], fresh_buffer(picked, (self._value,)))
        result = indexing.getitem(self, index)
        if isinstance(result, TracedArray) and result.ndim and indexing.is_basic(index):
            return _view_of(self, lambda a: indexing.getitem(a, index), result)
        return result

    def __setitem__(self, index: Any, new: Any) -> None:
        new = asarray(new)
        if self.is_buffer and not is_traced(new) and not is_traced_index(index):
            self._value[_plain_index(index)] = value_of(new)
            self._version += 1
            return
        if self.dtype.kind != "f" and is_traced(new) and new.dtype.kind == "f":
            raise TracingError(
                f"an unknown of dtype float64 was written into an array of dtype {self.dtype}; "
                "make the array with dtype=float (np.zeros(n) rather than np.zeros(n, int))"
            )
        position = _plain_position(index, self.shape) if self._base is None and is_traced(new) else None
        if position is not None and 0 < len(position) < len(self.shape) + 1 and self._admits(position):
            if new.ndim > max(0, len(self.shape) - len(position)):
                new = new.reshape(self.shape[len(position) :])
            if self._pending is None:
                self._pending = {}
            self._pending[position] = _snapshot(_broadcast_to(new, self.shape[len(position) :]))
            self._version += 1
            return
        self._write(index_set(self, index, new))

    def _admits(self, position: tuple[int, ...]) -> bool:
        return not self._pending or len(next(iter(self._pending))) == len(position)

    def _write(self, new: Any) -> None:
        """Put a new whole value here; through a view, into its base."""
        self._refresh()
        base, view = self._base, self._view
        if base is not None and view is not None:
            base._write(_write_back(base, view, new))
            self._refresh()
        else:
            self._replace(new)

    def _in_place(self, operation: Primitive, other: Any) -> Any:
        if self.ndim == 0:  # scalars are immutable in NumPy too
            return bind(operation, (self, other))
        result = bind(operation, (self, other))
        if np.shape(result) != self.shape:
            raise ValueError(
                f"in-place {operation.name}: the result has shape {np.shape(result)}, the array {self.shape}"
            )
        self._write(result)
        return self

    # --- operators (those with two arguments are made below)
    def __neg__(self) -> Any:
        return bind(ew.negative, (self,))

    def __pos__(self) -> Any:
        return bind(ew.positive, (self,))

    def __abs__(self) -> Any:
        return bind(ew.absolute, (self,))

    def __invert__(self) -> Any:
        return bind(ew.invert, (self,))

    def __matmul__(self, other: Any) -> Any:
        if hasattr(other, "tocsr"):  # a sparse array of SciPy's, which knows the rest
            return NotImplemented
        return np.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return np.matmul(other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __round__(self, digits: int = 0) -> Any:
        return np.round(self, digits or 0)

    # --- methods that are NumPy functions
    def astype(self, dtype: Any, copy: bool = True) -> Any:
        target = {"f": np.float64, "i": np.int64, "u": np.int64, "b": np.bool_}.get(np.dtype(dtype).kind)
        if target is None:
            raise TracingError(f"a traced array cannot be cast to {np.dtype(dtype)}; use float, int or bool")
        if np.dtype(target) == self.dtype:
            return bind(ew.positive, (self,)) if copy and self.dtype != np.bool_ else self
        return bind(ew.cast, (self,), {"dtype": np.dtype(target)})

    def item(self, *position: int) -> Any:
        if self.is_buffer:
            return self._value.item(*position)
        raise TracingError(self._refusal("a Python number by .item()", "the traced scalar itself"))

    def tolist(self) -> Any:
        if self.is_buffer:
            return self._value.tolist()
        return list(self) if self.ndim <= 1 else [row.tolist() for row in self]

    def reshape(self, *shape: Any, order: str = "C") -> Any:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, order=order)  # type: ignore[call-overload]

    def transpose(self, *axes: Any) -> Any:
        chosen = axes[0] if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))) else axes
        return np.transpose(self, chosen or None)

    def __copy__(self) -> Any:
        return np.copy(self)

    def __deepcopy__(self, memo: Any) -> Any:
        return np.copy(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TracingError(self._refusal("bytes (pickled)", "it inside the traced function only"))

    def flatten(self, order: Any = "C") -> Any:
        return np.ravel(self, order).copy()

    def compress(self, condition: Any, axis: Any = None) -> Any:
        return np.compress(condition, self, axis=axis)

    def conj(self) -> Any:
        return self

    conjugate = conj

    def fill(self, x: Any) -> None:
        self[...] = x

    def sort(self, axis: int = -1) -> None:
        self[...] = np.sort(self, axis=axis)

    def partition(self, kth: Any, axis: int = -1) -> None:
        self[...] = np.partition(self, kth, axis=axis)

    def put(self, indices: Any, values: Any, mode: str = "raise") -> None:
        np.put(self, indices, values, mode=mode)  # type: ignore[arg-type]

    def view(self, *args: Any) -> Any:
        raise TracingError(self._refusal("another view of its memory", "x[...], x.reshape or x.astype"))

    def resize(self, *args: Any, **kwargs: Any) -> Any:
        raise TracingError(self._refusal("an array of another size in place", "np.resize(x, shape)"))

    def tobytes(self, *args: Any) -> Any:
        if self.is_buffer:
            return self._value.tobytes(*args)
        raise TracingError(self._refusal("bytes", "the array itself"))

    def tofile(self, *args: Any, **kwargs: Any) -> Any:
        raise TracingError(self._refusal("a file", "the results after sampling"))


def _method(name: str) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(np, name)(self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"As ``numpy.{name}``."
    return method


_METHODS = """sum prod mean std var min max any all argmin argmax argsort cumsum cumprod clip round dot ravel squeeze
    swapaxes repeat take trace diagonal copy nonzero searchsorted choose argpartition"""
for _name in _METHODS.split():
    setattr(TracedArray, _name, _method(_name))


_OPERATORS: dict[str, Primitive] = {
    "add": ew.add,
    "sub": ew.subtract,
    "mul": ew.multiply,
    "truediv": ew.divide,
    "floordiv": ew.floor_divide,
    "mod": ew.remainder,
    "pow": ew.power,
    "and": ew.bitwise_and,
    "or": ew.bitwise_or,
    "xor": ew.bitwise_xor,
}
_COMPARISONS: dict[str, Primitive] = {
    "eq": ew.equal,
    "ne": ew.not_equal,
    "lt": ew.less,
    "le": ew.less_equal,
    "gt": ew.greater,
    "ge": ew.greater_equal,
}
_PLAIN = frozenset({int, float, bool, str, type(None), np.float64, np.int64, np.bool_, np.ndarray})
_SCALARS = (TracedArray, float, np.ndarray, np.generic, int)


def _binary(primitive: Primitive, reflected: bool = False) -> Any:
    def operate(self: Any, other: Any) -> Any:
        if not isinstance(other, _SCALARS):
            if not isinstance(other, (list, tuple)) and not hasattr(other, "__array__"):
                return NotImplemented
            other = asarray(other)
        return bind(primitive, (other, self) if reflected else (self, other))

    return operate


for _name, _primitive in _OPERATORS.items():
    setattr(TracedArray, f"__{_name}__", _binary(_primitive))
    setattr(TracedArray, f"__r{_name}__", _binary(_primitive, reflected=True))
    setattr(TracedArray, f"__i{_name}__", lambda self, other, _p=_primitive: self._in_place(_p, other))
for _name, _primitive in _COMPARISONS.items():
    setattr(TracedArray, f"__{_name}__", _binary(_primitive))


def _namespace_for(caller: str) -> Any:
    """NumPy; for array_api_compat its wrapper of NumPy, which it takes for the plain arrays beside this one too."""
    from bayesad.ad.swaps import traced_meaning

    package = caller.partition(".common.")[0]
    wrapper = f"{package}.numpy"
    wrapped = package.endswith("array_api_compat") and wrapper in sys.modules
    return sys.modules[wrapper] if wrapped else traced_meaning(np)


# --- binding
def bind(primitive: Primitive, args: tuple[Any, ...], attributes: dict[str, Any] | None = None) -> Any:
    """Apply a primitive: evaluated on plain arrays, recorded where an argument is traced."""
    attributes = attributes or {}
    trace = None
    for a in args:
        if type(a) is TracedArray:
            own = a._trace if a._base is None and not a._pending else a.recording
            if own is not trace and own is not None and (trace is None or own.depth > trace.depth):
                trace = own
    if trace is None:
        plain = [value_of(a) for a in args]
        with np.errstate(all="ignore"):
            result = primitive.evaluate(*plain, **attributes)
        return fresh_buffer(result, plain) if any([type(a) is TracedArray for a in args]) else result
    nodes, values, concrete = [], [], trace.concrete
    for a in args:
        if type(a) is not TracedArray:
            node, value = trace.operand(a)
        elif a._trace is trace:  # and up to date, as it was asked for its trace
            node, value = a._node, a._value
            concrete = concrete and value is not None
        else:
            node = node_of(trace, a)
            value = node.value if node.primitive is CONSTANT else a._value
            concrete = concrete and value is not None
        nodes.append(node)
        values.append(value)
    if primitive.widen is not None and nodes[0].dtype == np.bool_ and all([node.dtype == np.bool_ for node in nodes]):
        return bind(primitive, tuple([np.multiply(a, primitive.widen.type(1)) for a in args]), attributes)
    return trace.record(primitive, tuple(nodes), attributes, values if concrete else None)


def node_of(trace: Any, a: Any) -> Node:
    """The node that stands for ``a`` in the given trace."""
    if type(a) is not TracedArray:
        return trace.constant(a)
    node = a._node if a._base is None and not a._pending else a.node
    if node is None:
        return trace.constant(np.array(a._value))
    if a._trace is trace:
        return node
    return trace.capture(a)


def value_of(a: Any) -> Any:
    """The plain array inside a buffer; anything else unchanged."""
    return a._value if type(a) is TracedArray and a.is_buffer else a


def is_traced(x: Any) -> bool:
    """Whether ``x`` is a traced array, one whose value a derivative can depend on."""
    return type(x) is TracedArray and not x.is_buffer


def _plain_index(index: Any) -> Any:
    """An index with the plain arrays in place of buffers."""
    return tuple([value_of(part) for part in index]) if type(index) is tuple else value_of(index)


def is_traced_index(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any([is_traced(part) for part in parts])


def asarray(x: Any) -> Any:
    """``x`` as an array: traced arrays unchanged, nested sequences with traced elements stacked."""
    if type(x) is TracedArray:
        return x
    if isinstance(x, (list, tuple)) and _contains_traced(x):
        rows = [asarray(row) for row in x]
        shapes = {row.shape for row in rows}
        if len(shapes) > 1:
            raise ValueError(f"the rows of a nested sequence of traced arrays differ in shape: {sorted(shapes)}")
        return shaping.stack_rows(rows)
    return np.asarray(x)


def plain_or_traced(x: Any) -> Any:
    """``x`` as library code takes it: a traced array, or else a plain NumPy array (never a buffer)."""
    array = asarray(x)
    return np.array(array.value) if type(array) is TracedArray and array.is_buffer else array


def unwrapped(x: Any) -> Any:
    """The traced array inside a labelled one, such as an xarray.DataArray; anything else unchanged."""
    inside = None if isinstance(x, (TracedArray, np.ndarray)) else getattr(x, "data", None)
    return inside if type(inside) is TracedArray else x


def buffer(values: np.ndarray) -> TracedArray:
    """A fresh array of plain values that traced values may be written into."""
    return TracedArray(None, None, values)


def fresh_buffer(result: Any, plain: Any) -> Any:
    """An array computed from the plain values of buffers, as a buffer itself; a view of one of them unchanged."""
    if type(result) is not np.ndarray or result.ndim == 0 or result.dtype.kind not in "fib":
        return result
    shared = any(isinstance(a, np.ndarray) and np.may_share_memory(result, a) for a in plain)
    return result if shared else buffer(result)


def may_hold_traced(x: Any) -> bool:
    """Whether a list or tuple may have traced arrays inside: not if its elements are plain numbers and arrays."""
    return not _PLAIN.issuperset(map(type, x))


def _contains_traced(x: Any) -> bool:
    if not may_hold_traced(x):
        return False
    return any(type(e) is TracedArray or (isinstance(e, (list, tuple)) and _contains_traced(e)) for e in x)


def guarded(x: Any) -> np.ndarray:
    """The values of booleans or whole numbers as plain data, under a guard: the program holds while they stay so."""
    if not is_traced(x):
        return np.asarray(value_of(x))
    if x.value is None:
        raise TracingError(
            "an array whose size depends on values (a boolean mask as an index, np.nonzero, np.unique) was met where "
            "only shapes are known (inside a derivative rule, a step or a right-hand side); use np.where(mask, a, b)"
        )
    values = np.array(x.value)
    bool(np.all(x == values))
    return values


def index_set(a: Any, index: Any, new: Any) -> Any:
    return indexing.setitem(a, index, new)


# --- views
def _view_of(base: TracedArray, view: Callable[[Any], Any], result: Any) -> Any:
    """``result`` as a view of ``base``: it follows and passes on changes."""
    if isinstance(result, np.ndarray):
        if not np.may_share_memory(result, base._value):
            return result
        result = TracedArray(None, None, result)
    elif not isinstance(result, TracedArray) or not _may_be_view(result, base):
        return result
    return _linked(base, view, result)


def _linked(base: TracedArray, view: Callable[[Any], Any], result: TracedArray) -> TracedArray:
    linked = TracedArray(result._trace, result._node, result._value)
    linked._base, linked._view, linked._seen = base, view, base._version
    return linked


def _may_be_view(result: TracedArray, base: TracedArray) -> bool:
    """Whether NumPy's result is a view: told by the values where they are carried along (reshaping may copy)."""
    if not isinstance(result._value, np.ndarray) or not isinstance(base._value, np.ndarray):
        return result._value is None
    return np.may_share_memory(result._value, base._value)


def _write_back(base: TracedArray, view: Callable[[Any], Any], new: Any) -> Any:
    """The base with ``new`` in the place its view shows: positions are found by viewing the positions."""
    positions = view(np.arange(base.size).reshape(base.shape))
    flat = index_set(np.reshape(base, -1), positions.reshape(-1), np.reshape(new, -1))
    return np.reshape(flat, base.shape)


def view_function(primitive: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function whose NumPy result is a view link its traced result to the argument."""

    def apply(a: Any, *args: Any, **kwargs: Any) -> Any:
        result = primitive(a, *args, **kwargs)
        if type(a) is TracedArray and result is not a:
            return _view_of(a, lambda base: primitive(base, *args, **kwargs), result)
        return result

    return apply


def _snapshot(a: Any) -> Any:
    """The present value of ``a``, cut off from later changes."""
    if type(a) is not TracedArray:
        return np.array(a)
    a._refresh()
    return TracedArray(a._trace, a._node, a._value) if a._node is not None else np.array(a._value)


def _broadcast_to(a: Any, shape: tuple[int, ...]) -> Any:
    return a if type(a) is TracedArray and a.shape == shape else shaping.broadcast_to(a, shape)


def _plain_position(index: Any, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The index as non-negative ints for the leading axes, or None if it is anything else."""
    parts = index if type(index) is tuple else (index,)
    if len(parts) > len(shape):
        return None
    position = []
    for part, n in zip(parts, shape, strict=False):
        if type(part) is not int:
            if not isinstance(part, np.integer):
                return None
            part = int(part)
        if part < 0:
            part += n
        if not 0 <= part < n:
            raise IndexError(f"index {part} is out of bounds for an axis of length {n}")
        position.append(part)
    return tuple(position)


def _take_plain(a: TracedArray, index: Any) -> Any:
    """Element of an array with pending writes elsewhere, without materialising those."""
    if a._node is None:
        picked = a._value[index]
        return TracedArray(None, None, picked) if np.ndim(picked) else picked
    return indexing.getitem(TracedArray(a._trace, a._node, a._value), index)
