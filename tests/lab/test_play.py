"""The moving figures: the page's script computes what optimlib does, over grids of settings."""

import itertools
import json

import numpy as np
import pytest
from bs4 import BeautifulSoup
from py_mini_racer import MiniRacer
from repository import ROOT

from optimlib.lab import play

SCRIPT = ROOT / "book" / "_static" / "play" / "numerics.js"

GRIDS = {
    "adam": {
        "learning_rate": (1e-3, 0.1, 3.16),
        "beta1": (0.0, 0.9, 0.99),
        "beta2": (0.438, 0.999, 0.9999),
        "degrees": (0, 45, 90),
    },
    "angle": {"degrees": (0, 18, 60, 90, 120, 180), "learning_rate": (0.02, 0.2, 0.4, 0.8)},
    "descent": {"learning_rate": (0.005, 0.05, 0.1, 0.17, 0.2, 0.3), "curvature": (1, 7, 10, 20)},
    "momentum": {
        "learning_rate": (0.002, 0.04, 0.076, 0.11, 0.16),
        "momentum": (0.0, 0.2, 0.44, 0.9, 0.99),
    },
    "schedules": {
        "shape": ("constant", "linear", "cosine", "exponential", "inverse time", "three stairs"),
        "peak": (0.004, 0.04, 0.08),
        "hold": (0, 300, 950),
    },
    "secant": {"step": tuple(2.0**-k for k in range(51)), "x": (0.1, 0.5, 1.3, 2.0)},
    "spike": {
        "size": (1.0, 10000.0),
        "threshold": (1.0, 10.0, 10000.0),
        "beta2": (0.9, 0.999, 0.9999),
    },
    "verdict": {
        "error": (1e-12, 1e-9, 1e-6, 1e-3, 0.1, 1.0),
        "step": tuple(2.0**-k for k in range(3, 33)),
        "constant": ("0", "1e6", "1e10", "1e13"),
    },
}
"""Settings that every control reaches, its ends among them."""

SPECTRUM = {
    "curvatures": np.geomspace(0.05, 22, 9),
    "start": np.geomspace(0.3, 0.001, 9),
    "noise": np.geomspace(0.001, 0.5, 9),
}
FIXED = {"schedules": SPECTRUM}

CLOSE = 1e-9  # relative to a number, or to 1 if it is smaller


@pytest.fixture(scope="module")
def script() -> MiniRacer:
    running = MiniRacer()
    running.eval(SCRIPT.read_text(encoding="utf8"))
    return running


def computed(script, figure: play.Play) -> dict:
    """What the page's script makes of a figure's settings."""
    settings = json.dumps({**figure.fixed, **figure.settings})
    return json.loads(script.eval(f"JSON.stringify(optimPlay.figures.{figure.name}({settings}))"))


def apart(ours, theirs) -> float:
    """The largest difference of two rows of points, relative to the number, or to 1 if it is smaller."""
    assert [p is None for p in ours] == [p is None for p in theirs]
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a is not None]
    if not pairs:
        return 0.0
    ours, theirs = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    return float(np.max(np.abs(ours - theirs) / np.maximum(1, np.abs(ours))))


def of(name: str, settings: dict) -> play.Play:
    return getattr(play, name)(**FIXED.get(name, {}), **settings)


def test_every_figure_is_compared():
    assert set(GRIDS) == set(play.__all__) - {"Play"}


@pytest.mark.slow
@pytest.mark.parametrize("name", GRIDS)
def test_the_script_computes_what_optimlib_does(script, name):
    grid, worst = GRIDS[name], 0.0
    cases = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    for settings in cases:
        figure = of(name, settings)
        found = computed(script, figure)
        assert found["points"].keys() == figure.points.keys(), settings
        gaps = {key: apart(at, found["points"][key]) for key, at in figure.points.items()}
        assert found["said"] == figure.said, settings
        assert max(gaps.values()) < CLOSE, (settings, gaps)
        worst = max(worst, *gaps.values())
    print(f"{name}: {len(cases)} settings, worst difference {worst:.0e}")


@pytest.mark.parametrize("name", GRIDS)
def test_the_grid_reaches_the_ends_of_every_control(name):
    for control in of(name, {}).controls:
        values = GRIDS[name][control.name]
        if isinstance(control, play.moving.Slider):
            ends = sorted(map(control.place, values))
            assert [ends[0], ends[-1]] == pytest.approx([control.low, control.high], abs=1e-3)
        else:
            assert set(values) == set(control.options)


@pytest.mark.parametrize("name", GRIDS)
def test_a_still_figure_is_complete(name):
    figure = of(name, {})
    page = BeautifulSoup(figure._repr_html_(), "html.parser")
    assert len(figure._repr_html_()) < 100_000
    assert page.select_one(".play-said").get_text() == figure.said
    assert len(page.select_one("[role=img]")["aria-label"]) > 80
    drawn = page.select("[data-mark]")
    assert {mark["data-mark"] for mark in drawn} == set(figure.points)
    assert all(mark.get("d") or mark.get("transform") for mark in drawn)
    options = json.loads(page.select_one(".play")["data-options"])
    assert {control["name"] for control in options["controls"]} == set(figure.settings)
    assert repr(figure).endswith(figure.said)
    assert "\n" not in repr(figure)


@pytest.mark.parametrize("name", GRIDS)
def test_a_start_outside_of_its_control_is_refused(name):
    for control in of(name, {}).controls:
        with pytest.raises(ValueError, match=control.name):
            of(name, {control.name: -7.0})


def test_numbers_are_written_alike(script):
    numbers = [
        0.0,
        1.0,
        -12.0,
        0.03125,
        2.125,
        0.76923,
        1234.5,
        9999.6,
        1e4,
        0.001,
        9.994e-4,
        -3.14e-7,
        6e22,
    ]
    for number in numbers:
        assert script.eval(f"optimPlay.digits({number!r})") == play.drawing.digits(number)
    assert script.eval("optimPlay.digits(1 / 0)") == play.drawing.digits(float("inf"))
