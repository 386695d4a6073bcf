"""Results: the DataTree follows ArviZ's schema, and a run folder keeps everything that was drawn."""

import hashlib
import json
import os

import arviz_base
import numpy as np
import pytest

from bayesad import results
from bayesad.errors import DataError
from bayesad.results import ResultsError, Run, create_run, load_draws, open_run, to_datatree, version

SCHOOLS = ["A", "B", "C"]


def make_tree(**attributes):
    rng = np.random.default_rng(1)
    posterior = {"mu": rng.normal(size=(2, 10)), "theta": rng.normal(size=(2, 10, 3))}
    stats = {"diverging": rng.random((2, 10)) < 0.3, "n_steps": rng.integers(1, 8, (2, 10))}
    return to_datatree(
        {
            "posterior": posterior,
            "sample_stats": stats,
            "warmup_posterior": {name: x[:, :4] for name, x in posterior.items()},
            "warmup_sample_stats": {name: x[:, :4] for name, x in stats.items()},
            "observed_data": {"y": np.array([1.0, np.nan, 3.0])},
            "constant_data": {"sigma": [1, 2, 3], "flags": np.array([True, False]), "label": "abc", "f": np.sin},
        },
        dims={"theta": ["school"], "y": ["school"]},
        coords={"school": SCHOOLS},
        attributes=attributes,
    )


# --- DataTree ---


def test_groups_dims_and_coords_follow_the_schema():
    tree = make_tree()
    assert set(tree.children) == {
        "posterior",
        "sample_stats",
        "warmup_posterior",
        "warmup_sample_stats",
        "observed_data",
        "constant_data",
    }
    assert tree["posterior"]["theta"].dims == ("chain", "draw", "school")
    assert list(tree["posterior"]["school"].values) == SCHOOLS
    assert tree["posterior"]["mu"].dims == ("chain", "draw")
    assert tree["warmup_posterior"].sizes["draw"] == 4
    assert tree["observed_data"]["y"].dims == ("school",)
    assert tree["constant_data"]["sigma"].values.tolist() == [1, 2, 3]
    assert tree["constant_data"]["label"].item() == "abc"
    assert tree["constant_data"].attrs["f"] == "sin"


def test_attributes_are_on_the_root_and_where_draws_get_passed_around():
    tree = make_tree(seed=7, sampling_time=0.5)
    for node in (tree, tree["posterior"], tree["sample_stats"]):
        assert node.attrs["seed"] == 7
        assert node.attrs["sampling_time"] == 0.5
        assert node.attrs["inference_library"] == "bayesad"
        assert node.attrs["inference_library_version"] == version()
        assert node.attrs["numpy_version"] == np.__version__


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (True, 1),
        (None, "null"),
        ({"a": [1, None]}, '{"a": [1, null]}'),
        ([1, "a"], '[1, "a"]'),
        (np.int64(3), 3),
        (np.array([[1.5, 2.0]]), [[1.5, 2.0]]),
        (["x", "y"], ["x", "y"]),
        ([], "[]"),
    ],
)
def test_any_attribute_can_be_stored(value, stored, tmp_path):
    tree = make_tree(value=value)
    assert np.asarray(tree.attrs["value"]).tolist() == stored
    tree.to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    assert np.ravel(load_draws(tmp_path / "x.nc").attrs["value"]).tolist() == np.ravel(stored).tolist()


def test_a_variable_named_like_a_dimension_keeps_its_values():
    index = np.array([0, 0, 1, 2])
    tree = to_datatree(
        {"posterior": {"school": np.ones((1, 2, 3))}, "constant_data": {"school": index, "x": np.arange(3.0)}},
        dims={"school": ["school"], "x": ["school"]},
        coords={"school": SCHOOLS},
    )
    assert tree["posterior"]["school"].dims == ("chain", "draw", "school_dim")
    assert list(tree["posterior"]["school_dim"].values) == SCHOOLS
    assert tree["constant_data"]["school"].values.tolist() == index.tolist()
    assert tree["constant_data"]["x"].dims == ("school_dim",)


def test_names_that_xarray_cannot_hold_are_changed_and_never_merged():
    draws = {name: np.full((1, 2), i) for i, name in enumerate(["chain", "a/b", "a_b", "draw"])}
    posterior = to_datatree({"posterior": draws})["posterior"]
    values = {str(name): int(x.values[0, 0]) for name, x in posterior.items()}
    assert values == {"chain_": 0, "a_b": 1, "a_b_": 2, "draw_": 3}


def test_dims_that_do_not_fit_cost_the_labels_not_the_draws():
    tree = to_datatree(
        {"posterior": {"theta": np.ones((1, 2, 4))}}, dims={"theta": ["school"]}, coords={"school": SCHOOLS}
    )
    assert tree["posterior"]["theta"].dims == ("chain", "draw", "theta_dim_0")


# --- run folders ---


def files_of(run):
    return {file.name for file in run.folder.iterdir()}


@pytest.fixture
def inputs(tmp_path):
    model, data = tmp_path / "eight.py", tmp_path / "eight.json"
    model.write_text("model = 1\n")
    data.write_text('{"y": [1]}')
    return model, data


def test_a_run_folder_holds_all_it_takes_to_repeat_the_run(tmp_path, inputs):
    run = create_run(tmp_path / "runs" / "eight")
    run.write_inputs("[sampler]\n", *inputs, {"a": 1})
    tree = make_tree(seed=3)
    run.write_draws(tree)
    assert files_of(run) == {"config.toml", "model.py", "data.json", "fingerprint.json", "posterior.nc"}
    assert run.model_file.read_text() == "model = 1\n"
    assert run.config_file.read_text() == "[sampler]\n"
    again = open_run(tmp_path / "runs" / "eight").draws()
    for group in tree.children:
        assert again[group].to_dataset().identical(tree[group].to_dataset()), group
    assert again["sample_stats"]["diverging"].dtype == bool


