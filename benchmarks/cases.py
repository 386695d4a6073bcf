"""The models whose gradients are measured: in the plain DSL, their data, and what the other contestants need."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesad import Model, Posterior
from benchmarks import densities
from benchmarks.models import linear_regression, logistic_regression, varying_intercepts
from models.posteriordb._posteriors import ReferencePosterior
from models.posteriordb.eight_schools_noncentered import eight_schools_noncentered
from models.posteriordb.garch11 import garch11
from models.posteriordb.low_dim_gauss_mix import low_dim_gauss_mix

__all__ = ["CASES", "Case", "hierarchical", "linear", "logistic", "logistic_data"]


@dataclass(frozen=True)
class Case:
    """A model with its data, written four times.

    Attributes
    ----------
    name, title : str
    model : Model
        In the DSL.
    make_data : callable
        The model's arguments.
    density : callable
        ``density(library, q, **data)``, the same log density but for a constant, for JAX and its like.
    source : str
        The same in C: ``c/SOURCE.c``.
    for_c : callable
        From the data to the macros and the arrays that the C function takes.
    rewrites : bool
        Whether bayesad may replace the likelihood by a cheaper one, which C does not.
    """

    name: str
    title: str
    model: Model
    make_data: Callable[[], dict[str, Any]]
    density: Callable[..., Any]
    source: str
    for_c: Callable[..., tuple[dict[str, int], list[Any]]]
    rewrites: bool = False

    @functools.cached_property
    def data(self) -> Mapping[str, Any]:
        return self.make_data()

    @functools.cached_property
    def posterior(self) -> Posterior:
        posterior = self.model(**self.data)
        return posterior if self.rewrites else posterior.with_rewrites([])

    def points(self, n: int) -> list[np.ndarray]:
        """Where to evaluate: n unconstrained vectors near 0, the same in every run."""
        rng = np.random.default_rng(20251123)
        return [0.3 * rng.standard_normal(self.posterior.unconstrained.dimension) for _ in range(n)]


def regression_data(rows: int, columns: int) -> dict[str, Any]:
    rng = np.random.default_rng(rows + columns)
    X = rng.standard_normal((rows, columns))
    return {"X": X, "y": 0.5 + X @ rng.standard_normal(columns) + rng.standard_normal(rows)}


def logistic_data(rows: int, columns: int) -> dict[str, Any]:
    rng = np.random.default_rng(rows + columns)
    X = rng.standard_normal((rows, columns))
    eta = X @ rng.standard_normal(columns) / np.sqrt(columns)
    return {"X": X, "y": (rng.uniform(size=rows) < 1 / (1 + np.exp(-eta))).astype(np.int64)}


def grouped_data(rows: int, groups: int) -> dict[str, Any]:
    rng = np.random.default_rng(rows + groups)
    group = np.concatenate([np.arange(groups), rng.integers(0, groups, rows - groups)])
    x, alpha = rng.standard_normal(rows), rng.standard_normal(groups)
    return {"x": x, "y": alpha[group] + 0.5 * x + rng.standard_normal(rows), "group": rng.permutation(group)}


def reference_data(name: str) -> dict[str, Any]:
    return dict(ReferencePosterior(name).posterior.data)


def columns(X: Any, y: Any) -> tuple[dict[str, int], list[Any]]:
    return {"N": X.shape[0], "K": X.shape[1]}, [np.ascontiguousarray(X.T), y.astype(float)]


def rows(X: Any, y: Any) -> tuple[dict[str, int], list[Any]]:
    return {"N": X.shape[0], "K": X.shape[1]}, [X, y.astype(float)]


def linear(n: int, k: int, rewrites: bool = False) -> Case:
    title = f"linear regression {n} × {k}" + ", rewritten" * rewrites
    return Case(
        f"linear_{n}x{k}" + "_rewritten" * rewrites,
        title,
        linear_regression,
        lambda: regression_data(n, k),
        densities.linear_regression,
        "linear_regression",
        columns,
        rewrites,
    )


def logistic(n: int, k: int) -> Case:
    """Few columns are laid out one by one, many in blocks of rows."""
    source, layout = ("logistic_columns", columns) if k < 32 else ("logistic_blocks", rows)
    make_data = functools.partial(logistic_data, n, k)
    title = f"logistic regression {n} × {k}"
    return Case(f"logistic_{n}x{k}", title, logistic_regression, make_data, densities.logistic, source, layout)


def hierarchical(n: int, groups: int) -> Case:
    return Case(
        f"hierarchical_{n}_{groups}",
        f"varying intercepts, {n} rows, {groups} groups",
        varying_intercepts,
        lambda: grouped_data(n, groups),
        densities.hierarchical,
        "hierarchical",
        lambda x, y, group: ({"N": n, "G": groups}, [x, y, group.astype(np.int32)]),
    )


CASES = [
    Case(
        "eight_schools",
        "eight schools, non-centred",
        eight_schools_noncentered,
        lambda: reference_data("eight_schools-eight_schools_noncentered"),
        densities.eight_schools,
        "eight_schools",
        lambda y, sigma, **_: ({"J": len(y)}, [y.astype(float), sigma.astype(float)]),
    ),
    linear(1000, 5),
    linear(1000, 5, rewrites=True),
    logistic(10_000, 100),
    logistic(1_000_000, 10),
    hierarchical(10_000, 400),
    Case(
        "garch",
        "GARCH(1, 1), T = 200",
        garch11,
        lambda: reference_data("garch-garch11"),
        densities.garch,
        "garch",
        lambda y, sigma1: ({"T": len(y)}, [y, np.array([float(sigma1)])]),
    ),
    Case(
        "mixture",
        "mixture of two normals, N = 1000",
        low_dim_gauss_mix,
        lambda: reference_data("low_dim_gauss_mix-low_dim_gauss_mix"),
        densities.gaussian_mixture,
        "gaussian_mixture",
        lambda y: ({"N": len(y)}, [y]),
    ),
]
