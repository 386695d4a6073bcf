"""Dense linear algebra of the metric's estimates as kernels: Cholesky factors, triangular products, eigenvectors.

Matrices are row-major. A symmetric one counts by its lower triangle where nothing else is said. The inner loops run
along rows, so that they become vector instructions.
"""

import math

from bayesad.ad.backends.llvm.kernel import Bool, Float, Floats, Int

__all__ = ["cholesky", "eigenvectors", "geometric_mean", "largest_eigenvalue", "norm_of_inverse"]

_MOST_ITERATIONS = 50  # of the QL method, per eigenvalue
_EPSILON = 2.0**-52
_POWER_ITERATIONS = 50


def cholesky(dimension: Int, matrix: Floats) -> Bool:
    """Replace a lower triangle by its Cholesky factor, in place; False if it is not positive definite."""
    for i in range(dimension):
        row = matrix[i * dimension :]
        for j in range(i):
            other = matrix[j * dimension :]
            total = row[j]
            for k in range(j):
                total -= row[k] * other[k]
            row[j] = total / other[j]
        pivot = row[i]
        for k in range(i):
            pivot -= row[k] * row[k]
        if not (pivot > 0.0 and math.isfinite(pivot)):
            return False
        row[i] = math.sqrt(pivot)
    return True


def fill_upper(dimension: Int, matrix: Floats) -> None:
    """Copy the lower triangle to the upper one."""
    for i in range(dimension):
        for j in range(i):
            matrix[j * dimension + i] = matrix[i * dimension + j]


def eigenvectors(dimension: Int, matrix: Floats, values: Floats, vectors: Floats, workspace: Floats) -> Bool:
    """Eigenvalues, in no order, and eigenvectors of a symmetric matrix: Householder's reduction and the QL method.

    (Golub & Van Loan 2013, Matrix Computations, sections 8.3.1 and 8.3.3.)

    Parameters
    ----------
    matrix : Floats (d, d)
        Both triangles; destroyed.
    values : Floats (d,)
        Result.
    vectors : Floats (d, d)
        Result: an eigenvector a row.
    workspace : Floats (2 d,)

    Returns
    -------
    Bool
        False if the QL method does not converge, as with entries that are not finite.
    """
    _tridiagonalise(dimension, matrix, values, workspace, vectors, workspace[dimension:])
    return _diagonalise(dimension, values, workspace, vectors)


def _tridiagonalise(
    dimension: Int, matrix: Floats, diagonal: Floats, beside: Floats, vectors: Floats, product: Floats
) -> None:
    """Householder reduction; `vectors` becomes V with V A Vᵀ tridiagonal, `beside[i]` its entry (i, i + 1).

    Column by column, A becomes H A H with H = I - w wᵀ and |w|² = 2. The row of A that is done holds w.
    """
    for k in range(dimension - 1):
        row = matrix[k * dimension :]
        diagonal[k] = row[k]
        square = 0.0
        for i in range(k + 1, dimension):
            square += row[i] * row[i]
        below = square - row[k + 1] * row[k + 1]
        if k == dimension - 2 or below <= 0.0:
            beside[k] = row[k + 1]
            for i in range(k + 1, dimension):
                row[i] = 0.0
            continue
        length = math.sqrt(square)
        first = row[k + 1] + (length if row[k + 1] > 0.0 else -length)
        beside[k] = row[k + 1] - first
        scale = math.sqrt(2.0 / (below + first * first))
        row[k + 1] = first
        for i in range(k + 1, dimension):
            row[i] *= scale
        along = 0.0
        for i in range(k + 1, dimension):
            other = matrix[i * dimension :]
            total = 0.0
            for j in range(k + 1, dimension):
                total += other[j] * row[j]
            product[i] = total
            along += total * row[i]
        for i in range(k + 1, dimension):
            product[i] -= 0.5 * along * row[i]
        for i in range(k + 1, dimension):
            other = matrix[i * dimension :]
            a = row[i]
            b = product[i]
            for j in range(k + 1, dimension):
                other[j] -= a * product[j] + b * row[j]
    diagonal[dimension - 1] = matrix[dimension * dimension - 1]
    beside[dimension - 1] = 0.0
    for i in range(dimension):
        for j in range(dimension):
            vectors[i * dimension + j] = 1.0 if i == j else 0.0
    for back in range(dimension - 1):
        k = dimension - 2 - back
        row = matrix[k * dimension :]
        for i in range(k + 1, dimension):
            other = vectors[i * dimension :]
            total = 0.0
            for j in range(k + 1, dimension):
                total += other[j] * row[j]
            for j in range(k + 1, dimension):
                other[j] -= total * row[j]


