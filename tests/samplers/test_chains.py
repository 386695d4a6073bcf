"""Several chains: the same draws however they are run, what they record, how they stop and fail."""

import _thread
import dataclasses
import itertools
import math
import signal
import threading
import time

import numpy as np
import pytest

from bayesad.ad.backends.llvm import kernel as kernel_module
from bayesad.errors import ConfigError, InitialisationError
from bayesad.samplers import HMC, NUTS, Chain, ChainState, SamplingError, is_usable, run_chains
from bayesad.samplers import chains as chains_module
from bayesad.samplers import control as codes
from bayesad.samplers.adaptation import windows
from bayesad.samplers.chain import kernel
from bayesad.samplers.random import streams

SAMPLERS = {
    "nuts": NUTS(),
    "nuts dense": NUTS(metric="dense", target_accept=0.9, max_tree_depth=4),
    "nuts low rank": NUTS(metric="low_rank"),
    "nuts fixed": NUTS(step_size=0.5, metric="diagonal"),
    "hmc": HMC(),
    "hmc steps": HMC(n_steps=5, jitter=0.0, metric="dense"),
}


def standard_normal(q, gradient):
    gradient[:] = -q
    return -0.5 * float(q @ q)


def run(log_density, sampler=SAMPLERS["nuts"], *, dimension=2, chains=2, warmup=60, draws=40, seed=5, **more):
    more.setdefault("initial", np.linspace(-1, 1, chains * dimension).reshape(chains, dimension))
    return run_chains(log_density, dimension, sampler, chains=chains, warmup=warmup, draws=draws, seed=seed, **more)


