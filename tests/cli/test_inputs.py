"""Models and data from files: what is there is found, what is wrong is named."""

import gzip
import json

import numpy as np
import pytest

from bayesad.cli.inputs import (
    arguments_for,
    find_draws,
    load_data,
    load_model,
    read_data_file,
    split_names,
)
from bayesad.config import DataConfig, ModelConfig
from bayesad.errors import ConfigError, DataError, ModelError

MODEL = """
import bayesad as ba

@ba.model
def eight(y, sigma, scale=1.0):
    mu = ba.sample("mu", ba.Normal(0, 5))
    ba.sample("y", ba.Normal(mu, sigma), obs=y)
"""


@pytest.fixture
def model_file(tmp_path):
    def write(text, name="m.py"):
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


def message_of(error, function, *arguments):
    with pytest.raises(error) as caught:
        function(*arguments)
    return str(caught.value)


# --- models ---


def test_the_only_model_of_a_file_is_found(model_file):
    name, model = load_model(ModelConfig(model_file(MODEL)))
    assert name == model.name == "eight"


def test_one_of_several_is_chosen_by_name(model_file):
    file = model_file(MODEL + MODEL.replace("eight", "nine"))
    assert load_model(ModelConfig(file, "nine"))[1].name == "nine"
    message = message_of(ConfigError, load_model, ModelConfig(file))
    assert f"{file} defines several models (eight, nine)" in message and "model.name" in message


def test_an_unknown_model_name_is_suggested(model_file):
    file = model_file(MODEL)
    message = message_of(ConfigError, load_model, ModelConfig(file, "eigth"))
    assert f"{file} has no model 'eigth'; did you mean 'eight'?" in message


def test_imported_models_do_not_compete_with_the_files_own(model_file):
    model_file(MODEL, "other_module_of_mine.py")
    file = model_file("from other_module_of_mine import eight\n" + MODEL.replace("eight", "nine"))
    assert load_model(ModelConfig(file))[0] == "nine"
    only_imported = model_file("from other_module_of_mine import eight\n", "third.py")
    assert load_model(ModelConfig(only_imported))[0] == "eight"


@pytest.mark.parametrize(
    ("text", "message"), [("x = 1\n", "defines no model; put @ba.model above"), ("", "defines no model")]
)
def test_a_file_without_a_model_says_what_is_missing(model_file, text, message):
    assert message in message_of(ConfigError, load_model, ModelConfig(model_file(text)))


def test_missing_files_are_named(tmp_path):
    assert "name its file on the command line" in message_of(ConfigError, load_model, ModelConfig())
    missing = tmp_path / "no.py"
    assert f"{missing} does not exist" in message_of(ConfigError, load_model, ModelConfig(missing))
    assert f"{tmp_path} is a folder" in message_of(ConfigError, load_model, ModelConfig(tmp_path))
    text = tmp_path / "model.txt"
    text.write_text(MODEL)
    assert "must end in .py" in message_of(ConfigError, load_model, ModelConfig(text))


def test_an_exception_of_the_file_is_shown_with_its_line(model_file):
    file = model_file("import bayesad as ba\nx = 1\ny = x / 0\n")
    message = message_of(ModelError, load_model, ModelConfig(file))
    assert "ZeroDivisionError: division by zero" in message
    assert f"at {file}:3: y = x / 0" in message
    assert "importlib" not in message


def test_a_syntax_error_of_the_file_is_shown_with_its_line(model_file):
    file = model_file("import bayesad as ba\ndef f(:\n    pass\n")
    message = message_of(ModelError, load_model, ModelConfig(file))
    assert "SyntaxError" in message and f"{file}:2: def f(:" in message


# --- data ---


CASES = {
    "d.json": lambda file: file.write_text('{"n": 2, "y": [1.5, null], "m": [[1, 2], [3, 4]], "s": "a"}'),
    "d.json.gz": lambda file: file.write_bytes(
        gzip.compress(b'{"n": 2, "y": [1.5, null], "m": [[1, 2], [3, 4]], "s": "a"}')
    ),
    "d.npz": lambda file: np.savez(file, n=2, y=[1.5, np.nan], m=[[1, 2], [3, 4]], s="a"),
}


@pytest.mark.parametrize("name", CASES)
def test_all_kinds_of_files_give_the_same_data(tmp_path, name):
    CASES[name](tmp_path / name)
    data = read_data_file(tmp_path / name)
    assert data["n"] == 2 and data["s"] == "a"
    np.testing.assert_array_equal(data["y"], [1.5, np.nan])
    np.testing.assert_array_equal(data["m"], [[1, 2], [3, 4]])


