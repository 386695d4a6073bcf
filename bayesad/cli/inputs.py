"""Loads what a run is made of: the model from a Python file, the data from JSON, CSV or NPZ."""

from __future__ import annotations

import contextlib
import csv
import gzip
import importlib.util
import inspect
import json
import re
import sys
import traceback
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesad.config import DataConfig, ModelConfig, RunConfig
from bayesad.errors import BayesadError, ConfigError, DataError, ModelError, suggestion
from bayesad.results import open_run

if TYPE_CHECKING:
    from bayesad.dsl import Model
    from bayesad.posterior import Posterior

__all__ = [
    "arguments_for",
    "blaming",
    "find_draws",
    "load_data",
    "load_model",
    "load_posterior",
    "read_data_file",
    "split_names",
    "users_line",
]

MISSING = ("", "NA", "NaN", "nan")
"""How a missing value may be written in a CSV column of numbers."""


# --- models ---


def load_model(config: ModelConfig) -> tuple[str, Model]:
    """The model that `config` names, and that name.

    The file's folder is on `sys.path` while the file runs, so it may import its neighbours.

    Raises
    ------
    ConfigError
        If there is no file, or it has no model, several and no name was given, or none of that name.
    ModelError
        If the file raises an exception of its own; the message has its line and text.
    """
    if config.file is None:
        raise ConfigError("no model: name its file on the command line, or as `file` in the section [model]")
    if not config.file.is_file():
        what = "is a folder" if config.file.is_dir() else "does not exist"
        raise ConfigError(f"the model file {config.file} {what}; give the path of a Python file")
    models = _models_in(_run_file(config.file), config.file)
    if not models:
        raise ConfigError(f"{config.file} defines no model; put @ba.model above the model's function")
    if config.name is None and len(models) > 1:
        names = ", ".join(models)
        raise ConfigError(f"{config.file} defines several models ({names}); choose one with --set model.name=...")
    name = next(iter(models)) if config.name is None else config.name
    if name not in models:
        hint = suggestion(name, models)
        raise ConfigError(f"{config.file} has no model {name!r}{hint} (it defines {', '.join(models)})")
    return name, models[name]


def _run_file(file: Path) -> dict[str, Any]:
    """Run a Python file as a module of its own; its names."""
    spec = importlib.util.spec_from_file_location(f"bayesad_model_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"the model file {file} is not a Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses, pickle and typing look modules up by name
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ModelError(f"{file} raised {users_line(error, file)}") from error
    finally:
        sys.path.remove(str(file.parent))
    return vars(module)


def _models_in(names: Mapping[str, Any], file: Path) -> dict[str, Model]:
    """The models among a module's names, each once, under its first name; imported ones only if there are no others."""
    from bayesad.dsl import Model

    found: dict[int, tuple[str, Model]] = {}
    for name, value in names.items():
        if isinstance(value, Model):
            found.setdefault(id(value), (name, value))
    models = dict(found.values())
    return {name: model for name, model in models.items() if Path(model.file) == file} or models


def users_line(error: BaseException, file: Path) -> str | None:
    """The error and the innermost line of the user's file that led to it; None when it did not come from there."""
    message = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    if isinstance(error, SyntaxError):
        return f"{message}\n  at {error.filename}:{error.lineno}: {(error.text or '').strip()}"
    place = _place(error, file)
    return None if place is None else f"{message}\n{place}"


def _place(error: BaseException, file: Path) -> str | None:
    theirs = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) == file]
    return f"  at {file}:{theirs[-1].lineno}: {theirs[-1].line}" if theirs else None


@contextlib.contextmanager
def blaming(model: Model) -> Iterator[None]:
    """Exceptions of the model's own code become errors that show its line instead of ours; errors of ours that do not
    name a line get it.
    """
    try:
        yield
    except Exception as error:
        file = Path(model.file)
        place = _place(error, file)
        if place is None or f"{file}:" in str(error):
            raise
        if isinstance(error, BayesadError):
            raise type(error)(f"{error}\n{place}") from error
        raise ModelError(f"the model {model.name} raised {users_line(error, file)}") from error


def load_posterior(config: RunConfig) -> tuple[str, Posterior, list[str]]:
    """The model of a configuration with its data and coordinates.

    Returns
    -------
    name : str
        Of the model in its file.
    posterior : Posterior
    unused : list of str
        Names of data that the model does not use.
    """
    name, model = load_model(config.model)
    data, unused = arguments_for(model, load_data(config.data), config.data)
    rewrites = config.engine.rewrites
    with blaming(model):
        posterior = model.with_coords(**config.coords)(**data)
        return name, posterior if rewrites is None else posterior.with_rewrites(rewrites), unused


# --- draws ---


def find_draws(path: str | Path) -> Path:
    """The file of draws that `path` means: itself, or the one in a run folder."""
    return Path(path) if Path(path).is_file() else open_run(path).draws_file


