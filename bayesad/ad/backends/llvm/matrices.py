"""Small dense linear algebra as kernels: row-major, no pivoting; what fails is NaN, as in the interpreter."""

import math
from collections.abc import Callable

from bayesad.ad.backends.llvm.kernel import Floats, Int

__all__ = ["KERNELS", "cholesky", "solve_triangular"]


def cholesky(n: Int, a: Floats, factor: Floats) -> None:
    """The lower Cholesky factor of an n x n matrix; its lower triangle is read (Golub & Van Loan 2013, 4.2.5)."""
    sound = True
    for i in range(n):
        row = factor[i * n :]
        for j in range(i + 1):
            other = factor[j * n :]
            total = a[i * n + j]
            for k in range(j):
                total -= row[k] * other[k]
            if i == j:
                sound = sound and total > 0.0
                row[i] = math.sqrt(total) if total > 0.0 else 1.0
            else:
                row[j] = total / other[j]
        for j in range(i + 1, n):
            row[j] = 0.0
    if not sound:
        for i in range(n * n):
            factor[i] = math.nan


def solve_triangular(n: Int, m: Int, lower: Int, transposed: Int, unit: Int, a: Floats, b: Floats, x: Floats) -> None:
    """x with a x = b (or a^T x = b), a triangular and n x n, b n x m (Golub & Van Loan 2013, 3.1)."""
    sound = True
    for i in range(n * m):
        x[i] = b[i]
    forward = lower != transposed
    for step in range(n):
        i = step if forward else n - 1 - step
        target = x[i * m :]
        for other in range(step):
            k = other if forward else n - 1 - other
            coefficient = a[k * n + i] if transposed == 1 else a[i * n + k]
            known = x[k * m :]
            for j in range(m):
                target[j] -= coefficient * known[j]
        if unit == 0:
            pivot = a[i * n + i]
            if pivot == 0.0:
                sound = False
            else:
                for j in range(m):
                    target[j] = target[j] / pivot
    if not sound:
        for i in range(n * m):
            x[i] = math.nan


KERNELS: dict[str, Callable[..., None]] = {"cholesky": cholesky, "solve_triangular": solve_triangular}
