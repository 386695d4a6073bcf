"""Chains on a density that branches on values in Python draw what they draw where NumPy chooses."""

import numpy as np

import bayesad as ba


def model_of(term):
    @ba.model
    def skewed():
        x = ba.sample("x", ba.Flat(), shape=3)
        ba.factor("skew", term(x))

    return skewed()


def test_draws_equal_those_with_where():
    """Bit for bit, as the factors are powers of two."""

    def branching(x):
        scale = 0.5 if x[0] > 0 else 1.0
        if x[1] > 0:
            scale = 2.0 * scale
        return -scale * np.sum(x * x)

    def chosen(x):
        return -np.where(x[0] > 0, 0.5, 1.0) * np.where(x[1] > 0, 2.0, 1.0) * np.sum(x * x)

    settings = {"chains": 3, "warmup": 300, "draws": 300, "seed": 4}
    posterior = model_of(branching)
    one, other = posterior.sample(**settings), model_of(chosen).sample(**settings)
    assert len(posterior.unconstrained.compiled.paths) == 4
    np.testing.assert_array_equal(one["posterior"]["x"], other["posterior"]["x"])
    again = posterior.sample(**settings)
    np.testing.assert_array_equal(one["posterior"]["x"], again["posterior"]["x"])
