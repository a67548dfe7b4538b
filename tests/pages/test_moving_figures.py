"""The moving figures in a browser: each control is moved by keyboard, what is drawn is optimlib's."""

import json
import re

import numpy as np
import pytest
from notebook_rules import ROOT

from optimlib.lab import play
from optimlib.lab.play.moving import VALUES, unbroken

TEXTS = {path.stem: path.read_text(encoding="utf8") for path in (ROOT / "book" / "text").glob("*.md")}
PLACES = {
    name: chapter
    for chapter, text in sorted(TEXTS.items())
    for name in re.findall(r"^play\.(\w+)\(", text, flags=re.M)
}
"""The chapter of each moving figure."""

KEYS = ("ArrowRight", "PageUp", "Home", "ArrowRight", "End")
LARGEST = 150 * 1024  # bytes of a chapter's figures, beside the script that all share


def figure_of(page, name):
    """The element of a figure once it is awake."""
    return page.wait_for_selector(f".play-awake[data-play={name}]")


def settings_of(figure):
    """What the controls say, read from the controls themselves."""
    found = {}
    for control in json.loads(figure.get_attribute("data-options"))["controls"]:
        value = figure.query_selector(f"[name={control['name']}]").input_value()
        found[control["name"]] = VALUES[control["scale"]](float(value)) if "scale" in control else value
    return found


def expected(figure, name):
    """The same figure, made by Python with what the controls say."""
    fixed = json.loads(figure.get_attribute("data-options"))["fixed"]
    arrays = {key: fixed[key] for key in ("curvatures", "start", "noise") if name == "schedules"}
    return getattr(play, name)(**arrays, **settings_of(figure))


def numbers(marks):
    """The pixels of all marks, in a row."""
    return np.array([float(number) for mark in marks for number in re.findall(r"-?\d+\.?\d*", mark)])


def drawn(figure):
    script = "figure => [...figure.querySelectorAll('[data-mark]')].map(mark => mark.getAttribute('d'))"
    return numbers(figure.evaluate(script))


def to_be_drawn(made):
    marks = [
        mark
        for panel in made.panels
        for mark in re.findall(r'data-mark="[^"]*"[^>]* d="([^"]*)"', panel.svg(made.points))
    ]
    return numbers(marks)


def read(text):
    """The number that is written beside a slider: 1,000 or 40° or 2⁻³ or 3.2 × 10⁻⁴."""
    mantissa, base, exponent = re.fullmatch(
        r"([\d.,]*?)(?: × )?(?:(10|2)([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?°?", text
    ).groups()
    number = float(mantissa.replace(",", "") or 1)
    if base is None:
        return number
    return number * float(base) ** int(exponent.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))


def place_of(control):
    """Where a control is in its figure, in pixels: left, width, top."""
    script = """control => {
        const ours = control.getBoundingClientRect();
        const around = control.closest(".play").getBoundingClientRect();
        return [ours.x, ours.width, ours.y - around.y].map(Math.round);
    }"""
    return control.evaluate(script)


def assert_alike(figure, name):
    made = expected(figure, name)
    ours, theirs = drawn(figure), to_be_drawn(made)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 0.11  # pixels, which are rounded to a tenth
    assert figure.query_selector(".play-said").inner_text() == unbroken(made.said)


def test_numbers_are_read_as_they_are_written():
    written = {"1,000": 1000, "40°": 40, "0.17": 0.17, "10": 10, "2⁻³": 0.125, "2⁰": 1, "10⁴": 1e4}
    written |= {"3.2 × 10⁻⁴": 3.2e-4, "10⁻¹²": 1e-12, "20": 20, "210": 210, "0": 0}
    assert {text: pytest.approx(read(text)) for text in written} == written


def test_every_figure_is_in_a_chapter():
    assert set(PLACES) == set(play.__all__) - {"Play"}


@pytest.mark.parametrize("name", PLACES)
def test_what_is_drawn_is_what_optimlib_computes(open_page, name):
    page = open_page(PLACES[name])
    figure = figure_of(page, name)
    assert_alike(figure, name)
    below = "figure => figure.querySelector('.play-controls').nextElementSibling.className"
    assert figure.evaluate(below) == "play-said"  # which grows by a line, and moves no control
    for control in json.loads(figure.get_attribute("data-options"))["controls"]:
        element = figure.query_selector(f"[name={control['name']}]")
        element.focus()
        place, seen = place_of(element), set()
        for key in KEYS if "scale" in control else ("ArrowDown", "ArrowDown", "ArrowUp"):
            page.keyboard.press(key)
            seen.add(element.input_value())
            assert_alike(figure, name)
            assert place_of(element) == place  # it stays under the pointer
        assert len(seen) > 1
        if "scale" in control:
            shown = figure.query_selector(f"output[for={element.get_attribute('id')}]").inner_text()
            assert element.get_attribute("aria-valuetext") == shown
            assert read(shown) == pytest.approx(settings_of(figure)[control["name"]], rel=0.03)
        assert page.evaluate("document.activeElement.labels[0].innerText") == control["label"]


@pytest.mark.parametrize("name", PLACES)
def test_a_figure_goes_back_to_its_start_and_says_politely_what_is_seen(open_page, name):
    page = open_page(PLACES[name])
    figure = figure_of(page, name)
    start = figure.query_selector(".play-said").inner_text()
    for control in figure.query_selector_all("input, select"):
        control.focus()
        page.keyboard.press("ArrowDown")
    said = figure.query_selector(".play-said").inner_text()
    assert said != start
    heard = figure.query_selector("[role=status]")
    assert heard.text_content() == ""  # not at every tick
    page.wait_for_function("status => status.textContent !== ''", arg=heard)
    assert heard.text_content() == said
    figure.query_selector("button").focus()
    page.keyboard.press("Enter")
    assert figure.query_selector(".play-said").inner_text() == start
    assert_alike(figure, name)


@pytest.mark.parametrize("name", PLACES)
def test_a_figure_can_be_moved_by_touch_on_a_phone(open_page, name):
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    page = open_page(PLACES[name], **phone)
    figure = figure_of(page, name)
    slider = figure.query_selector("input")
    slider.scroll_into_view_if_needed()
    before, box = slider.input_value(), slider.bounding_box()
    part = (
        0.2
        if float(before) > (float(slider.get_attribute("max")) + float(slider.get_attribute("min"))) / 2
        else 0.8
    )
    page.touchscreen.tap(box["x"] + part * box["width"], box["y"] + box["height"] / 2)
    assert slider.input_value() != before
    assert_alike(figure, name)
    assert figure.evaluate("figure => figure.scrollWidth <= figure.clientWidth")


@pytest.mark.parametrize("name", PLACES)
def test_without_a_script_the_still_figure_remains(open_page, name):
    page = open_page(PLACES[name], java_script_enabled=False)
    figure = page.wait_for_selector(f".play[data-play={name}]")
    assert figure.query_selector(".play-said").inner_text()
    assert figure.query_selector_all("input") == []
    assert figure.query_selector("path[data-mark]").get_attribute("d")


def test_figures_weigh_little(open_page):
    for chapter in sorted(set(PLACES.values())):
        page = open_page(chapter, java_script_enabled=False)
        weights = [len(f.inner_html().encode()) for f in page.query_selector_all(".play")]
        assert 0 < sum(weights) < LARGEST
