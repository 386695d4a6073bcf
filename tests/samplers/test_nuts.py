"""One transition of the no-U-turn sampler against an independent, recursive enumeration of its tree."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from bayesad.ad.backends.llvm.kernel import Float, Floats, Int, Ints, LogDensity, Word, Words, compile_kernel
from bayesad.ad.backends.llvm.kernel_vectors import copy, padded
from bayesad.samplers import control as codes
from bayesad.samplers.hamiltonian import DENSE, DIAGONAL
from bayesad.samplers.nuts import join, join_leaves, nuts_trajectory, nuts_transition, nuts_workspace_size
from bayesad.samplers.random import streams

ALARM = 1e-6  # false-alarm rate of each comparison of frequencies


class Orbit:
    """The states of a leapfrog orbit by index, integrated with an ordinary mass matrix."""

    def __init__(self, target, inverse_mass, step_size, q, p):
        self.target, self.inverse_mass, self.step_size = target, inverse_mass, step_size
        self._states = {0: (np.array(q), np.array(p))}

    def _gradient(self, q):
        gradient = np.zeros_like(q)
        return self.target(q, gradient), gradient

    def state(self, i):
        if i not in self._states:
            direction = 1 if i > 0 else -1
            q, p = self.state(i - direction)
            step = direction * self.step_size
            p = p + step / 2 * self._gradient(q)[1]
            q = q + step * self.inverse_mass @ p
            self._states[i] = (q, p + step / 2 * self._gradient(q)[1])
        return self._states[i]

    def energy(self, i):
        q, p = self.state(i)
        return p @ self.inverse_mass @ p / 2 - self._gradient(q)[0]

    def turns(self, first, last, extra=()):
        """Whether a stretch of the orbit turns; `extra` gives ends that differ from those of the sum."""
        momenta = np.array([self.state(i)[1] for i in range(first, last + 1)])
        velocity_sum = self.inverse_mass @ momenta.sum(axis=0)
        return not (momenta[0] @ velocity_sum > 0 and momenta[-1] @ velocity_sum > 0)

    def joined_turns(self, first, middle, last):
        """Whether [first, middle) and [middle, last] together turn, or either with the nearest state of the other."""
        return self.turns(first, last) or self.turns(first, middle) or self.turns(middle - 1, last)


def subtree(orbit, start, direction, depth):
    """The states of a new subtree in the order visited, and why it is no valid one: "", "turning" or "diverging"."""
    if depth == 0:
        error = orbit.energy(start) - orbit.energy(0)
        return [start], "" if error <= 1000 else "diverging"
    first, problem = subtree(orbit, start, direction, depth - 1)
    if problem:
        return first, problem
    second, problem = subtree(orbit, first[-1] + direction, direction, depth - 1)
    states = first + second
    if not problem:
        low, high = min(states), max(states)
        middle = max(first) + 1 if direction > 0 else max(second) + 1
        problem = "turning" if orbit.joined_turns(low, middle, high) else ""
    return states, problem


def enumerated(orbit, directions, max_depth):
    """Probability of each state of the orbit to be drawn, the states visited, the depth and how it ended."""
    low = high = 0
    probability = {0: 1.0}
    visited = []
    for depth in range(max_depth):
        forward = directions[depth]
        states, problem = subtree(orbit, high + 1 if forward else low - 1, 1 if forward else -1, depth)
        visited += states
        if problem:
            return probability, visited, depth, problem
        tree = range(low, high + 1)
        lowest = min(orbit.energy(i) for i in (*tree, *states))
        new = np.array([math.exp(lowest - orbit.energy(i)) for i in states])
        old = sum(math.exp(lowest - orbit.energy(i)) for i in tree)
        accept = 1.0 if new.sum() > old else new.sum() / old
        probability = {i: p * (1 - accept) for i, p in probability.items()}
        probability |= {i: accept * w / new.sum() for i, w in zip(states, new, strict=True)}
        middle = high + 1 if forward else low
        low, high = min(low, *states), max(high, *states)
        if orbit.joined_turns(low, middle, high):
            return probability, visited, depth + 1, "turning"
    return probability, visited, max_depth, "deepest"


def repeat(
    count: Int,
    log_density: LogDensity,
    kind: Int,
    dimension: Int,
    max_depth: Int,
    step_size: Float,
    factor: Floats,
    start: Floats,
    start_gradient: Floats,
    start_log_density: Float,
    momentum: Floats,
    directions: Word,
    rng: Words,
    workspace: Floats,
    control: Ints,
    position: Floats,
    gradient: Floats,
    statistics: Floats,
    divergence: Floats,
    draws: Floats,
    gradients: Floats,
    indices: Floats,
) -> Int:
    """Draw from the same trajectory `count` times."""
    outcome = 0
    for i in range(count):
        copy(dimension, start, position)
        copy(dimension, start_gradient, gradient)
        copy(dimension, momentum, workspace[padded(dimension) :])
        outcome = nuts_trajectory(
            log_density,
            kind,
            dimension,
            max_depth,
            step_size,
            factor,
            position,
            gradient,
            start_log_density,
            directions,
            rng,
            workspace,
            control,
            statistics,
            divergence,
            divergence[dimension:],
        )
        copy(dimension, position, draws[i * dimension :])
        copy(dimension, gradient, gradients[i * dimension :])
        indices[i] = statistics[codes.INDEX]
    return outcome


COVARIANCE = np.array([[1.5, 0.5], [0.5, 0.6]])
LOWER = np.linalg.cholesky(COVARIANCE)
METRICS = {
    "diagonal": (DIAGONAL, np.array([1.3, 0.6, 9.0, 9.0]), np.diag([1.3, 0.6])),
    "dense": (DENSE, (LOWER + np.tril(LOWER, -1).T).ravel(), LOWER),
}


def trajectories(target, metric, step_size, q, z, directions, max_depth, count):
    """Many draws from one trajectory: outcome, draws, indices, statistics, divergence, control row.

    Every draw comes with the gradient there.
    """
    kind, factor, _ = METRICS[metric]
    gradient = np.zeros(2)
    log_density = target(np.array(q), gradient)
    bits = sum(1 << k for k, forward in enumerate(directions) if forward)
    statistics, divergence = np.zeros(codes.N_STATISTICS), np.zeros(4)
    control = np.zeros(codes.CONTROL_SIZE, dtype=np.int64)
    draws, gradients, indices = np.zeros(2 * count), np.zeros(2 * count), np.zeros(count)
    outcome = compile_kernel(repeat)(
        count,
        target.pointer,
        kind,
        2,
        max_depth,
        step_size,
        factor,
        np.array(q),
        gradient,
        log_density,
        np.array(z),
        bits,
        streams(bits + 1, 1)[0],
        np.zeros(nuts_workspace_size(2, max_depth)),
        control,
        np.zeros(2),
        np.zeros(2),
        statistics,
        divergence,
        draws,
        gradients,
        indices,
    )
    for draw, found in zip(draws.reshape(-1, 2)[:50], gradients.reshape(-1, 2), strict=False):
        expected = np.zeros(2)
        target(draw, expected)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    return outcome, draws.reshape(-1, 2), indices.astype(int), statistics, divergence, control


OUTCOMES = {codes.COMPLETE: "turning", codes.DIVERGENT: "diverging", codes.LIMITED: "deepest"}


@pytest.mark.parametrize(
    ("metric", "step_size", "height", "expected"),
    [
        ("diagonal", 0.08, 0.0, {"deepest", "turning"}),
        ("dense", 0.08, 0.0, {"deepest", "turning"}),
        ("diagonal", 0.35, 0.0, {"turning"}),
        ("dense", 0.35, 0.0, {"turning"}),
        ("diagonal", 0.9, 0.0, {"turning"}),
        ("dense", 0.9, 0.0, {"turning", "diverging"}),
        # Weights relative to the start would overflow.
        ("diagonal", 0.35, 5000.0, {"turning"}),
        ("dense", 0.35, 5000.0, {"turning"}),
    ],
)
def test_the_tree_equals_its_enumeration(targets, metric, step_size, height, expected):
    q, z = [0.4, -0.7], [0.9, -0.3]
    target, max_depth, count = targets.cliff(q, height), 4, 20_000
    s = METRICS[metric][2]
    orbit = Orbit(target, s @ s.T, step_size, q, np.linalg.solve(s.T, z))
    endings = set()
    for directions in itertools.product([False, True], repeat=max_depth):
        probability, visited, depth, ending = enumerated(orbit, directions, max_depth)
        outcome, draws, indices, statistics, _, _ = trajectories(
            target, metric, step_size, q, z, directions, max_depth, count
        )
        assert OUTCOMES[outcome] == ending
        assert statistics[codes.N_STEPS] == len(visited)
        assert statistics[codes.TREE_DEPTH] == depth
        falls = np.array([orbit.energy(0) - orbit.energy(i) for i in visited])
        assert statistics[codes.ACCEPTANCE] == pytest.approx(np.exp(np.minimum(falls, 0)).mean(), rel=1e-9)
        assert set(indices) <= set(probability)
        states = np.array([orbit.state(i)[0] for i in indices])
        np.testing.assert_allclose(draws, states, rtol=1e-10, atol=1e-10)
        last = int(statistics[codes.INDEX])
        assert statistics[codes.ENERGY] == pytest.approx(orbit.energy(last), rel=1e-10)
        assert statistics[codes.LOG_DENSITY] == pytest.approx(target(orbit.state(last)[0], np.zeros(2)), rel=1e-10)
        if len(probability) > 1:
            keys = [i for i, p in probability.items() if p > 0]
            observed = [np.sum(indices == i) for i in keys]
            assert stats.chisquare(observed, np.array([probability[i] for i in keys]) * count).pvalue > ALARM
        endings.add(ending)
    assert endings == expected


def test_the_enumeration_leaves_the_weights_of_an_orbit_invariant(targets):
    # The transition between states i and j of an orbit, directions summed out, must keep the weights exp(-energy).
    max_depth, reach = 3, 7
    orbit = Orbit(targets.quartic(), np.eye(2), 0.35, [0.4, -0.7], [0.9, -0.3])
    arrived = 0.0
    for i in range(-reach, reach + 1):
        q, p = orbit.state(i)
        weight = math.exp(-orbit.energy(i))
        for directions in itertools.product([False, True], repeat=max_depth):
            probability = enumerated(Orbit(orbit.target, np.eye(2), 0.35, q, p), directions, max_depth)[0]
            arrived += weight * probability.get(-i, 0.0) / 2**max_depth
    assert arrived == pytest.approx(math.exp(-orbit.energy(0)), rel=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_a_divergence_is_reported_with_where_its_step_began_and_ended(targets, metric):
    target, step_size = targets.quartic(), 2.5
    q, z = [1.5, -2.0], [3.0, -1.0]
    s = METRICS[metric][2]
    orbit = Orbit(target, s @ s.T, step_size, q, np.linalg.solve(s.T, z))
    directions = [True] * 4
    probability, visited, depth, ending = enumerated(orbit, directions, 4)
    assert ending == "diverging"
    outcome, _, indices, statistics, divergence, control = trajectories(
        target, metric, step_size, q, z, directions, 4, 10
    )
    assert outcome == codes.DIVERGENT
    assert statistics[codes.TREE_DEPTH] == depth
    assert statistics[codes.N_STEPS] == len(visited)
    assert control[codes.LEAPFROGS] == 10 * len(visited)
    assert set(indices) <= set(probability)
    np.testing.assert_allclose(divergence[:2], orbit.state(visited[-1] - 1)[0], rtol=1e-10)
    np.testing.assert_allclose(divergence[2:], orbit.state(visited[-1])[0], rtol=1e-10)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_log_density_that_is_not_finite_is_a_divergence(bad):
    def log_density(q, gradient):
        gradient[:] = 0.0
        return bad

    position, statistics = np.zeros(2), np.zeros(codes.N_STATISTICS)
    with np.errstate(invalid="ignore"):
        outcome = nuts_transition(
            log_density,
            DIAGONAL,
            2,
            5,
            0.1,
            np.ones(4),
            position,
            np.zeros(2),
            0.0,
            streams(1, 1)[0],
            np.zeros(nuts_workspace_size(2, 5)),
            np.zeros(codes.CONTROL_SIZE, dtype=np.int64),
            statistics,
            np.zeros(2),
            np.zeros(2),
        )
    assert outcome == codes.DIVERGENT
    assert not position.any()
    assert statistics[codes.ACCEPTANCE] == 0.0


def test_join_does_not_depend_on_the_order_in_time():
    rng = np.random.default_rng(4)
    answers = []
    for _ in range(200):
        first, second = (np.pad(rng.normal(size=(n, 6)) + 0.3, ((0, 0), (0, 2))) for n in (3, 2))
        total = first.sum(axis=0)
        answers.append(join(8, first[0], first[-1], total, second[0], second[-1], second.sum(axis=0)))
        np.testing.assert_allclose(total, first.sum(axis=0) + second.sum(axis=0))
        backwards = join(8, second[-1], second[0], second.sum(axis=0), first[-1], first[0], first.sum(axis=0))
        assert backwards == answers[-1]
        ends = [(first[0], second[-1], total), (first[0], second[0], first.sum(axis=0) + second[0])]
        ends.append((first[-1], second[-1], first[-1] + second.sum(axis=0)))
        assert answers[-1] == all(begin @ sums > 0 and end @ sums > 0 for begin, end, sums in ends)
    assert 20 < sum(answers) < 180


def test_two_leaves_are_joined_as_subtrees_of_one_state():
    rng = np.random.default_rng(5)
    answers = []
    for a, b in rng.normal(size=(200, 2, 8)):
        b -= a
        total, result = a.copy(), np.zeros(8)
        answers.append(join_leaves(8, a, b, result))
        assert join(8, a, a, total, b, b, b) == answers[-1]
        np.testing.assert_array_equal(result, total)
    assert 20 < sum(answers) < 180


def transitions(
    count: Int,
    log_density: LogDensity,
    dimension: Int,
    max_depth: Int,
    step_size: Float,
    factor: Floats,
    rng: Words,
    workspace: Floats,
    control: Ints,
    gradient: Floats,
    statistics: Floats,
    points: Floats,
) -> None:
    """One transition from each of many points, in place."""
    for i in range(count):
        position = points[i * dimension :]
        start_log_density = log_density(position, gradient)
        nuts_transition(
            log_density,
            0,
            dimension,
            max_depth,
            step_size,
            factor,
            position,
            gradient,
            start_log_density,
            rng,
            workspace,
            control,
            statistics,
            statistics[codes.N_STATISTICS :],
            statistics[codes.N_STATISTICS + dimension :],
        )


@pytest.mark.parametrize("step_size", [0.3, 1.1])
def test_a_transition_leaves_the_density_invariant(targets, step_size):
    # Exact draws stay exact draws, also with a coarse step and a tree cut short.
    shapes, count = [0.8, 3.0], 50_000
    points = np.log(np.random.default_rng(1).gamma(shapes, size=(count, 2)))
    before = points.copy()
    compile_kernel(transitions)(
        count,
        targets.log_gamma(shapes).pointer,
        2,
        2,
        step_size,
        np.array([1.0, 0.7, 9.0, 9.0]),
        streams(8, 1)[0],
        np.zeros(nuts_workspace_size(2, 2)),
        np.zeros(codes.CONTROL_SIZE, dtype=np.int64),
        np.zeros(2),
        np.zeros(codes.N_STATISTICS + 4),
        points.reshape(-1),
    )
    assert np.mean(points != before) > 0.6
    for values, shape in zip(points.T, shapes, strict=True):
        assert stats.kstest(np.exp(values), stats.gamma(shape).cdf).pvalue > ALARM
    # Correlation of the two coordinates, 0 in truth, through their ranks.
    assert stats.spearmanr(points[:, 0], points[:, 1]).pvalue > ALARM
