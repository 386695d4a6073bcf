"""Whole runs of `bayesad sample` against those of peers: to the summary, and effective draws per second."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bayesad.diagnostics import summary
from benchmarks import peer_runs
from benchmarks.cases import logistic_data
from benchmarks.options import Options
from benchmarks.processes import ROOT, caches, makespan, run
from benchmarks.report import Cell, Figure, Table
from models.posteriordb._posteriors import ReferencePosterior, names

__all__ = ["data_of", "table"]

KNOWN: dict[str, Any] = json.loads((Path(__file__).parent / "peers.json").read_text())
SYNTHETIC, SHAPE = "logistic_synthetic", (10_000, 100)
SEED = 20251123
LEAST_SOONER, LEAST_GAIN, LEAST_MEAN_GAIN = 3.0, 2.0, 5.0

COLUMNS = ["run", "to summary s", "sampling s", "least ESS", "ESS / s", "gradient µs", "R-hat", "divergences", "CPU s"]
NOTE = (
    f"4 × (1000 + 1000), default settings. To summary: from a new process with an empty cache to the printed summary. "
    f"Sampling: warmup and draws, until the last thread is done, in a process where all is compiled, as the peers' "
    f"times leave compilation out too. Gradient: with the sampler. CPU: processor time of the run to the summary, with "
    f"plots. Peers: of {KNOWN['date']} on a {KNOWN['machine']} ({KNOWN['versions']}), but for those that ran here."
)


@dataclass(frozen=True)
class Measured:
    """One run: seconds to the summary and of sampling, effective draws, and what else is known of it."""

    to_summary: float
    sampling: float
    per_second: float
    gradient: float | None = None
    r_hat: float | None = None
    divergences: int | None = None
    processor: float | None = None

    def row(self, who: str) -> dict[str, Cell]:
        ess = self.per_second * self.sampling
        r_hat = None if self.r_hat is None else f"{self.r_hat:.3f}"
        others = (self.gradient, r_hat, self.divergences, self.processor)
        cells = (who, self.to_summary, self.sampling, ess, self.per_second, *others)
        return dict(zip(COLUMNS, cells, strict=True))


def table(options: Options) -> Table:
    """Run bayesad, and the peers that are installed, on the posteriors that the options select."""
    result = Table("runs", "Whole runs", COLUMNS, note=NOTE)
    gains = []
    for name in KNOWN["runs"]:
        if options.selects(name) and (name == SYNTHETIC or name in names()):
            options.say(name)
            own, rivals = _bayesad(name), {**_known(name), **_here(name)}
            result.rows.append(own.row(f"{name}: bayesad"))
            result.rows += [rival.row(f"  {who}") for who, rival in rivals.items()]
            sooner = min(rival.to_summary for rival in rivals.values()) / own.to_summary
            gains.append(own.per_second / max(rival.per_second for rival in rivals.values()))
            what = f"{name}: summary sooner than the soonest peer's"
            result.figures.append(Figure(what, sooner, LEAST_SOONER, at_most=False))
            what = f"{name}: ESS / s against the best peer's"
            result.figures.append(Figure(what, gains[-1], LEAST_GAIN, at_most=False))
    if len(gains) > 1:
        mean = float(np.exp(np.mean(np.log(gains))))
        what = "ESS / s against the best peers', geometric mean"
        result.figures.append(Figure(what, mean, LEAST_MEAN_GAIN, at_most=False))
    return result


def data_of(name: str) -> Mapping[str, Any]:
    """The data of a posterior."""
    return logistic_data(*SHAPE) if name == SYNTHETIC else ReferencePosterior(name).posterior.data


def _bayesad(name: str) -> Measured:
    with caches() as folder:
        model, data, parameters = _inputs(name, folder)
        arguments = ["-m", "bayesad", "sample", str(model), "--data", str(data), "--folder", str(folder / "run")]
        for key, value in {"chains": 4, "warmup": 1000, "draws": 1000, "seed": SEED}.items():
            arguments += ["--set", f"sampler.{key}={value}"]
        if name == SYNTHETIC:
            arguments += ["--set", "model.name=logistic_regression"]
        finished = run(arguments, folder / "cache", codes=(0, 3))
    tree, sampling = _sampled(name)
    judged = summary(tree, parameters)
    attributes = tree["posterior"].attrs
    times = np.add(attributes["warmup_time"], attributes["sampling_time"])
    return Measured(
        finished.spoke,
        sampling,
        float(judged["ess_bulk"].min()) / sampling,
        gradient=1e6 * float(np.sum(times) / np.sum(attributes["gradient_evaluations"])),
        r_hat=float(judged["r_hat"].max()),
        divergences=int(tree["sample_stats"]["diverging"].sum()),
        processor=finished.processor,
    )


def _sampled(name: str) -> tuple[Any, float]:
    """Draws of the second run in this process, with everything compiled, and the seconds of sampling."""
    if name == SYNTHETIC:
        from benchmarks.models import logistic_regression

        posterior = logistic_regression(**data_of(name))
    else:
        posterior = ReferencePosterior(name).posterior
    for _ in range(2):
        tree = posterior.sample(seed=SEED)
    attributes = tree["posterior"].attrs
    times = np.add(attributes["warmup_time"], attributes["sampling_time"])
    return tree, makespan(times.tolist(), os.cpu_count() or 1)


def _inputs(name: str, folder: Path) -> tuple[Path, Path, list[str]]:
    """Model file, data file and the names of the parameters."""
    if name == SYNTHETIC:
        np.savez(folder / "data.npz", **logistic_data(*SHAPE))
        return ROOT / "benchmarks" / "models.py", folder / "data.npz", ["alpha", "beta"]
    reference = ReferencePosterior(name)
    models = ROOT / "models" / "posteriordb"
    (data,) = (models / "data").glob(f"{reference.golden['data']}*")
    return models / f"{reference.golden['model']}.py", data, list(reference.posterior.parameters)


def _known(name: str) -> dict[str, Measured]:
    return {peer: Measured(*figures) for peer, figures in KNOWN["runs"][name].items()}


def _here(name: str) -> dict[str, Measured]:
    """Runs of the peers that are installed; each stands for the known ones of that peer."""
    found = {}
    for peer in peer_runs.available(name):
        with caches() as folder:
            finished = run(["-m", "benchmarks.peer_runs", peer, name], folder)
        told = json.loads(finished.output.splitlines()[-1])
        found[peer] = Measured(finished.spoke, told["seconds"], told["ess"] / told["seconds"], r_hat=told["r_hat"])
    return found
