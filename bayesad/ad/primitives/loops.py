"""The primitive ``scan``: a program run once per step, its carry handed from each step to the next.

A scan's inputs are the first carries, the xs (arrays with one row per step) and invariants. Its body is a program of
carries, one row of each x, and the invariants; it returns the new carries and the ys of that step. A node has one
value, so all that a scan computes is packed into one flat vector of float64, of which `Scanned` gives the parts:

    [rows of carry 0 | rows of carry 1 | … | ys 0 | ys 1 | …]

With ``keep`` a carry has length + 1 rows: those before every step and, at the end that the steps run towards, the last
one; without it only the last. Row t of the ys belongs to row t of the xs; where ``reverse`` the steps run from the last
row to the first. Integers and booleans keep their dtype from step to step; in the packed vector they are float64,
exact up to 2**53.

The reverse rule is a scan of the body's reverse program that runs the other way over the kept rows. What a step
computes on its way at a price (products of matrices, exponentials) and the rule needs is not computed again: the rule
records a wider scan that returns it too, of which the first one becomes a part (`ad/sharing.py`). Where rows were not
kept the scan is run again: in one piece if its rows fit into HISTORY numbers, else in about sqrt(length) segments of
which only the first carries are kept (Griewank & Walther 2008, ch. 12), each run again when its turn comes.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from bayesad.ad.primitives.table import FLOAT, define

if TYPE_CHECKING:
    from bayesad.ad.program import Node, Program

__all__ = [
    "CHEAP",
    "HISTORY",
    "Like",
    "Scanned",
    "build",
    "described",
    "flat",
    "is_zero",
    "scan",
    "scan_p",
    "without_unused",
]

HISTORY = 1 << 22  # numbers: the rows of all carries that are kept for a derivative without being computed again

CHEAP = {"add", "subtract", "multiply", "negative", "square", "divide", "reshape", "broadcast_to", "transpose", "take",
         "cast", "where", "sum", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal"}  # fmt: skip
"""What is rather computed again from a carry's rows, outside of the loop, than stored in it."""

_executors: WeakKeyDictionary[Program, Callable[..., Any]] = WeakKeyDictionary()


