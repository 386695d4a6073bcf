"""Products of row-major matrices and vectors as machine code of their own, one function per operation and size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bayesad.ad.backends.llvm.rows import Number, Rows, Value, number

__all__ = ["PRODUCTS"]

LANES = 8  # elements of a row taken at a time


def _by_tiles(f: Rows, n: int, sizes: Sequence[int], body: Callable[[Number, int], None]) -> None:
    """``body(start, size)`` for tiles of n things: as many as possible of the first size, then of the next, …."""
    start = 0
    for size in (*sizes, 1):
        tiles = (n - start) // size
        if tiles == 1:
            body(start, size)
        elif tiles:
            first = start
            f.loop(0, tiles, lambda tile, size=size, first=first: body(f.plus(f.times(tile, size), first), size))
        start += tiles * size


def matrix_vector(m: int, k: int) -> str:
    """a x for a of m rows and k columns."""
    f = Rows()
    _by_tiles(f, m, (4,), lambda start, rows: _rows_times_vector(f, k, start, rows))
    return f.text("a x out")


def _rows_times_vector(f: Rows, k: int, start: Number, rows: int) -> None:
    def terms(column: Number, lanes: int) -> list[Value]:
        x = f.load(f.place("%x", 1, column), lanes)
        return [f.multiply(f.load(f.place("%a", k, f.plus(start, i), column), lanes), x) for i in range(rows)]

    def add(tile: Number, *sums: Value) -> list[Value]:
        more = terms(f.times(tile, LANES), LANES)
        return [f.add(old, new) for old, new in zip(sums, more, strict=True)]

    sums = f.loop(0, k // LANES, add, [number(0.0, LANES)] * rows)
    if k % LANES:
        rest = terms(k // LANES * LANES, k % LANES)
        sums = [f.add(old, f.widen(new, LANES)) for old, new in zip(sums, rest, strict=True)]
    target = f.place("%out", 1, start)
    if rows == 4:
        f.store(_four_totals(f, sums), target)
    else:
        for i, value in enumerate(sums):
            f.store(f.total(value), f.place(target, 1, i))


def _four_totals(f: Rows, v: Sequence[Value]) -> Value:
    """The sums of the lanes of four vectors, as one vector: neighbours are added three times."""
    return f.add_neighbours(f.add_neighbours(f.add_neighbours(v[0], v[1]), f.add_neighbours(v[2], v[3])))


def vector_matrix(k: int, n: int) -> str:
    """x b for b of k rows and n columns."""
    f = Rows()
    f.loop(0, n, lambda j: f.store(number(0.0), f.place("%out", 1, j)))

    def add_rows(start: Number, rows: int) -> None:
        factors = [f.load(f.place("%x", 1, f.plus(start, i))) for i in range(rows)]

        def columns(j: Number, lanes: int) -> None:
            there = f.place("%out", 1, j)
            total = f.load(there, lanes)
            for i, factor in enumerate(factors):
                row = f.load(f.place("%b", n, f.plus(start, i), j), lanes)
                total = f.add(total, f.multiply(f.splat(factor, lanes), row))
            f.store(total, there)

        _by_tiles(f, n, (8, 4, 2), columns)

    _by_tiles(f, k, (8, 4, 2), add_rows)
    return f.text("x b out")


def matrix_matrix(m: int, k: int, n: int, transposed: int) -> str:
    """a b, or a.T b if transposed, where the product has m rows and n columns."""
    f = Rows()

    def block(i: Number, rows: int, j: Number, lanes: int) -> None:
        def add(t: Number, *sums: Value) -> list[Value]:
            b = f.load(f.place("%b", n, t, j), lanes)
            totals = []
            for r, old in enumerate(sums):
                row = f.plus(i, r)
                factor = f.load(f.place("%a", m, t, row) if transposed else f.place("%a", k, row, t))
                totals.append(f.add(old, f.multiply(f.splat(factor, lanes), b)))
            return totals

        for r, value in enumerate(f.loop(0, k, add, [number(0.0, lanes)] * rows)):
            f.store(value, f.place("%out", n, f.plus(i, r), j))

    def columns(j: Number, lanes: int) -> None:
        _by_tiles(f, m, (2,) if lanes > 8 else (4, 2), lambda i, rows: block(i, rows, j, lanes))

    _by_tiles(f, n, (16, 8, 4, 2), columns)
    return f.text("a b out")


PRODUCTS: dict[str, Callable[..., str]] = {
    "matrix_vector": matrix_vector,
    "vector_matrix": vector_matrix,
    "matrix_matrix": matrix_matrix,
}
