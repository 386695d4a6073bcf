"""The Python examples of every page in docs/ run as they stand, one after the other in one namespace a page."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run(page, monkeypatch, tmp_path):
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": f"page_{page.stem}"}
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)):
        file = tmp_path / f"{page.stem}_{number}.py"
        file.write_text(block)
        exec(compile(block, str(file), "exec"), namespace)


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "README.md", ROOT / "models" / "README.md"], ids=lambda page: page.stem
)
def test_links_of_a_page_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_readme_leads_to_every_page(page):
    assert f"](docs/{page.name})" in (ROOT / "README.md").read_text()


def peers_blocks():
    text = (ROOT / "docs" / "migration.md").read_text()
    return re.findall(r"```py (\w+)\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize(("peer", "block"), peers_blocks())
def test_what_is_said_of_a_peer_runs_where_it_is_installed(peer, block):
    pytest.importorskip(peer)
    if "funsor" in block:
        pytest.importorskip("funsor")
    exec(compile(block, f"<{peer}>", "exec"), {"__name__": peer})
