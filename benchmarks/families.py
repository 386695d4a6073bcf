"""Regressions by their one-line laws against the same models written plainly: the same programs, so the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import bayesad as ba
from benchmarks.contestants import bayesad_density
from benchmarks.options import Options
from benchmarks.report import Figure, Table
from benchmarks.timing import take_turns

__all__ = ["table"]

ROWS, K = 10_000, 10
MOST = 1.1
COLUMNS = ["family", "one line µs", "plain µs", "one line / plain"]
NOTE = (
    f"Value and gradient of {ROWS} rows and {K} predictors with rewrites; medians of interleaved turns, processor time."
)

CUTS, LABELS = 3, 4
Law = Callable[[Any, Any, Any], Any]

FAMILIES: dict[str, tuple[Law, Law, str]] = {  # one line and plain, of X, the coefficients and a scale; kind of outcome
    "normal": (
        lambda X, b, s: ba.NormalIDGLM(X, 0.0, b, s),
        lambda X, b, s: ba.Normal(X @ b, s),
        "number",
    ),
    "bernoulli_logit": (
        lambda X, b, s: ba.BernoulliLogitGLM(X, 0.0, b),
        lambda X, b, s: ba.BernoulliLogit(X @ b),
        "truth",
    ),
    "poisson_log": (
        lambda X, b, s: ba.PoissonLogGLM(X, 0.0, b),
        lambda X, b, s: ba.PoissonLog(X @ b),
        "count",
    ),
    "neg_binomial_2_log": (
        lambda X, b, s: ba.NegativeBinomial2LogGLM(X, 0.0, b, s),
        lambda X, b, s: ba.NegativeBinomial2Log(X @ b, s),
        "count",
    ),
    "ordered_logistic": (
        lambda X, b, s: ba.OrderedLogisticGLM(X, b, s * np.arange(1.0, CUTS + 1)),
        lambda X, b, s: ba.OrderedLogistic(X @ b, s * np.arange(1.0, CUTS + 1)),
        "label",
    ),
    "categorical_logit": (
        lambda X, b, s: ba.CategoricalLogitGLM(X, np.zeros(LABELS), np.outer(b, np.arange(1.0, LABELS + 1))),
        lambda X, b, s: ba.CategoricalLogit(X @ np.outer(b, np.arange(1.0, LABELS + 1))),
        "label",
    ),
}


@ba.model
def regression(X, y, law):
    beta = ba.sample("beta", ba.Normal(0, 1), shape=K)
    scale = ba.sample("scale", ba.HalfNormal(1))
    ba.sample("y", law(X, beta, scale), obs=y)


def table(options: Options) -> Table:
    """Measure the families that the options select."""
    result = Table("families", "Regressions in one line", COLUMNS, note=NOTE)
    rng = np.random.default_rng(1)
    X = rng.normal(size=(ROWS, K)) / np.sqrt(K)
    outcomes = {
        "number": rng.normal(size=ROWS),
        "truth": rng.integers(0, 2, ROWS),
        "count": rng.poisson(2.0, ROWS),
        "label": rng.integers(0, LABELS, ROWS),
    }
    q = 0.1 * np.arange(1.0, K + 2)
    for name, (one_line, plain, kind) in FAMILIES.items():
        if not options.selects(name):
            continue
        options.say(name)
        posteriors = {who: regression(X=X, y=outcomes[kind], law=law) for who, law in (("a", one_line), ("b", plain))}
        timings = take_turns({who: bayesad_density(p, q).run for who, p in posteriors.items()}, options.effort)
        ratio = timings.ratio("a", "b")
        cells = (name, 1e6 * timings.median("a"), 1e6 * timings.median("b"), ratio)
        result.rows.append(dict(zip(COLUMNS, cells, strict=True)))
        result.figures.append(Figure(f"{name}: one line / plain", ratio, MOST))
    return result
