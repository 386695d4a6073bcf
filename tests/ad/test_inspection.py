"""What `ad.inspect` tells beside the stages themselves: the user's lines, estimates, measured times, colours."""

import io
import re

import numpy as np
import pytest

from bayesad import ad
from bayesad.ad import colours, costs
from bayesad.ad.primitives import PRIMITIVES


def f(x):
    hidden = np.exp(x) * 2.0
    return np.sum(hidden * hidden)


def test_the_users_line_stands_beside_the_first_operation_that_comes_from_it():
    lines = ad.inspect(f, np.ones(3)).splitlines()
    beside = [line.partition("# test_inspection.py:")[2] for line in lines if "#" in line]
    first = f.__code__.co_firstlineno
    assert beside[0] == f"{first + 1}  hidden = np.exp(x) * 2.0"
    assert f"{first + 2}  return np.sum(hidden * hidden)" in beside
    assert f"{first + 2}" in beside  # the second operation of a line has its number alone


def test_estimates_of_a_loop_and_of_a_product():
    def g(x):
        return np.sum(np.exp(x) * x / (1.0 + x))  # 20 + 1 + 1 + 4 + 1 for each element

    program = ad.trace(g, np.ones(1000))[0]
    assert costs.program_flops(program) == 27 * 1000
    matmul = ad.trace(lambda a, b: a @ b, np.ones((3, 5, 7)), np.ones((7, 2)))[0]
    assert costs.program_flops(matmul) == 2 * 3 * 5 * 7 * 2
    scan = ad.trace(lambda x: ad.scan(lambda c, v: (c * x + v, None), 0.0, np.ones(50))[0], 0.5)[0]
    assert costs.program_flops(scan) == 50 * 2

    text = ad.inspect(g, np.ones(1000), stage="fused")
    found = re.search(r"loop over 1000:  ([\d.]+) kflop, reads ([\d.]+) KiB, writes ([\d.]+) KiB", text)
    flops, read, written = map(float, found.groups())
    assert 27 <= flops <= 60  # with the gradient, that shares the exponential
    assert (read, written) == pytest.approx((8000 / 1024, 8000 / 1024), rel=0.01)  # x, and its gradient
    assert re.search(r"in all:  .*flop, reads .*B, writes .*B\n", text)


def test_the_tables_of_costs_name_primitives_that_exist():
    import bayesad.ad.control
    import bayesad.ad.primitives.special  # noqa: F401

    assert set(costs._PER_ELEMENT) <= {name for name, p in PRIMITIVES.items() if p.elementwise}
    assert set(costs._WHOLE) <= {name for name, p in PRIMITIVES.items() if not p.elementwise}


def test_times_are_measured_for_every_step_and_add_up():
    matrix = np.random.default_rng(0).normal(size=(60, 60))
    large = ad.inspect(lambda x: np.sum(np.tanh(matrix @ np.exp(x) + x)), np.ones(60), stage="fused", time=True)
    steps = re.findall(r"^(?:loop|scalars|whole).*", large, flags=re.MULTILINE)
    assert len(steps) >= 3
    seconds = [_seconds(step) for step in steps]
    assert sum(seconds) == pytest.approx(_seconds(re.search("in all.*", large).group()), rel=0.05, abs=1e-8)
    assert 1e-8 < sum(seconds) < 1e-3
    callback = ad.inspect(lambda x: np.sum(np.linalg.pinv(np.outer(x, x))), np.ones(3), stage="fused", time=True)
    assert "callback into NumPy" in callback
    black_box = ad.custom_vjp(lambda x: x**2, vjp=lambda g, y, x: 2.0 * g * x)
    assert "callback into NumPy:  ? flop" in ad.inspect(lambda x: np.sum(black_box(x)), np.ones(3), stage="fused")
    with pytest.raises(ValueError, match="measured of the loops of stage 'fused', not of 'asm'"):
        ad.inspect(f, np.ones(3), stage="asm", time=True)


def _seconds(line):
    number, unit = re.search(r"B, ([\d.]+) (ns|µs|ms|s)\b", line).groups()
    return float(number) * {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}[unit]


def test_times_of_scans_branches_and_guards():
    def g(x):
        if x[0] > 0:
            last, _ = ad.scan(lambda c, v: (np.sin(c) + v, None), x[0], np.ones(20))
            return ad.cond(last > 0, lambda v: v * v, lambda v: -v, last) + np.sum(x)
        return np.sum(x)

    text = ad.inspect(g, np.ones(30), stage="fused", time=True)
    assert "guard(" in text and "scan(" in text and "cond(" in text


@pytest.mark.parametrize("stage", ["trace", "gradient", "fused", "llvm", "asm"])
def test_colours_are_added_and_nothing_else(stage):
    plain, painted = (ad.inspect(f, np.ones(3), stage=stage, colour=colour) for colour in (False, True))
    assert painted.count("\x1b[0m") > 5
    assert re.sub(r"\x1b\[[\d;]*m", "", painted) == plain


def test_colour_is_for_terminals_that_have_not_said_no(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert colours.wants_colour(Terminal())
    assert not colours.wants_colour(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not colours.wants_colour(Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colours.wants_colour(Terminal())
