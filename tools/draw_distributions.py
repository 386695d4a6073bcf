"""Makes docs/distributions.md: every law with its signature, density, support and a picture per family.

python tools/draw_distributions.py
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import numpy as np  # noqa: E402
from distribution_formulas import FAMILIES, FORMULAS, PICTURES  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402
from PIL import Image  # noqa: E402

import bayesad.distributions as laws  # noqa: E402
from bayesad.distributions.reparametrised import Reparametrised  # noqa: E402
from bayesad.structure import describe  # noqa: E402

PAGE = ROOT / "docs" / "distributions.md"
PICTURE_FOLDER = ROOT / "docs" / "distributions"
COLUMNS = 4

INTRODUCTION = """# Distributions

Every law below is `ba.NAME`. Names, order and meaning of the arguments are those of the Stan functions reference where
it has the law. All of them evaluate on plain arrays as on traced ones:

```python
import numpy as np
import bayesad as ba

d = ba.Gamma(alpha=2, beta=[1.0, 3.0])
assert d.log_prob([0.5, 1.0]).shape == (2,)
assert d.sample(np.random.default_rng(1), 5).shape == (5, 2)
assert np.allclose(d.mean, [2.0, 2 / 3])
assert np.allclose(d.cdf(d.icdf(0.3)), 0.3)
```

`log_prob` has all normalising constants; outside the support it is -inf, with gradient 0. `cdf`, `sf`, `log_cdf`,
`log_sf` and `icdf` exist for laws of single numbers with a distribution function (`has_cdf`), `mean` where it has a
closed form. The numbers in the pictures are the arguments in order.

This page is made by `python tools/draw_distributions.py`.
"""


def main() -> None:
    PICTURE_FOLDER.mkdir(exist_ok=True)
    for family in drawn_families():
        save(picture(family), PICTURE_FOLDER / f"{family}.png")
    PAGE.write_text(page())


def page() -> str:
    """The text of the page."""
    missing = set(laws._NAMES) - set(FAMILIES) - {"base", "supports"}
    if missing:
        raise SystemExit(
            f"give a heading to {', '.join(sorted(missing))} in FAMILIES of tools/distribution_formulas.py"
        )
    order = {family: position for position, family in enumerate(FAMILIES)}
    families = sorted((family for family in laws._NAMES if family in order), key=order.__getitem__)
    sections = [section(family, laws._NAMES[family]) for family in families]
    return "\n".join([INTRODUCTION, *sections])


def section(family: str, names: tuple[str, ...]) -> str:
    lines = [f"## {FAMILIES[family]}", ""]
    if family in drawn_families():
        lines += [f"![Densities: {FAMILIES[family].lower()}](distributions/{family}.png)", ""]
    return "\n".join([*lines, *[entry(name) for name in names]])


def entry(name: str) -> str:
    """Signature, first paragraph of the docstring, density and support of one law."""
    law = getattr(laws, name)
    if law.__name__ != name:
        return f"### {name}\n\nAnother name of `{law.__name__}`.\n"
    text = " ".join((inspect.getdoc(law) or "").split("\n\n")[0].split())
    lines = [f"### {name}", "", f"`{signature(law)}`", "", text, ""]
    if name in FORMULAS:
        lines += [f"$$ {FORMULAS[name]} $$", ""]
    if name in PICTURES and inspect.isclass(law):
        support = describe(PICTURES[name][0].support)
        lines += [
            f"Support{' (of one in the picture)' if varies(law) else ''}: {support.replace('real', 'real numbers')}.",
            "",
        ]
    return "\n".join(lines)


def varies(law: Any) -> bool:
    """Whether the support depends on parameters."""
    return isinstance(inspect.getattr_static(law, "support"), property) and not issubclass(law, Reparametrised)


def signature(law: Any) -> str:
    """Name and arguments with their defaults, annotations left out."""
    parameters = [p.replace(annotation=p.empty) for p in inspect.signature(law).parameters.values()]
    return law.__name__ + str(inspect.Signature(parameters))


def drawn_families() -> list[str]:
    return [family for family, names in laws._NAMES.items() if any(name in PICTURES for name in names)]


def picture(family: str) -> Figure:
    """The densities of the laws of a family, a panel each."""
    names = [name for name in laws._NAMES[family] if name in PICTURES]
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(2.75 * columns, 2.3 * rows), layout="constrained")
    panels = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for panel, name in zip(panels, names, strict=False):
        draw(panel, name)
    for panel in panels[len(names) :]:
        panel.set_visible(False)
    return figure


def draw(panel: Any, name: str) -> None:
    shown = PICTURES[name]
    discrete = shown[0].support.discrete
    x = places([d.sample(np.random.default_rng(0), 4000) for d in shown], discrete)
    highest = 0.0
    for d in shown:
        density = np.exp(d.log_prob(x))
        highest = max(highest, min(density.max(), 2.5 * np.quantile(density, 0.97)))
        label = ", ".join(number(v) for v in d.parameters.values()) if name[0].isupper() else ""
        if discrete:
            panel.plot(x, np.where(density > 0, density, np.nan), "o-", markersize=3, linewidth=0.7, label=label)
        else:
            panel.plot(x, density, linewidth=1.3, label=label)
    panel.set_ylim(0, 1.05 * highest)
    if discrete:
        panel.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    panel.set_title(name, fontsize=9)
    panel.tick_params(labelsize=7)
    if any(label and "…" not in label for label in panel.get_legend_handles_labels()[1]):
        panel.legend(fontsize=7, frameon=False, handlelength=1)


def places(draws: list[np.ndarray], discrete: bool) -> np.ndarray:
    """Where to evaluate densities: from where all laws have some mass to where most of it ends, long tails cut."""
    quarters = [np.quantile(x, [0.25, 0.5, 0.75]) for x in draws]
    both = list(zip(draws, quarters, strict=True))
    low = min(max(np.quantile(x, 0.02), m - 5 * (m - q1 + discrete)) for x, (q1, m, _) in both)
    high = max(min(np.quantile(x, 0.98), m + 5 * (q3 - m + discrete)) for x, (_, m, q3) in both)
    if discrete:
        return np.arange(np.floor(low), high + 1)
    return np.linspace(low - 0.15 * (high - low), high + 0.15 * (high - low), 400)


def number(value: Any) -> str:
    return f"{float(value):g}" if np.ndim(value) == 0 and isinstance(value, np.ndarray) else "…"


def save(figure: Figure, file: Path) -> None:
    """A PNG of few colours."""
    figure.savefig(file, dpi=100)
    Image.open(file).convert("RGB").quantize(64).save(file, optimize=True)


if __name__ == "__main__":
    main()
