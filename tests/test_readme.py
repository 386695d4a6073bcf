"""The README's Python examples run as they stand."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_example_runs(number, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(README.parent))
    file = tmp_path / f"example_{number}.py"
    file.write_text(BLOCKS[number])
    exec(compile(BLOCKS[number], str(file), "exec"), {"__name__": f"example_{number}"})


def test_the_gradient_example_has_the_structure_of_its_argument():
    block = next(b for b in BLOCKS if "def loss" in b)
    namespace = {"__name__": "example", "np": __import__("numpy")}
    exec(block, namespace)
    value, gradient = namespace["ad"].value_and_gradient(namespace["loss"], {"a": [1.0, 1.0, 1.0], "b": 0.5})
    assert value > 0
    assert set(gradient) == {"a", "b"}