def split_names(text: str) -> list[str]:
    """`mu,theta[A, B]` -> mu and theta[A, B]: commas in brackets belong to the name."""
    return [name.strip() for name in re.split(r",(?![^\[]*\])", text) if name.strip()]


# --- data ---


def load_data(config: DataConfig) -> dict[str, Any]:
    """The data of a run: the file's, overlaid by the values of the configuration."""
    from_file = {} if config.file is None else read_data_file(config.file)
    return {**from_file, **config.values}


def arguments_for(model: Model, data: Mapping[str, Any], config: DataConfig) -> tuple[dict[str, Any], list[str]]:
    """Those entries of `data` that the model asks for, and the names it does not use.

    A data file may hold more than a model needs (such as Stan's sizes); a value written in the configuration
    or on the command line may not.

    Raises
    ------
    DataError
        If the model needs an argument that is not there, or does not know a configured one.
    """
    parameters = inspect.signature(model).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(data), []
    known = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    needed = [p.name for p in parameters if p.name in known and p.default is p.empty]
    unused = [name for name in data if name not in known]
    where = f"{config.file.name} and [data]" if config.file is not None else "[data]"
    for name in needed:
        if name not in data:
            hint = suggestion(name, unused)
            has = f"; there is {', '.join(data)}" if data else ", and there are no data: give them with --data FILE"
            raise DataError(f"the model needs {name!r}, which is not in {where}{hint}{has}")
    for name in config.values:
        if name in unused:
            hint = suggestion(name, known)
            raise DataError(f"data.{name} is not an argument of the model{hint} (it has {', '.join(known)})")
    return {name: value for name, value in data.items() if name in known}, unused


def read_data_file(file: Path) -> dict[str, Any]:
    """Read named data from a file, by the ending of its name.

    JSON (an object; `null` is a missing number), its gzipped form, CSV (a header, then one value per column and
    row; empty, NA and NaN are missing numbers) or NumPy's NPZ.

    Raises
    ------
    DataError
        Naming the file and what is wrong with it.
    """
    reader = next((read for ending, read in READERS.items() if file.name.lower().endswith(ending)), None)
    if reader is None:
        raise DataError(f"the data file {file} is of an unknown kind; it must end in {', '.join(READERS)}")
    try:
        return reader(file)
    except FileNotFoundError:
        raise DataError(f"the data file {file} does not exist") from None
    except (OSError, EOFError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise DataError(f"cannot read the data file {file}: {error}") from None


def _read_json(file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    text = (gzip.decompress(content) if file.name.lower().endswith(".gz") else content).decode("utf-8-sig")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{file}, line {error.lineno}: not valid JSON: {error.msg} (column {error.colno})") from None
    if not isinstance(document, dict):
        kind = "list" if isinstance(document, list) else type(document).__name__
        raise DataError(f'{file} holds a {kind}; it must hold an object of named values, {{"y": [...], ...}}')
    return {name: _without_null(value) for name, value in document.items()}


def _without_null(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    return float("nan") if value is None else value


def _read_csv(file: Path) -> dict[str, Any]:
    with file.open(newline="", encoding="utf-8-sig") as lines:
        rows = csv.reader(lines, skipinitialspace=True)
        header = [name.strip() for name in next(rows, [])]
        if not header or "" in header or len(set(header)) < len(header):
            raise DataError(f"{file}, line 1: the header must name every column, each once; it is {header}")
        table = []
        for row in rows:
            if len(row) != len(header) and row:
                found = f"{len(row)} values, but the header names {len(header)} columns"
                raise DataError(f"{file}, line {rows.line_num}: {found}")
            table += [row] if row else []
    if not table:
        raise DataError(f"{file} has a header but no rows")
    return {
        name: _column([cell.strip() for cell in column])
        for name, column in zip(header, zip(*table, strict=True), strict=True)
    }


def _column(cells: list[str]) -> list[Any]:
    """The cells as integers, numbers (with missing ones), booleans, or text: the first that fits all."""
    booleans = {"true": True, "false": False}
    kinds: tuple[Callable[[str], Any], ...] = (
        int,
        lambda cell: float("nan") if cell in MISSING else float(cell),
        lambda cell: booleans[cell.lower()],
    )
    for convert in kinds:
        try:
            return [convert(cell) for cell in cells]
        except (ValueError, KeyError):
            continue
    return cells


def _read_npz(file: Path) -> dict[str, Any]:
    import numpy as np

    if file.exists() and not zipfile.is_zipfile(file):
        raise DataError(f"{file} is not a usable NPZ file; write one with numpy.savez")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except ValueError as error:
        raise DataError(f"{file} is not a usable NPZ file: {error}") from None


READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    ".json": _read_json,
    ".json.gz": _read_json,
    ".csv": _read_csv,
    ".npz": _read_npz,
}
"""How a data file is read, by the ending of its name."""
