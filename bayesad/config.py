"""Turns a TOML file and command-line overrides into a validated, immutable RunConfig, and writes it back.

The fields of the dataclasses below are the one table of sections and keys: a key's default, its rule and its
help stand in one line. Reading, checking, help texts and writing all walk over that table.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bayesad.errors import ConfigError, suggestion

__all__ = [
    "DataConfig",
    "EngineConfig",
    "ModelConfig",
    "OutputConfig",
    "RunConfig",
    "SamplerConfig",
    "describe_keys",
    "load_config",
    "suggestion",
    "to_toml",
]


# --- rules: what a value may be ---


@dataclass(frozen=True)
class Rule:
    """What a key accepts: a test, its description for messages, a conversion of accepted values, a hint for others."""

    right: str
    accepts: Callable[[Any], bool]
    convert: Callable[[Any], Any] = lambda value: value
    hint: Callable[[Any], str] = lambda value: ""


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return (_is_integer(value) or isinstance(value, float)) and math.isfinite(value)


def _integer(lower: int, upper: int | None = None) -> Rule:
    right = f"an integer of at least {lower}" if upper is None else f"an integer from {lower} to {upper}"
    return Rule(right, lambda v: _is_integer(v) and v >= lower and (upper is None or v <= upper))


def _choice(*words: str) -> Rule:
    return Rule("one of " + ", ".join(f'"{word}"' for word in words), lambda v: v in words)


def _is_value(value: Any) -> bool:
    """Whether a data argument may hold `value`: a number, a string, a boolean, or (nested) lists of these."""
    if isinstance(value, list):
        return all(_is_value(item) for item in value)
    return isinstance(value, (bool, int, float, str))


def _is_coordinate(value: Any) -> bool:
    labels = isinstance(value, list) and len(value) > 0 and all(isinstance(v, (str, int, float)) for v in value)
    return (_is_integer(value) and value > 0) or (labels and len(set(value)) == len(value))


def _rewrite_names() -> tuple[str, ...]:
    from bayesad.ad.rewrites import REWRITES

    return tuple(REWRITES)


def _are_rewrites(value: Any) -> bool:
    return isinstance(value, list) and all(name in _rewrite_names() for name in value)


def _rewrite_hint(value: Any) -> str:
    unknown = [name for name in value if name not in _rewrite_names()] if isinstance(value, list) else []
    return (
        "".join(suggestion(str(name), _rewrite_names()) for name in unknown)
        + f" (there are {', '.join(_rewrite_names())})"
    )


TEXT = Rule("a non-empty string", lambda v: isinstance(v, str) and v.strip() != "")
PATH = Rule("a path (a non-empty string)", TEXT.accepts, Path)
FLAG = Rule("true or false", lambda v: isinstance(v, bool))
POSITIVE = Rule("a positive number", lambda v: _is_number(v) and v > 0, float)
FRACTION = Rule("a number above 0 and below 1", lambda v: _is_number(v) and 0 < v < 1, float)
SHARE = Rule("a number of at least 0 and below 1", lambda v: _is_number(v) and 0 <= v < 1, float)
REWRITE_NAMES = Rule("a list of names of rewrites", _are_rewrites, tuple, _rewrite_hint)
VALUE = Rule("a number, a string, true, false, or a list of these", _is_value)
COORDINATE = Rule("a list of distinct labels, or a positive integer (a length)", _is_coordinate)


# --- the table of sections and keys ---


@dataclass(frozen=True)
class Key:
    """One row of the table: what a key accepts, what it means, and which algorithm it belongs to (or all)."""

    rule: Rule
    help: str
    only: str | None = None


def _key(rule: Rule, help: str, only: str | None = None) -> dict[str, Key]:
    """The metadata that make a dataclass field a key of the configuration file."""
    return {"key": Key(rule, help, only)}


@dataclass(frozen=True)
class ModelConfig:
    """[model]: where the model is."""

    file: Path | None = field(
        default=None, metadata=_key(PATH, "Python file that defines the model (or give it on the command line)")
    )
    name: str | None = field(default=None, metadata=_key(TEXT, "the model's name, when the file defines several"))


@dataclass(frozen=True)
class DataConfig:
    """[data]: a file of data, and any number of `argument = value` lines, which win over the file."""

    file: Path | None = field(
        default=None, metadata=_key(PATH, "data: .json (as Stan's), .json.gz, .csv (one array per column) or .npz")
    )
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SamplerConfig:
    """[sampler]: how to draw."""

    algorithm: str = field(default="nuts", metadata=_key(_choice("nuts", "hmc"), "sampling algorithm"))
    chains: int = field(default=4, metadata=_key(_integer(1), "number of chains"))
    warmup: int = field(default=1000, metadata=_key(_integer(0), "adaptation iterations per chain, not kept"))
    draws: int = field(default=1000, metadata=_key(_integer(1), "draws per chain"))
    seed: int | None = field(
        default=None, metadata=_key(_integer(0, 2**63 - 1), "seed; chosen and recorded when not given")
    )
    target_accept: float = field(
        default=0.8, metadata=_key(FRACTION, "acceptance statistic that the step size is tuned to")
    )
    max_tree_depth: int = field(
        default=10, metadata=_key(_integer(1, 20), "most doublings of a trajectory", only="nuts")
    )
    metric: str = field(
        default="auto", metadata=_key(_choice("auto", "diagonal", "dense", "low_rank"), "form of the mass matrix")
    )
    n_steps: int | None = field(default=None, metadata=_key(_integer(1), "leapfrog steps per trajectory", only="hmc"))
    integration_time: float | None = field(
        default=None, metadata=_key(POSITIVE, "length of a trajectory, instead of n_steps", only="hmc")
    )
    jitter: float | None = field(
        default=None, metadata=_key(SHARE, "relative random variation of the step size", only="hmc")
    )
    init: str = field(
        default="uniform", metadata=_key(_choice("uniform", "prior"), "where chains start: uniform(-2, 2) or prior")
    )
    keep_warmup: bool = field(default=False, metadata=_key(FLAG, "keep the warmup draws too"))


@dataclass(frozen=True)
class EngineConfig:
    """[engine]: how the log density is compiled."""

    rewrites: tuple[str, ...] | None = field(
        default=None,
        metadata=_key(REWRITE_NAMES, "what the log density goes through, a list of names; all when not given"),
    )


@dataclass(frozen=True)
class OutputConfig:
    """[output]: where the run folder goes."""

    folder: Path | None = field(
        default=None, metadata=_key(PATH, 'run folder; "runs/" and the model\'s name when not given')
    )


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run; paths are absolute."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    coords: Mapping[str, Any] = field(default_factory=dict)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    output: OutputConfig = field(default_factory=OutputConfig)


SECTIONS: dict[str, type] = {
    "model": ModelConfig,
    "data": DataConfig,
    "coords": dict,
    "sampler": SamplerConfig,
    "engine": EngineConfig,
    "output": OutputConfig,
}

FREE_KEYS = {"data": VALUE, "coords": COORDINATE}
"""Sections whose other keys are the user's own names, and the rule for their values."""


