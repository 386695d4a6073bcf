"""What a run leaves behind: draws as a DataTree in ArviZ's schema, and the run folder on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesad.errors import BayesadError, DataError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = [
    "ResultsError",
    "Run",
    "create_run",
    "load_draws",
    "open_run",
    "to_datatree",
    "version",
    "versions",
]

SAMPLE_DIMS = ("chain", "draw")
"""The leading dimensions of every variable outside the data groups."""

DATA_GROUPS = ("observed_data", "constant_data")
"""ArviZ groups whose variables have no chains and draws."""


class ResultsError(BayesadError, OSError):
    """Results could not be written or read."""


# --- DataTree ---


def to_datatree(
    groups: Mapping[str, Mapping[str, Any]],
    *,
    dims: Mapping[str, Sequence[str]] | None = None,
    coords: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> xr.DataTree:
    """Build the DataTree of ArviZ's schema from plain dictionaries of arrays.

    Parameters
    ----------
    groups : dict of dict of arrays
        Group (`posterior`, `sample_stats`, `warmup_posterior`, `observed_data`, ...) -> variable -> array. In the
        groups of data arrays have their own shape, elsewhere (chain, draw, *shape). Data that are no arrays of
        numbers, booleans or text (functions, distributions) become attributes of their group, as text.
    dims : dict, optional
        Variable -> names of the dimensions of its own shape; others are numbered `name_dim_0`, ...
    coords : dict, optional
        Dimension -> labels.
    attributes : dict, optional
        Settings, seed, times, counts. They go onto the root, `posterior` and `sample_stats` (which get passed
        around alone), with the versions of the libraries. What a file cannot hold is written as JSON.

    Returns
    -------
    xarray.DataTree

    Notes
    -----
    Variables keep their names. Where a dimension has the name of a variable of the same group, which xarray
    would merge, the dimension gets `_dim` appended; `/` in a name becomes `_`, and variables called `chain` or
    `draw` get `_` appended.
    """
    import arviz_base
    import xarray as xr

    shared = {name: _storable(value) for name, value in {**versions(), **(attributes or {})}.items()}
    shared |= {"inference_library": "bayesad", "inference_library_version": version()}
    datasets = {}
    for group, variables in groups.items():
        names = _variable_names(variables)
        arrays, texts = _split({names[name]: value for name, value in variables.items()})
        own_dims = {names[name]: own for name, own in (dims or {}).items() if name in names}
        sample_dims = [] if group in DATA_GROUPS else list(SAMPLE_DIMS)
        labels, named = _labelled(arrays, own_dims, coords or {}, len(sample_dims))
        datasets[group] = arviz_base.dict_to_dataset(
            arrays,
            attrs=texts | (shared if group in ("posterior", "sample_stats") else {}),
            coords=labels,
            dims=named,
            sample_dims=sample_dims,
            check_conventions=False,  # few draws are no mistake here
        )
    tree = xr.DataTree.from_dict(datasets)
    tree.attrs = shared
    return tree


def _variable_names(names: Iterable[str]) -> dict[str, str]:
    """Each name as xarray can hold it, all different."""
    found: dict[str, str] = {}
    for name in names:
        possible = name.replace("/", "_")
        while possible in SAMPLE_DIMS or possible in found.values():
            possible += "_"
        found[name] = possible
    return found


def _labelled(
    arrays: Mapping[str, Any], dims: Mapping[str, Sequence[str]], coords: Mapping[str, Any], leading: int
) -> tuple[dict[Any, Any], dict[Any, Sequence[Any]]]:
    """Coordinates and dimensions for one group, under names that no variable of the group has.

    Dimensions that do not fit an array's shape are left out: draws are worth more than their labels.
    """
    renamed = {
        dim: f"{dim}_dim" if dim in arrays else dim for dim in {*coords, *(d for ds in dims.values() for d in ds)}
    }
    lengths = {dim: len(labels) for dim, labels in coords.items()}
    named: dict[Any, Sequence[Any]] = {}
    for name, array in arrays.items():
        own = dims.get(name, ())
        shape = array.shape[leading:]
        if len(own) == len(shape) and all(lengths.get(d, n) == n for d, n in zip(own, shape, strict=True)):
            named[name] = [renamed[dim] for dim in own]
    return {renamed[dim]: list(labels) for dim, labels in coords.items()}, named


def _split(variables: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The variables that are arrays of numbers, booleans or text, and the others as text."""
    import numpy as np

    arrays, texts = {}, {}
    for name, value in variables.items():
        array = np.asarray(value) if _arraylike(value) else None
        if array is not None and array.dtype.kind in "biufU":
            arrays[name] = array
        else:
            texts[name] = getattr(value, "__qualname__", None) or repr(value)
    return arrays, texts