def assert_same(first, second):
    np.testing.assert_array_equal(first.draws, second.draws)
    for name, values in first.stats.items():
        np.testing.assert_array_equal(values, second.stats[name])
    np.testing.assert_array_equal(first.step_size, second.step_size)
    np.testing.assert_array_equal(first.gradient_evaluations, second.gradient_evaluations)
    for one, other in zip(first.inverse_metric, second.inverse_metric, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", SAMPLERS)
def test_compiled_and_uncompiled_kernels_give_the_same_draws(targets, name):
    target = targets.quartic()
    fast = run(target.pointer, SAMPLERS[name], keep_warmup=True)
    slow = run(target.pointer, SAMPLERS[name], keep_warmup=True, compiled=False)
    assert_same(fast, slow)
    np.testing.assert_array_equal(fast.warmup_draws, slow.warmup_draws)
    assert_same(run(target, SAMPLERS[name]), fast)  # a Python callable instead of machine code


@pytest.mark.parametrize("name", SAMPLERS)
def test_draws_do_not_depend_on_threads_or_on_the_number_of_chains(targets, name):
    target, initial = targets.quartic().pointer, np.array([0.3, -0.2])
    one = run(target, SAMPLERS[name], chains=4, threads=1, initial=initial)
    assert_same(one, run(target, SAMPLERS[name], chains=4, threads=2, initial=initial))
    assert_same(one, run([target] * 4, SAMPLERS[name], chains=4, threads=4, initial=initial))
    fewer = run(target, SAMPLERS[name], chains=2, initial=initial)
    np.testing.assert_array_equal(fewer.draws, one.draws[:2])
    assert not np.array_equal(one.draws[0], one.draws[1])
    assert not np.array_equal(run(target, SAMPLERS[name], seed=6, initial=initial).draws, fewer.draws)


def chain_of(sampler, *, state=None):
    return Chain(
        2,
        sampler,
        warmup=160,
        draws=40,
        rng=streams(5, 1)[0],
        initial=np.array([0.5, -0.5]),
        keep_warmup=True,
        state=state,
    )


@pytest.mark.parametrize("name", SAMPLERS)
def test_blocks_and_checkpoints_give_the_same_draws_as_one_go(targets, name):
    target = targets.quartic().pointer
    whole = chain_of(SAMPLERS[name])
    assert whole.advance(target, 200) == codes.COMPLETE
    parts, state = [], None
    for until in (0, 1, 80, 100, 101, 159, 160, 161, 200):
        block = chain_of(SAMPLERS[name], state=state)
        begin = block.completed
        assert block.advance(target, until) == codes.COMPLETE
        assert block.completed == until
        parts.append(np.hstack([block.draws, block.statistics])[begin:until])
        copies = {f.name: getattr(block.state, f.name).copy() for f in dataclasses.fields(ChainState)}
        state = ChainState(**copies)
    np.testing.assert_array_equal(np.concatenate(parts), np.hstack([whole.draws, whole.statistics]))


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("after", [1, 2, 3, 7, 150, 300])
def test_a_chain_stopped_anywhere_goes_on_as_if_it_had_not_been(targets, name, after):
    target = targets.quartic()
    whole = chain_of(SAMPLERS[name])
    whole.advance(target.pointer, 200)
    chain, calls = chain_of(SAMPLERS[name]), 0

    def stopping(q, gradient):
        nonlocal calls
        calls += 1
        if calls == after:
            chain.stop()
        return target(q, gradient)

    with np.errstate(over="ignore", invalid="ignore"):
        assert chain.advance(stopping, 200, compiled=False) == codes.STOPPED
    assert calls == after
    assert chain.completed < 200
    assert chain.advance(stopping, 200, compiled=False) == codes.STOPPED  # stays stopped
    assert calls == after
    chain.control[codes.STOP] = 0
    assert chain.advance(target.pointer, 200) == codes.COMPLETE
    np.testing.assert_array_equal(chain.draws, whole.draws)
    np.testing.assert_array_equal(chain.statistics, whole.statistics)


def test_statistics_have_arvizs_names_types_and_shapes(targets):
    nuts, hmc = (run(targets.quartic().pointer, SAMPLERS[name], draws=30) for name in ("nuts", "hmc"))
    common = {"acceptance_rate": "f", "step_size": "f", "diverging": "b", "energy": "f", "n_steps": "i", "lp": "f"}
    trees = {"tree_depth": "i", "reached_max_treedepth": "b", "index_in_trajectory": "i"}
    assert {name: values.dtype.kind for name, values in nuts.stats.items()} == common | trees
    assert {name: values.dtype.kind for name, values in hmc.stats.items()} == common
    for result in (nuts, hmc):
        assert result.draws.shape == (2, 30, 2)
        assert {values.shape for values in result.stats.values()} == {(2, 30)}
        assert result.warmup_draws is None
        assert result.warmup_stats is None
        assert np.all(result.stats["step_size"] == result.step_size[:, None])
        target = targets.quartic()
        densities = [[target(q, np.zeros(2)) for q in chain] for chain in result.draws]
        np.testing.assert_allclose(result.stats["lp"], densities, rtol=1e-12)
        assert np.all(result.stats["energy"] >= -result.stats["lp"])
        assert np.all((result.stats["acceptance_rate"] >= 0) & (result.stats["acceptance_rate"] <= 1))
        assert result.warmup_time.shape == result.sampling_time.shape == (2,)
        assert np.all(result.warmup_time > 0)
        assert not result.interrupted
        assert list(result.completed) == [30, 30]
    assert np.all(nuts.stats["n_steps"] >= 2 ** nuts.stats["tree_depth"] - 1)
    assert np.all(np.abs(nuts.stats["index_in_trajectory"]) <= nuts.stats["n_steps"])


def test_every_gradient_is_counted():
    calls = [0, 0]

    def density(chain):
        def log_density(q, gradient):
            calls[chain] += 1
            return standard_normal(q, gradient)

        return log_density

    for sampler in SAMPLERS.values():
        calls[:] = 0, 0
        result = run([density(0), density(1)], sampler, keep_warmup=True)
        assert list(result.gradient_evaluations) == calls
        assert result.stats["n_steps"].sum() + result.warmup_stats["n_steps"].sum() < sum(calls)


def test_warmup_is_kept_on_request_and_changes_nothing(targets):
    target = targets.quartic().pointer
    without, kept = run(target), run(target, keep_warmup=True)
    assert_same(without, kept)
    assert kept.warmup_draws.shape == (2, 60, 2)
    assert kept.warmup_stats.keys() == kept.stats.keys()
    assert len(np.unique(kept.warmup_stats["step_size"])) > 50


@pytest.mark.parametrize("name", ["nuts", "nuts dense", "hmc", "hmc steps"])
def test_step_sizes_follow_from_acceptances(targets, name):
    # Step sizes replayed from the record of acceptances.
    sampler, warmup = SAMPLERS[name], 500
    target, _ = targets.normal([1.0, 4.0, 25.0], reflected=True)
    result = run(target.pointer, sampler, dimension=3, warmup=warmup, draws=20, keep_warmup=True)
    for chain in range(2):
        draws, steps, acceptances = (
            result.warmup_draws[chain],
            *(result.warmup_stats[key][chain] for key in ("step_size", "acceptance_rate")),
        )
        updates, _ = expected_updates(draws, np.full(3, 0.5), 3, sampler.metric != "diagonal")
        before = 1.0
        for begin, end in itertools.pairwise((0, *updates, warmup)):
            doublings = np.log2(steps[begin] / before)
            assert doublings == pytest.approx(round(doublings), abs=1e-9)
            expected, averaged = approximation(steps[begin], sampler.target_accept, acceptances[begin:end])
            np.testing.assert_allclose(steps[begin + 1 : end], expected[:-1], rtol=1e-9)
            before = expected[-1]
        assert result.step_size[chain] == pytest.approx(averaged, rel=1e-9)


@pytest.mark.parametrize("name", ["nuts", "nuts dense", "hmc", "hmc steps"])
def test_metrics_follow_from_the_draws_of_windows(targets, name):
    sampler, warmup, start = SAMPLERS[name], 500, np.ones(3)
    target, covariance = targets.normal([1.0, 4.0, 25.0], reflected=True)
    chain = Chain(3, sampler, warmup=warmup, draws=0, rng=streams(5, 1)[0], initial=start, keep_warmup=True)
    whole = Chain(3, sampler, warmup=warmup, draws=0, rng=streams(5, 1)[0], initial=start, keep_warmup=True)
    whole.advance(target.pointer, warmup)
    updates, begins = expected_updates(whole.draws, start, 3, sampler.metric != "diagonal")
    precision = np.linalg.inv(covariance)
    for begin, update in zip(begins, updates, strict=True):
        chain.advance(target.pointer, update)
        draws, inverse = chain.draws[begin:update], chain.inverse_metric
        if inverse.ndim == 2:  # the draws are of a normal, so that the estimate is exact
            np.testing.assert_allclose(inverse, covariance, rtol=1e-3, atol=1e-3)
        else:
            np.testing.assert_allclose(inverse, draws.std(axis=0) / (draws @ precision).std(axis=0), rtol=1e-7)
            assert sampler.metric != "dense" or update == 10


def expected_updates(draws, start, dimension, may_be_dense):
    """After which iterations the metric is updated, and where the window of each began."""
    moves = np.any(np.diff(draws, axis=0, prepend=start[None]) != 0, axis=1)
    updates, begins, begin = [], [], 0
    for update, end in zip(*windows(len(draws)), strict=True):
        moved = np.flatnonzero(moves[begin:update])
        enough = dimension + dimension // 2 + 1
        if may_be_dense and len(moved) >= enough:
            updates.append(begin + moved[enough - 1] + 1)
            begins.append(begin)
        updates.append(update)
        begins.append(begin)
        begin = update if end else begin
    order = sorted(set(zip(updates, begins, strict=True)))
    return [update for update, _ in order], [begin for _, begin in order]


def approximation(first_step, target, acceptances):
    """Robbins & Monro's recursion in NumPy: the step size after every update, and the averaged one."""
    t = np.arange(1, len(acceptances) + 1)
    errors = np.log(np.maximum(acceptances, 0.1)) - (2.0 - target) * math.log(target)
    log_steps = math.log(first_step) + np.cumsum(2.0 / np.sqrt(t + 4.0) * target * errors)
    weights = t**-0.75
    kept = np.append(np.cumprod((1 - weights)[::-1])[::-1][1:], 1.0)
    return np.exp(log_steps), np.sum(weights * kept * np.exp(-4.0 * log_steps)) ** -0.25


def test_tree_depth_is_limited_and_said_to_be(targets):
    target, _ = targets.normal([1.0, 1e4])
    result = run(target.pointer, NUTS(max_tree_depth=2, step_size=0.1, metric="diagonal"))
    assert result.stats["n_steps"].max() == 3
    assert result.stats["tree_depth"].max() == 2
    assert result.stats["reached_max_treedepth"].mean() > 0.5
    free = run(target.pointer, NUTS())
    assert not free.stats["reached_max_treedepth"].any()


def test_a_given_step_size_is_used_throughout(targets):
    result = run(targets.quartic().pointer, NUTS(step_size=0.25), keep_warmup=True)
    assert np.all(result.warmup_stats["step_size"] == 0.25)
    assert np.all(result.stats["step_size"] == 0.25)
    assert not np.array_equal(result.inverse_metric[0], np.ones(2))  # the metric is still learnt


def test_without_warmup_the_step_size_is_searched_for(targets):
    target, _ = targets.normal([1e-8, 1e-8])
    result = run(target.pointer, warmup=0, initial=np.full(2, 1e-4))
    assert 1e-6 < result.step_size.min() <= result.step_size.max() < 1e-3
    assert result.stats["acceptance_rate"].mean() > 0.3
    np.testing.assert_array_equal(result.inverse_metric[0], np.ones(2))


def test_no_draws_at_all_are_possible(targets):
    result = run(targets.quartic().pointer, draws=0)
    assert result.draws.shape == (2, 0, 2)
    assert result.stats["lp"].shape == (2, 0)


def test_divergences_are_listed_with_their_places(targets):
    result = run(targets.funnel(5).pointer, NUTS(target_accept=0.6), dimension=5, chains=4, warmup=200, draws=500)
    found, where = result.divergences, np.nonzero(result.stats["diverging"])
    assert len(found.chain) > 5
    np.testing.assert_array_equal(found.chain, where[0])
    np.testing.assert_array_equal(found.draw, where[1])
    assert found.start.shape == found.end.shape == (len(found.chain), 5)
    assert np.all(np.isfinite(found.start))
    assert np.all(np.any(found.start != found.end, axis=1))
    assert not run(targets.normal([1.0, 4.0])[0].pointer).divergences.chain.size


def test_progress_is_told_at_the_beginning_while_running_and_at_the_end():
    rows = []

    def slow(q, gradient):
        time.sleep(2e-4)
        return standard_normal(q, gradient)

    result = run(slow, progress=rows.append, warmup=100, draws=100)
    assert len(rows) >= 3
    assert all(len(row) == 2 for row in rows)
    assert [chain.chain for chain in rows[0]] == [0, 1]
    for before, after in itertools.pairwise(rows):
        assert all(a.iteration <= b.iteration for a, b in zip(before, after, strict=True))
    assert any(0 < row[0].iteration < 200 for row in rows)
    for chain, last in enumerate(rows[-1]):
        assert (last.phase, last.iteration, last.total) == ("sampling", 200, 200)
        assert last.leapfrogs == result.gradient_evaluations[chain]
        assert last.step_size == result.step_size[chain]
        assert last.tree_depth == result.stats["tree_depth"][chain, -1]
        assert last.divergences == result.stats["diverging"][chain].sum()
    assert rows[0][0].phase == "warmup"


def test_progress_counts_the_divergences_of_the_phase(targets):
    rows = []
    result = run(targets.funnel(5).pointer, dimension=5, warmup=300, draws=600, progress=rows.append, keep_warmup=True)
    assert result.warmup_stats["diverging"].any()
    np.testing.assert_array_equal([c.divergences for c in rows[-1]], result.stats["diverging"].sum(axis=1))


def worth_keeping(completed):
    """The chains that are kept: those with at least a quarter of the draws of the longest."""
    return [i for i, n in enumerate(completed) if n >= max(completed) / 4]


@pytest.mark.parametrize("compiled", [True, False])
def test_ctrl_c_keeps_what_was_drawn(compiled):
    enough = threading.Event()

    def slow(q, gradient):
        time.sleep(1e-3)
        return standard_normal(q, gradient)

    def interrupt(rows):
        if min(row.iteration for row in rows) >= 30 and not enough.is_set():
            enough.set()
            started.append(time.perf_counter())
            _thread.interrupt_main()

    started = []
    result = run(slow, warmup=20, draws=10_000, progress=interrupt, keep_warmup=True, compiled=compiled)
    assert time.perf_counter() - started[0] < 0.5
    assert result.interrupted
    assert result.completed.min() >= 10
    chosen = worth_keeping(result.completed)
    assert result.draws.shape == (len(chosen), result.completed[chosen].min(), 2)
    assert result.warmup_draws.shape == (len(chosen), 20, 2)
    assert {values.shape for values in result.stats.values()} == {result.draws.shape[:2]}
    # What was drawn is what an undisturbed run draws.
    undisturbed = run(standard_normal, warmup=20, draws=result.draws.shape[1], keep_warmup=True)
    np.testing.assert_array_equal(result.draws, undisturbed.draws[chosen])
    np.testing.assert_array_equal(result.warmup_draws, undisturbed.warmup_draws[chosen])


@pytest.mark.parametrize("sampler", [NUTS(step_size=1e-3), HMC(n_steps=1000, step_size=1e-3)])
@pytest.mark.parametrize("compiled", [True, False])
def test_after_ctrl_c_each_chain_runs_at_most_one_more_leapfrog(sampler, compiled, monkeypatch):
    """With such a step size a transition takes a thousand leapfrogs: the chains stop in the midst of one."""
    stopped = threading.Event()
    begun = [0, 0]  # leapfrogs of each chain
    at_the_stop = []
    interrupt = chains_module._Crew._interrupt

    def watched(crew):
        interrupt(crew)
        at_the_stop.extend(begun)
        stopped.set()

    monkeypatch.setattr(chains_module._Crew, "_interrupt", watched)

    def density(chain):
        def log_density(q, gradient):
            begun[chain] += 1
            if begun[0] == 100:
                begun[0] += 1
                signal.raise_signal(signal.SIGINT)  # comes to the main thread, which sleeps or draws
                assert stopped.wait(60)
            return standard_normal(q, gradient)

        return log_density

    result = run([density(0), density(1)], sampler=sampler, warmup=0, draws=100, threads=2, compiled=compiled)
    assert result.interrupted and len(at_the_stop) == 2
    assert all(after - before <= 1 for after, before in zip(begun, at_the_stop, strict=True))
    assert begun[0] == at_the_stop[0] == 101


def test_ctrl_c_breaks_off_neither_progress_nor_what_is_done_meanwhile():
    """An import that stops halfway leaves modules that cannot be imported again."""
    steps = []

    def steps_of_work():
        for name in ("first", "second"):
            signal.raise_signal(signal.SIGINT)
            steps.append(name)
            yield

    def slow(q, gradient):
        time.sleep(1e-3)
        return standard_normal(q, gradient)

    result = run(slow, warmup=20, draws=10_000, meanwhile=steps_of_work())
    assert result.interrupted and steps == ["first"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_users_own_is_left_alone():
    seen = []

    def own(*_):
        seen.append(signal.getsignal(signal.SIGINT))

    def raise_once(rows):
        if not seen:
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, own)
    try:
        assert not run(standard_normal, warmup=5, draws=5, progress=raise_once).interrupted
        assert seen == [own] and signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_is_done_meanwhile_ends_with_the_chains():
    """Of endless work only as much is done as there is time for, in the caller's thread."""
    where = []
    begun = threading.Event()

    def steps_of_work():
        while True:
            where.append(threading.current_thread())
            begun.set()
            yield

    def patient(q, gradient):
        assert begun.wait(60)
        return standard_normal(q, gradient)

    result = run(patient, warmup=20, draws=20, meanwhile=steps_of_work())
    assert not result.interrupted and result.draws.shape == (2, 20, 2)
    assert set(where) == {threading.current_thread()}


def test_ctrl_c_leaves_out_chains_that_had_hardly_begun():
    def density(pause):
        def log_density(q, gradient):
            time.sleep(pause)
            return standard_normal(q, gradient)

        return log_density

    def interrupt(rows):
        if min(rows[0].iteration, rows[1].iteration) >= 60:
            raise KeyboardInterrupt

    densities = [density(2e-4), density(2e-4), density(0.2)]
    result = run(densities, chains=3, threads=3, warmup=20, draws=10_000, progress=interrupt, keep_warmup=True)
    chosen = worth_keeping(result.completed)
    assert result.completed[2] == 0
    assert 2 not in chosen
    assert result.draws.shape == (len(chosen), result.completed[chosen].min(), 2)
    assert result.draws.shape[1] >= 40
    assert result.warmup_draws.shape == (len(chosen), 20, 2)
    assert result.step_size.shape == result.warmup_time.shape == result.gradient_evaluations.shape == (len(chosen),)


def test_ctrl_c_in_warmup_keeps_the_warmup():
    def slow(q, gradient):
        time.sleep(1e-3)
        return standard_normal(q, gradient)

    def interrupt(rows):
        if rows[0].iteration >= 5:
            raise KeyboardInterrupt

    result = run(slow, chains=3, threads=2, warmup=5000, draws=10, progress=interrupt, keep_warmup=True)
    assert result.interrupted
    assert result.draws.shape == (3, 0, 2)
    assert list(result.completed) == [0, 0, 0]
    assert result.warmup_draws.shape == (3, 0, 2)  # the third chain had not begun


def test_an_error_in_progress_stops_the_chains_and_is_raised():
    def broken(rows):
        raise ZeroDivisionError("progress")

    def slow(q, gradient):
        time.sleep(1e-3)
        return standard_normal(q, gradient)

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError, match="progress"):
        run(slow, draws=100_000, progress=broken)
    assert threading.active_count() == before


