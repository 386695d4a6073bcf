"""What kernels do with vectors in memory, whatever these are for."""

from bayesad.ad.backends.llvm.kernel import WIDTH, Floats, Int

__all__ = ["copy", "padded"]


def padded(size: Int) -> Int:
    """Entries of a vector that is filled up to whole Lanes."""
    return (size + WIDTH - 1) // WIDTH * WIDTH


def copy(size: Int, source: Floats, target: Floats) -> None:
    """Copy a vector."""
    for i in range(size):
        target[i] = source[i]