def _arraylike(value: Any) -> bool:
    return hasattr(value, "__array__") or isinstance(value, (bool, int, float, str, list, tuple))


def _storable(value: Any) -> Any:
    """`value` in a form that netCDF attributes hold: numbers, text, and lists of one kind; others as JSON."""
    import numpy as np

    if isinstance(value, (bool, np.bool_)):
        return int(value)
    if isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "iuf":
        return value.item() if value.ndim == 0 else value
    if isinstance(value, (list, tuple)) and value:
        kinds = {type(item) for item in value}
        if kinds in ({int}, {float}, {str}, {int, float}):
            return list(value)
    return json.dumps(value, default=_jsonable)


def _jsonable(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def version() -> str:
    """The version of bayesad: the installed one's, or in a checkout that of its pyproject.toml."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version("bayesad")
    project = Path(__file__).resolve().parents[1] / "pyproject.toml"
    return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"] if project.is_file() else "0"


def versions() -> dict[str, str]:
    """The versions that a run depends on, by `<library>_version`."""
    libraries = ("numpy", "scipy", "llvmlite", "arviz-base", "xarray")
    found = {f"{name.replace('-', '_')}_version": metadata.version(name) for name in libraries}
    return {"bayesad_version": version(), "python_version": platform.python_version(), **found}


# --- run folders ---


@dataclass(frozen=True)
class Run:
    """A run folder and the files in it.

    Attributes
    ----------
    folder : Path
    """

    folder: Path

    @property
    def config_file(self) -> Path:
        """The resolved configuration; `bayesad sample --config` with it repeats the run."""
        return self.folder / "config.toml"

    @property
    def model_file(self) -> Path:
        """A copy of the model."""
        return self.folder / "model.py"

    @property
    def fingerprint_file(self) -> Path:
        """SHA-256 of model and data."""
        return self.folder / "fingerprint.json"

    @property
    def draws_file(self) -> Path:
        """The draws: a netCDF file in ArviZ's schema."""
        return self.folder / "posterior.nc"

    @property
    def summary_file(self) -> Path:
        """The summary table."""
        return self.folder / "summary.csv"

    @property
    def trace_file(self) -> Path:
        """The trace plot."""
        return self.folder / "trace.png"

    def draws(self) -> xr.DataTree:
        """The draws, read into memory."""
        return load_draws(self.draws_file)

    def fingerprint(self) -> dict[str, str]:
        """`model` and `data`: the SHA-256 of each, and `both`."""
        return json.loads(self.fingerprint_file.read_text(encoding="utf-8"))

    def write_inputs(self, config: str, model: Path, data: Path | None, values: Mapping[str, Any]) -> None:
        """Write the resolved configuration, copies of model and data file, and the fingerprint.

        Parameters
        ----------
        config : str
            The TOML text, whose paths name the copies.
        model : Path
        data : Path or None
        values : dict
            Data given in the configuration itself.
        """
        inline = json.dumps(dict(values), sort_keys=True).encode() if values else b""
        digests = {"model": _sha256(model), "data": _sha256(b"" if data is None else data, inline)}
        digests["both"] = _sha256(*(digest.encode() for digest in digests.values()))
        _copy(model, self.model_file)
        if data is not None:
            _copy(data, self.data_copy(data))
        _write(self.fingerprint_file, (json.dumps(digests, indent=2) + "\n").encode())
        _write(self.config_file, config.encode())

    def data_copy(self, data: Path) -> Path:
        """Where a copy of the data file goes: `data` with the same ending."""
        return self.folder / ("data" + "".join(data.suffixes[-2 if data.suffix == ".gz" else -1 :]))

    def write_draws(self, tree: xr.DataTree) -> None:
        """Write the draws.

        Raises
        ------
        ResultsError
            If they cannot be written. They are then saved in NumPy's format, in the run folder or else in the
            system's folder for temporary files; the message says where.
        """
        try:
            with replacing(self.draws_file) as temporary:
                tree.to_netcdf(temporary, engine="h5netcdf")
        except Exception as error:
            rescued = _rescue(tree, [self.folder, Path(tempfile.gettempdir())])
            where = f"the draws are safe in {rescued} (read it with numpy.load)" if rescued else "the draws are lost"
            raise ResultsError(f"cannot write {self.draws_file}: {error}; {where}") from error

    def write_summary(self, table: pd.DataFrame) -> None:
        """Write the summary table as CSV."""
        _write(self.summary_file, table.to_csv(index_label="quantity").encode())

    def discard(self) -> None:
        """Remove the inputs of a run that drew nothing, and the folder if that leaves it empty."""
        if self.draws_file.exists():
            return
        for file in (self.config_file, self.model_file, self.fingerprint_file, *self.folder.glob("data.*")):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def create_run(folder: str | Path) -> Run:
    """A new run folder: `folder`, or when that holds something already, `folder-2`, `folder-3`, ...

    Nothing that exists is overwritten, and of two runs started at once each gets its own.

    Raises
    ------
    ResultsError
        If the folder cannot be made.
    """
    folder = Path(folder).absolute()
    number = 1
    while True:
        run = Run(folder if number == 1 else folder.with_name(f"{folder.name}-{number}"))
        try:
            run.folder.mkdir(parents=True, exist_ok=True)
            if not any(run.folder.iterdir()):
                run.config_file.touch(exist_ok=False)  # the claim: only one process can create it
                return run
        except FileExistsError:  # a file has that name, or another process claimed it first
            pass
        except OSError as error:
            raise ResultsError(f"cannot make the run folder {run.folder}: {error.strerror}") from None
        number += 1


def open_run(folder: str | Path) -> Run:
    """The run in `folder`.

    Raises
    ------
    DataError
        If there is no such folder, or it holds no draws.
    """
    run = Run(Path(folder))
    if not run.folder.is_dir():
        raise DataError(f"there is no run folder {folder}; give the folder that `bayesad sample` named at its end")
    if not run.draws_file.is_file():
        raise DataError(f"{folder} is no finished run: it has no {run.draws_file.name}")
    return run


def load_draws(file: str | Path) -> xr.DataTree:
    """Read a netCDF file of draws into memory.

    Raises
    ------
    DataError
        If the file is missing, cannot be read, or has no group `posterior` with chains and draws.
    """
    import xarray as xr

    if not Path(file).is_file():
        raise DataError(f"there is no file {file}")
    try:
        with xr.open_datatree(file, engine="h5netcdf") as tree:
            loaded = tree.load()
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {file} as draws in netCDF: {error}") from None
    if "posterior" not in loaded.children or not set(SAMPLE_DIMS) <= set(loaded["posterior"].dims):
        raise DataError(f"{file} has no group `posterior` with dimensions chain and draw (ArviZ's schema)")
    return loaded


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A temporary name beside `file`; what was written there takes the place of `file` if all went well."""
    temporary = file.with_name(f".{file.stem}-{os.getpid()}{file.suffix}")
    try:
        yield temporary
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def _write(file: Path, content: bytes) -> None:
    with replacing(file) as temporary:
        temporary.write_bytes(content)


def _copy(source: Path, file: Path) -> None:
    with replacing(file) as temporary:
        shutil.copyfile(source, temporary)


def _sha256(*parts: bytes | Path) -> str:
    """The digest of texts and files with their lengths; files are read piece by piece."""
    digest = hashlib.sha256()
    for part in parts:
        size = part.stat().st_size if isinstance(part, Path) else len(part)
        digest.update(size.to_bytes(8, "little"))
        if isinstance(part, bytes):
            digest.update(part)
            continue
        with part.open("rb") as stream:
            while piece := stream.read(2**20):
                digest.update(piece)
    return digest.hexdigest()


def _rescue(tree: xr.DataTree, folders: Sequence[Path]) -> Path | None:
    """Save all arrays in NumPy's format in the first folder that takes them."""
    import numpy as np

    arrays: dict[str, Any] = {
        f"{group}.{name}": value.values
        for group, node in tree.children.items()
        for name, value in node.to_dataset().items()
    }
    for folder in folders:
        with contextlib.suppress(OSError):
            handle, name = tempfile.mkstemp(prefix="posterior-", suffix=".npz", dir=folder)
            os.close(handle)
            np.savez(name, **arrays)
            return Path(name)
    return None