@dataclasses.dataclass(frozen=True)
class Part:
    """Where a carry's rows or a y lie in the packed vector."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def stop(self) -> int:
        return self.start + math.prod(self.shape)


@functools.lru_cache(maxsize=256)
def parts_of(body: Program, carries: int, length: int, keep: bool) -> tuple[Part, ...]:
    """The parts of a scan's packed vector: one for each of the body's outputs."""
    parts: list[Part] = []
    for i, node in enumerate(body.outputs):
        rows = length if i >= carries else length + 1 if keep else 1
        start = parts[-1].stop if parts else 0
        parts.append(Part(start, (rows, *node.shape), node.dtype))
    return tuple(parts)


class Scanned:
    """The parts of a scan's packed value (or of a cotangent or tangent of it).

    Parameters
    ----------
    packed : array, plain or traced
    attributes : dict
        Of the scan.
    as_floats : bool
        Leave parts of integers and booleans as float64: for cotangents and tangents.
    """

    def __init__(self, packed: Any, attributes: dict[str, Any], *, as_floats: bool = False) -> None:
        self.packed = packed
        self.carries, self.reverse, self.keep = (attributes[key] for key in ("carries", "reverse", "keep"))
        self.length = attributes["length"]
        self._parts = parts_of(attributes["body"], self.carries, self.length, self.keep)
        self._as_floats = as_floats

    def part(self, i: int) -> Any:
        """All rows of output ``i`` of the body."""
        part = self._parts[i]
        rows = np.reshape(self.packed[part.start : part.stop], part.shape)
        return rows if self._as_floats or part.dtype == FLOAT else rows.astype(part.dtype)

    def before(self, i: int) -> Any:
        """Carry ``i`` before every step, row t for step t."""
        rows = self.part(i)
        return rows[1:] if self.reverse else rows[:-1]

    def after(self, i: int) -> Any:
        """Carry ``i`` after every step, row t for step t."""
        rows = self.part(i)
        return rows[:-1] if self.reverse else rows[1:]

    def final(self, i: int) -> Any:
        """Carry ``i`` after all steps."""
        return self.part(i)[0 if self.reverse else -1]

    def y(self, j: int) -> Any:
        """Row t: y ``j`` of step t."""
        return self.part(self.carries + j)


def scan(
    body: Program,
    carry: Sequence[Any],
    xs: Sequence[Any],
    invariants: Sequence[Any],
    *,
    length: int,
    reverse: bool = False,
    keep: bool | None = None,
) -> Scanned:
    """Run a body over rows; what it does not use is left out. ``keep``: see above; by default, if it fits."""
    body, kept = without_unused(body, len(carry))
    others = [*xs, *invariants]
    n_xs = sum(1 for i in kept if i < len(xs))
    if keep is None:
        keep = length * sum(node.size for node in body.outputs[: len(carry)]) <= HISTORY
    attributes = {
        "body": body, "carries": len(carry), "xs": n_xs, "length": length, "reverse": reverse, "keep": keep,
    }  # fmt: skip
    return Scanned(_bind((*carry, *[others[i] for i in kept]), attributes), attributes)


def _bind(args: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    from bayesad.ad.array import bind

    return bind(scan_p, args, attributes)


def without_unused(body: Program, carries: int) -> tuple[Program, list[int]]:
    """The body without the inputs after the carries that it does not use, and the numbers of those that stay."""
    from bayesad.ad.program import Program

    used = {i for node in body.nodes for i in node.inputs} | set(body.outputs)
    others = body.inputs[carries:]
    kept = [i for i, node in enumerate(others) if node in used]
    if len(kept) == len(others):
        return body, kept
    inputs = (*body.inputs[:carries], *[others[i] for i in kept])
    return Program(inputs, body.outputs, body.nodes, body.name), kept


def build(f: Callable[..., Sequence[Any]], like: Sequence[Any], name: str) -> Program:
    """The simplified program of a function of arrays with the shapes and dtypes of those in ``like``."""
    from bayesad.ad.array import node_of
    from bayesad.ad.simplify import rewrite
    from bayesad.ad.trace import Trace

    trace = Trace(False, 0, rewrite)
    arguments = [trace.input(a.shape, a.dtype) for a in like]
    with np.errstate(all="ignore"):
        outputs = f(*arguments)
    return trace.program([node_of(trace, x) for x in outputs], name)


def flat(piece: Any) -> Any:
    """A part of a scan as it lies in the packed vector."""
    piece = np.reshape(piece, -1)
    return piece if piece.dtype == FLOAT else piece.astype(FLOAT)


def is_zero(x: Any) -> bool:
    """Whether an array is known to be zero while tracing."""
    return isinstance(x, (np.ndarray, np.generic)) and not np.any(x)


# --- meaning
def _evaluate(*arrays: Any, body: Program, carries: int, xs: int, length: int, reverse: bool, keep: bool) -> np.ndarray:
    from bayesad.ad.backends.numpy import executor

    step = _executors.get(body)
    if step is None:
        step = _executors[body] = executor(body)
    parts = parts_of(body, carries, length, keep)
    packed = np.empty(parts[-1].stop if parts else 0)
    views = [packed[part.start : part.stop].reshape(part.shape) for part in parts]
    rows = [np.asarray(x) for x in arrays[carries : carries + xs]]
    invariants = [np.asarray(x)[()] for x in arrays[carries + xs :]]
    carry = [np.asarray(x)[()] for x in arrays[:carries]]
    here, move = (length, -1) if reverse else (0, 1)
    for t in range(length - 1, -1, -1) if reverse else range(length):
        if keep:
            for view, x in zip(views, carry, strict=False):
                view[here] = x
        results = step([*carry, *[x[t] for x in rows], *invariants])
        carry = results[:carries]
        for view, y in zip(views[carries:], results[carries:], strict=True):
            view[t] = y
        here += move
    for view, x in zip(views, carry, strict=False):
        view[here if keep else 0] = x
    return packed


def _infer(*args: Any, body: Program, carries: int, xs: int, length: int, reverse: bool, keep: bool) -> Any:
    parts = parts_of(body, carries, length, keep)
    return (parts[-1].stop if parts else 0,), FLOAT


# --- what depends on what
def _dependencies(body: Program) -> list[int]:
    """For every output the inputs that it varies with smoothly: bit i stands for input i."""
    bits = {node: 1 << i for i, node in enumerate(body.inputs) if node.dtype == FLOAT}
    for node in body.nodes:
        bits[node] = functools.reduce(int.__or__, [bits.get(i, 0) for i in node.inputs], 0)
        if node.dtype != FLOAT:
            bits[node] = 0
    return [bits.get(node, 0) for node in body.outputs]


def _active(body: Program, carries: int, varies: Sequence[bool]) -> int:
    """The inputs (bits) that vary: those given, and carries that depend on one."""
    dependencies = _dependencies(body)
    active = sum(1 << i for i, v in enumerate(varies) if v and body.inputs[i].dtype == FLOAT)
    while True:
        found = active
        for i, bits in enumerate(dependencies[:carries]):
            if bits & found:
                found |= 1 << i
        if found == active:
            return active
        active = found


def _useful(body: Program, carries: int, seeded: Sequence[bool], active: int) -> list[bool]:
    """The outputs whose cotangent is not zero: those seeded, and active carries on which one depends."""
    dependencies = _dependencies(body)
    useful = list(seeded)
    while True:
        before = list(useful)
        for i in range(carries):
            if active >> i & 1:
                useful[i] = useful[i] or any(u and bits >> i & 1 for u, bits in zip(useful, dependencies, strict=True))
        if useful == before:
            return [u and (i >= carries or bool(active >> i & 1)) for i, u in enumerate(useful)]


# --- derivatives
def _vjp(g: Any, y: Any, *args: Any, **attributes: Any) -> tuple[Any, ...]:
    varies = [not isinstance(a, (np.ndarray, np.generic)) for a in args]
    if attributes["keep"]:
        return _pull_back(g, y, args, varies, attributes)
    return _pull_back_again(g, args, varies, attributes)


def _pull_back(
    g: Any, y: Any, args: Sequence[Any], varies: Sequence[bool], attributes: dict[str, Any]
) -> tuple[Any, ...]:
    """Cotangents by a scan that runs the other way: lambda' = (d step / d carry)^T lambda + g before the step."""
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.program import prune
    from bayesad.ad.reverse import reverse

    body, carries, n_xs, length = (attributes[key] for key in ("body", "carries", "xs", "length"))
    n_in, n_ys = len(body.inputs), len(body.outputs) - carries
    given = Scanned(g, attributes, as_floats=True)
    active = _active(body, carries, varies)
    seeded = [not is_zero(given.part(i)) and body.outputs[i].dtype == FLOAT for i in range(carries + n_ys)]
    useful = _useful(body, carries, seeded, active)
    if length == 0 or not any(useful):
        return tuple(given.final(i) if i < carries and active >> i & 1 else None for i in range(n_in))

    lambdas = [i for i in range(carries) if useful[i]]
    moving_xs = [i for i in range(carries, carries + n_xs) if active >> i & 1]
    totals = [i for i in range(carries + n_xs, n_in) if active >> i & 1]
    added = [i for i in lambdas if not is_zero(given.before(i))]
    seeds = [i for i in range(carries + n_ys) if useful[i]]
    seeding_ys = [i for i in seeds if i >= carries]
    chosen = prune(body.inputs, [body.outputs[i] for i in seeds], body.nodes, body.name)
    wrt = [*lambdas, *moving_xs, *totals]
    masked = any(node.primitive.name in ("where", "scan") for node in body.nodes)
    kept, pulled, known = _with_results(reverse(chosen, wrt, masked=masked), y, args, attributes)

    def step(*inputs: Any) -> list[Any]:
        remaining = iter(inputs)

        def following(numbers: Sequence[int]) -> dict[int, Any]:
            return {i: next(remaining) for i in numbers}

        lam, total = following(lambdas), following(totals)
        own, out, plus, seed = map(following, (range(carries + n_xs), known, added, seeding_ys))
        own |= following(range(carries + n_xs, n_in))
        results = evaluate(pulled, [*own.values(), *out.values(), *[lam[i] if i < carries else seed[i] for i in seeds]])
        cotangents = dict(zip(wrt, results, strict=True))
        return [
            *[cotangents[i] + plus[i] if i in plus else cotangents[i] for i in lambdas],
            *[total[i] + cotangents[i] for i in totals],
            *[cotangents[i] for i in moving_xs],
        ]

    carry = [*[given.final(i) for i in lambdas], *[np.zeros(np.shape(args[i])) for i in totals]]
    xs = [kept.before(i) for i in range(carries)]
    xs += [*args[carries : carries + n_xs], *[kept.after(i) if i < carries else kept.part(i) for i in known]]
    xs += [*[given.before(i) for i in added], *[given.part(i) for i in seeding_ys]]
    invariants = args[carries + n_xs :]
    like = [*carry, *[_row(x) for x in xs], *map(described, invariants)]
    found = scan(
        build(step, like, f"{body.name}.reverse"), carry, xs, invariants, length=length,
        reverse=not attributes["reverse"], keep=False,
    )  # fmt: skip
    results: dict[int, Any] = {i: found.final(k) for k, i in enumerate([*lambdas, *totals])}
    results |= {i: found.y(k) for k, i in enumerate(moving_xs)}
    return tuple(results.get(i) for i in range(n_in))