def _keys(section: str) -> dict[str, Key]:
    cls = SECTIONS[section]
    fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
    return {f.name: f.metadata["key"] for f in fields if "key" in f.metadata}


def describe_keys() -> str:
    """The table of keys as text, for help."""
    lines = []
    for section, cls in SECTIONS.items():
        lines.append(f"  [{section}]")
        for name, row in _keys(section).items():
            default = getattr(cls, name)
            shown = "" if default is None else f" ({_toml_value(default)})"
            only = f" [{row.only} only]" if row.only else ""
            lines.append(f"    {name:<17} {row.help}{shown}{only}")
        if section in FREE_KEYS:
            lines.append(f"    {'NAME':<17} {FREE_KEYS[section].right}")
    return "\n".join(lines)


# --- reading ---


@dataclass(frozen=True)
class Entry:
    """A value as found: what it is, where it was written, and what its paths are relative to."""

    value: Any
    place: str
    base: Path


def load_config(
    file: str | Path | None = None,
    overrides: Sequence[str] = (),
    *,
    model: str | Path | None = None,
    data: str | Path | None = None,
    folder: str | Path | None = None,
) -> RunConfig:
    """Read a TOML configuration, apply overrides, and check everything.

    Parameters
    ----------
    file : path, optional
        The TOML file; without it all keys have their defaults. Paths in it are relative to its folder.
    overrides : sequence of str
        `section.key=value`, later ones win. Values are TOML; a bare word is a string. Paths given here and in
        the following arguments are relative to the working directory.
    model, data, folder : path, optional
        Shorthands for the overrides of `model.file`, `data.file` and `output.folder`; they win.

    Returns
    -------
    RunConfig

    Raises
    ------
    ConfigError
        For a file that cannot be read, an unknown section or key, a wrong type or an impossible value; the
        message names the file and line (or the option), the key, what was found and what would be right.
    """
    entries = _read_file(Path(file)) if file is not None else {}
    for text in overrides:
        target, entry = _read_override(text)
        if target == ("sampler", "algorithm"):  # the file's settings for the other algorithm no longer apply
            entries = {k: e for k, e in entries.items() if _belongs(k, entry.value)}
        entries[target] = entry
    shorthands = {("model", "file"): model, ("data", "file"): data, ("output", "folder"): folder}
    for (section, name), path in shorthands.items():
        if path is not None:
            entries[section, name] = Entry(str(path), "the command line", Path.cwd())
    return _build(entries)


