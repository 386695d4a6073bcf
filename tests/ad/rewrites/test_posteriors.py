"""Whole log densities with and without rewrites: the open posteriors, missing values, several likelihoods."""

import sys
from pathlib import Path

import numpy as np
import pytest

import bayesad as ba
from bayesad.ad.compiled import Wanted

sys.path.insert(0, str(Path(__file__).parents[3]))  # models/ is part of the checkout, not of the installed package

from models.posteriordb._posteriors import ReferencePosterior, names

LINEAR = ("diamonds", "earnings", "kidiq", "kilpisjarvi", "mesquite", "nes", "radon", "sblrc")
UNROLLED = ("arma", "bball", "garch", "hmm")  # thousands of operations, and nothing to rewrite but a constant


def interpreted(posterior, q):
    """Log density and gradient by the NumPy interpreter."""
    value, gradient = posterior.unconstrained.compiled.path(q).interpret(Wanted("reverse", 1, True), [q])
    return float(value), np.asarray(gradient)


def agree(posterior, seed=0, tolerance=1e-12):
    """Check value and gradient at random points; gives the names of the rewrites that were used."""
    plain = posterior.with_rewrites([])
    rng = np.random.default_rng(seed)
    for _ in range(2):
        q = rng.uniform(-1.0, 1.0, posterior.unconstrained.dimension)
        (value, gradient), (new, new_gradient) = interpreted(plain, q), interpreted(posterior, q)
        assert abs(new - value) <= tolerance * abs(value)
        assert np.max(np.abs(new_gradient - gradient)) <= tolerance * np.max(np.abs(gradient))
    assert plain.unconstrained.compiled.notes == []
    return {note.split(":")[0] for note in posterior.unconstrained.compiled.notes}


@pytest.mark.parametrize("name", [name for name in names() if not name.startswith(UNROLLED)])
def test_open_posteriors_stay_and_linear_ones_are_found(name):
    used = agree(ReferencePosterior(name).posterior)
    assert ("linear_gaussian" in used) == name.startswith(LINEAR)
    assert name != "Mt_data-Mt_model" or "distinct_rows" in used


RNG = np.random.default_rng(20251123)
X = RNG.normal(size=(120, 3))
Y = RNG.normal(size=120)
G = RNG.integers(0, 6, 120)


@ba.model
def shared_columns(x, y, z, g):
    """Two likelihoods with the same coefficients, and missing values in the second."""
    a = ba.sample("a", ba.Normal(0, 1), shape=6)
    b = ba.sample("b", ba.Normal(0, 1), shape=3)
    sigma = ba.sample("sigma", ba.HalfNormal(1), shape=2)
    ba.sample("y", ba.Normal(a[g] + x @ b, sigma[0]), obs=y)
    ba.sample("z", ba.Normal(x @ b, sigma[1]), obs=z)


def test_likelihoods_that_share_columns():
    assert agree(shared_columns(x=X, y=Y, z=2.0 * Y - 1.0, g=G)) == {"linear_gaussian"}


def test_missing_values():
    z = Y.copy()
    z[[3, 50, 119]] = np.nan
    posterior = shared_columns(x=X, y=Y, z=z, g=G)
    assert posterior.parameters["z_missing"].shape == (3,)
    agree(posterior)


@ba.model
def scales_by_group(x, y, g):
    b = ba.sample("b", ba.Normal(0, 1), shape=3)
    sigma = ba.sample("sigma", ba.LogNormal(0, 1), shape=6)
    ba.sample("y", ba.Normal(x @ b, sigma[g]), obs=y)


def test_rewrites_work_on_what_others_leave():
    """The logarithm moves before the gather and leaves the sum as a statistic; the squares are factored by group."""
    assert agree(scales_by_group(x=X, y=Y, g=G)) == {"early_work", "term_by_term", "linear_gaussian"}
