"""Linear recurrences in blocks of steps against the interpreter's, and what is taken for one."""

import itertools

import numpy as np
import pytest

from bayesad import ad
from bayesad.ad.backends.llvm import recurrences
from bayesad.ad.backends.llvm.native import executor
from bayesad.ad.primitives import loops

RNG = np.random.default_rng(5)
BODIES = {
    "a c + x": (lambda c, x, a: [a * c + x], (False, False)),
    "x + c a": (lambda c, x, a: [x + c * a], (False, False)),
    "a c - x": (lambda c, x, a: [a * c - x], (False, True)),
    "x - a c": (lambda c, x, a: [x - a * c], (True, False)),
    "x c + a": (lambda c, x, a: [x * c + a], (False, False)),
    "0.5 c + x": (lambda c, x, a: [0.5 * c + x], (False, False)),
}
NO_RECURRENCES = {
    "of a square": lambda c, x, a: [a * (c * c) + x],
    "of the carry again": lambda c, x, a: [a * c + c],
    "of a function of it": lambda c, x, a: [a * np.sqrt(c) + x],
    "with a term that is computed": lambda c, x, a: [a * c + np.exp(x)],
    "with an output": lambda c, x, a: [a * c + x, a * c],
}


def body_of(step):
    return loops.build(step, [np.float64(0.0)] * 3, "step")


@pytest.mark.parametrize("name", BODIES)
def test_blocks_of_steps_are_the_steps(name):
    step, negative = BODIES[name]
    body = body_of(step)
    assert recurrences.linear(body)[2:] == negative
    x = RNG.normal(size=23)

    def all_of_them(c, a, x):
        runs = []
        for keep, reverse, n in itertools.product((True, False), (True, False), (16, 19, 22)):
            attributes = {"body": body, "carries": 1, "xs": 1, "length": n, "reverse": reverse, "keep": keep}
            runs.append(ad.array.bind(loops.scan_p, (c, x[:n], a), attributes))
        return np.concatenate(runs)

    given = np.float64(0.3), np.float64(-0.8), x
    program, _, _ = ad.trace(all_of_them, *given)
    expected = all_of_them(*given)
    found = executor(program)(given)[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=8 * np.finfo(float).eps * np.max(abs(expected)))


@pytest.mark.parametrize("name", NO_RECURRENCES)
def test_other_steps_are_taken_one_by_one(name):
    assert recurrences.linear(body_of(NO_RECURRENCES[name])) is None
