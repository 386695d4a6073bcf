"""Work in front of gathers: the same numbers to the last bit, for fewer elements."""

import numpy as np
import pytest
from scipy.special import xlogy

RNG = np.random.default_rng(20251123)
N, J = 60, 7
G = RNG.permutation(np.arange(N) % J)
H = RNG.integers(0, 3, N)
Y = RNG.normal(size=N)
POINT = RNG.uniform(0.5, 2.0, 2 * J)

CASES = {
    "one function": lambda b: np.sum(Y * np.exp(b[:J][G])),
    "a chain": lambda b: np.sum(Y * np.log(1.0 + np.exp(-b[:J][G]))),
    "scalars": lambda b: np.sum(np.sin(Y + b[J] + b[J + 1] * b[:J][G])),
    "two sources": lambda b: np.sum(Y * (b[:J][G] * np.exp(b[J:])[G])),
    "rows": lambda b: np.sum(Y[:, None] * np.exp(np.reshape(b, (J, 2))[G])),
    "positions from the end": lambda b: np.sum(Y * np.exp(b[:J][G - J])),
    "constants with a choice": lambda b: np.sum(Y * np.where(b[:J][G] > 1.0, xlogy(2.0, b[:J][G]), 0.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_all_bits_stay_and_only_one_gather_is_left(name, before_and_after):
    pair = before_and_after(CASES[name], POINT, "early_work")
    assert pair.notes and "instead of 60 elements" in pair.notes[0]
    pair.check(POINT)
    before, after = pair.values(POINT)
    assert after == before
    long = [node for node in pair.after.nodes if node.shape[:1] == (N,)]
    assert len(long) < len([node for node in pair.before.nodes if node.shape[:1] == (N,)])


@pytest.mark.parametrize(
    "f",
    [
        lambda b: np.sum(Y * np.log(b[:J][np.minimum(G, 4)])),  # elements that no row has could be 0
        lambda b: np.sum(Y * np.exp(b[:J][G] + b[J : J + 3][H])),  # two sources by different positions
        lambda b: np.sum(np.exp(b[:J][np.arange(J)])),  # no fewer elements
        lambda b: np.sum(Y * b[:J][G]),  # nothing to do before
    ],
)
def test_other_gathers_stay(f, before_and_after):
    pair = before_and_after(f, POINT, "early_work")
    assert pair.notes == [] and pair.after is pair.before
