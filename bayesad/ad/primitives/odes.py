"""The primitive ``odeint``: the solution of an initial value problem at given times.

Its inputs are the first state y0 (size,), the times ts (count,), t0, and the invariants of its body, a program of t, y
and the invariants with one output, the slopes (size,). Its value has a row for every time.

Derivatives are solves themselves, of larger systems in the same form. A tangent is that of state and tangent side by
side. Cotangents of many numbers come from going back over the steps (`ode_adjoint`), those of few, and of implicit
methods, from the sensitivities of the states to all that varies, one block after the other:

    s' = (df/dy) s + (df/dp) dp,    s(t0) = dy0 - f(t0, y0) dt0

(Hairer, Nørsett & Wanner 1993, I.14; Hindmarsh et al. 2005, ACM TOMS 31, section 2.5). The direction of each is as long
as the number that it belongs to, so that the sensitivities are of the states' magnitude and under the same tolerance
(CVODES scales the tolerances instead). The first ``states`` numbers depend on no others: the error of a step is
controlled block by block, and the matrix of implicit methods is theirs. That the solution moves with the times is known
without a solve: dy/dt = f.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesad.ad.array import bind, is_traced
from bayesad.ad.primitives import loops
from bayesad.ad.primitives.bodies import interpreted
from bayesad.ad.primitives.elementwise import stop_gradient
from bayesad.ad.primitives.loops import described
from bayesad.ad.primitives.table import FLOAT, Primitive, define
from bayesad.ad.program import INPUT, Node, Program
from bayesad.errors import SolverError

__all__ = [
    "METHODS",
    "called",
    "cotangents",
    "ended",
    "failure",
    "odeint_p",
    "padded",
    "solve",
    "solve_plain",
    "tangent",
    "workspace_size",
]

MOST_SENSITIVITIES = 16  # where there are more, one pass back over the steps is cheaper
LONGEST_BODY = 2000  # operations of a body with its sensitivities one by one; beyond, they are a loop
MOST_CALLS = 10_000  # of slopes by the interpreter


def _rounds(stages: int) -> Callable[[int, int], int]:
    tableau = stages * (stages - 1) // 2 + 4 * stages + 2
    return lambda states, size: padded(tableau) + 4 + (stages + 6) * padded(size)


def padded(size: int) -> int:
    """Filled up to whole vectors of four numbers."""
    return -(-size // 4) * 4


METHODS: dict[str, Callable[[int, int], int]] = {
    "dopri5": _rounds(6),
    "dopri8": _rounds(12),
    "bdf": lambda states, size: 15 * size + 2 * states * (states + 1) + 208,
}
"""Kernel -> the numbers of workspace that it needs, from those of states and of all blocks."""

REASONS = (
    "",
    "the step became too small for the time to move on: the system may be stiff (method='bdf'), have a "
    "singularity, or a discontinuity",
    "the slopes or the states are not finite there",
    "it needs more than max_steps steps: the system may be stiff (method='bdf'), or the tolerances be too tight",
    "the times do not increase from t0 on",
)


def workspace_size(method: str, states: int, size: int) -> int:
    return METHODS[method](states, size)


def solve(y0: Any, ts: Any, t0: Any, invariants: Sequence[Any], **attributes: Any) -> Any:
    """The rows of a solve."""
    return bind(odeint_p, (y0, ts, t0, *invariants), attributes)


def _like(shape: tuple[int, ...]) -> Any:
    return loops.Like(shape, FLOAT)


# --- meaning
class _TooLong(Exception):
    """A solve calls its slopes more often than Python should."""


def _evaluate(y0: Any, ts: Any, t0: Any, *invariants: Any, **attributes: Any) -> np.ndarray:
    """By the method's kernel, which calls the interpreter; a solve that takes long is begun again as machine code."""
    states, others, matrix = attributes["states"], [np.asarray(x)[()] for x in invariants], attributes["jacobian"]
    rhs = called(attributes["body"], [len(y0)], len(y0), others)
    derivative = rhs if matrix is None else called(matrix, [len(y0)], states * states, others)
    rows, status, t = _by_kernel(rhs, derivative, y0, ts, t0, attributes)
    inputs = [np.asarray(x) for x in (y0, ts, t0, *invariants)]
    return ended(odeint_p, inputs, attributes, rows, status, t, rhs.error or derivative.error)


