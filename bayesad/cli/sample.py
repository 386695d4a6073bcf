"""Draw from a model's posterior and leave a run folder.

The folder holds the draws (posterior.nc), the summary, a trace plot (which comes last, after the summary is printed),
and all it takes to repeat the run. A folder that exists and is not empty is never touched: NAME-2, NAME-3, ... is used
instead.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bayesad.cli.codes import INTERRUPTED, UNTRUSTED, WELL
from bayesad.cli.options import add_inputs
from bayesad.config import RunConfig, SamplerConfig, load_config, to_toml

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bayesad.posterior import Posterior
    from bayesad.results import Run
    from bayesad.samplers import HMC, NUTS

MODULES_OF_THE_REPORT = (
    *(f"scipy.{part}" for part in ("special", "linalg", "sparse", "spatial", "fft", "optimize", "ndimage", "stats")),
    "arviz_stats",
    "h5netcdf",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
)
"""What files, summary and plot take, in steps that leave the progress table time in between."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_inputs(parser)
    parser.add_argument("--folder", metavar="FOLDER", help="run folder (default: runs/ and the model's name)")


def run(arguments: argparse.Namespace) -> int:
    """Sample, save, report."""
    from bayesad.cli.inputs import blaming, load_posterior
    from bayesad.results import create_run

    config = load_config(
        arguments.config, arguments.set, model=arguments.model, data=arguments.data, folder=arguments.folder
    )
    name, posterior, unused = load_posterior(config)
    if unused:
        _say(f"data that the model does not use: {', '.join(unused)}")
    config, folder = _resolved(config, name)
    run = create_run(folder)
    try:
        _write_inputs(run, config)
        with blaming(posterior.model):
            tree = _draw(posterior, config)
    except BaseException:
        run.discard()
        raise
    del posterior  # and with it the data, see _drop_data
    return _finish(run, tree, config)


def _resolved(config: RunConfig, name: str) -> tuple[RunConfig, Path]:
    """The configuration with the seed and the model's name decided, and the folder that is wanted."""
    seed = secrets.randbits(32) if config.sampler.seed is None else config.sampler.seed
    resolved = dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, name=name),
        sampler=dataclasses.replace(config.sampler, seed=seed),
    )
    return resolved, config.output.folder or Path("runs", name).resolve()


def _write_inputs(run: Run, config: RunConfig) -> None:
    """Write configuration and copies into the run folder, so that the run can be repeated from there."""
    assert config.model.file is not None
    data = config.data.file
    copied = dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, file=run.model_file),
        data=dataclasses.replace(config.data, file=None if data is None else run.data_copy(data)),
        output=dataclasses.replace(config.output, folder=run.folder),
    )
    run.write_inputs(to_toml(copied, relative_to=run.folder), config.model.file, data, config.data.values)


def _draw(posterior: Posterior, config: RunConfig) -> xr.DataTree:
    from bayesad.cli.progress import Progress
    from bayesad.sampling import sample

    settings = config.sampler
    started = time.monotonic()
    with Progress() as progress:
        tree = sample(
            posterior,
            sampler=_sampler(settings),
            chains=settings.chains,
            warmup=settings.warmup,
            draws=settings.draws,
            seed=settings.seed,
            initial=settings.init,
            keep_warmup=settings.keep_warmup,
            progress=progress,
            meanwhile=MODULES_OF_THE_REPORT,
        )
    drawn = f"{_draws(tree)} of {settings.draws}" if _interrupted(tree, settings) else f"{_draws(tree)}"
    took = f"{time.monotonic() - started:.1f} s"
    chains = f"{settings.chains} chain{'s' * (settings.chains > 1)}"
    _say(f"{chains}, {drawn} draws each, warmup {settings.warmup}, seed {settings.seed}: {took}")
    return tree


def _draws(tree: xr.DataTree) -> int:
    return tree["posterior"].sizes.get("draw", 0)


def _interrupted(tree: xr.DataTree, settings: SamplerConfig) -> bool:
    """Only Ctrl-C makes a sampler give fewer draws than it was asked for."""
    return _draws(tree) < settings.draws


def _sampler(settings: SamplerConfig) -> HMC | NUTS:
    from bayesad.samplers import HMC, NUTS

    algorithm, own = {
        "nuts": (NUTS, ("max_tree_depth",)),
        "hmc": (HMC, ("n_steps", "integration_time", "jitter")),
    }[settings.algorithm]
    given = {name: getattr(settings, name) for name in ("target_accept", "metric", *own)}
    return algorithm(**{name: value for name, value in given.items() if value is not None})


def _finish(run: Run, tree: xr.DataTree, config: RunConfig) -> int:
    """Save the draws first; then summary and advice, then the plot, none of which can lose them."""
    from bayesad.results import ResultsError

    if _draws(tree) == 0:
        run.discard()
        _say("interrupted before the first draw: nothing to keep")
        return INTERRUPTED
    with _deaf_to_ctrl_c():
        run.write_draws(tree)
    _drop_data(tree)
    safe = f"the draws are safe in {_short(run.draws_file)}"
    try:
        trusted = _report(run, tree, config.model.name or "")
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        _say(f"the report was interrupted; {safe}")
        return INTERRUPTED
    except Exception as error:
        raise ResultsError(f"the report failed ({type(error).__name__}: {error}); {safe}") from error
    if _interrupted(tree, config.sampler):
        return INTERRUPTED
    return WELL if trusted else UNTRUSTED


def _drop_data(tree: xr.DataTree) -> None:
    """Forget the data, which are written and not reported: large ones need not stand beside what the report takes."""
    from bayesad.results import DATA_GROUPS
    from bayesad.sampling import LARGE

    present = [group for group in DATA_GROUPS if group in tree.children]
    size = sum(tree[group].nbytes for group in present)
    for group in present:
        del tree[group]
    if size > LARGE:
        gc.collect()  # a posterior refers to itself


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Ignore Ctrl-C for the moment in which an impatient second one would cost the draws."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _report(run: Run, tree: xr.DataTree, title: str) -> bool:
    from bayesad.cli.show import show_findings, show_table
    from bayesad.diagnostics import advice, summary, trustworthy

    table = summary(tree)
    run.write_summary(table)
    show_table(table, more=str(_short(run.summary_file)))
    findings = advice(tree, table)
    show_findings(findings, table, tree["posterior"].sizes["chain"])
    print(f"run folder: {_short(run.folder)}", flush=True)
    _plot(run, tree, table, title)
    return trustworthy(findings)


def _plot(run: Run, tree: xr.DataTree, table: pd.DataFrame, title: str) -> None:
    """Draw the trace plot: last, as Matplotlib takes longer than all the rest of a short run."""
    from bayesad.plots import plot_trace, save_trace

    save_trace(plot_trace(tree, table, title=title), run.trace_file)
    print(f"trace plot: {_short(run.trace_file)}")


def _short(folder: Path) -> Path:
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def _say(text: str) -> None:
    print(text, file=sys.stderr)
