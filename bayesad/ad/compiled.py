"""Compiled functions: traced once per shape and per path through the branches, then run as programs."""

from __future__ import annotations

import functools
import itertools
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bayesad.ad import trees
from bayesad.ad.array import TracedArray, bind, is_traced
from bayesad.ad.backends.numpy import GuardFailed, executor
from bayesad.ad.garbage import uncollected
from bayesad.ad.program import CONSTANT, GUARD, Node, Program, prune
from bayesad.ad.rewrites import REWRITES, check_names
from bayesad.ad.trace import trace
from bayesad.errors import DerivativeError

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.log_density import NativeLogDensity
    from bayesad.ad.backends.llvm.native import Executor, NativeProgram

__all__ = ["MOST_PATHS", "VALUE", "Compiled", "Path", "Wanted", "compile", "evaluate", "scalar_output"]

MOST_PATHS = 256  # paths through the branches of one function that are kept
RUNS_BEFORE_MACHINE_CODE = 16  # a program is interpreted until it has proved worth compiling
FLOAT = np.dtype(np.float64)
DTYPES = {"f": FLOAT, "i": np.dtype(np.int64), "u": np.dtype(np.int64), "b": np.dtype(np.bool_)}


class Wanted(NamedTuple):
    """What is to be computed of a path.

    Attributes
    ----------
    mode : "value", "reverse" or "forward"
    n_active : int
        Derivatives are with respect to the first so many inputs.
    seed : bool
        Of reverse: the one scalar output has cotangent 1; otherwise cotangents are further inputs.
    beside : bool
        With seed: after the scalar output others may follow, which count as constant.
    batch : int
        Of forward: the number of tangents that each input has.
    """

    mode: str
    n_active: int = 0
    seed: bool = False
    beside: bool = False
    batch: int = 1


VALUE = Wanted("value")
Take = Callable[["Path", list[Any]], Any]