def _by_kernel(
    rhs: Any, derivative: Any, y0: Any, ts: Any, t0: Any, attributes: dict[str, Any]
) -> tuple[np.ndarray, int, float]:
    """The rows of a solve, how it ended, and the time reached."""
    from bayesad.ad.backends.llvm.native import called_kernel

    method, states, rtol, atol, most = (attributes[key] for key in ("method", "states", "rtol", "atol", "max_steps"))
    start, times = np.array(y0, dtype=FLOAT), np.array(ts, dtype=FLOAT)
    rows, work = np.empty((len(times), len(start))), np.zeros(workspace_size(method, states, len(start)))
    status = called_kernel(method)(
        rhs, derivative, states, len(start), len(times), float(t0), times, start, rtol, atol, most, np.ravel(rows), work
    )
    return rows, status, work[0]


def solve_plain(rhs: Callable[..., Any], y0: Any, ts: Any, t0: Any, **attributes: Any) -> np.ndarray | None:
    """A solve of plain numbers whose slopes are called as they are, without a program; None where it takes long."""
    from bayesad.ad.backends.llvm.kernel import python_log_density

    calls = itertools.count()

    def fill(argument: np.ndarray, result: np.ndarray) -> float:
        if next(calls) == MOST_CALLS:
            raise _TooLong
        result[:] = rhs(argument[0], argument[1:].copy())
        return 0.0

    pointer = python_log_density(fill, 1 + len(y0), len(y0))
    with np.errstate(all="ignore"):
        rows, status, t = _by_kernel(pointer, pointer, y0, ts, t0, attributes)
    if isinstance(pointer.error, _TooLong):
        return None
    return ended(odeint_p, [], attributes, rows, status, t, pointer.error)


def ended(
    primitive: Primitive, inputs: list[Any], attributes: dict[str, Any], result: np.ndarray, status: int, t: float,
    error: BaseException | None,
) -> np.ndarray:  # fmt: skip
    """The result of a kernel that called the interpreter; where that took too long, that of machine code alone."""
    from bayesad.ad.failures import failing

    if isinstance(error, _TooLong):
        run = _machine_code(primitive, tuple(attributes.items()), tuple([(x.shape, x.dtype) for x in inputs]))
        try:
            return run(inputs)[0]
        except SolverError as failure:
            failing(failure)
            return np.full(result.shape, np.nan)
    if error:
        raise error
    if status:
        failing(_failed(status, t, *[attributes[key] for key in ("method", "rtol", "atol")]))
    return result


def called(program: Program, sizes: Sequence[int], results: int, invariants: Sequence[Any]) -> Any:
    """A program of t, vectors of these sizes, and invariants, as kernels call it."""
    from bayesad.ad.backends.llvm.kernel import python_log_density

    run = interpreted(program)
    calls = itertools.count()
    ends = list(itertools.accumulate(sizes, initial=1))

    def fill(argument: np.ndarray, result: np.ndarray) -> float:
        if next(calls) == MOST_CALLS:
            raise _TooLong
        vectors = [argument[a:b] for a, b in itertools.pairwise(ends)]
        result[:] = np.ravel(run([argument[0], *vectors, *invariants])[0])
        return 0.0

    return python_log_density(fill, ends[-1], results)


@functools.lru_cache(maxsize=64)
def _machine_code(
    primitive: Primitive, attributes: tuple[tuple[str, Any], ...], arrays: tuple[Any, ...]
) -> Callable[..., list[Any]]:
    """One operation alone as machine code, for arrays of these shapes and dtypes."""
    from bayesad.ad.backends.llvm.native import executor

    inputs = tuple([Node(INPUT, (), {}, shape, dtype) for shape, dtype in arrays])
    given = dict(attributes)
    node = Node(primitive, inputs, given, *primitive.infer(*inputs, **given))
    return executor(Program(inputs, (node,), (node,), "solve"))


def _infer(y0: Any, ts: Any, *others: Any, **attributes: Any) -> Any:
    return (ts.shape[0], y0.shape[0]), FLOAT


# --- failures
def _failed(status: float, t: float, method: str, rtol: float, atol: float) -> SolverError:
    return SolverError(
        f"odeint: no solution beyond t = {t:.6g} by method {method!r} with rtol={rtol:g}, atol={atol:g}: "
        f"{REASONS[int(status)]}"
    )


def _report(found: Any, **attributes: Any) -> Any:
    from bayesad.ad.failures import failing

    failing(_failed(found[0], found[1], **attributes))
    return np.nan


failure_p = define("odeint_failure", _report, lambda *args, **attributes: ((), FLOAT))


def failure(method: str, rtol: float, atol: float) -> Node:
    """An operation for machine code to report a failure: of a vector (status, time)."""
    found = Node(INPUT, (), {}, (2,), FLOAT)
    return Node(failure_p, (found,), {"method": method, "rtol": rtol, "atol": atol}, (), FLOAT)


