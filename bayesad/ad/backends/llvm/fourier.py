"""Fourier transforms of real arrays as machine code: a kernel for lengths of small prime factors.

A real transform of even length n is a complex one of length n / 2 of pairs of neighbours, taken apart afterwards
(Cooley, Lewis & Welch 1970, J. Sound Vib. 12, 315–337); the complex one is Stockham's, which sorts on the way
(Van Loan 1992, Computational Frameworks for the Fast Fourier Transform, 1.7). Real and imaginary parts are apart
in the workspace, so that the innermost loops are vectors. Roots of one come from a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesad.ad.backends.llvm.kernel import Float, Floats, Int
from bayesad.ad.backends.llvm.subroutines import in_memory
from bayesad.ad.fourier import has_small_factors
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["irfft", "rfft", "transform_rows"]


def radix(n: Int) -> Int:
    """The next factor of a length: 4, 2, or the smallest odd one."""
    if n % 4 == 0:
        return 4
    if n % 2 == 0:
        return 2
    p = 3
    while n % p > 0:
        p += 2
    return p


def stage_of_four(m: Int, s: Int, h: Int, step: Int, sign: Float, n: Int, roots: Floats, x: Floats, y: Floats) -> None:
    """A stage of radix 4, from x to y: m groups of s neighbours in each quarter."""
    for q in range(m):
        w = q * s * step
        c1 = roots[w]
        d1 = sign * roots[n + w]
        c2 = roots[2 * w]
        d2 = sign * roots[n + 2 * w]
        c3 = roots[3 * w]
        d3 = sign * roots[n + 3 * w]
        a0 = x[s * q :]
        a1 = x[s * (q + m) :]
        a2 = x[s * (q + 2 * m) :]
        a3 = x[s * (q + 3 * m) :]
        b0 = y[4 * s * q :]
        b1 = y[4 * s * q + s :]
        b2 = y[4 * s * q + 2 * s :]
        b3 = y[4 * s * q + 3 * s :]
        for k in range(s):
            sum_r = a0[k] + a2[k]
            sum_i = a0[h + k] + a2[h + k]
            gap_r = a0[k] - a2[k]
            gap_i = a0[h + k] - a2[h + k]
            odd_r = a1[k] + a3[k]
            odd_i = a1[h + k] + a3[h + k]
            turn_r = -sign * (a1[h + k] - a3[h + k])
            turn_i = sign * (a1[k] - a3[k])
            b0[k] = sum_r + odd_r
            b0[h + k] = sum_i + odd_i
            b1[k] = c1 * (gap_r + turn_r) - d1 * (gap_i + turn_i)
            b1[h + k] = d1 * (gap_r + turn_r) + c1 * (gap_i + turn_i)
            b2[k] = c2 * (sum_r - odd_r) - d2 * (sum_i - odd_i)
            b2[h + k] = d2 * (sum_r - odd_r) + c2 * (sum_i - odd_i)
            b3[k] = c3 * (gap_r - turn_r) - d3 * (gap_i - turn_i)
            b3[h + k] = d3 * (gap_r - turn_r) + c3 * (gap_i - turn_i)


def stage(p: Int, m: Int, s: Int, h: Int, step: Int, sign: Float, n: Int, roots: Floats, x: Floats, y: Floats) -> None:
    """A stage of any radix p, by the sums that define it."""
    for q in range(m):
        for r in range(p):
            b = y[s * (p * q + r) :]
            for k in range(s):
                b[k] = 0.0
                b[h + k] = 0.0
            for j in range(p):
                w = ((j * r % p) * (n // p) + r * q * s * step) % n
                c = roots[w]
                d = sign * roots[n + w]
                a = x[s * (q + m * j) :]
                for k in range(s):
                    b[k] += c * a[k] - d * a[h + k]
                    b[h + k] += d * a[k] + c * a[h + k]


def transform(h: Int, n: Int, sign: Float, roots: Floats, work: Floats) -> Int:
    """The complex transform of the h numbers at the beginning of the workspace; gives where the result begins."""
    at = 0
    left = h
    s = 1
    while left > 1:
        p = radix(left)
        m = left // p
        to = 2 * h - at
        if p == 4:
            stage_of_four(m, s, h, n // h, sign, n, roots, work[at:], work[to:])
        else:
            stage(p, m, s, h, n // h, sign, n, roots, work[at:], work[to:])
        at = to
        left = m
        s *= p
    return at


def forward(n: Int, x: Floats, roots: Floats, out: Floats, work: Floats) -> None:
    """Real and imaginary part of the n // 2 + 1 frequencies in turn."""
    if n % 2 == 1:
        for i in range(n):
            work[i] = x[i]
            work[n + i] = 0.0
        found = work[transform(n, n, -1.0, roots, work) :]
        for i in range(n // 2 + 1):
            out[2 * i] = found[i]
            out[2 * i + 1] = found[n + i]
    else:
        h = n // 2
        for i in range(h):
            work[i] = x[2 * i]
            work[h + i] = x[2 * i + 1]
        z = work[transform(h, n, -1.0, roots, work) :]
        for i in range(h + 1):
            here = i % h
            there = (h - i) % h
            even_r = 0.5 * (z[here] + z[there])
            even_i = 0.5 * (z[h + here] - z[h + there])
            odd_r = 0.5 * (z[h + here] + z[h + there])
            odd_i = 0.5 * (z[there] - z[here])
            c = roots[i]
            d = -roots[n + i]
            out[2 * i] = even_r + c * odd_r - d * odd_i
            out[2 * i + 1] = even_i + d * odd_r + c * odd_i


def backward(n: Int, parts: Floats, roots: Floats, out: Floats, work: Floats) -> None:
    """The real array of n numbers that has these frequencies; what the first and last have of imaginary is left out."""
    if n % 2 == 1:
        work[0] = parts[0]
        work[n] = 0.0
        for i in range(1, n // 2 + 1):
            work[i] = parts[2 * i]
            work[n + i] = parts[2 * i + 1]
            work[n - i] = parts[2 * i]
            work[2 * n - i] = -parts[2 * i + 1]
        found = work[transform(n, n, 1.0, roots, work) :]
        for i in range(n):
            out[i] = found[i] / float(n)
    else:
        h = n // 2
        for i in range(h):
            here_i = parts[2 * i + 1] if i > 0 else 0.0
            there = 2 * (h - i)
            there_i = parts[there + 1] if i > 0 else 0.0
            even_r = parts[2 * i] + parts[there]
            even_i = here_i - there_i
            gap_r = parts[2 * i] - parts[there]
            gap_i = here_i + there_i
            c = roots[i]
            d = roots[n + i]
            work[i] = even_r - d * gap_r - c * gap_i
            work[h + i] = even_i + c * gap_r - d * gap_i
        z = work[transform(h, n, 1.0, roots, work) :]
        for i in range(h):
            out[2 * i] = z[i] / float(n)
            out[2 * i + 1] = z[h + i] / float(n)


def transform_rows(inverse: Int, rows: Int, n: Int, x: Floats, roots: Floats, out: Floats, work: Floats) -> None:
    """Transform every row, or transform it back.

    Parameters
    ----------
    roots : Floats (2 n,)
        Cosines and sines of 2 pi i / n.
    work : Floats (4 n,)
    """
    frequencies = 2 * (n // 2 + 1)
    for row in range(rows):
        if inverse == 1:
            backward(n, x[row * frequencies :], roots, out[row * n :], work)
        else:
            forward(n, x[row * n :], roots, out[row * frequencies :], work)


def _call(lowering: Lowering, node: Node, n: int, inverse: int) -> bool:
    x, roots = node.inputs
    if not x.size or not has_small_factors(n):
        return False
    places = [in_memory(lowering, x), in_memory(lowering, roots), lowering.pointer(node)]
    places.append(lowering.parameter("a", f"workspace {lowering.reserve(8 * 4 * n)}"))
    rows = (node if inverse else x).size // n
    pointers = ", ".join(f"ptr {place}" for place in places)
    function = lowering.special("transform_rows")
    lowering.say(f"call void {function}(i64 {inverse}, i64 {rows}, i64 {n}, {pointers})")
    return True


def rfft(lowering: Lowering, node: Node) -> bool:
    return _call(lowering, node, node.inputs[0].shape[-1], 0)


def irfft(lowering: Lowering, node: Node) -> bool:
    return _call(lowering, node, node.shape[-1], 1)
