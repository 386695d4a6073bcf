"""The trace plot: every quantity that matters is there, what is left out is said, odd draws break nothing."""

import sys

import numpy as np
import pytest

from bayesad.diagnostics import shortened, summary
from bayesad.errors import DataError
from bayesad.plots import MOST_ROWS, ROWS, _density, plot_trace, save_trace
from bayesad.results import ResultsError, to_datatree


def make_tree(entries=3, chains=4, draws=200, divergences=0, **more):
    rng = np.random.default_rng(2)
    diverging = np.zeros((chains, draws), bool)
    diverging.ravel()[:divergences] = True
    posterior = {
        "mu": rng.normal(size=(chains, draws)),
        "tau": np.abs(rng.standard_cauchy(size=(chains, draws))),
        "theta": rng.normal(size=(chains, draws, entries)),
        **more,
    }
    return to_datatree({"posterior": posterior, "sample_stats": {"diverging": diverging}})


def labels_of(figure):
    return [ax.get_ylabel().replace("\n", "") for ax in figure.axes[::3]]


def notes_of(figure):
    return " ".join(text.get_text() for text in figure.texts)


def test_few_quantities_are_all_shown_and_nothing_is_said_of_leaving_out():
    figure = plot_trace(make_tree(), title="eight")
    assert labels_of(figure) == ["mu", "tau", "theta[0]", "theta[1]", "theta[2]"]
    assert "left out" not in notes_of(figure)
    assert "eight: 4 chains of 200 draws" in notes_of(figure)


def test_of_many_quantities_the_worst_and_the_single_numbers_are_shown():
    tree = make_tree(entries=100)
    tree["posterior"]["theta"].values[1, :, 77] += 5
    figure = plot_trace(tree)
    labels = labels_of(figure)
    assert len(labels) == ROWS
    assert {"mu", "tau", "theta[77]"} <= set(labels)
    assert f"Shown: {ROWS} of 102 quantities" in notes_of(figure)
    assert f"{102 - ROWS} left out" in notes_of(figure)


def test_chosen_parameters_are_shown():
    tree = make_tree(entries=100)
    assert labels_of(plot_trace(tree, parameters=["theta[5]", "mu"])) == ["mu", "theta[5]"]
    figure = plot_trace(tree, parameters=["theta"])
    assert len(labels_of(figure)) == MOST_ROWS and f"{100 - MOST_ROWS} left out" in notes_of(figure)


def test_an_unknown_parameter_is_an_error():
    with pytest.raises(DataError, match="no parameter 'thet'"):
        plot_trace(make_tree(), parameters=["thet"])


def test_divergences_are_marked_in_density_and_trace():
    tree = make_tree(divergences=3)
    figure = plot_trace(tree)
    density, trace = figure.axes[:2]
    mu = tree["posterior"]["mu"].values
    np.testing.assert_array_equal(density.lines[-1].get_xdata(), mu.ravel()[:3])
    np.testing.assert_array_equal(trace.lines[-1].get_xdata(), [0, 1, 2])
    assert "Black ticks: draws of the 3 divergent transitions." in notes_of(figure)


def test_constant_quantities_give_way_and_are_mentioned():
    tree = make_tree(J=np.full((4, 200), 8.0))
    figure = plot_trace(tree)
    assert "J" not in labels_of(figure)
    assert "1 constant quantity is not shown." in notes_of(figure)
    assert labels_of(plot_trace(tree, parameters=["J"])) == ["J"]


def test_quantities_that_vary_by_rounding_alone_have_a_trace_and_no_density():
    nearly = 1.0 - np.random.default_rng(3).integers(0, 4, size=(4, 200)) * 2.0**-53
    density, trace = plot_trace(make_tree(p=nearly), parameters=["p"]).axes[:2]
    assert not any(len(line.get_xdata()) for line in density.lines)
    np.testing.assert_array_equal(trace.lines[0].get_ydata(), nearly[0])


