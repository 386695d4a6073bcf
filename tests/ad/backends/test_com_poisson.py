"""Partial sums of the Conway–Maxwell–Poisson law as kernels, against the interpreter."""

import numpy as np
import pytest

from bayesad.ad.backends.llvm import com_poisson
from bayesad.ad.backends.llvm.native import called_kernel
from bayesad.ad.primitives import tails

NAMES = {"log_sum": "log_sum", "mean": "k", "mean_log_factorial": "l", "kk": "kk", "kl": "kl", "ll": "ll"}
CASES = np.array(
    [
        (np.log(4.0), 1.0, 0.0, np.inf),
        (np.log(0.9), 0.05, 0.0, np.inf),
        (-7.0, 3.0, 0.0, np.inf),
        (np.log(700.0), 1.0, 0.0, 690.0),
        (np.log(700.0), 1.0, 750.0, np.inf),
        (5.6, 0.77, 900.0, 1400.0),
        (2.0, 0.5, 30.0, 30.0),
        (1.0, 1.0, 1e3, np.inf),
        (1.0, -1.0, 0.0, np.inf),  # diverges
        (1.0, 1.0, 3.0, 2.0),  # empty
        (-1e-7, 1e-9, 0.0, np.inf),  # too many terms
    ]
)


@pytest.mark.parametrize("name", NAMES)
def test_kernels_equal_the_interpreter(name: str) -> None:
    kernel = getattr(com_poisson, f"com_poisson_{name}")
    got = [kernel(*case) for case in CASES.tolist()]
    np.testing.assert_allclose(got, tails.com_poisson(*CASES.T, NAMES[name]), rtol=1e-11, atol=1e-16)


def test_machine_code_of_a_kernel_gives_its_bits() -> None:
    machine = called_kernel("com_poisson_kl")
    np.testing.assert_array_equal(
        [machine(*case) for case in CASES.tolist()], [com_poisson.com_poisson_kl(*case) for case in CASES.tolist()]
    )