@pytest.mark.parametrize("compiled", [True, False])
def test_an_error_in_the_log_density_stops_all_chains_and_names_its_chain(compiled):
    calls = 0

    def broken(q, gradient):
        nonlocal calls
        calls += 1
        if calls > 100:
            raise ValueError("no such place")
        return standard_normal(q, gradient)

    def slow(q, gradient):
        time.sleep(1e-4)
        return standard_normal(q, gradient)

    with pytest.raises(ValueError, match="no such place") as error:
        run([slow, broken], draws=100_000, compiled=compiled)
    assert error.value.__notes__ == ["raised by the log density in chain 1"]


@pytest.mark.parametrize("bad", ["value", "gradient"])
def test_an_unusable_start_is_an_error_that_names_the_chain(bad):
    def log_density(q, gradient):
        gradient[:] = math.nan if bad == "gradient" and q[0] > 0 else -q
        return math.nan if bad == "value" and q[0] > 0 else -0.5 * float(q @ q)

    assert is_usable(log_density, [-1.0, 1.0])
    assert not is_usable(log_density, [1.0, 1.0])
    with pytest.raises(InitialisationError, match=r"chain 1 .*starting point"):
        run(log_density, initial=np.array([[-1.0, 1.0], [1.0, 1.0]]))


def test_machine_code_can_be_asked_whether_a_point_is_usable(targets):
    pointer = targets.log_gamma([1.0, 2.0]).pointer
    assert is_usable(pointer, [0.0, 1.0])
    assert not is_usable(pointer, [0.0, math.nan])


