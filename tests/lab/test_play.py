"""The moving figures: the page's script computes what optimlib does, over grids of settings."""

import itertools
import json

import numpy as np
import pytest
from bs4 import BeautifulSoup
from py_mini_racer import MiniRacer
from repository import ROOT

from optimlib.lab import play
from optimlib.lab.play.moving import VALUES, Slider

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


def cases_of(name: str) -> list[dict]:
    grid = GRIDS[name]
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def test_every_figure_is_compared():
    assert set(GRIDS) == set(play.__all__) - {"Play"}


@pytest.mark.slow
@pytest.mark.parametrize("name", GRIDS)
def test_the_script_computes_what_optimlib_does(script, name):
    worst = 0.0
    for settings in cases_of(name):
        figure = of(name, settings)
        found = computed(script, figure)
        assert found["points"].keys() == figure.points.keys(), settings
        gaps = {key: apart(at, found["points"][key]) for key, at in figure.points.items()}
        assert found["said"] == figure.said, settings
        assert max(gaps.values()) < CLOSE, (settings, gaps)
        worst = max(worst, *gaps.values())
    print(f"{name}: {len(cases_of(name))} settings, worst difference {worst:.0e}")


@pytest.mark.parametrize("name", GRIDS)
def test_the_grid_reaches_the_ends_of_every_control(name):
    for control in of(name, {}).controls:
        values = GRIDS[name][control.name]
        if isinstance(control, Slider):
            ends = sorted(map(control.place, values))
            assert [ends[0], ends[-1]] == pytest.approx([control.low, control.high], abs=1e-3)
        else:
            assert set(values) == set(control.options)


@pytest.mark.parametrize("name", GRIDS)
def test_a_still_figure_is_complete(name):
    figure = of(name, {})
    page = BeautifulSoup(figure._repr_html_(), "html.parser")
    assert len(figure._repr_html_()) < 100_000
    assert page.select_one(".play-said").get_text() == play.moving.unbroken(figure.said)
    assert len(page.select_one("[role=img]")["aria-label"]) > 80
    drawn = page.select("[data-mark]")
    assert {mark["data-mark"] for mark in drawn} == set(figure.points)
    assert all(mark.get("d") for mark in drawn)
    options = json.loads(page.select_one(".play")["data-options"])
    assert {control["name"] for control in options["controls"]} == set(figure.settings)
    assert repr(figure).endswith(figure.said)
    assert "\n" not in repr(figure)


@pytest.mark.parametrize("name", GRIDS)
def test_a_start_outside_of_its_control_is_refused(name):
    for control in of(name, {}).controls:
        is_slider = isinstance(control, Slider)
        for outside in (-7.0, 1e9, np.nan, np.inf) if is_slider else ("", "cubic"):
            with pytest.raises(ValueError, match=f"^{control.name} is .*; expected ") as error:
                of(name, {control.name: outside})
            assert str(error.value).startswith(
                f"{control.name} is {outside if is_slider else repr(outside)};"
            )


@pytest.mark.parametrize("name", GRIDS)
def test_a_start_of_another_kind_is_refused(name):
    for control in of(name, {}).controls:
        for wrong in (
            ("0.2", True, np.True_, None, [0.2], np.ones(2), 1j)
            if isinstance(control, Slider)
            else (0, None)
        ):
            with pytest.raises((TypeError, ValueError), match=f"^{control.name} is .*; expected "):
                of(name, {control.name: wrong})


@pytest.mark.parametrize("name", GRIDS)
def test_numbers_of_numpy_are_taken_as_those_of_python(name):
    for control in of(name, {}).controls:
        value = of(name, {}).settings[control.name]
        kinds = (
            (np.str_,)
            if isinstance(value, str)
            else (np.int64,)
            if type(value) is int
            else (np.float64, np.float32)
        )
        for kind in kinds:
            figure = of(name, {control.name: kind(value)})
            assert type(figure.settings[control.name]) is type(value)
            json.dumps(figure.options)
            if kind is not np.float32:
                assert repr(figure) == repr(of(name, {}))
                assert figure._repr_html_() == of(name, {})._repr_html_()


@pytest.mark.parametrize("name", GRIDS)
def test_a_whole_number_is_a_number(name):
    for control in of(name, {}).controls:
        if isinstance(control, Slider):
            low, high = (VALUES[control.scale](end) for end in (control.low, control.high))
            whole = int(high)
            if low <= whole:
                figures = [of(name, {control.name: kind(whole)}) for kind in (int, np.int64)]
                if control.name != "hold":
                    figures.append(of(name, {control.name: float(whole)}))
                assert {figure.said for figure in figures} == {figures[0].said}