def _belongs(name: tuple[str, str], algorithm: Any) -> bool:
    row = _keys(name[0]).get(name[1])
    return row is None or row.only in (None, algorithm)


def _read_file(file: Path) -> dict[tuple[str, str], Entry]:
    import tomllib  # here and below: not for --help

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read the configuration {file}: {reason}") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None
    base = file.resolve().parent
    entries = {}
    for section, table in document.items():
        place = _place(file, text, section)
        _check_section(section, place)
        if not isinstance(table, dict):
            raise ConfigError(f"{place}: {section} is {_show(table)}; it must be a section, [{section}]")
        for name, value in table.items():
            entries[section, name] = Entry(value, _place(file, text, section, name), base)
    return entries


def _read_override(text: str) -> tuple[tuple[str, str], Entry]:
    place = f"--set {text}"
    path, equals, literal = text.partition("=")
    section, dot, name = path.strip().partition(".")
    if not (equals and dot and name):
        raise ConfigError(f"{place}: an override is written section.key=value, such as sampler.draws=500")
    _check_section(section, place)
    return (section, name.strip()), Entry(_literal(literal.strip(), place), place, Path.cwd())


def _literal(text: str, place: str) -> Any:
    """The TOML value of `text`; a bare word is a string."""
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        if re.fullmatch(r"[^\"'\[\]{}=#\n]+", text):
            return text
        raise ConfigError(
            f"{place}: {text!r} is not a TOML value: a number, text, true, false, or a list, in which text needs quotes"
        ) from None


def _check_section(section: str, place: str) -> None:
    if section not in SECTIONS:
        hint = suggestion(section, SECTIONS)
        raise ConfigError(f"{place}: unknown section [{section}]{hint} (there are {', '.join(SECTIONS)})")


def _build(entries: Mapping[tuple[str, str], Entry]) -> RunConfig:
    sections: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    free: dict[str, dict[str, Any]] = {section: {} for section in FREE_KEYS}
    for (section, name), entry in entries.items():
        row = _keys(section).get(name)
        if row is not None:
            sections[section][name] = _checked(entry, f"{section}.{name}", row.rule)
        elif section in FREE_KEYS:
            free[section][name] = _checked(entry, f"{section}.{name}", FREE_KEYS[section])
        else:
            known = _keys(section)
            hint = suggestion(name, known)
            raise ConfigError(f"{entry.place}: unknown key {section}.{name}{hint} ([{section}] has {', '.join(known)})")
    sampler = SamplerConfig(**sections["sampler"])
    _check_algorithm(sampler.algorithm, entries)
    return RunConfig(
        model=ModelConfig(**sections["model"]),
        data=DataConfig(**sections["data"], values=free["data"]),
        coords=free["coords"],
        sampler=sampler,
        engine=EngineConfig(**sections["engine"]),
        output=OutputConfig(**sections["output"]),
    )


