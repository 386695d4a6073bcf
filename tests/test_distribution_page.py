"""docs/distributions.md has every public law with its present signature, and formulas for all laws of numbers."""

import runpy
import sys
from pathlib import Path

import pytest

import bayesad.distributions as laws

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "distributions.md").read_text()


@pytest.fixture(scope="module")
def tool():
    path, modules = list(sys.path), set(sys.modules)
    yield runpy.run_path(str(ROOT / "tools" / "draw_distributions.py"))
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name == "distribution_formulas":
            del sys.modules[name]


def test_every_public_law_is_on_the_page_as_it_is_called(tool):
    for name in set(laws.__all__) - {"Distribution", "Support"}:
        law = getattr(laws, name)
        assert f"\n### {name}\n" in PAGE, f"{name} is not on the page: run python tools/draw_distributions.py"
        called = tool["signature"](law) if law.__name__ == name else f"Another name of `{law.__name__}`"
        assert called in PAGE, f"{name} is called otherwise now: run python tools/draw_distributions.py"


def test_nothing_else_is_on_the_page(tool):
    shown = {line.removeprefix("### ") for line in PAGE.splitlines() if line.startswith("### ")}
    assert shown <= set(laws.__all__)
    assert set(tool["FORMULAS"]) | set(tool["PICTURES"]) <= set(laws.__all__)


def test_laws_of_numbers_have_a_formula(tool):
    families = ["continuous", "skewed", "positive", "lifetimes", "extremes", "bounded", "discrete", "counts", "ordinal"]
    names = [name for family in families for name in laws._NAMES[family] if getattr(laws, name).__name__ == name]
    assert [name for name in names if name not in tool["FORMULAS"]] == []


def test_pictures_are_small():
    files = list((ROOT / "docs" / "distributions").glob("*.png"))
    assert {file.stem for file in files} <= set(laws._NAMES)
    assert sum(file.stat().st_size for file in files) < 1_000_000