def _with_results(
    reversed_body: Program, y: Any, args: Sequence[Any], attributes: dict[str, Any]
) -> tuple[Scanned, Program, list[int]]:
    """The cotangents of a reversed body alone, with results of the body's own as further inputs, and where these are.

    Returns a scan that has stored them, the given one or a wider one; the program, its inputs those of the body, then
    results, then seeds; and the numbers of the results among the outputs of that scan's body.
    """
    body, carries, xs = (attributes[key] for key in ("body", "carries", "xs"))
    pulled, known = _without_outputs(reversed_body, body)
    costly = _costly(pulled, body)
    if not costly or attributes["length"] * sum(node.size for node in (*body.outputs, *costly)) > HISTORY:
        return Scanned(y, attributes), pulled, known
    wide = dataclasses.replace(body, outputs=(*body.outputs, *costly))
    options = {key: attributes[key] for key in ("length", "reverse", "keep")}
    scanned = scan(wide, args[:carries], args[carries : carries + xs], args[carries + xs :], **options)
    return (scanned, *_without_outputs(reversed_body, wide))


def _without_outputs(reversed_body: Program, body: Program) -> tuple[Program, list[int]]:
    """The cotangents of a reversed body, with outputs of the body between its own inputs and the seeds."""
    from bayesad.ad.program import prune

    computed = set(body.nodes)
    known = {node: i for i, node in enumerate(body.outputs) if node in computed}
    n_in = len(body.inputs)
    inputs = (*reversed_body.inputs[:n_in], *known, *reversed_body.inputs[n_in:])
    n_seeds = len(reversed_body.inputs) - n_in
    nodes = [node for node in reversed_body.nodes if node not in known]
    return prune(inputs, reversed_body.outputs[n_seeds:], nodes, reversed_body.name), list(known.values())


