"""Makes the pages of docs/models/: one per configuration, with the model, its picture, summary and findings.

    python tools/draw_models.py             # all of them, and the index
    python tools/draw_models.py radon nile  # some

A model's file may draw its own picture: a function ``picture(tree, posterior)`` that returns a Matplotlib figure, made
without pyplot. Otherwise the page shows densities and traces.
"""

from __future__ import annotations

import contextlib
import io
import runpy
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from matplotlib.figure import Figure  # noqa: E402
from PIL import Image  # noqa: E402

from bayesad.cli import main as bayesad  # noqa: E402
from bayesad.cli.inputs import load_posterior  # noqa: E402
from bayesad.config import load_config  # noqa: E402
from bayesad.diagnostics import summary  # noqa: E402
from bayesad.plots import plot_trace  # noqa: E402
from bayesad.results import load_draws, open_run  # noqa: E402

PAGES = ROOT / "docs" / "models"
ROWS = 4
"""Most quantities in a trace plot."""


def main(names: list[str]) -> None:
    PAGES.mkdir(parents=True, exist_ok=True)
    configs = sorted((ROOT / "configs").glob("*.toml"))
    for config in configs:
        if not names or config.stem in names:
            write_page(config)
            print(config.stem)
    write_index(configs)


def write_page(config: Path) -> None:
    """Run a configuration and write its page and picture."""
    name = config.stem
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as shown:
        bayesad(["sample", "--config", str(config), "--folder", folder])
        tree = load_draws(open_run(folder).draws_file)
    _, posterior, _ = load_posterior(load_config(config))
    file = ROOT / "models" / f"{name}.py"
    picture = runpy.run_path(str(file)).get("picture")
    table = summary(tree)
    figure = picture(tree, posterior) if picture else plot_trace(tree, table, list(table.index[:ROWS]), title=name)
    save_small(figure, PAGES / f"{name}.png")
    title, text, code = parts(file.read_text())
    output = shown.getvalue().partition("run folder:")[0].strip("\n").replace(folder, f"runs/{name}")
    lines = [f"# {title}", "", text, "", f"![{title}]({name}.png)", ""]
    lines += ["```sh", f"bayesad sample models/{name}.py --config configs/{name}.toml", "```", ""]
    lines += ["```python", code, "```", "", "```", output, "```", ""]
    (PAGES / f"{name}.md").write_text("\n".join(lines))


def save_small(figure: Figure, file: Path) -> None:
    """The figure as a PNG of few colours, a tenth of the size."""
    figure.set_dpi(90)
    figure.savefig(file)
    with Image.open(file) as image:
        small = image.convert("RGB").quantize(64, Image.Quantize.FASTOCTREE)  # keeps colours of few pixels
    small.save(file, optimize=True)


def parts(source: str) -> tuple[str, str, str]:
    """A model's file as its title, the rest of its docstring, and its code."""
    _, text, code = source.split('"""', 2)
    title, _, rest = text.strip().partition("\n")
    return title.rstrip("."), rest.strip(), code.split("\ndef picture(")[0].strip()


def write_index(configs: list[Path]) -> None:
    lines = [
        "# Models",
        "",
        "Each can be run from a checkout, by the command its page shows (with the environment of the README active).",
        "",
    ]
    for config in configs:
        title, _, _ = parts((ROOT / "models" / f"{config.stem}.py").read_text())
        lines.append(
            f"- [{config.stem}]({config.stem}.md): {title if title[1].isupper() else title[0].lower() + title[1:]}"
        )
    (PAGES / "README.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
