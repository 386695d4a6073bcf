"""The random numbers of kernels."""

import numpy as np
import pytest
from scipy import stats

from bayesad.ad.backends.llvm.kernel import Floats, Int, Words, compile_kernel
from bayesad.samplers.random import STATE_SIZE, fill_normals, next_word, restore, save, streams, uniform

ALARM = 1e-6  # false-alarm rate of each test on a distribution


def fill_uniforms(rng: Words, count: Int, values: Floats) -> None:
    for i in range(count):
        values[i] = uniform(rng)


def fill_words(rng: Words, count: Int, values: Words) -> None:
    for i in range(count):
        values[i] = next_word(rng)


def stream_of(*words: int) -> np.ndarray:
    return np.array([*words, *[0] * (STATE_SIZE - 4)], dtype=np.uint64)


def xoshiro(state: np.ndarray, count: int) -> np.ndarray:
    """xoshiro256++ of many streams at once in NumPy's arithmetic modulo 2^64; state has shape (4, n)."""

    def rotl(x: np.ndarray, k: int) -> np.ndarray:
        return (x << np.uint64(k)) | (x >> np.uint64(64 - k))

    s = state.copy()
    results = []
    for _ in range(count):
        results.append(rotl(s[0] + s[3], 23) + s[0])
        t = s[1] << np.uint64(17)
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 45)
    return np.array(results)


def test_words_equal_the_published_test_vector():
    rng = stream_of(1, 2, 3, 4)
    expected = [
        41943041,
        58720359,
        3588806011781223,
        3591011842654386,
        9228616714210784205,
        9973669472204895162,
        14011001112246962877,
        12406186145184390807,
        15849039046786891736,
        10450023813501588000,
    ]
    assert [next_word(rng) for _ in expected] == expected


def test_words_equal_an_independent_implementation_compiled_and_not():
    states = streams(5, 4)
    expected = xoshiro(states[:, :4].T.copy(), 200)
    compiled = compile_kernel(fill_words)
    for i, state in enumerate(states):
        words = np.zeros(200, dtype=np.uint64)
        compiled(state.copy(), 200, words)
        np.testing.assert_array_equal(words, expected[:, i])
        fill_words(state.copy(), 200, words)
        np.testing.assert_array_equal(words, expected[:, i])


def test_uniforms_are_the_words_in_the_open_interval():
    assert uniform(stream_of(0, 0, 0, 0)) == 2.0**-53
    assert uniform(stream_of(2**64 - 1, 0, 0, 1)) == 1.0 - 2.0**-53
    state = streams(3, 1)[0]
    words = xoshiro(state[:4, None], 100)[:, 0]
    cells = [int(word) >> 12 for word in words]
    assert [uniform(state) for _ in cells] == [(cell + 0.5) / 2**52 for cell in cells]


def test_uniforms_are_uniform():
    values = np.zeros(200_000)
    compile_kernel(fill_uniforms)(streams(1, 1)[0], len(values), values)
    assert stats.kstest(values, "uniform").pvalue > ALARM
    pairs = np.histogram2d(values[::2], values[1::2], bins=20)[0]
    assert stats.chisquare(pairs.ravel()).pvalue > ALARM


def test_normals_are_normal_and_independent():
    values = np.zeros(400_000)
    compile_kernel(fill_normals)(streams(2, 1)[0], len(values), values)
    assert stats.kstest(values, "norm").pvalue > ALARM
    # The two halves of a pair, and neighbours across pairs, on a grid of equally likely cells.
    cells = stats.norm.cdf(values)
    for first, second in ((cells[::2], cells[1::2]), (cells[1:-1:2], cells[2::2])):
        assert stats.chisquare(np.histogram2d(first, second, bins=10)[0].ravel()).pvalue > ALARM
    beyond_4 = np.sum(np.abs(values) > 4)
    assert stats.binomtest(int(beyond_4), len(values), 2 * stats.norm.sf(4)).pvalue > ALARM


@pytest.mark.parametrize("count", [0, 1, 2, 7, 100])
def test_normals_have_the_same_bits_compiled_and_uncompiled(count):
    results = []
    for fill in (fill_normals, compile_kernel(fill_normals)):
        rng, values = streams(9, 1)[0], np.full(count + 1, 5.0)
        fill(rng, count, values)
        assert values[count] == 5.0
        results.append((values.copy(), rng))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_a_stream_depends_on_seed_and_number_alone():
    np.testing.assert_array_equal(streams(7, 2), streams(7, 5)[:2])
    everything = np.concatenate([streams(seed, 50)[:, :4] for seed in (0, 1, 2)])
    assert len(np.unique(everything, axis=0)) == 150
    assert np.all(everything.any(axis=1))


def test_restore_goes_back_to_save():
    rng = streams(4, 1)[0]
    next_word(rng)
    save(rng)
    first = [next_word(rng) for _ in range(3)]
    restore(rng)
    assert [next_word(rng) for _ in range(3)] == first