def _diagonalise(dimension: Int, diagonal: Floats, beside: Floats, vectors: Floats) -> Bool:
    """QL method with implicit shifts for a tridiagonal matrix; rotates the rows of `vectors` along."""
    for low in range(dimension):
        iteration = 0
        while True:
            # The block from `low` ends where the entry beside the diagonal is negligible.
            high = low
            while high < dimension - 1:
                size = math.fabs(diagonal[high]) + math.fabs(diagonal[high + 1])
                if math.fabs(beside[high]) <= _EPSILON * size:
                    break
                high += 1
            if high == low:
                break
            iteration += 1
            if iteration > _MOST_ITERATIONS:
                return False
            # Wilkinson's shift: the eigenvalue of the leading 2 × 2 block that is nearer its first entry.
            half = (diagonal[low + 1] - diagonal[low]) / (2.0 * beside[low])
            root = math.sqrt(half * half + 1.0)
            shift = diagonal[low] - beside[low] / (half + (root if half >= 0.0 else -root))
            bulge = diagonal[high] - shift
            sine = 1.0
            cosine = 1.0
            carried = 0.0
            i = high - 1
            while i >= low:
                f = sine * beside[i]
                b = cosine * beside[i]
                length = math.sqrt(f * f + bulge * bulge)
                beside[i + 1] = length
                if length == 0.0:
                    diagonal[i + 1] -= carried
                    beside[high] = 0.0
                    break
                sine = f / length
                cosine = bulge / length
                rest = diagonal[i + 1] - carried
                turn = (diagonal[i] - rest) * sine + 2.0 * cosine * b
                carried = sine * turn
                diagonal[i + 1] = rest + carried
                bulge = cosine * turn - b
                upper = vectors[i * dimension :]
                lower = vectors[(i + 1) * dimension :]
                for k in range(dimension):
                    x = upper[k]
                    y = lower[k]
                    lower[k] = sine * x + cosine * y
                    upper[k] = cosine * x - sine * y
                i -= 1
            if i < low:
                diagonal[low] -= carried
                beside[low] = bulge
                beside[high] = 0.0
    return True


def geometric_mean(dimension: Int, first: Floats, second: Floats, result: Floats, workspace: Floats) -> Bool:
    """The matrix geometric mean A # B⁻¹ of a positive semidefinite A and the inverse of a positive definite B.

    With B = L Lᵀ it is L⁻ᵀ (Lᵀ A L)^½ L⁻¹, the positive definite solution M of M B M = A (Bhatia 2007, Positive
    Definite Matrices, section 4.1).

    Parameters
    ----------
    first, second : Floats (d, d)
        Lower triangles of A and B; destroyed.
    result : Floats (d, d)
        The lower triangle of A # B⁻¹.
    workspace : Floats (d² + 3 d,)

    Returns
    -------
    Bool
        False, with the result undefined, if B is not positive definite or the eigenvalues cannot be found.
    """
    if not cholesky(dimension, second):
        return False
    fill_upper(dimension, first)
    _congruence(dimension, second, first, result)
    roots = workspace
    vectors = workspace[3 * dimension :]
    if not eigenvectors(dimension, first, roots, vectors, workspace[dimension:]):
        return False
    for k in range(dimension):
        # Solve u L = z, from the last entry on, and scale so that the sum of all u uᵀ is the result.
        row = vectors[k * dimension :]
        scale = math.pow(max(roots[k], 0.0), 0.25)
        for back in range(dimension):
            i = dimension - 1 - back
            lower = second[i * dimension :]
            row[i] /= lower[i]
            entry = row[i]
            for j in range(i):
                row[j] -= entry * lower[j]
        for i in range(dimension):
            row[i] *= scale
    for i in range(dimension):
        row = result[i * dimension :]
        for j in range(i + 1):
            row[j] = 0.0
        for k in range(dimension):
            vector = vectors[k * dimension :]
            entry = vector[i]
            for j in range(i + 1):
                row[j] += entry * vector[j]
    return True


