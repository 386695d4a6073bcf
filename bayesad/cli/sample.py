"""Draw from a model's posterior and leave a run folder.

The folder holds the draws (posterior.nc), the summary, a trace plot, and all it takes to repeat the run. A folder
that exists and is not empty is never touched: NAME-2, NAME-3, ... is used instead.
"""

from __future__ import annotations

import argparse
import dataclasses
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesad.config import RunConfig, describe_keys, load_config, to_toml
from bayesad.errors import BayesadError

if TYPE_CHECKING:
    import xarray as xr

    from bayesad.posterior import Posterior
    from bayesad.results import Run

HELP = "draw from a model's posterior"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", nargs="?", metavar="MODEL.py", help="the model's file (or [model] file)")
    parser.add_argument("--config", metavar="FILE", help="TOML configuration")
    parser.add_argument("--data", metavar="FILE", help="data: .json, .json.gz, .csv or .npz")
    parser.add_argument("--folder", metavar="FOLDER", help="run folder (default: runs/ and the model's name)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a key, as sampler.draws=500"
    )
    parser.epilog = f"keys of the configuration, each may be overridden with --set:\n{describe_keys()}\n\n{parser.epilog}"


def run(arguments: argparse.Namespace) -> int:
    """Sample, save, report."""
    from bayesad.cli.inputs import arguments_for, load_data, load_model
    from bayesad.results import create_run

    config = load_config(
        arguments.config, arguments.set, model=arguments.model, data=arguments.data, folder=arguments.folder
    )
    model = load_model(config.model)
    data, unused = arguments_for(model, load_data(config.data), config.data)
    if unused:
        _say(f"not used by the model: {', '.join(unused)}")
    posterior = _condition(model, data, config)
    config = _resolved(config, model.name)
    assert config.output.folder is not None
    folder = create_run(config.output.folder)
    try:
        _write_inputs(folder, config)
        tree = _draw(posterior, config)
    except BaseException:
        folder.discard()
        raise
    return _finish(folder, tree, config)


def _condition(model: Any, data: dict[str, Any], config: RunConfig) -> Posterior:
    """The posterior; an exception of the user's own code is told with its line."""
    from bayesad.cli.inputs import users_line
    from bayesad.errors import ModelError

    try:
        return model.with_coords(**config.coords)(**data)
    except BayesadError:
        raise
    except Exception as error:
        raise ModelError(f"the model {model.name} cannot be run: {users_line(error, Path(model.file))}") from error


def _resolved(config: RunConfig, name: str) -> RunConfig:
    """The configuration with everything decided that was left open."""
    seed = secrets.randbits(32) if config.sampler.seed is None else config.sampler.seed
    folder = config.output.folder or Path("runs", name).resolve()
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, name=config.model.name or name),
        sampler=dataclasses.replace(config.sampler, seed=seed),
        output=dataclasses.replace(config.output, folder=folder),
    )


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

    settings = config.sampler
    with Progress() as progress:
        return posterior.sample(
            sampler=_sampler(config),
            chains=settings.chains,
            warmup=settings.warmup,
            draws=settings.draws,
            seed=settings.seed,
            initial=settings.init,
            keep_warmup=settings.keep_warmup,
            progress=progress,
        )


def _sampler(config: RunConfig) -> Any:
    from bayesad.samplers import HMC, NUTS

    settings = config.sampler
    shared = {"target_accept": settings.target_accept, "metric": settings.metric}
    if settings.algorithm == "nuts":
        return NUTS(max_tree_depth=settings.max_tree_depth, **shared)
    own = {name: getattr(settings, name) for name in ("n_steps", "integration_time", "jitter")}
    return HMC(**{name: value for name, value in own.items() if value is not None}, **shared)


def _finish(run: Run, tree: xr.DataTree, config: RunConfig) -> int:
    """Save the draws first; then summary, advice and plot, none of which can lose them."""
    from bayesad import cli

    interrupted = bool(tree.attrs.get("interrupted", 0))
    done = tree["posterior"].sizes.get("draw", 0)
    if interrupted and not done:
        run.discard()
        _say("interrupted before the first draw: nothing to keep")
        return cli.INTERRUPTED
    run.write_draws(tree)
    if interrupted:
        _say(f"interrupted: {done} of {config.sampler.draws} draws per chain are kept")
    try:
        trusted = _report(run, tree, config.model.name or "")
    except (Exception, KeyboardInterrupt) as error:
        _say(f"the draws are safe in {run.draws_file}, but the report on them stopped")
        if isinstance(error, BayesadError):
            raise cli.ReportError(str(error)) from error
        raise
    if interrupted:
        return cli.INTERRUPTED
    return cli.WELL if trusted else cli.UNTRUSTED


def _report(run: Run, tree: xr.DataTree, title: str) -> bool:
    from bayesad.cli.show import show_findings, show_table
    from bayesad.diagnostics import advice, summary, trustworthy
    from bayesad.plots import plot_trace, save_trace

    table = summary(tree)
    run.write_summary(table)
    show_table(table, more=str(run.summary_file))
    findings = advice(tree, table)
    show_findings(findings, table, tree["posterior"].sizes["chain"])
    sys.stdout.flush()
    save_trace(plot_trace(tree, table, title=title), run.trace_file)
    print(f"run folder: {_short(run.folder)}")
    return trustworthy(findings)


def _short(folder: Path) -> Path:
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def _say(text: str) -> None:
    print(text, file=sys.stderr)
