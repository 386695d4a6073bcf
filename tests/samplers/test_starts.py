"""The choice of a chain's starting point among candidates."""

import numpy as np
import pytest

from bayesad.ad.backends.llvm.kernel import Float, Floats, LogDensityPointer, compile_kernel
from bayesad.errors import ConfigError
from bayesad.samplers import NUTS, Chain, run_chains
from bayesad.samplers.control import LEAPFROGS, STOP
from bayesad.samplers.random import streams
from bayesad.samplers.starts import begin_at_the_best, tolerance


def two_modes(context: Floats, q: Floats, gradient: Floats) -> Float:
    """Standard normals at 0 and, lower by context[0], at (20, 20); nothing else leads from one to the other."""
    far = q[0] + q[1] > 20.0
    center = 20.0 if far else 0.0
    x = q[0] - center
    y = q[1] - center
    gradient[0] = -x
    gradient[1] = -y
    return -0.5 * (x * x + y * y) - (context[0] if far else 0.0)


def density(lower_by):
    kernel, context = compile_kernel(two_modes), np.array([lower_by])
    return LogDensityPointer(kernel.address, context.ctypes.data, (kernel, context))


def chain():
    return Chain(2, NUTS(), warmup=100, draws=20, rng=streams(1, 1)[0], initial=np.zeros(2))


FAR, NEAR = np.array([19.0, 21.0]), np.array([1.0, -1.0])


@pytest.mark.parametrize(("lower_by", "first"), [(30.0, False), (tolerance(2) / 2, True)])
def test_the_first_candidate_is_taken_that_is_about_as_good_as_the_best(lower_by, first):
    begun = chain()
    begin_at_the_best(begun, density(lower_by), np.array([FAR, NEAR, NEAR]))
    assert (begun.state.position.sum() > 20) == first
    assert begun.completed == 0
    assert begun.control[LEAPFROGS] > 3 * 15


def test_candidates_that_cannot_be_started_from_are_passed_over():
    def log_density(q, gradient):
        gradient[:2] = -q[:2]
        return -0.5 * float(q[:2] @ q[:2]) if q[0] < 10 else float("nan")

    begun = chain()
    begin_at_the_best(begun, log_density, np.array([FAR, NEAR]), compiled=False)
    assert np.all(np.abs(begun.state.position) < 6)
    begun = chain()
    begin_at_the_best(begun, log_density, np.array([FAR, FAR]), compiled=False)
    np.testing.assert_array_equal(begun.state.position, 0.0)


def test_a_stopped_chain_chooses_nothing():
    begun = chain()
    begun.control[STOP] = 1
    begin_at_the_best(begun, density(0.0), np.array([FAR, NEAR]))
    np.testing.assert_array_equal(begun.state.position, 0.0)
    assert begun.control[LEAPFROGS] == 0


def test_chains_choose_alike_in_any_number_of_threads_compiled_or_not():
    points = np.array([[FAR, NEAR], [NEAR, FAR], [FAR, FAR]])
    settings = {"warmup": 30, "draws": 10, "seed": 3}
    result = run_chains(density(30.0), 2, NUTS(), chains=3, initial=points, threads=1, **settings)
    assert list(result.draws.sum(axis=2).mean(axis=1) > 20) == [False, False, True]
    others = [
        run_chains(density(30.0), 2, NUTS(), chains=3, initial=points, threads=3, **settings),
        run_chains(density(30.0), 2, NUTS(), chains=3, initial=points, compiled=False, **settings),
    ]
    for other in others:
        np.testing.assert_array_equal(other.draws, result.draws)
    fewer = run_chains(density(30.0), 2, NUTS(), chains=1, initial=points[:1], **settings)
    np.testing.assert_array_equal(fewer.draws[0], result.draws[0])
    with pytest.raises(ConfigError, match=r"\(3, 0, 2\)"):
        run_chains(density(30.0), 2, NUTS(), chains=3, initial=points[:, :0], **settings)
