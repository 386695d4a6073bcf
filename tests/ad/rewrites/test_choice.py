"""Which rewrites are applied: the table, names, compiled functions, posteriors, and what inspect tells."""

import numpy as np
import pytest

import bayesad as ba
from bayesad import ad
from bayesad.ad.rewrites import REWRITES, check_names
from bayesad.errors import RewriteError

Y = np.linspace(0.0, 3.0, 50) ** 2


def f(b):
    return np.sum(np.square(Y - b[0] - b[1] * np.sqrt(Y)))


@ba.model
def regression(x, y):
    b = ba.sample("b", ba.Normal(0, 1), shape=2)
    ba.sample("y", ba.Normal(b[0] + b[1] * x, 2.0), obs=y)


POSTERIOR = regression(x=np.sqrt(Y), y=Y)


def rows(text):
    return f"f64[{len(Y)}]" in text


def test_the_table_has_every_rewrite_under_its_name_with_a_description():
    assert all(name == rewrite.name and rewrite.description for name, rewrite in REWRITES.items())
    assert ad.REWRITES is REWRITES


def test_names_are_put_in_the_order_of_application():
    assert check_names(reversed(REWRITES)) == tuple(REWRITES)
    assert check_names([]) == ()
    assert check_names("linear_gaussian") == ("linear_gaussian",)


@pytest.mark.parametrize("use", [lambda names: ad.compile(f, rewrites=names), POSTERIOR.with_rewrites])
def test_an_unknown_name_is_an_error_with_a_suggestion(use):
    with pytest.raises(RewriteError, match=r"no rewrite 'linear_gausian'; did you mean 'linear_gaussian'\?"):
        use(["linear_gausian"])


def test_compiled_functions_are_rewritten_unless_told_otherwise():
    x = np.array([0.3, -0.8])
    everything, nothing = ad.compile(f), ad.compile(f, rewrites=[])
    assert np.isclose(everything(x), nothing(x), rtol=1e-12)
    assert not rows(str(everything.paths[0].program)) and rows(str(nothing.paths[0].program))
    assert len(everything.notes) == 1 and nothing.notes == []
    assert ad.compile(everything) is everything
    assert ad.compile(everything, rewrites=()).rewrites == ()


def test_a_function_that_is_traced_for_one_evaluation_is_not_rewritten(monkeypatch):
    monkeypatch.setattr("bayesad.ad.deriving.rewritten", lambda program, names: (program, [*names]))
    seen = []
    original = ad.Compiled._traced
    monkeypatch.setattr(ad.Compiled, "_traced", lambda self, *a: seen.append(original(self, *a)) or seen[-1])
    ad.gradient(f, np.ones(2))
    assert [path.notes for path in seen] == [[]]


@pytest.mark.parametrize(("stage", "comment"), [("trace", "#"), ("gradient", "#"), ("llvm", ";"), ("asm", "#")])
def test_inspect_lists_what_was_done_with_the_users_line(stage, comment):
    text = ad.inspect(f, np.ones(2), stage)
    assert text.startswith(f"{comment} linear_gaussian: the squares of 50 linear residuals became those of 3 rows")
    assert "test_choice.py:15" in text.splitlines()[0]
    assert not ad.inspect(ad.compile(f, rewrites=[]), np.ones(2), stage).startswith(comment + " linear_gaussian")


def test_a_posterior_is_rewritten_unless_told_otherwise():
    q = np.array([0.3, -0.8])
    plain = POSTERIOR.with_rewrites([])
    for posterior, n_notes in ((POSTERIOR, 1), (plain, 0)):
        posterior.unconstrained.log_density(q)
        assert len(posterior.unconstrained.compiled.notes) == n_notes
    value, gradient = POSTERIOR.unconstrained.log_density_and_gradient(q)
    expected, expected_gradient = plain.unconstrained.log_density_and_gradient(q)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-12)
    np.testing.assert_allclose(POSTERIOR.neg_log_posterior({"b": q}), plain.neg_log_posterior({"b": q}), rtol=1e-12)