# --- derivatives
def tangent(tangents: Sequence[Any], y: Any, *args: Any, **attributes: Any) -> Any:
    """The tangent of all states: the second half of a solve of twice the size, and the slopes for moving times."""
    body, size = attributes["body"], args[0].shape[0]
    dy0, dts, dt0, *others = tangents
    if dt0 is not None:
        moved = -dt0 * _slope(body, args)
        dy0 = moved if dy0 is None else dy0 + moved
    moving = [i for i, t in enumerate(others) if t is not None]
    moved_rows: Any = 0.0
    if dy0 is not None or moving:
        wider = _beside_tangent(body, tuple(moving))
        start = np.concatenate([args[0], np.zeros(size) if dy0 is None else dy0])
        moved_rows = _solve_wider(wider, start, args, [others[i] for i in moving], attributes)[:, size:]
    return moved_rows if dts is None else moved_rows + dts[:, None] * _slopes(body, y, args)


def cotangents(g: Any, y: Any, *args: Any, **attributes: Any) -> tuple[Any, ...]:
    """Cotangents by the sensitivities to every number that varies, or where these are many by the adjoint."""
    from bayesad.ad.primitives import ode_adjoint

    found: list[Any] = [None] * len(args)
    varies = [i for i, a in enumerate(args) if is_traced(a) and a.dtype == FLOAT and a.size]
    seeds = [i for i in varies if i != 1]
    moving = [i for i in seeds if i > 2]
    if sum([args[i].size for i in seeds]) > MOST_SENSITIVITIES and attributes["method"] in ode_adjoint.METHODS:
        start, others = ode_adjoint.pull_back(g, args, [i - 3 for i in moving], attributes)
        found[0] = start
        if 2 in seeds:
            found[2] = -np.sum(start * _slope(attributes["body"], args))
        for i, cotangent in zip(moving, others, strict=True):
            found[i] = cotangent
    elif seeds:
        for i, cotangent in _by_sensitivities(g, seeds, args, attributes).items():
            found[i] = cotangent
    if 1 in varies:
        found[1] = np.sum(g * _slopes(attributes["body"], y, args), axis=1)
    return tuple(found)


def _by_sensitivities(g: Any, seeds: Sequence[int], args: Sequence[Any], attributes: dict[str, Any]) -> dict[int, Any]:
    """The cotangents of those inputs, which have sensitivities to all of their numbers."""
    body, size, count = attributes["body"], args[0].shape[0], args[1].shape[0]
    scales = {i: np.reshape(_magnitude(args[i]), (-1,)) for i in seeds}
    ends = [int(n) for n in np.cumsum([0, *[len(scales[i]) for i in seeds]])]
    starts = [args[0], *[_start(body, args, i, scales[i]) for i in seeds]]
    moving = [i for i in seeds if i > 2]
    wider = _beside_sensitivities(body, tuple([i - 3 for i in moving]), ends[len(seeds) - len(moving)])
    solved = _solve_wider(wider, np.concatenate(starts), args, [scales[i] for i in moving], attributes)
    rows = np.reshape(solved[:, size:], (count, ends[-1], size))
    sums = np.sum(rows * g[:, None, :], axis=(0, 2))
    return {
        i: np.reshape(sums[begin:end] / scales[i], args[i].shape)
        for i, (begin, end) in zip(seeds, itertools.pairwise(ends), strict=True)
    }


def _magnitude(x: Any) -> Any:
    """Of each number, as a constant for derivatives: the result does not depend on it."""
    return bind(stop_gradient, (np.where(x == 0.0, 1.0, np.abs(x)),))


def _start(body: Program, args: Sequence[Any], i: int, scale: Any) -> Any:
    """How the first state moves, one row after the other, with every number of an input, in units of its scale."""
    if i == 0:
        return np.reshape(np.eye(len(scale)) * scale, -1)
    return -scale * _slope(body, args) if i == 2 else np.zeros(len(scale) * args[0].shape[0])


def _slope(body: Program, args: Sequence[Any]) -> Any:
    """The first slope."""
    from bayesad.ad.compiled import evaluate

    return evaluate(body, [args[2], args[0], *args[3:]])[0]


def _slopes(body: Program, y: Any, args: Sequence[Any]) -> Any:
    """The slopes along the solution, a row for every time."""
    return loops.scan(body, [], [args[1], y], args[3:], length=args[1].shape[0]).y(0)


