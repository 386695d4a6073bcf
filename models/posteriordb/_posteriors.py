"""Finds and loads the reference posteriors: model, data, golden log densities, reference summaries."""

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from bayesad import Posterior
from bayesad.cli.inputs import arguments_for, load_data, load_model
from bayesad.config import DataConfig, ModelConfig

__all__ = ["ReferencePosterior", "find", "names"]

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class ReferencePosterior:
    """One posterior of posteriordb.

    Attributes
    ----------
    name : str
        ``data-model``, as posteriordb names it.
    """

    name: str

    @cached_property
    def golden(self) -> dict[str, Any]:
        """Dimension, points, log densities and directional derivatives."""
        return json.loads((FOLDER / "golden" / f"{self.name}.json").read_text())

    @cached_property
    def reference(self) -> dict[str, dict[str, float]] | None:
        """Scalar parameter such as ``theta[1]`` (from 1) -> its summary; None if there are no reference draws."""
        file = FOLDER / "reference" / f"{self.name}.json"
        return json.loads(file.read_text())["parameters"] if file.exists() else None

    @cached_property
    def posterior(self) -> Posterior:
        """The model conditioned on the data."""
        data = FOLDER / "data" / self.golden["data"]
        config = DataConfig(file=data if data.exists() else data.with_name(f"{data.name}.gz"))
        model = load_model(ModelConfig(file=FOLDER / f"{self.golden['model']}.py"))
        arguments, _ = arguments_for(model, load_data(config), config)
        return model(**arguments)


def names() -> list[str]:
    """The names of all posteriors."""
    return sorted(file.stem for file in (FOLDER / "golden").glob("*.json"))


def find(patterns: list[str]) -> list[ReferencePosterior]:
    """The posteriors whose name matches one of the shell patterns; without any, all.

    Raises
    ------
    ValueError
        If a pattern matches none.
    """
    idle = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names())]
    if idle:
        raise ValueError(f"no posterior is named {', '.join(idle)}; there are\n  " + "\n  ".join(names()))
    wanted = patterns or ["*"]
    return [ReferencePosterior(n) for n in names() if any(fnmatchcase(n, pattern) for pattern in wanted)]
