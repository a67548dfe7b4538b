"""Drawings: where things are put."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from optimlib.lab.drawings import Sketch
from optimlib.lab.figures import BLUE, VERMILLION


@pytest.fixture
def sketch():
    """An empty canvas, closed at the end."""
    made = Sketch(10, 5)
    yield made
    plt.close(made.ax.figure)


def test_a_unit_is_as_long_in_both_directions(sketch):
    corners = sketch.ax.transData.transform([(0, 0), (1, 0), (0, 1)])
    assert corners[1] - corners[0] == pytest.approx(np.array([corners[2, 1] - corners[0, 1], 0]))


@pytest.mark.parametrize(
    ("start", "end", "where"),
    [((1, 1), (5, 1), (3, 1.5)), ((5, 1), (1, 1), (3, 0.5)), ((1, 1), (1, 3), (0.5, 2))],
)
def test_a_label_stands_to_the_left_of_its_arrow(sketch, start, end, where):
    sketch.arrow(start, end, "x", above=0.5)
    assert sketch.ax.texts[0].get_position() == pytest.approx(where)


def test_what_flows_back_is_dashed_and_has_another_colour(sketch):
    sketch.arrow((1, 1), (3, 1), "x")
    sketch.arrow((3, 2), (1, 2), "dx", back=True)
    forward, back = sketch.ax.patches
    assert forward.get_linestyle() != back.get_linestyle()
    assert [text.get_color() for text in sketch.ax.texts] == [BLUE, VERMILLION]


def test_a_grid_starts_at_its_upper_left_corner_and_goes_row_by_row(sketch):
    sketch.grid((1, 4), [["a", "b", "c"], ["d", "e", "f"]], cell=(1, 0.5))
    places = {text.get_text(): text.get_position() for text in sketch.ax.texts}
    assert places["a"] == (1.5, 3.75)
    assert places["c"] == (3.5, 3.75)
    assert places["d"] == (1.5, 3.25)