def test_an_improper_density_and_one_without_gradient_are_errors():
    def flat(q, gradient):
        gradient[:] = 0.0
        return 0.0

    def lonely(q, gradient):
        gradient[:] = 0.0
        return 0.0 if not q.any() else -math.inf

    with pytest.raises(SamplingError, match=r"chain \d cannot go on: .*improper"):
        run(flat)
    with pytest.raises(SamplingError, match=r"chain \d cannot go on: .*no step size is small enough"):
        run(lonely, initial=np.zeros(2))


def test_the_callers_arrays_are_not_changed(targets):
    initial = np.array([[0.5, 0.1], [0.2, -0.3]])
    before = initial.copy()
    first = run(targets.quartic().pointer, initial=initial)
    np.testing.assert_array_equal(initial, before)
    assert_same(first, run(targets.quartic().pointer, initial=initial))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"chains": 0}, ["chains", "at least 1", "0"]),
        ({"warmup": -1}, ["warmup", "at least 0", "-1"]),
        ({"draws": 1.5}, ["draws", "whole number", "1.5"]),
        ({"dimension": 0, "initial": np.zeros(0)}, ["dimension", "at least 1"]),
        ({"threads": 0}, ["threads", "at least 1"]),
        ({"initial": np.zeros(3)}, ["initial", "(3,)", "(2,)", "(2, 2)"]),
    ],
)
def test_impossible_arguments_are_named(arguments, words):
    with pytest.raises(ConfigError) as error:
        run(standard_normal, **arguments)
    for word in words:
        assert word in str(error.value)