def test_a_trace_shows_the_draws_and_long_ones_are_thinned():
    tree = make_tree()
    line = plot_trace(tree).axes[1].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), tree["posterior"]["mu"].values[0])
    long = plot_trace(make_tree(chains=1, draws=9000), parameters=["mu"]).axes[1].lines[0]
    np.testing.assert_array_equal(np.diff(long.get_xdata()), 5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_draws_that_are_not_finite_can_be_plotted(tmp_path, bad):
    tree = make_tree()
    tree["posterior"]["mu"].values[0, :50] = bad
    tree["posterior"]["tau"].values[:] = bad
    save_trace(plot_trace(tree), tmp_path / "trace.png")
    assert (tmp_path / "trace.png").stat().st_size > 10_000


@pytest.mark.parametrize(("chains", "draws"), [(1, 1), (4, 2), (12, 10)])
def test_small_runs_can_be_plotted(tmp_path, chains, draws):
    save_trace(plot_trace(make_tree(chains=chains, draws=draws)), tmp_path / "trace.png")
    assert (tmp_path / "trace.png").stat().st_size > 10_000


def test_the_summary_at_hand_is_used():
    tree = make_tree()
    table = summary(tree)
    table.loc["mu", "r_hat"] = 1.234
    texts = [text.get_text() for text in plot_trace(tree, table).axes[1].texts]
    assert any("R-hat 1.234" in text for text in texts)


def test_the_image_is_a_png_and_an_unwritable_name_is_an_error(tmp_path):
    figure = plot_trace(make_tree(), parameters=["mu"])
    save_trace(figure, tmp_path / "trace.png")
    assert (tmp_path / "trace.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ResultsError, match="cannot write"):
        save_trace(figure, tmp_path / "no" / "trace.png")
    with pytest.raises(ResultsError, match=r"cannot write .*trace\.txt"):
        save_trace(figure, tmp_path / "trace.txt")


def test_pyplot_and_its_display_are_not_needed():
    assert "matplotlib.pyplot" not in sys.modules


def test_the_density_integrates_to_one_and_follows_the_law():
    x = np.random.default_rng(3).normal(size=20_000)
    grid, density = _density(x, -5.0, 5.0)
    step = grid[1] - grid[0]
    np.testing.assert_allclose(density.sum() * step, 1, atol=1e-3)
    # Standard error at the mode about sqrt(0.4 * 0.28 / (n * h)), h = 0.12: 0.007; the limit is 4 of them.
    np.testing.assert_allclose(density, np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi), atol=0.028)


def test_the_density_of_a_bounded_quantity_does_not_leak_over_the_bound():
    x = np.random.default_rng(4).exponential(size=20_000)
    _, density = _density(x, 0.0, 8.0)
    # Reflection keeps the level at the bound: 1 there, against 0.5 for a kernel that leaks.
    assert 0.85 < density[0] < 1.1


def test_long_labels_keep_their_index_and_small_numbers_their_power_in_small_type():
    rng = np.random.default_rng(3)
    posterior = {"a_rather_long_name_for_a_parameter": 1e-7 * rng.normal(size=(2, 50, 2))}
    figure = plot_trace(to_datatree({"posterior": posterior}))
    assert [ax.get_ylabel() for ax in figure.axes[::3]] == ["a_rather…rameter\n[0]", "a_rather…rameter\n[1]"]
    figure.draw_without_rendering()
    power = figure.axes[0].xaxis.get_offset_text()
    assert "1e" in power.get_text() and power.get_fontsize() == 7


@pytest.mark.parametrize(
    ("label", "length", "short"),
    [("theta[12]", 9, "theta[12]"), ("a_long_name[3, 4]", 12, "a_lon…[3, 4]"), ("without_an_index", 7, "wit…dex")],
)
def test_a_shortened_label_is_as_long_as_asked_and_keeps_its_end(label, length, short):
    assert shortened(label, length) == short and len(short) <= length
