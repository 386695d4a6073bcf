"""Configuration: TOML and overrides become a RunConfig, mistakes become messages that name them."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesad.config import RunConfig, describe_keys, load_config, to_toml
from bayesad.errors import ConfigError

FULL = """
# a comment
[model]
file = "models/eight.py"
name = "eight"

[data]
file = "eight.json"
tau_scale = 5.0
y = [1, 2.5]

[coords]
school = ["A", "B"]
week = 3

[sampler]
algorithm = "nuts"
chains = 2
warmup = 200
draws = 300
seed = 20251123
target_accept = 0.9
max_tree_depth = 8
metric = "dense"
init = "prior"
keep_warmup = true

[output]
folder = "runs/eight"
"""


@pytest.fixture
def toml(tmp_path):
    def write(text):
        file = tmp_path / "run.toml"
        file.write_text(text)
        return file

    return write


def error_of(*arguments, **keywords):
    with pytest.raises(ConfigError) as caught:
        load_config(*arguments, **keywords)
    return str(caught.value)


def test_every_key_of_a_full_file_is_read(toml, tmp_path):
    config = load_config(toml(FULL))
    assert config.model.file == tmp_path / "models/eight.py"
    assert config.model.name == "eight"
    assert config.data.file == tmp_path / "eight.json"
    assert config.data.values == {"tau_scale": 5.0, "y": [1, 2.5]}
    assert config.coords == {"school": ["A", "B"], "week": 3}
    assert vars(config.sampler) == {
        "algorithm": "nuts",
        "chains": 2,
        "warmup": 200,
        "draws": 300,
        "seed": 20251123,
        "target_accept": 0.9,
        "max_tree_depth": 8,
        "metric": "dense",
        "n_steps": None,
        "integration_time": None,
        "jitter": None,
        "init": "prior",
        "keep_warmup": True,
    }
    assert config.output.folder == tmp_path / "runs/eight"


def test_defaults_without_a_file_are_those_documented():
    config = load_config()
    sampler = config.sampler
    assert (sampler.algorithm, sampler.chains, sampler.warmup, sampler.draws) == ("nuts", 4, 1000, 1000)
    assert (sampler.target_accept, sampler.max_tree_depth, sampler.metric) == (0.8, 10, "auto")
    assert config == RunConfig()


def test_overrides_win_over_the_file_and_later_ones_over_earlier(toml):
    config = load_config(toml(FULL), ["sampler.draws=500", "sampler.draws=600", "data.y=[7]"])
    assert config.sampler.draws == 600
    assert config.data.values["y"] == [7]


@pytest.mark.parametrize(
    ("literal", "value"),
    [("diagonal", "diagonal"), ('"diagonal"', "diagonal"), ("'diagonal'", "diagonal"), (" diagonal ", "diagonal")],
)
def test_bare_and_quoted_words_are_strings(literal, value):
    assert load_config(None, [f"sampler.metric={literal}"]).sampler.metric == value


def test_paths_of_overrides_and_arguments_are_relative_to_the_working_directory(toml, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    config = load_config(toml(FULL), ["output.folder=out"], model="m.py", data="d.csv")
    assert config.output.folder == elsewhere / "out"
    assert config.model.file == elsewhere / "m.py"
    assert config.data.file == elsewhere / "d.csv"


def test_an_integer_is_accepted_where_a_number_belongs():
    assert load_config(None, ["sampler.algorithm=hmc", "sampler.integration_time=2"]).sampler.integration_time == 2.0


@pytest.mark.parametrize(
    ("line", "found", "right"),
    [
        ("draws = 0", "0", "an integer of at least 1"),
        ("draws = -3", "-3", "an integer of at least 1"),
        ("draws = 10.0", "10.0", "an integer of at least 1"),
        ("draws = true", "true", "an integer of at least 1"),
        ('chains = "four"', '"four" (a string)', "an integer of at least 1"),
        ("warmup = -1", "-1", "an integer of at least 0"),
        ("seed = -1", "-1", "an integer from 0"),
        ("target_accept = 1.0", "1.0", "above 0 and below 1"),
        ("target_accept = nan", "nan", "above 0 and below 1"),
        ("max_tree_depth = 50", "50", "from 1 to 20"),
        ('metric = "dens"', '"dens"', '"auto", "diagonal", "dense", "low_rank"'),
        ('algorithm = "gibbs"', '"gibbs"', '"nuts", "hmc"'),
        ('init = "zero"', '"zero"', '"uniform", "prior"'),
        ("keep_warmup = 1", "1 (an integer)", "true or false"),
    ],
)
def test_an_impossible_value_names_file_line_key_found_and_right(toml, line, found, right):
    file = toml(f"[model]\nname = 'm'\n\n[sampler]\n{line}\n")
    message = error_of(file)
    assert f"{file}, line 5: sampler.{line.split()[0]} is {found}" in message
    assert right in message


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("school = []", "distinct labels"),
        ("school = ['A', 'A']", "distinct labels"),
        ("school = 0", "positive integer"),
        ("school = 'A'", "distinct labels"),
    ],
)
def test_impossible_coordinates(toml, line, right):
    message = error_of(toml(f"[coords]\n{line}\n"))
    assert "line 2: coords.school is" in message and right in message


def test_rewrites_are_chosen_by_name(toml):
    assert load_config(None).engine.rewrites is None
    assert load_config(toml("[engine]\nrewrites = []\n")).engine.rewrites == ()
    assert load_config(None, ['engine.rewrites=["linear_gaussian"]']).engine.rewrites == ("linear_gaussian",)
    message = error_of(toml('[engine]\nrewrites = ["linear_gausian"]\n'))
    assert 'line 2: engine.rewrites is ["linear_gausian"]; it must be a list of names of rewrites' in message
    assert "did you mean 'linear_gaussian'? (there are " in message
    assert 'engine.rewrites is "none" (a string)' in error_of(None, ["engine.rewrites=none"])


def test_tables_and_dates_are_no_data(toml):
    assert "data.y is" in error_of(toml("[data.y]\na = 1\n"))
    assert "data.day is 2025-11-23" in error_of(toml("[data]\nday = 2025-11-23\n"))


def test_unknown_key_names_the_line_and_suggests(toml):
    file = toml("[sampler]\nchains = 2\ndrows = 10\n")
    message = error_of(file)
    assert f"{file}, line 3: unknown key sampler.drows; did you mean 'draws'?" in message


def test_unknown_section_names_the_line_and_suggests(toml):
    file = toml("[model]\nname = 'm'\n[smpler]\nchains = 2\n")
    assert f"{file}, line 3: unknown section [smpler]; did you mean 'sampler'?" in error_of(file)


def test_a_section_given_as_a_value_is_refused(toml):
    assert "line 1: sampler is 3 (an integer); it must be a section, [sampler]" in error_of(toml("sampler = 3\n"))


def test_broken_toml_names_the_file_and_the_line(toml):
    message = error_of(toml("[sampler]\nchains = = 2\n"))
    assert "run.toml is not valid TOML" in message and "line 2" in message


def test_a_missing_file_is_named(tmp_path):
    assert f"cannot read the configuration {tmp_path / 'no.toml'}: No such file" in error_of(tmp_path / "no.toml")


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("sampler.draws", "an override is written section.key=value"),
        ("draws=5", "an override is written section.key=value"),
        ("sampler.draws=abc", 'sampler.draws is "abc" (a string); it must be an integer of at least 1'),
        ("sampler.drows=5", "unknown key sampler.drows; did you mean 'draws'?"),
        ("samplr.draws=5", "unknown section [samplr]; did you mean 'sampler'?"),
        ("data.y=[1, 2", "is not a TOML value"),
        ("sampler.draws=", "is not a TOML value"),
    ],
)
def test_a_wrong_override_is_quoted(override, part):
    message = error_of(None, [override])
    assert message.startswith(f"--set {override}: ") and part in message


def test_a_setting_of_the_other_algorithm_is_refused(toml):
    message = error_of(toml('[sampler]\nalgorithm = "hmc"\nmax_tree_depth = 5\n'))
    assert 'line 3: sampler.max_tree_depth belongs to algorithm = "nuts", but algorithm is "hmc"' in message


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("n_steps = 0", "an integer of at least 1"),
        ("integration_time = 0.0", "a positive number"),
        ("integration_time = inf", "a positive number"),
        ("jitter = 1.0", "at least 0 and below 1"),
    ],
)
def test_impossible_settings_of_static_trajectories(toml, line, right):
    message = error_of(toml(f'[sampler]\nalgorithm = "hmc"\n{line}\n'))
    assert f"line 3: sampler.{line.split()[0]} is {line.split()[2]}" in message and right in message


def test_overriding_the_algorithm_drops_the_files_settings_for_the_other(toml):
    config = load_config(toml(FULL), ["sampler.algorithm=hmc", "sampler.n_steps=12"])
    assert (config.sampler.algorithm, config.sampler.n_steps) == ("hmc", 12)


def test_two_lengths_of_a_trajectory_are_refused(toml):
    message = error_of(toml('[sampler]\nalgorithm = "hmc"\nn_steps = 5\nintegration_time = 1.5\n'))
    assert "line 4" in message and "sampler.integration_time and sampler.n_steps" in message


def test_written_configuration_reads_back_equal(toml, tmp_path):
    config = load_config(toml(FULL))
    again = tmp_path / "again.toml"
    again.write_text(to_toml(config))
    assert load_config(again) == config


def test_paths_in_the_written_folder_are_relative_so_that_it_may_move(tmp_path):
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    config = load_config(model=folder / "model.py", folder=folder, data=tmp_path / "far.json")
    (folder / "config.toml").write_text(to_toml(config, relative_to=folder))
    assert load_config(folder / "config.toml") == config
    moved = folder.rename(tmp_path / "moved")
    again = load_config(moved / "config.toml")
    assert (again.model.file, again.output.folder) == (moved / "model.py", moved)
    assert again.data.file == tmp_path / "far.json"


scalars = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text())
names = st.text(min_size=1).filter(lambda name: name.strip() == name and name != "file")


@settings(max_examples=40)
@given(st.dictionaries(names, st.one_of(scalars, st.lists(scalars), st.lists(st.lists(st.floats(0, 1))))))
def test_any_data_values_survive_writing_and_reading(values):
    import tempfile

    from bayesad.config import DataConfig

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "run.toml")
        file.write_text(to_toml(RunConfig(data=DataConfig(values=values))), encoding="utf-8", newline="\n")
        read = load_config(file).data.values
    assert read == values
    assert [type(v) for v in read.values()] == [type(v) for v in values.values()]


def test_the_description_lists_every_key_with_its_default():
    text = describe_keys()
    for name in vars(RunConfig().sampler):
        assert f"    {name} " in text
    assert 'metric            form of the mass matrix ("auto")' in text
