"""Write a starting point into a new folder: a model, its data and a configuration, ready to run and to change.

Without --formula it is a small linear regression with made-up data. With --formula and --data it is the model that the
formula stands for, written out with the columns it uses; see `ba.glm` for formulas, families and priors.
"""

from __future__ import annotations

import argparse
import json
import keyword
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bayesad.errors import ConfigError, DataError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", help="the folder to make")
    parser.add_argument("--formula", metavar="TEXT", help='such as "y ~ 1 + x + (1 + x | group)"')
    parser.add_argument("--data", metavar="FILE", help="the formula's table: .csv, .json, .json.gz or .npz")
    parser.add_argument("--family", default="gaussian", metavar="NAME", help="the response's family (gaussian)")
    parser.add_argument("--link", metavar="NAME", help="another link than the family's default")
    parser.add_argument(
        "--prior", action="append", default=[], metavar="NAME=LAW", help='such as "x=Normal(0, 1)"; may be repeated'
    )
    parser.add_argument(
        "--effects",
        choices=("auto", "centred", "noncentred"),
        default="auto",
        help="coordinates in which effects of groups are sampled (auto: those that a short run finds to suit the data)",
    )
    parser.add_argument("--drop-missing", action="store_true", help="leave out rows with a missing value")


def run(arguments: argparse.Namespace) -> int:
    """Write the files and say how to run them."""
    from bayesad.cli.codes import WELL

    folder = Path(arguments.folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists already; give the name of a new folder")
    files = _from_formula(arguments, folder.name) if arguments.formula else _example(arguments, folder.name)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    print(f"wrote {', '.join(str(folder / name) for name in files)}")
    print(f"run it with: bayesad sample --config {folder / 'run.toml'}")
    return WELL


def _from_formula(arguments: argparse.Namespace, title: str) -> dict[str, str]:
    from bayesad.cli.inputs import read_data_file
    from bayesad.formulas import write

    if arguments.data is None:
        raise ConfigError("--formula needs the table it is about; give it with --data FILE")
    table = _columns(read_data_file(Path(arguments.data)), arguments.data)
    _, written = write(
        arguments.formula,
        table,
        arguments.family,
        link=arguments.link,
        priors=_priors(arguments.prior),
        effects=arguments.effects,
        missing="drop" if arguments.drop_missing else "error",
        name=_function_name(title),
    )
    data = {name: value.tolist() for name, value in written.data.items()}
    return _files(title, written.source, data, written.coords)


def _example(arguments: argparse.Namespace, title: str) -> dict[str, str]:
    of_formulas = (
        arguments.data is not None,
        arguments.family != "gaussian",
        arguments.prior,
        arguments.link,
        arguments.effects != "auto",
        arguments.drop_missing,
    )
    if any(of_formulas):
        raise ConfigError(
            "--data, --family, --prior, --link, --effects and --drop-missing belong to a formula; give it too: "
            '--formula "y ~ 1 + x"'
        )
    y = [1.4, 2.6, 5.5, 7.1, 8.4, 11.3, 12.8, 15.9, 16.6, 19.2, 21.5, 22.4, 25.3, 27.6, 28.5, 31.2]
    return _files(title, _EXAMPLE, {"x": [float(x) for x in range(len(y))], "y": y}, {})


def _function_name(title: str) -> str:
    """The folder's name, where a function may have it beside the modules that it uses."""
    usable = title.isidentifier() and not keyword.iskeyword(title) and title not in ("ba", "np", "scipy")
    return title if usable else "regression"


def _columns(data: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Those entries that are columns: the longest length that occurs most often."""
    lengths = [len(value) for value in data.values() if hasattr(value, "__len__") and not isinstance(value, str)]
    if not lengths:
        raise DataError(f"{file} has no columns; a formula needs a table")
    rows = max(set(lengths), key=lambda n: (lengths.count(n), n))
    return {
        name: value
        for name, value in data.items()
        if hasattr(value, "__len__") and not isinstance(value, str) and len(value) == rows
    }


def _priors(given: list[str]) -> dict[str, str]:
    priors = {}
    for text in given:
        name, equals, law = text.partition("=")
        if not (equals and name.strip() and law.strip()):
            raise ConfigError(f'--prior {text!r} is not of the form NAME=LAW, such as "x=Normal(0, 1)"')
        priors[name.strip()] = law.strip()
    return priors


def _files(title: str, source: str, data: Mapping[str, Any], coords: Mapping[str, Any]) -> dict[str, str]:
    lines = [
        "# bayesad sample --config run.toml",
        "",
        "[model]",
        'file = "model.py"',
        "",
        "[data]",
        'file = "data.json"',
    ]
    if coords:
        lines += [
            "",
            "[coords]",
            *(f"{json.dumps(dim)} = {json.dumps(list(labels))}" for dim, labels in coords.items()),
        ]
    lines += ["", "[sampler]", "chains = 4", "warmup = 1000", "draws = 1000", "seed = 1"]
    lines += ["", "[output]", f"folder = {json.dumps(f'runs/{title}')}", ""]
    return {"model.py": source, "data.json": json.dumps(data) + "\n", "run.toml": "\n".join(lines)}


_EXAMPLE = '''"""A linear regression: change the unknowns, their priors and how the data come about."""

import bayesad as ba


@ba.model
def regression(x, y):
    intercept = ba.sample("intercept", ba.Normal(0, 10))
    slope = ba.sample("slope", ba.Normal(0, 10))
    sigma = ba.sample("sigma", ba.HalfNormal(5))
    mean = intercept + slope * x
    ba.sample("y", ba.Normal(mean, sigma), obs=y, dims="row")
'''
