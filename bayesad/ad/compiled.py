"""Compiled functions: traced once per shape and per path through the branches, then run as programs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from bayesad.ad import trees
from bayesad.ad.array import TracedArray, bind, is_traced
from bayesad.ad.backends.numpy import GuardFailed, executor
from bayesad.ad.forward import forward
from bayesad.ad.program import CONSTANT, GUARD, Node, Program
from bayesad.ad.reverse import reverse
from bayesad.ad.rewrites import REWRITES, check_names, rewritten
from bayesad.ad.simplify import simplify
from bayesad.ad.trace import trace
from bayesad.errors import DerivativeError, TracingError

__all__ = ["MOST_PATHS", "Compiled", "Path", "compile", "evaluate"]

MOST_PATHS = 256  # paths through the branches of one function before it is refused
RUNS_BEFORE_MACHINE_CODE = 16  # a program is interpreted until it has proved worth compiling


class Path:
    """One traced path of a function: its program and what is derived from it, made when first asked for.

    Attributes
    ----------
    program : Program
        Simplified and rewritten; inputs are the leaves of the argument, outputs the leaves of the result.
    notes : list of str
        What the rewrites did.
    captures : list
        Traced arrays of an enclosing trace, further inputs of the program.
    rebuild : callable
        From output leaves to the result's tree.
    """

    def __init__(
        self, program: Program, captures: list[Any], rebuild: trees.Rebuild, rewrites: Iterable[str] = ()
    ) -> None:
        self.program, self.notes = rewritten(simplify(program), rewrites)
        self.captures = captures
        self.rebuild = rebuild
        self._derived: dict[Any, Program] = {}
        self._executors: dict[Program, Callable[..., Any]] = {}
        self._runs: dict[Program, int] = {}

    def reverse(self, n_active: int, seed: bool) -> Program:
        """Values and cotangents of the first ``n_active`` inputs; ``seed``: the one scalar output has cotangent 1."""
        key = ("reverse", n_active, seed)
        if key not in self._derived:
            seeds = [np.float64(1.0)] if seed else None
            self._derived[key] = simplify(reverse(self.program, range(n_active), seeds))
        return self._derived[key]

    def forward(self, n_active: int) -> Program:
        key = ("forward", n_active)
        if key not in self._derived:
            self._derived[key] = simplify(forward(self.program, list(range(n_active))))
        return self._derived[key]

    def run(self, program: Program, inputs: Sequence[Any]) -> list[Any]:
        """Evaluate one of this path's programs; traced where an input or a captured array is.

        Raises
        ------
        GuardFailed
            If the path does not apply to these inputs.
        """
        n_own = len(self.program.inputs) - len(self.captures)
        everything = [*inputs[:n_own], *self.captures, *inputs[n_own:]]
        if any(is_traced(x) for x in everything):
            return evaluate(program, everything)
        runs = self._runs[program] = self._runs.get(program, 0) + 1
        if runs == RUNS_BEFORE_MACHINE_CODE:
            from bayesad.ad.backends.llvm import native

            self._executors[program] = native.executor(program)
        elif program not in self._executors:
            self._executors[program] = executor(program)
        return self._executors[program](everything)


def evaluate(program: Program, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of a program at traced inputs: its operations are recorded in their trace."""
    values: dict[Node, Any] = dict(zip(program.inputs, inputs, strict=True))

    def value(node: Node) -> Any:
        return node.value if node.primitive is CONSTANT else values[node]

    for node in program.nodes:
        operands = tuple([value(i) for i in node.inputs])
        if node.primitive is GUARD:
            if bool(operands[0]) is not node.attributes["expected"]:
                raise GuardFailed
        else:
            values[node] = bind(node.primitive, operands, node.attributes)
    return [value(node) for node in program.outputs]