def _checked(entry: Entry, name: str, rule: Rule) -> Any:
    if not rule.accepts(entry.value):
        raise ConfigError(
            f"{entry.place}: {name} is {_show(entry.value)}; it must be {rule.right}{rule.hint(entry.value)}"
        )
    value = rule.convert(entry.value)
    return (entry.base / value.expanduser()).resolve() if isinstance(value, Path) else value


def _check_algorithm(algorithm: str, entries: Mapping[tuple[str, str], Entry]) -> None:
    """Settings must fit the algorithm, and a trajectory has one length."""
    for (section, name), entry in entries.items():
        row = _keys(section).get(name)
        if row is not None and row.only not in (None, algorithm):
            raise ConfigError(
                f'{entry.place}: {section}.{name} belongs to algorithm = "{row.only}", but algorithm is '
                f'"{algorithm}"; leave one of them out'
            )
    time = entries.get(("sampler", "integration_time"))
    if time is not None and ("sampler", "n_steps") in entries:
        raise ConfigError(
            f"{time.place}: sampler.integration_time and sampler.n_steps both set the length of a trajectory; "
            "leave one of them out"
        )


def _place(file: Path, text: str, section: str, name: str | None = None) -> str:
    """The file, and the line where `section` (and in it `name`) is written, when it can be found."""
    current = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*([^\]]+?)\s*\]", line)
        if header:
            current = header[1]
        assigned = re.match(r"\s*([^=#\[]+?)\s*=", line)
        found = {current} if header else set()
        if assigned:
            path = f"{current}.{assigned[1]}" if current else assigned[1]
            found |= {path.replace('"', ""), current}
        target = section if name is None else f"{section}.{name}"
        if any(f == target or (f.startswith(target + ".")) for f in found):
            return f"{file}, line {number}"
    return str(file)


def _show(value: Any) -> str:
    kinds: dict[type, str] = {str: "a string", bool: "a boolean", int: "an integer", float: "a number"}
    text = repr(value) if isinstance(value, dict) else _toml_value(value)
    shown = text if len(text) <= 60 else text[:57] + "..."
    return f"{shown} ({kinds[type(value)]})" if type(value) in kinds else shown


# --- writing ---


def to_toml(config: RunConfig, relative_to: str | Path | None = None) -> str:
    """The configuration as TOML that reads back equal.

    Parameters
    ----------
    config : RunConfig
    relative_to : path, optional
        The folder the text will be written to: paths inside it, and the folder itself, are written relative
        to it, so that it may be moved. Other paths stay absolute.
    """
    algorithm = config.sampler.algorithm
    sections = {
        "model": dataclasses.asdict(config.model),
        "data": {"file": config.data.file, **config.data.values},
        "coords": dict(config.coords),
        "sampler": {k: v for k, v in vars(config.sampler).items() if _belongs(("sampler", k), algorithm)},
        "engine": dataclasses.asdict(config.engine),
        "output": dataclasses.asdict(config.output),
    }
    base = None if relative_to is None else Path(relative_to).resolve()
    blocks = []
    for section, values in sections.items():
        lines = [
            f"{_toml_key(name)} = {_toml_value(_relative(value, base))}"
            for name, value in values.items()
            if value is not None
        ]
        if lines:
            blocks.append("\n".join([f"[{section}]", *lines]))
    return "\n\n".join(blocks) + "\n"


def _relative(value: Any, base: Path | None) -> Any:
    inside = isinstance(value, Path) and base is not None and value.is_relative_to(base)
    return value.relative_to(base) if inside else value


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml_value(name)


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, Path)):
        text = value.as_posix() if isinstance(value, Path) else value
        return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    return repr(value) if isinstance(value, (int, float)) else str(value)  # nan and inf are TOML too; dates