def test_a_step_between_two_rungs_is_refused():
    for figure in (play.secant, play.verdict):
        with pytest.raises(ValueError, match=r"^step is 0\.1; expected a power of two$"):
            figure(step=0.1)


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ("text", TypeError, "is of type str, <U4; expected numbers"),
        ([True], TypeError, "is of type list, bool; expected numbers"),
        (None, TypeError, "is of type NoneType, object; expected numbers"),
        ([[1.0], []], ValueError, r"has no shape; expected \(n,\)"),
        (1.0, ValueError, r"has the shape \(\); expected \(n,\)"),
        ([], ValueError, r"has the shape \(0,\); expected \(n,\)"),
        ([[1.0]], ValueError, r"has the shape \(1, 1\); expected \(n,\)"),
        ([1.0, -1.0], ValueError, r"\[1\] is -1.0; expected a finite number from 0 on"),
        ([np.nan], ValueError, r"\[0\] is nan; expected a finite number from 0 on"),
    ],
)
@pytest.mark.parametrize("name", SPECTRUM)
def test_a_row_of_a_spectrum_that_makes_no_sense_is_refused(name, row, error, message):
    with pytest.raises(error, match=f"^{name}{' ' if message[0] != chr(92) else ''}{message}"):
        play.schedules(**SPECTRUM | {name: row})


def test_rows_of_a_spectrum_fit_together():
    with pytest.raises(ValueError, match=r"^noise has the shape \(2,\); curvatures has \(9,\)$"):
        play.schedules(**SPECTRUM | {"noise": [1.0, 1.0]})
    with pytest.raises(ValueError, match=r"^curvatures has 25\.0; expected less than 25$"):
        play.schedules([1.0, 25.0], [1.0, 1.0], [0.0, 0.0])
    play.schedules([1, 24.9], np.float32([1, 1]), (0, 0))


@pytest.mark.parametrize("name", GRIDS)
def test_a_point_to_look_at_stays_in_the_picture(name):
    """Large dots and crosses, that is: a curve may leave it."""
    for settings in cases_of(name):
        figure = of(name, settings)
        for panel in figure.panels:
            for mark in panel.marks:
                if mark.data and (mark.kind == "crosses" or "big" in mark.look):
                    for x, y in map(panel.place, figure.points[mark.data]):
                        assert 5 < x < 275, (mark, settings)
                        assert 5 < y < panel.height - 5, (mark, settings)


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


LABELS = {
    "learning_rate": "rate η",
    "momentum": "momentum μ",
    "beta1": "β₁",
    "beta2": "β₂",
    "degrees": ("turn", "angle α"),
    "curvature": "curvature λ",
    "step": "step h",
    "x": "point x",
    "error": "wrong by",
    "constant": "constant",
    "size": "size of the spike",
    "threshold": "clipped at",
    "shape": "shape",
    "peak": "largest rate η",
    "hold": "decay from step",
}
"""What the label of each control has to have: a swapped label moves another thing than it says."""

TOLD_APART = {
    "adam": {
        "— gradient descent": "descent loss",
        "- - momentum": "momentum loss",
        "-·- Adam": "adam loss",
    },
    "angle": {"— right gradient": "right loss", "- - wrong gradient": "wrong loss"},
    "descent": {"- - steep axis": "steep", "— flat axis": "flat"},
    "momentum": {"● λ = 1": "flat", "● λ = 25": "steep"},
    "schedules": {
        "— expected": "total",
        "- - left of the start": "start",
        "··· floor of this rate": "floor",
    },
    "secant": {"- - × forward": "forward", "— ● central": "central", "··· tangent": "tangent"},
    "spike": {"— mean m̂": "mean", "- - root of v̂": "root"},
    "verdict": {
        "- - how far the claim is": "distances",
        "— tolerance": "tolerances",
        "× least error": "best",
    },
}
"""The entries of each figure's legend, with the points that they name."""

SIGNS = {"— ": "line", "- - ": "line dashed", "-·-": "line dashdotted", "···": "line dotted"}
SIGNS |= {"● ": "dots", "× ": "crosses"}


@pytest.mark.parametrize("name", GRIDS)
def test_a_label_says_what_its_control_moves(name):
    for control in of(name, {}).controls:
        told = LABELS[control.name]
        assert any(word in control.label for word in ((told,) if isinstance(told, str) else told))


@pytest.mark.parametrize("name", TOLD_APART)
def test_a_legend_shows_what_it_names(name):
    panels = of(name, {}).panels
    assert dict.fromkeys(text for panel in panels for _, text in panel.legend) == dict.fromkeys(
        TOLD_APART[name]
    )
    for panel in panels:
        for color, text in panel.legend:
            (sign,) = [look for start, look in SIGNS.items() if text.startswith(start)]
            kind, *dashes = sign.split()
            marks = [m for m in panel.marks if (m.data, m.kind) == (TOLD_APART[name][text], kind)]
            assert [mark.look.split()[:1] for mark in marks] == [[color]]
            dashed = {"dashed", "dashdotted", "dotted"} & set(marks[0].look.split())
            assert dashed == set(dashes)