def _costly(pulled: Program, body: Program) -> list[Node]:
    """What the cotangents would compute again of the body, and is rather stored by the loop."""
    own = set(body.nodes)
    needed = {node for node in pulled.outputs if node in own}
    costly = []
    for node in reversed(pulled.nodes):
        if node in own and node not in needed:
            continue
        if node in own and node.primitive.name not in CHEAP:
            costly.append(node)
        else:
            needed.update(node.inputs)
    return costly[::-1]


@dataclasses.dataclass(frozen=True)
class Like:
    """A shape and a dtype."""

    shape: tuple[int, ...]
    dtype: np.dtype


def described(x: Any) -> Like:
    """The shape and dtype of an array or a node."""
    return Like(np.shape(x), x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype)


def _row(x: Any) -> Like:
    return Like(x.shape[1:], x.dtype)


def _pull_back_again(
    g: Any, args: Sequence[Any], varies: Sequence[bool], attributes: dict[str, Any]
) -> tuple[Any, ...]:
    """Cotangents where no rows were kept: through the program of the same scan that keeps what it needs."""
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.reverse import reverse

    body, carries, n_xs, length = (attributes[key] for key in ("body", "carries", "xs", "length"))
    options = {"reverse": attributes["reverse"]}
    size = length * sum(node.size for node in body.outputs[:carries])

    def again(*inputs: Any) -> list[Any]:
        carry, xs, invariants = inputs[:carries], inputs[carries : carries + n_xs], inputs[carries + n_xs :]
        if size <= HISTORY or length < 4:
            return _results(scan(body, carry, xs, invariants, length=length, keep=True, **options), body)
        return _in_segments(body, carry, xs, invariants, length, **options)

    program = build(again, list(map(described, args)), f"{body.name}.again")
    wrt = [i for i, v in enumerate(varies) if v and body.inputs[i].dtype == FLOAT]
    given = Scanned(g, attributes, as_floats=True)
    seeds = [given.final(i) if i < carries else given.part(i) for i in range(len(body.outputs))]
    found = evaluate(reverse(program, wrt), [*args, *seeds])[len(seeds) :]
    results = dict(zip(wrt, found, strict=True))
    return tuple(results.get(i) for i in range(len(args)))


def _results(scanned: Scanned, body: Program) -> list[Any]:
    """The last carries and the ys."""
    return [scanned.final(i) if i < scanned.carries else scanned.part(i) for i in range(len(body.outputs))]


