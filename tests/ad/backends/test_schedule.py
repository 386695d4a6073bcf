"""The order of steps: what a guard protects comes after it."""

import numpy as np
import pytest

from bayesad import ad
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