class Path:
    """One traced path of a function: its program and what is derived from it, made when first asked for.

    Attributes
    ----------
    traced : Program
        As recorded; inputs are the leaves of the argument, outputs the leaves of the result.
    captures : list
        Traced arrays of an enclosing trace, further inputs of the program.
    rebuild : callable
        From output leaves to the result's tree.
    rewrites : names
        Of those that the simplified program goes through.
    """

    def __init__(
        self, traced: Program, captures: list[Any], rebuild: trees.Rebuild, rewrites: Iterable[str] = ()
    ) -> None:
        self.traced = traced
        self.rewrites = tuple(rewrites)
        self.captures = captures
        self.rebuild = rebuild
        self.natives: dict[Wanted, NativeProgram] = {}
        self.compilations = 0
        self._derived: dict[Wanted, Program] = {}
        self._runs: dict[Wanted, int] = {}
        self._interpreters: dict[Wanted, Callable[..., list[Any]]] = {}
        self._executors: dict[Wanted, Executor] = {}
        self._lock = threading.RLock()

    @functools.cached_property
    def _rewritten(self) -> tuple[Program, list[str]]:
        from bayesad.ad.deriving import prepared_program

        with uncollected():
            return prepared_program(self.traced, self.rewrites)

    @property
    def program(self) -> Program:
        """The program with repetitions rolled, simplified and rewritten."""
        return self._rewritten[0]

    @property
    def notes(self) -> list[str]:
        """What the rewrites did."""
        return self._rewritten[1]

    def derived(self, wanted: Wanted) -> Program:
        if wanted.mode == "value":
            return self.program
        if wanted not in self._derived:
            from bayesad.ad.deriving import derivative

            if wanted.seed and not wanted.beside:
                scalar_output(self.traced)
            with uncollected():
                self._derived[wanted] = derivative(self.program, wanted)
        return self._derived[wanted]

    def reverse(self, n_active: int, seed: bool) -> Program:
        """Values and cotangents of the first ``n_active`` inputs; ``seed``: the one scalar output has cotangent 1."""
        return self.derived(Wanted("reverse", n_active, seed))

    def forward(self, n_active: int) -> Program:
        return self.derived(Wanted("forward", n_active))

    @functools.cached_property
    def _check(self) -> Callable[[Sequence[Any]], Any]:
        guards = prune(self.traced.inputs, (), self.traced.nodes, self.traced.name)
        return executor(guards) if guards.nodes else lambda leaves: None

    def applies(self, leaves: Sequence[Any]) -> bool:
        """Whether all branches go this path's way."""
        try:
            self._check(leaves)
        except GuardFailed:
            return False
        return True

    def forget_machine_code(self) -> None:
        with self._lock:
            self.natives.clear()
            self._executors.clear()

    def native(self, wanted: Wanted) -> NativeProgram:
        """One of this path's programs as machine code."""
        from bayesad.ad.backends.llvm.native import NativeProgram

        with self._lock:
            if wanted not in self.natives:
                what = f"{wanted} with {self.rewrites}"
                with uncollected():
                    self.natives[wanted] = NativeProgram(self.traced, what, lambda: self.derived(wanted))
                self.compilations += 1
            return self.natives[wanted]

    def run(self, wanted: Wanted, inputs: Sequence[Any], take: Take | None = None) -> Any:
        """Evaluate one of this path's programs; traced where an input or a captured array is.

        Parameters
        ----------
        wanted : Wanted
        inputs : sequence of arrays
        take : callable, optional
            ``take(path, outputs)`` is returned in place of the list of outputs, which it may not keep.

        Raises
        ------
        GuardFailed
            If inputs are traced and the path does not apply to their values.
        """
        n_own = len(self.traced.inputs) - len(self.captures)
        everything = [*inputs[:n_own], *self.captures, *inputs[n_own:]]
        if any([is_traced(x) for x in everything]):
            outputs = evaluate(self.derived(wanted), everything)
            return outputs if take is None else take(self, outputs)
        self._runs[wanted] = self._runs.get(wanted, 0) + 1
        if self.is_busy(wanted):
            found = self._machine_code(wanted)(everything, take and (lambda _, outputs: take(self, outputs)))
            if found is not None:
                return found[1]
        outputs = self.interpret(wanted, everything)
        return outputs if take is None else take(self, outputs)

    def interpret(self, wanted: Wanted, inputs: Sequence[Any]) -> list[Any]:
        """Evaluate one of this path's programs with NumPy, whatever its guards."""
        if wanted not in self._interpreters:
            self._interpreters[wanted] = executor(_without_guards(self.derived(wanted)))
        return self._interpreters[wanted](inputs)

    def is_busy(self, wanted: Wanted) -> bool:
        """Whether one of the programs has been run often enough to be compiled."""
        return self._runs.get(wanted, 0) > RUNS_BEFORE_MACHINE_CODE

    def _machine_code(self, wanted: Wanted) -> Executor:
        from bayesad.ad.backends.llvm.native import Executor

        if wanted not in self._executors:
            self._executors[wanted] = Executor([self.native(wanted)])
        return self._executors[wanted]


def scalar_output(program: Program) -> None:
    """DerivativeError unless a traced program has one output of one number."""
    outputs = program.outputs
    if len(outputs) != 1 or outputs[0].size != 1:
        shapes = ", ".join(str(node.shape) for node in outputs) or "nothing"
        raise DerivativeError(
            f"a gradient needs a function with one scalar result, but {program.name} returned {shapes}; "
            "sum it, or use ad.jacobian"
        )
    if outputs[0].dtype.kind != "f":
        raise DerivativeError(
            f"{program.name} returned a value of dtype {outputs[0].dtype}; its result must be float64"
        )


def _without_guards(program: Program) -> Program:
    operations = [node for node in program.nodes if node.primitive is not GUARD]
    return prune(program.inputs, program.outputs, operations, program.name)


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


