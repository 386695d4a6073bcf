"""Drawing without a DataTree, and what is kept in memory meanwhile."""

import gc
import sys
import weakref

import numpy as np
import pytest

import bayesad as ba
from bayesad import sampling
from bayesad.ad.backends.llvm.native import NativeProgram
from bayesad.posterior import Posterior


@ba.model
def regression(x, y):
    slope = ba.sample("slope", ba.Normal(0, 1))
    mean = ba.deterministic("mean", slope * x)
    ba.sample("y", ba.Normal(mean, 1), obs=y)


X = np.linspace(-1, 1, 50)


@pytest.fixture
def posterior():
    return regression(x=X, y=0.5 * X)


SETTINGS = {"chains": 2, "warmup": 60, "draws": 30, "seed": 3}


def test_draws_in_memory_are_those_of_the_datatree(posterior):
    drawn = sampling.draw(posterior, **SETTINGS, keep_warmup=True)
    tree = posterior.sample(**SETTINGS, keep_warmup=True)
    assert list(drawn.values) == ["slope", "mean"]
    for name, value in drawn.values.items():
        np.testing.assert_array_equal(value, tree["posterior"][name].values)
        np.testing.assert_array_equal(drawn.warmup_values[name], tree["warmup_posterior"][name].values)
    np.testing.assert_allclose(drawn.values["mean"], drawn.values["slope"][..., None] * X, rtol=1e-14)
    np.testing.assert_array_equal(drawn.chains.stats["lp"], tree["sample_stats"]["lp"].values)
    assert drawn.seed == 3 and drawn.preparing_time > 0
    assert sampling.draw(posterior, **SETTINGS).warmup_values is None


@pytest.mark.parametrize("large", [False, True])
def test_modules_for_later_are_imported_meanwhile_unless_the_data_are_large(posterior, large, monkeypatch, tmp_path):
    (tmp_path / "a_module_for_the_report.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sampling, "LARGE", 0 if large else 2**30)
    begun = []

    def draw(posterior, *, meanwhile, **_):
        begun.extend(meanwhile)
        raise KeyboardInterrupt

    monkeypatch.setattr(sampling, "draw", draw)
    with pytest.raises(KeyboardInterrupt):
        sampling.sample(posterior, meanwhile=["no_such_module", "a_module_for_the_report"])
    assert len(begun) == (0 if large else len(sampling.MODULES_OF_THE_RESULT) + 2)
    assert ("a_module_for_the_report" in sys.modules) is not large
    sys.modules.pop("a_module_for_the_report", None)


def test_large_data_are_not_kept_in_machine_code_once_the_chains_have_run(posterior, monkeypatch):
    monkeypatch.setattr(sampling, "LARGE", 0)
    programs = weakref.WeakSet()
    made = []
    begin, values = NativeProgram.__init__, Posterior.values

    def noted(self, *arguments, **more):
        begin(self, *arguments, **more)
        programs.add(self)
        made.append(len(self.constants))

    def alive(self, q):
        assert made and not programs
        return values(self, q)

    monkeypatch.setattr(NativeProgram, "__init__", noted)
    monkeypatch.setattr(Posterior, "values", alive)
    gc.disable()  # nothing but the run itself may collect them
    try:
        first = sampling.draw(posterior, **SETTINGS)
    finally:
        gc.enable()
    monkeypatch.setattr(Posterior, "values", values)
    again = sampling.draw(posterior, **SETTINGS)  # compiled anew
    np.testing.assert_array_equal(first.values["slope"], again.values["slope"])


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"sampler": "nuts"}, r"made by ba\.NUTS"),
        ({"progress": False}, "or None for silence"),
        ({"chains": 0}, "chains must be a whole number of at least 1"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"seed": 1.5}, "seed must be a whole number of at least 0"),
        ({"draws": 10.5}, "draws must be a whole number"),
    ],
)
def test_settings_of_other_libraries_are_named(setting, words):
    @ba.model
    def one():
        ba.sample("x", ba.Normal(0, 1))

    with pytest.raises(ba.errors.ConfigError, match=words):
        one().sample(**setting)
