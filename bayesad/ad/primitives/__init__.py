"""The primitives: one entry each, in the file of its family; ``table.py`` says what an entry holds."""

from bayesad.ad.primitives import elementwise, indexing, linalg, loops, reductions, shaping
from bayesad.ad.primitives.table import PRIMITIVES, UFUNCS, Primitive, define
from bayesad.ad.primitives.table import elementwise as define_elementwise

__all__ = [
    "PRIMITIVES",
    "UFUNCS",
    "Primitive",
    "define",
    "define_elementwise",
    "elementwise",
    "indexing",
    "linalg",
    "loops",
    "reductions",
    "shaping",
]
