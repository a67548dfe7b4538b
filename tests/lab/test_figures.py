"""The figures: legible to every reader, and what is drawn is what was given."""

import io
import math

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from optimlib.differences import Optimum
from optimlib.gradcheck.report import Curve
from optimlib.lab.figures import (
    STYLE,
    bands,
    check_curves,
    dashboard,
    error_curves,
    separation,
    use_style,
)


@pytest.fixture(autouse=True)
def drawing():
    """The book's style and no window; afterwards everything as before."""
    with mpl.rc_context({"backend": "agg"}):
        use_style()
        yield
    plt.close("all")


def luminance(color: str) -> float:
    """The relative luminance that WCAG 2 defines."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def points(line) -> list[tuple[float, float]]:
    return [tuple(map(float, pair)) for pair in zip(*line.get_data(), strict=True)]


def stars(ax):
    return [line for line in ax.lines if line.get_marker() == "*"]


# Style


def test_the_style_is_used():
    ax = error_curves({"forward": ([1e-3, 1e-1], [1e-2, 1e-1])})
    assert ax.figure.dpi == 150
    assert ax.lines[0].get_linewidth() == STYLE["lines.linewidth"]
    assert to_rgb(ax.figure.get_facecolor()) == (1, 1, 1)


def test_lines_stand_out_from_paper_and_from_each_other_without_colour():
    styles = list(STYLE["axes.prop_cycle"])
    assert len(styles) == 5
    for style in styles:
        assert 1.05 / (luminance(style["color"]) + 0.05) >= 3
    assert len({str(style["linestyle"]) for style in styles}) == 5
    assert len({style["color"] for style in styles}) == 5


# Error curves


def test_every_curve_is_drawn_with_its_label_on_logarithmic_axes():
    steps = np.array([1e-3, 1e-2, 1e-1])
    ax = error_curves({"forward": (steps, 2 * steps), "central": (steps, steps**2)})
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["forward", "central"]
    np.testing.assert_allclose(points(ax.lines[0]), [(1e-3, 2e-3), (1e-2, 2e-2), (1e-1, 2e-1)])
    np.testing.assert_allclose(points(ax.lines[1]), [(1e-3, 1e-6), (1e-2, 1e-4), (1e-1, 1e-2)])
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_a_star_marks_the_predicted_optimum_in_the_colour_of_its_curve():
    curve = [1e-3, 1e-1], [1e-2, 1e-1]
    ax = error_curves({"a": curve, "b": curve, "c": curve}, {"b": Optimum(step=2e-2, error=3e-4)})
    (star,) = stars(ax)
    assert points(star) == [(2e-2, 3e-4)]
    second = next(line for line in ax.lines if line.get_label() == "b")
    assert star.get_color() == second.get_color()
    assert len(ax.get_legend().get_texts()) == 3


# Curves of a check


def curve(steps, difference):
    steps, difference = np.array(steps), np.array(difference)
    return Curve(steps, 3.0 - difference, difference)


def test_check_curves_are_labelled_lines_on_logarithmic_axes():
    right = curve([1e-6, 1e-4, 1e-2], [1e-10, 1e-9, 1e-5])
    wrong = curve([1e-6, 1e-4, 1e-2], [0.5, 0.5, 0.6])
    ax = check_curves({"right": right, "wrong": wrong})
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_xlabel() == "step h"
    assert ax.get_ylabel()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["right", "wrong"]
    assert points(ax.lines[0]) == [(1e-6, 1e-10), (1e-4, 1e-9), (1e-2, 1e-5)]
    assert points(ax.lines[1]) == [(1e-6, 0.5), (1e-4, 0.5), (1e-2, 0.6)]
    assert len({line.get_linestyle() for line in ax.lines}) == 2


def test_differences_of_zero_are_triangles_below_everything_and_undefined_ones_are_left_out():
    with_zeros = curve([1e-6, 1e-4, 1e-2, 1e-1], [0.0, 1e-9, 1e-5, math.nan])
    _, ax = plt.subplots()
    assert check_curves({"a": with_zeros, "b": curve([1e-3], [math.inf])}, ax) is ax
    line, zeros, empty = ax.lines
    assert points(line) == [(1e-4, 1e-9), (1e-2, 1e-5)]
    ((x, y),) = points(zeros)
    assert x == 1e-6
    assert 0 < y < 1e-9
    assert zeros.get_marker() == "v"
    assert zeros.get_color() == line.get_color()
    assert points(empty) == []


def test_a_curve_of_nothing_but_zeros_can_be_drawn():
    ax = check_curves({"exact": curve([1e-3, 1e-2], [0.0, 0.0])})
    assert [x for x, _ in points(ax.lines[1])] == [1e-3, 1e-2]


# Bands


def test_a_band_reaches_from_the_lowest_run_to_the_highest_around_the_mean():
    ax = bands({"descent": ([1, 2], [[3.0, 0.0], [5.0, 1.0], [10.0, 5.0]])})
    (line,) = ax.lines
    assert points(line) == [(1, 6.0), (2, 2.0)]
    assert line.get_label() == "descent"
    (band,) = ax.collections
    corners = {tuple(map(float, vertex)) for vertex in band.get_paths()[0].vertices}
    assert corners == {(1, 3), (1, 10), (2, 0), (2, 5)}
    np.testing.assert_allclose(band.get_facecolor()[0, :3], to_rgb(line.get_color()))


def test_bands_are_drawn_where_asked():
    _, ax = plt.subplots()
    assert bands({"a": ([1], [[1.0]]), "b": ([1], [[2.0]])}, ax) is ax
    assert len(ax.lines) == 2
    assert plt.get_fignums() == [ax.figure.number]


# Separation


def test_right_and_wrong_cases_are_in_two_rows_with_two_markers():
    scores = {"good": 1e-3, "fine": 1e-2, "bad": 10.0}
    first, second = separation({"ratio": (scores, 0.5), "other": (scores, None)}, ["good", "fine"])
    rows = {line.get_marker(): points(line) for line in first.lines if line.get_marker() in "oX"}
    assert rows == {"o": [(1e-3, 1), (1e-2, 1)], "X": [(10.0, 0)]}
    assert (first.get_xlabel(), second.get_xlabel()) == ("ratio", "other")
    assert [label.get_text() for label in first.get_yticklabels()] == ["wrong", "right"]
    threshold = first.lines[-1]
    assert list(threshold.get_xdata()) == [0.5, 0.5]
    assert len(second.lines) == len(first.lines) - 1


def test_scores_beyond_the_axis_are_drawn_at_its_ends():
    scores = {"a": 0.0, "b": 1.0, "c": math.inf, "d": math.nan, "e": 100.0}
    (ax,) = separation({"ratio": (scores, None)}, scores)
    drawn = [x for x, _ in points(ax.lines[0])]
    assert drawn == [0.1, 1.0, 1000.0, 1000.0, 100.0]


@pytest.mark.parametrize(
    "draw", [error_curves, check_curves, bands, separation], ids=lambda f: f.__name__
)
def test_a_figure_can_be_saved(draw):
    given = {
        error_curves: ({"a": ([1e-3, 1e-1], [1e-2, 1e-1])},),
        check_curves: ({"a": curve([1e-3, 1e-1], [1e-2, 0.0])},),
        bands: ({"a": ([1, 2], [[1.0, 2.0]])},),
        separation: ({"a": ({"x": 1.0}, 2.0)}, ["x"]),
    }
    draw(*given[draw])
    image = io.BytesIO()
    plt.savefig(image)
    assert image.getvalue().startswith(b"\x89PNG")


# Bad input

CURVE = Curve(np.array([0.5, 1.0]), np.array([3.25, 4.0]), np.array([0.25, 1.0]))


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda: error_curves(None), TypeError, "curves is a NoneType; expected a dict by label"),
        (lambda: error_curves({}), ValueError, "curves is empty; expected at least one label"),
        (lambda: error_curves({"a": ([1], [1])}, {"b": 1}), ValueError, "optima has the label 'b'; exp"),
        (lambda: check_curves({}), ValueError, "curves is empty"),
        (lambda: check_curves(CURVE), TypeError, "curves is a Curve; expected a dict by label"),
        (lambda: check_curves({"a": ([1], [1])}), TypeError, r"curves\['a'\] is a tuple; expected"),
        (lambda: bands({}), ValueError, "runs is empty"),
        (
            lambda: bands({"a": ([1, 2], [1, 2])}),
            ValueError,
            r"runs\['a'\] has x of shape \(2,\) and values of shape \(2,\); expected \(points,\)",
        ),
        (lambda: bands({"a": ([1, 2], [[1, 2, 3]])}), ValueError, r".* of shape \(1, 3\); expec"),
        (lambda: separation({}, []), ValueError, "scores is empty"),
        (
            lambda: separation({"s": ({"a": 1.0}, None)}, ["b"]),
            ValueError,
            "right has the case 'b'",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_a_figure_is_made(draw, error, message):
    figures = plt.get_fignums()
    with pytest.raises(error, match=f"^{message}"):
        draw()
    assert plt.get_fignums() == figures


def test_scores_that_are_all_zero_or_infinite_are_drawn_at_the_ends():
    (ax,) = separation({"s": ({"a": 0.0, "b": math.inf}, None)}, right=["a"])
    assert [line.get_xdata()[0] for line in ax.lines] == [0.1, 10]
    plt.close(ax.figure)


# Dashboards


def test_a_dashboard_has_a_row_for_every_run_and_the_healthy_one_behind_each():
    steps = [0, 1, 2]
    healthy = {"loss": (steps, [4.0, 2.0, 1.0]), "silent": ([0, 2], [0.0, 0.5])}
    flat = {"loss": (steps, [4.0, 4.0, 4.0]), "silent": ([0, 2], [1.0, 1.0])}
    axes = dashboard({"flat": flat, "same": healthy}, healthy, {"loss": (0.1, 10), "silent": (0, 1)})
    assert axes.shape == (2, 2)
    assert [ax.get_yscale() for ax in axes[0]] == ["log", "linear"]
    assert [row[0].texts[0].get_text() for row in axes] == ["flat", "same"]
    titles = [[text.get_text() for text in ax.texts] for ax in axes[0]]
    assert titles == [["flat", "loss"], ["silent"]]
    behind, drawn = axes[0, 0].lines
    assert points(behind) == [(0, 4), (1, 2), (2, 1)]
    assert points(drawn) == [(0, 4), (1, 4), (2, 4)]
    assert behind.get_linewidth() > drawn.get_linewidth()
    assert points(axes[1, 1].lines[1]) == [(0, 0), (2, 0.5)]


def test_a_dashboard_draws_every_layer_and_keeps_what_lies_outside_at_the_edge():
    layers = np.array([[0.0, 0.5], [1e9, 0.5]])
    run = {"gradient": ([0, 1], layers)}
    (ax,) = dashboard({"run": run}, run, {"gradient": (1e-2, 1e2)}).flat
    for first in (ax.lines[0], ax.lines[2]):  # of the healthy run, and of the other
        assert points(first) == [(0, 1e-2), (1, 1e2)]
    first, second = ax.lines[2:]
    assert list(ax.get_yticks()) == pytest.approx([1e-2, 1, 1e2])
    assert points(second) == [(0, 0.5), (1, 0.5)]
    assert first.get_linestyle() != second.get_linestyle()
    low, high = ax.get_ylim()
    assert low < 1e-2 < 1e2 < high


def test_a_dashboard_needs_all_instruments_of_all_runs():
    run = {"loss": ([0], [1.0])}
    with pytest.raises(ValueError, match=r"runs\['b'\] has no 'ratio'"):
        dashboard({"a": run | {"ratio": ([0], [1.0])}, "b": run}, run, {"loss": (0, 1), "ratio": (0, 1)})
    with pytest.raises(ValueError, match="healthy has no 'ratio'"):
        dashboard({"a": run | {"ratio": ([0], [1.0])}}, run, {"ratio": (0, 1)})
    with pytest.raises(ValueError, match="runs is empty"):
        dashboard({}, run, {"loss": (0, 1)})
    with pytest.raises(TypeError, match=r"runs\['a'\] is a NoneType; expected a dict by label"):
        dashboard({"a": None}, run, {"loss": (0, 1)})
    with pytest.raises(ValueError, match="limits is empty"):
        dashboard({"a": run}, run, {})
    for ends in ((10, 0.1), None, (1,)):
        with pytest.raises(ValueError, match=r"limits\['loss'\] is .*; expected \(lowest, highest\)"):
            dashboard({"a": run}, run, {"loss": ends})
    assert not plt.get_fignums()