def _solve_wider(wider: Program, start: Any, args: Sequence[Any], more: Sequence[Any], attributes: Any) -> Any:
    """The solve of a system that goes on after another one's states, its last invariants being new."""
    matrix = attributes["jacobian"]
    given = {**attributes, "body": wider, "of": attributes["body"]}
    if matrix is not None:
        given["jacobian"] = _of_wider(matrix, wider)
    return solve(start, args[1], args[2], [*args[3:], *more], **given)


@functools.lru_cache(maxsize=256)
def _of_wider(matrix: Program, wider: Program) -> Program:
    """The Jacobian of a system as that of a wider one."""
    from bayesad.ad.compiled import evaluate

    size, n = matrix.inputs[1].size, len(matrix.inputs) - 2
    return loops.build(
        lambda t, y, *invariants: evaluate(matrix, [t, y[:size], *invariants[:n]]),
        list(map(described, wider.inputs)),
        matrix.name,
    )


@functools.lru_cache(maxsize=256)
def _beside_tangent(body: Program, moving: tuple[int, ...]) -> Program:
    """The body of states and their tangent; the tangents of moving invariants are further invariants."""
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.forward import forward

    size, n = body.inputs[1].size, len(body.inputs) - 2
    pushed = forward(body, [1, *[2 + i for i in moving]])

    def both(t: Any, y: Any, *invariants: Any) -> list[Any]:
        found = evaluate(pushed, [t, y[:size], *invariants[:n], y[size:], *invariants[n:]])
        return [np.concatenate(found)]

    t, _, *others = map(described, body.inputs)
    like = [t, _like((2 * size,)), *others, *[others[i] for i in moving]]
    return loops.build(both, like, f"{body.name}.tangent")


@functools.lru_cache(maxsize=256)
def _beside_sensitivities(body: Program, moving: tuple[int, ...], n_first: int) -> Program:
    """The body of states and their sensitivities, one after the other: to ``n_first`` first values, then to all numbers
    of the moving invariants, whose magnitudes are further invariants."""
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.forward import forward

    size, n = body.inputs[1].size, len(body.inputs) - 2
    lengths = [body.inputs[2 + i].size for i in moving]
    total = n_first + sum(lengths)

    def all_of_them(t: Any, y: Any, *invariants: Any) -> list[Any]:
        given = [t, y[:size], *invariants[:n]]
        rows = np.reshape(y[size:], (total, size))
        if total * len(body.nodes) > LONGEST_BODY:
            return [np.concatenate([evaluate(body, given)[0], _in_a_loop(body, moving, given, rows, invariants[n:])])]
        alone = forward(body, [1])
        found = [evaluate(body, given)[0], *[evaluate(alone, [*given, rows[k]])[1] for k in range(n_first)]]
        k = n_first
        for i, scale in zip(moving, invariants[n:], strict=True):
            pushed, shape = forward(body, [1, 2 + i]), body.inputs[2 + i].shape
            for place in range(len(scale)):
                direction = np.stack([scale[place] if j == place else 0.0 for j in range(len(scale))])
                found.append(evaluate(pushed, [*given, rows[k], np.reshape(direction, shape)])[1])
                k += 1
        return [np.concatenate(found)]

    t, _, *others = map(described, body.inputs)
    like = [t, _like((size * (1 + total),)), *others, *[_like((length,)) for length in lengths]]
    return loops.build(all_of_them, like, f"{body.name}.sensitivities")


def _in_a_loop(body: Program, moving: Sequence[int], given: Sequence[Any], rows: Any, scales: Sequence[Any]) -> Any:
    """The slopes of sensitivities, row by row, as one vector; those to the invariants' numbers come last."""
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.forward import forward

    total = rows.shape[0]
    pushed = forward(body, [1, *[2 + i for i in moving]])
    k = total - sum(len(scale) for scale in scales)
    directions = []
    for i, scale in zip(moving, scales, strict=True):
        m = len(scale)
        padded = np.concatenate([np.zeros((k, m)), np.eye(m) * scale, np.zeros((total - k - m, m))])
        directions.append(np.reshape(padded, (total, *body.inputs[2 + i].shape)))
        k += m

    def step(row: Any, *rest: Any) -> list[Any]:
        own, others = rest[: len(moving)], rest[len(moving) :]
        return [evaluate(pushed, [*others, row, *own])[1]]

    like = [described(rows[0]), *[described(d[0]) for d in directions], *map(described, given)]
    program = loops.build(step, like, f"{body.name}.sensitivity")
    return np.reshape(loops.scan(program, [], [rows, *directions], given, length=total).y(0), (-1,))


odeint_p = define("odeint", _evaluate, _infer, vjp=cotangents, jvp=tangent, singular=True)