def test_one_density_per_chain_or_one_for_all():
    with pytest.raises(ConfigError, match="3 for 2 chains"):
        run([standard_normal] * 3)


@pytest.mark.parametrize("name", ["nuts", "hmc", "nuts dense"])
def test_a_provisional_kernel_and_its_replacement_give_the_same_draws(targets, name, monkeypatch, tmp_path):
    """Cache and memory are empty, as at the very first run; the better kernel comes when half of the run is done."""
    expected = run(targets.quartic().pointer, SAMPLERS[name], draws=200)
    monkeypatch.setenv("BAYESAD_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(kernel_module, "_libraries", {})
    monkeypatch.setattr(chains_module, "PATIENCE", math.inf)
    kernel.cache_clear()
    try:
        first = kernel(True)
        assert first.provisional
        assert_same(run(targets.quartic().pointer, SAMPLERS[name], draws=200), expected)
        assert first.provisional
        target = targets.quartic()
        provisional = []

        def log_density(q, gradient):
            if len(provisional) == 1000:
                first.improve()
                first._thread.join()
            provisional.append(first.provisional)
            return target(q, gradient)

        assert_same(run(log_density, SAMPLERS[name], draws=200, threads=1), expected)
        assert any(provisional) and not provisional[-1]
    finally:
        kernel.cache_clear()


def test_a_run_that_lasts_asks_for_a_better_kernel_once(monkeypatch):
    asked = threading.Event()
    calls = []

    def improve():
        calls.append(threading.current_thread())
        asked.set()

    def patient(q, gradient):
        assert asked.wait(60)
        return standard_normal(q, gradient)

    monkeypatch.setattr(chains_module, "PATIENCE", 0.01)
    monkeypatch.setattr(chains_module, "improve_kernel", improve)
    run(patient, warmup=20, draws=20)
    assert calls == [threading.main_thread()]


def test_a_run_that_is_compiled_compiles_once():
    assert kernel(True) is kernel(True)
    assert kernel(True).function is kernel(False)


def test_the_way_to_where_a_chain_draws_is_no_part_of_its_windows(targets):
    """At the start the log density is near -e^35; a window begins anew when it has risen by 5 (d + 10)."""
    shapes = np.array([1.0, 2.0, 3.0, 4.0])
    target, start, warmup = targets.log_gamma(shapes).pointer, np.array([35.0, 30.0, 25.0, 34.0]), 120

    def chain():
        sampler = NUTS(metric="diagonal")
        return Chain(4, sampler, warmup=warmup, draws=0, rng=streams(3, 1)[0], initial=start, keep_warmup=True)

    whole, chain = chain(), chain()
    whole.advance(target, warmup)
    heights = whole.statistics[:, codes.LOG_DENSITY]
    moves = np.any(np.diff(whole.draws, axis=0, prepend=start[None]) != 0, axis=1)
    begin, begins, metric = 0, set(), np.ones(4)
    for update, end in zip(*windows(warmup), strict=True):
        for i in range(begin, update):
            begin = i if heights[i] - heights[begin] > 5 * 14 else begin
        if moves[begin:update].sum() >= 5:
            draws = whole.draws[begin:update]
            metric = draws.std(axis=0) / (shapes - np.exp(draws)).std(axis=0)
        begins.add(begin)
        chain.advance(target, update)
        np.testing.assert_allclose(chain.inverse_metric, metric, rtol=1e-6)
        begin = update if end else begin
    assert len(begins - {0, 10, 30, 70}) > 0
    assert np.all(whole.inverse_metric < 4.0)