def _congruence(dimension: Int, lower: Floats, matrix: Floats, workspace: Floats) -> None:
    """Replace a symmetric matrix A, both triangles, by Lᵀ A L; `workspace` has d² entries."""
    for i in range(dimension):
        row = workspace[i * dimension :]
        entries = matrix[i * dimension :]
        for j in range(dimension):
            row[j] = 0.0
        for k in range(dimension):
            entry = entries[k]
            factors = lower[k * dimension :]
            for j in range(k + 1):
                row[j] += entry * factors[j]
    for i in range(dimension):
        row = matrix[i * dimension :]
        for j in range(dimension):
            row[j] = 0.0
        for k in range(i, dimension):
            entry = lower[k * dimension + i]
            products = workspace[k * dimension :]
            for j in range(dimension):
                row[j] += entry * products[j]


def norm_of_inverse(dimension: Int, factor: Floats, workspace: Floats) -> Float:
    """Frobenius norm of the inverse of a matrix with this Cholesky factor; `workspace` has d² entries."""
    for i in range(dimension):
        # Row i becomes column i of the inverse of `factor`.
        row = workspace[i * dimension :]
        row[i] = 1.0 / factor[i * (dimension + 1)]
        for k in range(i + 1, dimension):
            factors = factor[k * dimension :]
            total = 0.0
            for m in range(i, k):
                total += factors[m] * row[m]
            row[k] = -total / factors[k]
    square = 0.0
    for i in range(dimension):
        row = workspace[i * dimension :]
        for j in range(i + 1):
            other = workspace[j * dimension :]
            total = 0.0
            for k in range(i, dimension):
                total += row[k] * other[k]
            square += total * total if i == j else 2.0 * total * total
    return math.sqrt(square)


def largest_eigenvalue(dimension: Int, matrix: Floats, workspace: Floats) -> Float:
    """Of a symmetric matrix, a lower triangle, by power iteration from its longest row; `workspace` has 2 d entries.

    The result is a little too small where eigenvalues are close.
    """
    vector = workspace
    product = workspace[dimension:]
    longest = 0
    greatest = -1.0
    for i in range(dimension):
        length = 0.0
        for j in range(dimension):
            entry = matrix[max(i, j) * dimension + min(i, j)]
            length += entry * entry
        if length > greatest:
            greatest = length
            longest = i
    for j in range(dimension):
        vector[j] = matrix[max(longest, j) * dimension + min(longest, j)] / math.sqrt(greatest)
    result = 1.0
    for _ in range(_POWER_ITERATIONS):
        for i in range(dimension):
            product[i] = 0.0
        for i in range(dimension):
            row = matrix[i * dimension :]
            total = row[i] * vector[i]
            for j in range(i):
                total += row[j] * vector[j]
                product[j] += row[j] * vector[i]
            product[i] += total
        square = 0.0
        for i in range(dimension):
            square += product[i] * product[i]
        result = math.sqrt(square)
        for i in range(dimension):
            vector[i] = product[i] / result
    return result