def _in_segments(
    body: Program, carry: Sequence[Any], xs: Sequence[Any], invariants: Sequence[Any], length: int, reverse: bool
) -> list[Any]:
    """The last carries and the ys by a scan over segments that keeps its rows, of scans over steps that keep none."""
    steps = math.isqrt(length)
    segments, left = divmod(length, steps)
    carries, n_ys = len(carry), len(body.outputs) - len(carry)
    in_segments, in_rest = (slice(left, length), slice(0, left)) if reverse else (
        slice(0, length - left), slice(length - left, length),
    )  # fmt: skip

    def segment(*inputs: Any) -> list[Any]:
        own, others = inputs[:carries], inputs[carries:]
        found = scan(body, own, others[: len(xs)], others[len(xs) :], length=steps, reverse=reverse, keep=False)
        return _results(found, body)

    grouped = [np.reshape(x[in_segments], (segments, steps, *x.shape[1:])) for x in xs]
    like = [*map(described, carry), *map(_row, grouped), *map(described, invariants)]
    outer = scan(
        build(segment, like, f"{body.name}.segment"), carry, grouped, invariants, length=segments, reverse=reverse,
        keep=True,
    )  # fmt: skip
    last = [outer.final(i) for i in range(carries)]
    ys = [np.reshape(outer.y(j), (segments * steps, *body.outputs[carries + j].shape)) for j in range(n_ys)]
    if left:
        rest = scan(
            body, last, [x[in_rest] for x in xs], invariants, length=left, reverse=reverse, keep=True
        )  # fmt: skip
        last = [rest.final(i) for i in range(carries)]
        pairs = [(rest.y(j), y) if reverse else (y, rest.y(j)) for j, y in enumerate(ys)]
        ys = [np.concatenate(pair) for pair in pairs]
    return [*last, *ys]


def _jvp(tangents: Sequence[Any], y: Any, *args: Any, **attributes: Any) -> Any:
    """Tangents by a scan that carries them beside the values."""
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.forward import forward

    body, carries, n_xs = (attributes[key] for key in ("body", "carries", "xs"))
    n_in, n_out = len(body.inputs), len(body.outputs)
    bits = _active(body, carries, [t is not None for t in tangents])
    moving = [i for i in range(n_in) if bits >> i & 1]
    if not moving:
        return None
    pushed = forward(body, moving)
    moving_carries = [i for i in moving if i < carries]
    moving_xs = [i for i in moving if carries <= i < carries + n_xs]
    moving_invariants = [i for i in moving if i >= carries + n_xs]
    dots = [np.zeros(np.shape(a)) if t is None else t for t, a in zip(tangents, args, strict=True)]

    def step(*inputs: Any) -> list[Any]:
        remaining = iter(inputs)
        own: dict[int, Any] = {}
        moved: dict[int, Any] = {}
        for begin, end, numbers in (
            (0, carries, moving_carries),
            (carries, carries + n_xs, moving_xs),
            (carries + n_xs, n_in, moving_invariants),
        ):
            own |= {i: next(remaining) for i in range(begin, end)}
            moved |= {i: next(remaining) for i in numbers}
        results = evaluate(pushed, [*own.values(), *[moved[i] for i in moving]])
        values, dotted = results[:n_out], results[n_out:]
        return [*values[:carries], *[dotted[i] for i in moving_carries], *dotted[carries:]]

    carry = [*args[:carries], *[dots[i] for i in moving_carries]]
    xs = [*args[carries : carries + n_xs], *[dots[i] for i in moving_xs]]
    invariants = [*args[carries + n_xs :], *[dots[i] for i in moving_invariants]]
    like = [*map(described, carry), *map(_row, xs), *map(described, invariants)]
    found = scan(
        build(step, like, f"{body.name}.forward"), carry, xs, invariants,
        length=attributes["length"], reverse=attributes["reverse"], keep=attributes["keep"],
    )  # fmt: skip
    place = {i: carries + k for k, i in enumerate(moving_carries)}
    pieces = []
    for i, part in enumerate(parts_of(body, carries, attributes["length"], attributes["keep"])):
        if i in place:
            pieces.append(found.part(place[i]))
        elif i < carries:
            pieces.append(np.zeros(part.shape))
        else:
            pieces.append(found.y(i - carries))
    return np.concatenate([np.reshape(piece, -1) for piece in pieces])


scan_p = define("scan", _evaluate, _infer, vjp=_vjp, jvp=_jvp, singular=True)