def test_arviz_reads_the_draws(tmp_path):
    run = create_run(tmp_path / "run")
    tree = make_tree()
    run.write_draws(tree)
    read = arviz_base.convert_to_datatree(str(run.draws_file))
    np.testing.assert_array_equal(read["posterior"]["theta"].values, tree["posterior"]["theta"].values)


def test_the_fingerprint_changes_with_model_data_and_inline_values_only(tmp_path, inputs):
    model, data = inputs

    def fingerprint(values):
        run = create_run(tmp_path / "run")
        run.write_inputs("x = 1\n", model, data, values)
        return run.fingerprint()

    first = fingerprint({"a": 1})
    source = model.read_bytes()
    assert first["model"] == hashlib.sha256(len(source).to_bytes(8, "little") + source).hexdigest()
    assert fingerprint({"a": 1}) == first
    assert fingerprint({"a": 2})["both"] != first["both"]
    model.write_text("model = 2\n")
    changed = fingerprint({"a": 1})
    assert changed["model"] != first["model"] and changed["data"] == first["data"]
    data.write_text('{"y": [2]}')
    assert fingerprint({"a": 1})["data"] != changed["data"]


def test_a_folder_that_holds_something_is_never_touched(tmp_path):
    taken = tmp_path / "run"
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    assert create_run(taken).folder == tmp_path / "run-2"
    assert create_run(taken).folder == tmp_path / "run-3"
    assert {file.name for file in taken.iterdir()} == {"mine.txt"}


def test_an_empty_folder_is_used_and_a_file_of_that_name_is_not(tmp_path):
    (tmp_path / "empty").mkdir()
    assert create_run(tmp_path / "empty").folder == tmp_path / "empty"
    (tmp_path / "file").write_text("x")
    assert create_run(tmp_path / "file").folder == tmp_path / "file-2"


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResultsError, match=r"cannot make the run folder .*file/run: Not a directory"):
        create_run(tmp_path / "file" / "run")


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path):
    file = tmp_path / "summary.csv"
    file.write_text("old")
    with pytest.raises(RuntimeError), results.replacing(file) as temporary:
        temporary.write_text("half")
        raise RuntimeError("power cut")
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["summary.csv"]


def test_a_reader_of_the_old_file_is_not_disturbed(tmp_path):
    file = tmp_path / "summary.csv"
    file.write_text("old")
    with file.open() as reader:
        with results.replacing(file) as temporary:
            temporary.write_text("new")
        assert (reader.read(), file.read_text()) == ("old", "new")


def test_draws_survive_a_netcdf_writer_that_fails(tmp_path, monkeypatch):
    run, tree = create_run(tmp_path / "run"), make_tree()

    def broken(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(type(tree), "to_netcdf", broken)
    with pytest.raises(ResultsError, match=r"disk full; the draws are safe in .*\.npz") as caught:
        run.write_draws(tree)
    rescued = str(caught.value).partition("safe in ")[2].partition(" ")[0]
    with np.load(rescued) as arrays:
        np.testing.assert_array_equal(arrays["posterior.theta"], tree["posterior"]["theta"].values)
    assert not run.draws_file.exists()


def test_discarding_removes_a_run_without_draws_and_nothing_else(tmp_path, inputs):
    run = create_run(tmp_path / "run")
    run.write_inputs("", *inputs, {})
    run.discard()
    assert not run.folder.exists()
    run = create_run(tmp_path / "run")
    run.write_inputs("", *inputs, {})
    (run.folder / "mine.txt").write_text("mine")
    run.discard()
    assert files_of(run) == {"mine.txt"}


def test_discarding_leaves_a_run_with_draws_alone(tmp_path, inputs):
    run = create_run(tmp_path / "run")
    run.write_inputs("", *inputs, {})
    run.write_draws(make_tree())
    before = files_of(run)
    run.discard()
    assert files_of(run) == before


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda folder: None, "there is no run folder"),
        (lambda folder: folder.mkdir(), "it has no posterior.nc"),
    ],
)
def test_opening_what_is_no_run_says_why(tmp_path, prepare, message):
    prepare(tmp_path / "run")
    with pytest.raises(DataError, match=message):
        open_run(tmp_path / "run")


def test_reading_what_holds_no_draws_says_why(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*no\.nc"):
        load_draws(tmp_path / "no.nc")
    (tmp_path / "text.nc").write_text("hello")
    with pytest.raises(DataError, match=r"cannot read .*text\.nc as draws"):
        load_draws(tmp_path / "text.nc")
    to_datatree({"observed_data": {"y": np.ones(3)}}).to_netcdf(tmp_path / "data.nc", engine="h5netcdf")
    with pytest.raises(DataError, match="no group `posterior`"):
        load_draws(tmp_path / "data.nc")


def test_a_gzipped_data_file_keeps_both_endings(tmp_path):
    assert Run(tmp_path).data_copy(tmp_path / "my.data.json.gz").name == "data.json.gz"
    assert Run(tmp_path).data_copy(tmp_path / "my.data.csv").name == "data.csv"


def test_the_fingerprint_file_is_json(tmp_path, inputs):
    run = create_run(tmp_path / "run")
    run.write_inputs("", inputs[0], None, {})
    assert json.loads(run.fingerprint_file.read_text()).keys() == {"model", "data", "both"}