class Compiled:
    """A function of one tree of arrays that is traced at its first call and run as a program from then on.

    It is traced again for other shapes, and where a branch on a value goes another way than in every path known so
    far. Thread safe. ``rewrites`` are the names of those that its programs go through.
    """

    def __init__(self, f: Callable[..., Any], name: str | None = None, rewrites: Iterable[str] = REWRITES) -> None:
        self.function = f
        self.rewrites = check_names(rewrites)
        self.__name__: str = name or str(getattr(f, "__name__", "function"))
        self.__doc__ = getattr(f, "__doc__", None)
        self._paths: dict[Any, list[Path]] = {}
        self._lock = threading.RLock()

    def __call__(self, *args: Any) -> Any:
        leaves, _, _ = trees.flatten(args)
        path, outputs = self.outputs(args, lambda path: path.program, leaves)
        return path.rebuild(iter(outputs))

    def outputs(
        self, args: tuple[Any, ...], program: Callable[[Path], Program], inputs: Sequence[Any]
    ) -> tuple[Path, list[Any]]:
        """Run ``program(path)`` of the path that applies to ``args``, tracing a new one where none does."""
        leaves, rebuild, structure = trees.flatten(args)
        leaves = [as_leaf(x) for x in leaves]
        inputs = [*leaves, *inputs[len(leaves) :]]
        if any(is_traced(x) for x in leaves):
            path = self._traced(leaves, rebuild)
            return path, path.run(program(path), inputs)
        key = (structure, tuple([(x.shape, x.dtype.char) for x in leaves]))
        known = self._paths.get(key, ())
        found = _first_that_applies(known, program, inputs)
        if found is not None:
            return found
        with self._lock:
            paths = self._paths.get(key, [])
            found = _first_that_applies(paths[len(known) :], program, inputs)  # what other threads traced meanwhile
            if found is not None:
                return found
            if len(paths) >= MOST_PATHS:
                guard = paths[-1].program.guards[-1]
                raise TracingError(
                    f"{self.__name__} has taken {MOST_PATHS} different paths through its branches on values (the last "
                    f"one at {guard.line}); write that branch with np.where so that one program serves all values"
                )
            path = self._traced(leaves, rebuild)
            if not path.captures:
                self._paths[key] = [*paths, path]
        return path, path.run(program(path), inputs)

    def _traced(self, leaves: Sequence[Any], rebuild: trees.Rebuild) -> Path:
        from bayesad.ad.swaps import traced_meaning, visit

        function = traced_meaning(self.function)
        results: list[Any] = []

        def flat_function(*arrays: Any) -> list[Any]:
            visit(function)
            outputs, rebuild_result, _ = trees.flatten(function(*rebuild(iter(arrays))))
            results.append(rebuild_result)
            return outputs

        program, captures, _ = trace(flat_function, *leaves, name=self.__name__)
        return Path(program, captures, results[0], self.rewrites)

    def log_density(self, q: np.ndarray) -> Any:
        """Value and gradient of this function of one vector as a C function, for samplers.

        Parameters
        ----------
        q : float array, shape (d,)
            A point at which to trace; points on other paths are handed back to Python.

        Returns
        -------
        NativeLogDensity
        """
        from bayesad.ad.backends.llvm.native import NativeLogDensity

        path, _ = self.outputs((q,), lambda path: path.program, [q])
        return NativeLogDensity(path.reverse(1, seed=True), self._value_and_gradient)

    def _value_and_gradient(self, q: np.ndarray, gradient: np.ndarray) -> float:
        _, outputs = self.outputs((q,), lambda path: path.reverse(1, seed=True), [q])
        gradient[...] = outputs[1]
        return float(outputs[0])

    @property
    def notes(self) -> list[str]:
        """What rewrites did to the paths traced so far: ``name: what (file:line)``."""
        return list(dict.fromkeys(note for path in self.paths for note in path.notes))

    @property
    def paths(self) -> list[Path]:
        """All paths traced so far."""
        return [path for paths in self._paths.values() for path in paths]


def _first_that_applies(
    paths: Sequence[Path], program: Callable[[Path], Program], inputs: Sequence[Any]
) -> tuple[Path, list[Any]] | None:
    for path in paths:
        try:
            return path, path.run(program(path), inputs)
        except GuardFailed:
            continue
    return None


def compile(f: Callable[..., Any], *, rewrites: Iterable[str] | None = None) -> Compiled:
    """Make a function that is traced once and then run as a program.

    Parameters
    ----------
    f : callable
        Takes trees of arrays as positional arguments and returns a tree of arrays.
    rewrites : names from ``ad.REWRITES``, optional
        The rewrites that its programs go through; default: all, or those that a compiled ``f`` has.

    Returns
    -------
    Compiled
        Called like ``f``; ``ad.gradient`` and the other operators use its programs.

    Raises
    ------
    RewriteError
        For an unknown name.
    """
    if isinstance(f, Compiled):
        return f if rewrites is None else Compiled(f.function, f.__name__, rewrites)
    return Compiled(f, rewrites=REWRITES if rewrites is None else rewrites)


def compile_once(f: Callable[..., Any]) -> Compiled:
    """For one evaluation: without rewrites, which cost more than they save then."""
    return f if isinstance(f, Compiled) else Compiled(f, rewrites=())


def as_leaf(x: Any) -> Any:
    """A leaf as the interpreter takes it: float64, int64 or bool."""
    if isinstance(x, TracedArray):
        return x
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise DerivativeError(
            f"a leaf of the argument is {type(x).__name__} ({array.dtype}), not numbers; close over it instead "
            "of passing it"
        )
    return array.astype({"f": np.float64, "i": np.int64, "u": np.int64, "b": np.bool_}[array.dtype.kind], copy=False)[
        ()
    ]
