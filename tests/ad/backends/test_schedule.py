"""The order of steps: what a guard protects comes after it."""

import numpy as np
import pytest

from bayesad import ad
from bayesad.ad.backends.llvm.native import executor
from bayesad.ad.backends.llvm.prepared import decomposed
from bayesad.ad.backends.llvm.schedule import Loop, plan
from bayesad.ad.program import GUARD

MATRIX = np.eye(5) + 0.1


def loop(x):
    return ad.scan(lambda c, row: (np.tanh(c) + row, c), 0.0, x)[1]


WORK = {
    "a loop over steps": loop,
    "a factor": lambda x: np.linalg.cholesky(MATRIX * np.exp(x[0])),
    "a callback": lambda x: np.linalg.pinv(MATRIX * x[0]),
}


@pytest.mark.parametrize("name", WORK)
def test_work_on_whole_arrays_comes_after_the_guards_before_it(name):
    def f(x):
        return np.sum(WORK[name](x)) if np.sum(x * x) < 1e6 else 0.0

    program, _, _ = ad.trace(f, np.linspace(0.1, 2.0, 40))
    schedule = plan(decomposed(program))
    steps = [step for step in schedule.steps if not isinstance(step, Loop)]
    whole = [i for i, step in enumerate(steps) if schedule.kinds[step] == "whole"]
    assert whole
    assert [step.primitive for step in steps].index(GUARD) < min(whole)


def mixture(v):
    """Shared by two levels of loops: (60, 3) arrays that neither are outputs nor used by anything but loops."""
    spread = np.reshape(v, (60, 1)) - np.array([-1.0, 0.5, 2.0])
    terms = -np.square(spread) * np.exp(v[:3])
    return terms - np.max(terms, axis=1)[:, None]


# What is done with the differences, and how many arrays of (60, 3) elements lie turned then.
USES = {
    "sums along both axes": (lambda v: np.sum(np.sum(np.exp(mixture(v)), axis=1) * np.cos(v)), 1),
    "each axis by itself": (lambda v: [np.sum(mixture(v), axis=0), np.prod(np.cos(mixture(v)), axis=1)], 1),
    "a truth value": (lambda v: np.sum(np.where(mixture(v) < np.mean(mixture(v), axis=0), 1.0, v[:3]), axis=1), 2),
    "an output": (lambda v: [mixture(v), np.sum(np.exp(mixture(v)), axis=0)], 1),
    "a view": (lambda v: np.sum(mixture(v)[::-1] * np.reshape(v, (60, 1)), axis=0), 1),
    "a product": (lambda v: mixture(v) @ np.array([1.0, 2.0, 3.0]), 1),
    "three axes": (lambda v: np.sum(np.exp(mixture(v))[None] - np.ones((2, 1, 3)), axis=(0, 2)), 1),
}


@pytest.mark.parametrize("name", USES)
def test_arrays_between_loops_lie_with_their_longest_axis_last(name):
    f, count = USES[name]
    v = np.random.default_rng(0).normal(size=60)
    program, _, _ = ad.trace(f, v)
    turned = plan(decomposed(program)).turned
    assert len(turned) == count and {node.shape for node in turned} == {(60, 3)}
    for found, expected in zip(executor(program)([v]), _listed(f(v)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


def _listed(result):
    return result if isinstance(result, list) else [result]


def test_arrays_that_one_index_serves_stay_as_they_are():
    program, _, _ = ad.trace(lambda x: np.sum(np.exp(x) / np.sum(np.exp(x))), np.ones((60, 3)))
    assert not plan(decomposed(program)).turned
