"""The models people run: their densities, gradients, configurations and a few short runs."""

import functools
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bayesad.cli import main as bayesad
from bayesad.cli.inputs import arguments_for, load_data, load_model
from bayesad.config import load_config

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "configs").glob("*.toml"))
NAMES = [config.stem for config in CONFIGS]


@functools.cache
def posterior_of(name):
    """The posterior that a configuration describes, put together as a run does."""
    config = load_config(ROOT / "configs" / f"{name}.toml")
    _, model = load_model(config.model)
    data, _ = arguments_for(model, load_data(config.data), config.data)
    return model.with_coords(**config.coords)(**data)


def point_of(name, seed=1):
    posterior = posterior_of(name)
    return posterior.unconstrained.unpack(posterior.initial(np.random.default_rng(seed)))


# --- files


def test_every_model_has_a_configuration_and_every_configuration_a_model():
    files = (ROOT / "models").glob("[!_]*.py")
    assert sorted(file.stem for file in files if "@ba.model" in file.read_text()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_names_existing_files_and_its_own_run_folder(name):
    config = load_config(ROOT / "configs" / f"{name}.toml")
    assert config.model.file == ROOT / "models" / f"{name}.py"
    assert config.data.file.parent == ROOT / "models" / "data"
    assert config.data.file.is_file()
    assert config.output.folder == ROOT / "runs" / name


def test_every_model_has_its_density_written_a_second_time():
    files = (ROOT / "tests" / "models").glob("test_*.py")
    written = {name for file in files for name in re.findall(r"^def (\w+)\(data", file.read_text(), flags=re.MULTILINE)}
    assert set(NAMES) <= written


# --- derivatives


@pytest.mark.parametrize("name", NAMES)
def test_gradient_equals_finite_differences(name):
    posterior, rng = posterior_of(name), np.random.default_rng(2)
    params = point_of(name)
    gradient = posterior.gradient(params)
    for _ in range(5):
        direction = {key: rng.normal(size=np.shape(value)) for key, value in params.items()}
        for key, parameter in posterior.parameters.items():
            if np.prod(parameter.shape) != np.prod(parameter.unconstrained_shape):  # simplexes and the like stay put:
                direction[key][...] = 0.0  # the next test has their directions

        def along(t, direction=direction):
            return posterior.neg_log_posterior({key: value + t * direction[key] for key, value in params.items()})

        h = 1e-4
        slope = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
        expected = sum(np.sum(gradient[key] * direction[key]) for key in params)
        scale = sum(np.sum(np.abs(gradient[key] * direction[key])) for key in params)
        assert abs(slope - expected) <= 1e-7 * scale  # both 0 where all stay put


@pytest.mark.parametrize("name", NAMES)
def test_unconstrained_gradient_equals_finite_differences(name):
    unconstrained = posterior_of(name).unconstrained
    q = unconstrained.pack(point_of(name))
    _, gradient = unconstrained.log_density_and_gradient(q)
    direction, h = np.random.default_rng(3).normal(size=len(q)), 1e-4
    ahead, behind, far, back = (unconstrained.log_density(q + k * h * direction) for k in (1, -1, 2, -2))
    slope = (8 * (ahead - behind) - (far - back)) / (12 * h)
    assert abs(slope - gradient @ direction) < 1e-7 * np.sum(np.abs(gradient * direction))


# --- runs


def standard_errors(values, exact):
    """Distance of the mean of draws from the exact mean, in Monte Carlo standard errors."""
    from arviz_stats import mcse

    values = np.asarray(values)
    return abs(values.mean() - exact) / mcse(values)


def exact_means(y, x):
    """Posterior means of the linear regression by summing its density over a grid."""
    alpha, beta, sigma = np.meshgrid(
        np.linspace(-3, 4, 81), np.linspace(-4, 3, 81), np.linspace(0.8, 5, 81), indexing="ij"
    )
    log_density = stats.norm.logpdf(alpha, 0, 1) + stats.norm.logpdf(beta, 0, 1) + stats.halfnorm.logpdf(sigma, scale=2)
    for xi, yi in zip(x, y, strict=True):
        log_density += stats.norm.logpdf(yi, alpha + beta * xi, sigma)
    weight = np.exp(log_density - log_density.max())
    return {
        name: np.sum(weight * grid) / weight.sum()
        for name, grid in (("alpha", alpha), ("beta", beta), ("sigma", sigma))
    }


# Each of the 3 means is off by more than 5 standard errors with a probability below 1e-6.
def test_draws_of_the_linear_regression_have_the_means_of_its_density_on_a_grid():
    posterior = posterior_of("linear_regression")
    draws = posterior.sample(chains=4, warmup=500, draws=500, seed=1).posterior
    for name, exact in exact_means(posterior.data["y"], posterior.data["x"]).items():
        assert standard_errors(draws[name], exact) < 5


@pytest.mark.parametrize("name", ["logistic_regression", "poisson_overdispersed"])
def test_a_short_run_converges(name):
    from arviz_stats import rhat

    draws = posterior_of(name).sample(chains=2, warmup=300, draws=300, seed=1)
    assert int(draws.sample_stats.diverging.sum()) == 0
    assert all(float(values.max()) < 1.05 for values in rhat(draws).data_vars.values())


def test_radon_draws_are_labelled_by_county():
    draws = posterior_of("radon").sample(chains=1, warmup=20, draws=5, seed=1).posterior
    assert draws.alpha.dims == ("chain", "draw", "county")
    assert list(draws.county.values) == list(range(1, 86))


def test_the_command_line_samples_eight_schools(tmp_path, capsys):
    folder = tmp_path / "run"
    arguments = ["sample", str(ROOT / "models" / "eight_schools.py")]
    arguments += ["--config", str(ROOT / "configs" / "eight_schools.toml"), "--folder", str(folder)]
    assert bayesad(arguments) == 0
    assert {"posterior.nc", "summary.csv", "trace.png", "config.toml"} <= {file.name for file in folder.iterdir()}
    assert "theta[A]" in capsys.readouterr().out


def test_linear_regression_runs_as_a_script(capsys):
    runpy.run_path(str(ROOT / "models" / "linear_regression.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].split()[0] for line in lines] == [
        "parameters",
        "neg_log_posterior",
        "gradient",
        "alpha",
        "beta",
        "sigma",
    ]
