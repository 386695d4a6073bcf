"""Watching for imports, and SciPy: not imported for nothing, and traced as ever wherever it is imported first."""

import importlib
import importlib.machinery
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bayesad.ad import imports

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module that can be imported, counts its executions and is forgotten afterwards."""
    name = "a_module_to_wait_for"
    (tmp_path / f"{name}.py").write_text("import sys\nspecified = __spec__.loader\nvalue = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(imports._watch, "actions", {})
    yield name
    sys.modules.pop(name, None)


def test_the_action_follows_the_import_and_precedes_what_comes_after_it(module):
    seen = []

    def action(imported):
        seen.append(imported)
        imported.value = 2

    imports.when_imported(module, action)
    assert not seen
    namespace = {}
    exec(f"from {module} import value", namespace)
    assert namespace["value"] == 2
    assert seen == [sys.modules[module]]
    importlib.reload(sys.modules[module])
    assert len(seen) == 2 and sys.modules[module].value == 2


def test_a_module_that_is_there_already_is_told_at_once(module):
    imported = importlib.import_module(module)
    seen = []
    imports.when_imported(module, seen.append)
    assert seen == [imported]


def test_the_module_looks_as_if_nobody_had_watched(module):
    imports.when_imported(module, lambda imported: None)
    imported = importlib.import_module(module)
    kind = importlib.machinery.SourceFileLoader
    assert type(imported.specified) is kind  # while it was executed too
    assert type(imported.__loader__) is kind and type(imported.__spec__.loader) is kind


def test_a_module_that_does_not_exist_is_still_not_found(monkeypatch):
    monkeypatch.setattr(imports._watch, "actions", {})
    imports.when_imported("no_such_module_anywhere", lambda imported: None)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("no_such_module_anywhere")


# --- SciPy, in fresh processes
def run(program, folder):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


EIGHT_SCHOOLS = """
import sys
import bayesad as ba
from bayesad.sampling import draw

@ba.model
def eight_schools(y, sigma):
    ba.coord("school", len(y))
    mu = ba.sample("mu", ba.Normal(0, 5))
    tau = ba.sample("tau", ba.HalfCauchy(5))
    z = ba.sample("z", ba.Normal(0, 1), dims="school")
    theta = ba.deterministic("theta", mu + tau * z, dims="school")
    ba.sample("y", ba.Normal(theta, sigma), obs=y, dims="school")

posterior = eight_schools(y=[28, 8, -3, 7, -1, 1, 18, 12], sigma=[15, 10, 16, 11, 9, 11, 10, 18])
drawn = draw(posterior, warmup=20, draws=20, seed=1)
assert drawn.values["theta"].shape == (4, 20, 8)
print(*sys.modules)
"""


def test_a_model_that_does_not_need_scipy_does_not_import_it(tmp_path):
    loaded = {name.partition(".")[0] for name in run(EIGHT_SCHOOLS, tmp_path).split()}
    assert "numpy" in loaded and "llvmlite" in loaded
    assert not loaded & {"scipy", "xarray", "pandas", "arviz_base", "arviz_stats", "matplotlib", "rich"}
    assert "numpy.ma" not in run(EIGHT_SCHOOLS, tmp_path).split()


FIRST_IMPORTS = {
    "in the function": "def f(x):\n    from scipy.special import logsumexp\n    return logsumexp(x)",
    "in the function, renamed": "def f(x):\n    import scipy.special as special\n    return special.logsumexp(x)",
    "by the attribute of the package": "import scipy\ndef f(x): return scipy.special.logsumexp(x)",
    "before bayesad's own": "import scipy.special\nfrom bayesad import ad\ndef f(x): return scipy.special.logsumexp(x)",
    "after bayesad's own": "from bayesad import ad\nfrom scipy.special import logsumexp as lse\n"
    "def f(x): return lse(x)",
    "by a helper that the function imports": "def f(x):\n    from helper import logsumexp\n    return logsumexp(x)",
    "a ufunc": "def f(x):\n    from scipy.special import gammaln, xlogy\n    import numpy as np\n"
    "    return np.sum(gammaln(x) + xlogy(x, x))",
    "before another in the function": "def f(x):\n    from scipy.special import logsumexp\n    import scipy.linalg\n"
    "    return logsumexp(x)",
    "linear algebra": "def f(x):\n    import numpy as np\n    from scipy.linalg import cholesky\n"
    "    return np.sum(cholesky(np.outer(x, x) + 2 * np.eye(3), lower=True))",
}


@pytest.mark.parametrize("source", FIRST_IMPORTS.values(), ids=FIRST_IMPORTS)
def test_scipy_imported_at_any_time_is_traced(source, tmp_path):
    (tmp_path / "helper.py").write_text("from scipy.special import logsumexp\n")
    program = f"""
{source}
import numpy as np
from bayesad import ad
x = np.array([0.5, 1.5, 2.5])
value, gradient = ad.value_and_gradient(f, x)
again = ad.gradient(lambda y: f(2.0 * y), x / 2)  # traced again, now that SciPy is there
assert type(f(x)) is np.float64 and np.isclose(f(x), value, rtol=1e-14)  # outside a trace: SciPy's own
steps = 1e-6 * np.eye(3)
differences = [(f(x + h) - f(x - h)) / 2e-6 for h in steps]
assert np.allclose(gradient, differences, rtol=1e-6), (gradient, differences)
assert np.allclose(again, 2 * gradient, rtol=1e-14)
"""
    run(program, tmp_path)