class _Known:
    """The paths known for one structure and shape of the argument, and for each thing wanted those in machine code."""

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self.compiled: dict[Wanted, tuple[Executor, list[Path]]] = {}

    def find(self, leaves: Sequence[Any], start: int = 0) -> Path | None:
        return next((path for path in self.paths[start:] if path.applies(leaves)), None)

    def run(self, wanted: Wanted, inputs: Sequence[Any], take: Take | None) -> tuple[Path, Any] | None:
        """The path in machine code that applies, and its outputs; None if there is none."""
        if wanted not in self.compiled:
            return None
        run, paths = self.compiled[wanted]
        found = run(inputs, take and (lambda number, outputs: take(paths[number], outputs)))
        return None if found is None else (paths[found[0]], found[1])

    def compile(self, path: Path, wanted: Wanted) -> Executor:
        """Add a path to those in machine code; the caller holds the lock."""
        from bayesad.ad.backends.llvm.native import Executor

        program = path.native(wanted)
        if wanted not in self.compiled:
            self.compiled[wanted] = Executor([program]), [path]
        run, paths = self.compiled[wanted]
        if path not in paths:
            paths.append(path)
            run.programs.append(program)
        return run


class Compiled:
    """A function of one tree of arrays that is traced at its first call and run as a program from then on.

    It is traced again for other shapes, and where a branch on a value goes another way than in every path known so
    far; beyond MOST_PATHS such paths, with a warning, each time. Thread safe. ``rewrites`` are the names of those that
    its programs go through.
    """

    def __init__(self, f: Callable[..., Any], name: str | None = None, rewrites: Iterable[str] = REWRITES) -> None:
        self.function = f
        self.rewrites = check_names(rewrites)
        self.__name__: str = name or str(getattr(f, "__name__", "function"))
        self.__doc__ = getattr(f, "__doc__", None)
        self._known: dict[Any, _Known] = {}
        self._lock = threading.RLock()
        self._has_warned = False

    def __call__(self, *args: Any) -> Any:
        path, outputs = self.outputs(args, VALUE)
        return path.rebuild(iter(outputs))

    def outputs(
        self, args: tuple[Any, ...], wanted: Wanted, further: Sequence[Any] = (), take: Take | None = None
    ) -> tuple[Path, Any]:
        """The path that applies to the arguments, traced if need be, and what is wanted of it there.

        Parameters
        ----------
        args : tuple
        wanted : Wanted
        further : sequence of arrays
            Inputs of the wanted program beyond the leaves of the arguments: cotangents or tangents.
        take : callable, optional
            As in `Path.run`.
        """
        leaves, rebuild, structure = trees.flatten(args)
        leaves = [as_leaf(x) for x in leaves]
        inputs = [*leaves, *further]
        if TracedArray in map(type, leaves) and any(map(is_traced, leaves)):
            path = self._traced(leaves, rebuild)
            return path, path.run(wanted, inputs, take)
        known = self._known_for(structure, leaves)
        found = known.run(wanted, inputs, take)
        if found is not None:
            return found
        path = self._path(known, leaves, rebuild)
        outputs = path.run(wanted, inputs, take)
        if path.is_busy(wanted) and path in known.paths:
            with self._lock:
                known.compile(path, wanted)
        return path, outputs

    def path(self, *args: Any) -> Path:
        """The path that applies to the arguments, traced if it is new."""
        leaves, rebuild, structure = trees.flatten(args)
        leaves = [as_leaf(x) for x in leaves]
        return self._path(self._known_for(structure, leaves), leaves, rebuild)

    def executor(self, *args: Any) -> Executor | None:
        """The machine code of all paths for arguments like these, among them the one that applies to these.

        None where that one is traced anew each time: beyond the number of paths kept, or with captured arrays.
        """
        leaves, rebuild, structure = trees.flatten(args)
        leaves = [as_leaf(x) for x in leaves]
        known = self._known_for(structure, leaves)
        path = self._path(known, leaves, rebuild)
        if path not in known.paths:
            return None
        with self._lock:
            return known.compile(path, VALUE)

    def forget_machine_code(self) -> None:
        """Drop the machine code of all paths, with the copies of data that it reads; it is made again when needed."""
        with self._lock:
            for known in self._known.values():
                known.compiled.clear()
                for path in known.paths:
                    path.forget_machine_code()

    def _known_for(self, structure: Any, leaves: Sequence[Any]) -> _Known:
        key = (structure, *[(x.shape, x.dtype.char) for x in leaves])
        known = self._known.get(key)
        return self._known.setdefault(key, _Known()) if known is None else known

    def _path(self, known: _Known, leaves: Sequence[Any], rebuild: trees.Rebuild) -> Path:
        """The path that applies, traced if it is new; it is kept while there are not too many."""
        seen = len(known.paths)
        path = known.find(leaves)
        if path is not None:
            return path
        with self._lock:
            path = known.find(leaves, seen)  # what other threads traced meanwhile
            if path is not None:
                return path
            path = self._traced(leaves, rebuild)
            if len(known.paths) >= MOST_PATHS:
                self._warn(path)
                return Path(path.traced, path.captures, path.rebuild)  # for one evaluation: without rewrites
            if not path.captures:
                known.paths.append(path)
            return path

    def _warn(self, path: Path) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        lines = [guard.line for guard in path.traced.guards]
        warnings.warn(
            f"{self.__name__} has taken {MOST_PATHS} different paths through its branches on values, mostly at "
            f"{max(lines, key=lines.count)}; on any further one it is traced and interpreted at each evaluation, which "
            "is slow. Write that branch with np.where, so that one program serves all values",
            RuntimeWarning,
            stacklevel=2,
        )

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

    def log_density(self, q: np.ndarray, *, gradient: bool = True) -> NativeLogDensity:
        """Value and gradient of this function of one vector as a C function, for samplers.

        Parameters
        ----------
        q : float array, shape (d,)
            A point whose path is compiled at once; others are when a point on them is met.
        gradient : bool
            False leaves the gradient out.
        """
        from bayesad.ad.backends.llvm.log_density import NativeLogDensity

        wanted = Wanted("reverse", 1, seed=True) if gradient else VALUE
        (leaf,), rebuild, structure = trees.flatten((np.asarray(q, dtype=FLOAT),))
        known = self._known_for(structure, [leaf])

        def another(point: np.ndarray) -> NativeProgram | None:
            path = self._path(known, [point], rebuild)
            return path.native(wanted) if path in known.paths else None

        def otherwise(point: np.ndarray) -> list[Any]:
            return self._path(known, [point], rebuild).interpret(wanted, [point])

        first = self._path(known, [leaf], rebuild)
        paths = [first, *[path for path in known.paths if path is not first and wanted in path.natives]]
        return NativeLogDensity([path.native(wanted) for path in paths], another, otherwise, self._lock)

    @property
    def notes(self) -> list[str]:
        """What rewrites did to the paths traced so far: ``name: what (file:line)``."""
        return list(dict.fromkeys(note for path in self.paths for note in path.notes))

    @property
    def paths(self) -> list[Path]:
        """All paths traced so far."""
        return [path for known in self._known.values() for path in known.paths]

    @property
    def compilations(self) -> int:
        """How many programs have been made machine code or were found as such on disk."""
        return sum(path.compilations for path in self.paths)

    @property
    def retraced(self) -> list[str]:
        """Why the function was traced again, for each time: arguments of another form, or the branch that parted."""
        reasons = []
        for number, known in enumerate(self._known.values()):
            for i, path in enumerate(known.paths):
                if i:
                    reasons.append(f"the branch at {_parting(path, known.paths[:i])} went another way")
                elif number:
                    reasons.append("other shapes, dtypes or structure of the arguments")
        return reasons

    def __repr__(self) -> str:
        counts = f"{len(self.paths)} paths traced, {self.compilations} programs compiled"
        return f"<compiled {self.__name__}: {counts}>"


def _parting(path: Path, others: Sequence[Path]) -> str:
    """The line of the first branch that a path takes another way than all the others."""

    def choices(one: Path) -> list[tuple[str, bool]]:
        return [(guard.line, guard.attributes["expected"]) for guard in one.traced.guards]

    own = choices(path)
    shared = [
        sum(1 for _ in itertools.takewhile(lambda ab: ab[0] == ab[1], zip(own, choices(o), strict=False)))
        for o in others
    ]
    return own[min(max(shared), len(own) - 1)][0]


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
    if type(x) is TracedArray or (type(x) is np.ndarray and x.ndim and x.dtype is FLOAT):
        return x
    array = np.asarray(x)
    if array.dtype.kind not in DTYPES:
        raise DerivativeError(
            f"a leaf of the argument is {type(x).__name__} ({array.dtype}), not numbers; close over it instead "
            "of passing it"
        )
    return array.astype(DTYPES[array.dtype.kind], copy=False)[()]