def test_csv_columns_become_integers_numbers_booleans_or_text(tmp_path):
    (tmp_path / "d.csv").write_text("i, x, b, t, e\n1, 1.5, true, a, 1\n2, NA, False, 7, \n")
    data = read_data_file(tmp_path / "d.csv")
    assert data["i"] == [1, 2] and all(type(v) is int for v in data["i"])
    np.testing.assert_array_equal(data["x"], [1.5, np.nan])
    assert data["b"] == [True, False]
    assert data["t"] == ["a", "7"]
    np.testing.assert_array_equal(data["e"], [1.0, np.nan])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.json", '{"y": [1,\n 2', "line 2: not valid JSON"),
        ("d.json", "[1, 2]", "holds a list; it must hold an object"),
        ("d.json", b"\xff\xfe\x00", "cannot read"),
        ("d.json.gz", b"not gzipped", "cannot read"),
        ("d.npz", b"not a zip", "is not a usable NPZ file"),
        ("d.csv", "a,b\n1,2\n3\n", "line 3: 1 values, but the header names 2 columns"),
        ("d.csv", "a,a\n1,2\n", "line 1: the header must name every column, each once"),
        ("d.csv", "", "the header must name every column"),
        ("d.csv", "a,b\n", "has a header but no rows"),
        ("d.txt", "1 2 3", "must end in .json, .json.gz, .csv, .npz"),
    ],
)
def test_an_unusable_file_is_named_with_what_is_wrong(tmp_path, name, content, message):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    text = message_of(DataError, read_data_file, file)
    assert str(file) in text and message in text


def test_a_missing_file_and_objects_in_npz_are_errors(tmp_path):
    assert "does not exist" in message_of(DataError, read_data_file, tmp_path / "no.json")
    np.savez(tmp_path / "o.npz", o=np.array([{}], object))
    assert "not a usable NPZ" in message_of(DataError, read_data_file, tmp_path / "o.npz")
    np.save(tmp_path / "one.npy", np.ones(3))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    assert "not a usable NPZ" in message_of(DataError, read_data_file, tmp_path / "one.npz")


def test_values_of_the_configuration_win_over_the_file(tmp_path):
    (tmp_path / "d.json").write_text(json.dumps({"y": [1], "sigma": [2]}))
    assert load_data(DataConfig(tmp_path / "d.json", {"y": [9]})) == {"y": [9], "sigma": [2]}


# --- arguments ---


def test_what_a_file_holds_beyond_the_models_arguments_is_left_out(model_file, tmp_path):
    _, model = load_model(ModelConfig(model_file(MODEL)))
    data = {"J": 8, "y": [1], "sigma": [2]}
    config = DataConfig(tmp_path / "d.json")
    assert arguments_for(model, data, config) == ({"y": [1], "sigma": [2]}, ["J"])


def test_a_missing_argument_is_named_with_the_nearest_there_is(model_file, tmp_path):
    _, model = load_model(ModelConfig(model_file(MODEL)))
    config = DataConfig(tmp_path / "d.json")
    message = message_of(DataError, arguments_for, model, {"y": [1], "sigmma": [2]}, config)
    assert "needs 'sigma', which is not in d.json and [data]; did you mean 'sigmma'?; there is y, sigmma" in message
    assert "give them with --data FILE" in message_of(DataError, arguments_for, model, {}, DataConfig())


def test_a_configured_value_that_is_no_argument_is_an_error(model_file):
    _, model = load_model(ModelConfig(model_file(MODEL)))
    values = {"y": [1], "sigma": [2], "scal": 3}
    message = message_of(DataError, arguments_for, model, values, DataConfig(values=values))
    assert "data.scal is not an argument of the model; did you mean 'scale'? (it has y, sigma, scale)" in message


# --- draws ---


def test_names_are_split_at_commas_outside_brackets():
    assert split_names("mu, theta[A, B],tau,") == ["mu", "theta[A, B]", "tau"]


def test_draws_are_found_in_a_folder_or_as_a_file(tmp_path):
    (tmp_path / "posterior.nc").write_text("x")
    assert find_draws(tmp_path) == tmp_path / "posterior.nc"
    assert find_draws(tmp_path / "posterior.nc") == tmp_path / "posterior.nc"
    assert "there is no run folder" in message_of(DataError, find_draws, tmp_path / "no")
