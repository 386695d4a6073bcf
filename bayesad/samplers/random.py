"""Random numbers of the kernels: the generator xoshiro256++, uniform and normal variates, one stream per chain."""

import math

import numpy as np

from bayesad.ad.backends.llvm.kernel import Float, Floats, Int, Word, Words, word

__all__ = ["STATE_SIZE", "fill_normals", "next_word", "restore", "save", "streams", "uniform"]

STATE_SIZE = 8
"""Words of a stream: four of the generator and four that `save` keeps for `restore`."""

_GENERATOR_SIZE = 4
_SPACING = 2.0**-52


def streams(seed: int, chains: int) -> np.ndarray:
    """Independent streams, one per chain; that of a chain does not depend on how many there are.

    Parameters
    ----------
    seed : int
        As `numpy.random.SeedSequence` takes it.
    chains : int

    Returns
    -------
    uint64 array, shape (chains, STATE_SIZE)
    """
    states = np.zeros((chains, STATE_SIZE), dtype=np.uint64)
    for state, child in zip(states, np.random.SeedSequence(seed).spawn(chains), strict=True):
        state[:_GENERATOR_SIZE] = child.generate_state(_GENERATOR_SIZE, np.uint64)
    return states


def next_word(rng: Words) -> Word:
    """The next 64 random bits: xoshiro256++ 1.0 (Blackman & Vigna 2021, ACM TOMS 47:36)."""
    s0 = word(rng[0])
    s1 = word(rng[1])
    s2 = word(rng[2])
    s3 = word(rng[3])
    total = word(s0 + s3)
    result = word((word(total << 23) | (total >> 41)) + s0)
    shifted = word(s1 << 17)
    s2 = s2 ^ s0
    s3 = s3 ^ s1
    rng[1] = s1 ^ s2
    rng[0] = s0 ^ s3
    rng[2] = s2 ^ shifted
    rng[3] = word(s3 << 45) | (s3 >> 19)
    return result


def uniform(rng: Words) -> Float:
    """Uniform on (0, 1), ends excluded: the middle of one of 2^52 equal cells."""
    return (float(next_word(rng) >> 12) + 0.5) * _SPACING


def fill_normals(rng: Words, count: Int, values: Floats) -> None:
    """Fill `values` with `count` independent standard normals (Marsaglia's polar method, in pairs).

    It needs only log, sqrt and products, which give the same bits compiled and uncompiled.
    """
    i = 0
    while i < count:
        x = 2.0 * uniform(rng) - 1.0
        y = 2.0 * uniform(rng) - 1.0
        square = x * x + y * y
        if 0.0 < square < 1.0:
            scale = math.sqrt(-2.0 * math.log(square) / square)
            values[i] = x * scale
            if i + 1 < count:
                values[i + 1] = y * scale
            i += 2


def save(rng: Words) -> None:
    """Remember the state of a stream."""
    for i in range(_GENERATOR_SIZE):
        rng[_GENERATOR_SIZE + i] = word(rng[i])


def restore(rng: Words) -> None:
    """Go back to the state remembered last."""
    for i in range(_GENERATOR_SIZE):
        rng[i] = word(rng[_GENERATOR_SIZE + i])
