"""Panels of a moving figure: scales, axes and marks, as SVG whose colors the page chooses.

Nouns: a *mark* is what is drawn into a panel, such as a line or an area; its *points* may move. The
page's script draws the same marks by the same rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from math import hypot, isfinite, log10
from typing import Any

from optimlib.lab import figures

Point = tuple[float, float]
Points = list[Point | None]  #: None is a gap in a line

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 340, 46, 14, 24, 40  # pixels, where the screen is wide
ROW = 16  # pixels: a row of the legend
LETTERS_OF_ROW = 46
GAP = "\N{EM SPACE}"  # between the entries of a legend
FAR = 2000.0  # pixels: what lies farther out is drawn there
HEAD = 8.0  # pixels: the head of an arrow
ARM = 6.0  # pixels: half of a cross
LETTERS = 'fill="currentColor" font-family="sans-serif" font-size="12.5" text-anchor="middle"'
HAIR = 1 + 2.0**-50  # that much longer, halves are rounded up, in every language


LOOKS: dict[str, dict[str, Any]] = {
    "blue": {"stroke": figures.BLUE},
    "vermillion": {"stroke": figures.VERMILLION},
    "green": {"stroke": figures.GREEN},
    "purple": {"stroke": figures.PURPLE},
    "grey": {"stroke": figures.GREY},
    "ink": {"stroke": "currentColor"},
    "grid": {"stroke": "#E3E3E3", "stroke-width": 0.8},
    "axis": {"stroke": "currentColor", "stroke-width": 1},
    "area": {"fill-opacity": 0.12, "stroke-width": 1.2},
    "dots": {"stroke-linecap": "round", "stroke-width": 5},
    "arrow": {"stroke-width": 2.4},
    "crosses": {"stroke-width": 2.2},
    "big": {"stroke-width": 12},
    "thin": {"stroke-width": 0.9},
    "wide": {"stroke-width": 7},
    "faint": {"stroke-opacity": 0.22},
    "dashed": {"stroke-dasharray": "7 4"},
    "dotted": {"stroke-dasharray": "2 3.5"},
    "dashdotted": {"stroke-dasharray": "8 3 2 3"},
}
"""What a word of a mark's look means; in the page, its style sheet changes the colors."""


def drawn(look: str) -> str:
    """The attributes of a path or a label with this look.

    >>> drawn("line ink thin")
    'class="play-line play-ink play-thin" stroke="currentColor" stroke-width="0.9"'
    """
    words = look.split()
    found = {name: value for word in words for name, value in LOOKS.get(word, {}).items()}
    if "area" in words or "label" in words:
        found["fill"] = found["stroke"]
    if "label" in words:
        del found["stroke"]
    names = " ".join(f"play-{word}" for word in words)
    return " ".join([f'class="{names}"', *(f'{name}="{value}"' for name, value in found.items())])


def points(xs: Iterable[Any], ys: Iterable[Any]) -> Points:
    """Pairs of numbers as points, with a gap where one is not finite.

    >>> points([0, 1, 2], [3, float("nan"), 5])
    [(0.0, 3.0), None, (2.0, 5.0)]
    """
    pairs = [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]
    return [pair if isfinite(pair[0]) and isfinite(pair[1]) else None for pair in pairs]


def digits(number: float) -> str:
    """A number as a sentence has it: three digits, or two and a power of ten.

    >>> digits(0.76923), digits(-1234.5), digits(3.14e-7), digits(1e-9)
    ('0.769', '−1,230', '3.1 × 10⁻⁷', '10⁻⁹')
    """
    if not isfinite(number):
        return "beyond all numbers"
    if number == 0:
        return "0"
    number *= HAIR
    if 1e-3 <= abs(number) < 1e4:
        return f"{float(f'{number:.3g}'):,.6g}".replace("-", "−")
    mantissa, exponent = f"{number:.1e}".split("e")
    return f"{mantissa} × 10{raised(int(exponent))}".replace("-", "−").replace("1.0 × ", "")


def raised(exponent: int) -> str:
    """A whole number as an exponent.

    >>> "2" + raised(-20)
    '2⁻²⁰'
    """
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


@dataclass(frozen=True)
class Mark:
    """What is drawn into a panel.

    Attributes
    ----------
    kind
        "line", "area", "dots", "crosses", "arrow", or "label", which is a text at its only point and
        does not move.
    look
        Words for the style sheet: a color and, for a line, how it is dashed.
    data
        The name of the points that move it, or "" if it does not move.
    at
        The points of one that does not move.
    text
        What a label says.
    """

    kind: str
    look: str
    data: str = ""
    at: Points = field(default_factory=list)
    text: str = ""


@dataclass(frozen=True)
class Panel:
    """A panel: a title, two axes and the marks between them.

    Attributes
    ----------
    title, xlabel, ylabel
        Short texts.
    x, y
        Where the axes start and end.
    marks
        What is drawn, the lowest first.
    xticks, yticks
        What stands at which numbers of the axes.
    legend
        A color and a text for each of what is to be told apart. It is written above the panel, where
        no setting can move a curve over it.
    logarithmic
        "", "x", "y" or "xy": which axes are.
    height
        Of the panel between its axes, in pixels.

    Examples
    --------
    >>> panel = Panel("", "t", "L", x=(0, 10), y=(1, 100), logarithmic="y")
    >>> panel.place((5, 10)) == ((WIDTH - LEFT - RIGHT) / 2, panel.height / 2)
    True
    """

    title: str
    xlabel: str
    ylabel: str
    x: Point
    y: Point
    marks: tuple[Mark, ...] = ()
    xticks: Mapping[float, str] = field(default_factory=dict)
    yticks: Mapping[float, str] = field(default_factory=dict)
    legend: tuple[tuple[str, str], ...] = ()
    logarithmic: str = ""
    height: float = 200

    @property
    def top(self) -> float:
        """Where the space between the axes begins: below the title and the legend."""
        return TOP + ROW * len(rows(self.legend))

    def place(self, point: Point) -> Point:
        """Where a point lies, in pixels from the upper left corner."""
        x = self._part("x", point[0], self.x) * (WIDTH - LEFT - RIGHT)
        y = (1 - self._part("y", point[1], self.y)) * self.height
        return min(FAR, max(-FAR, x)), min(FAR, max(-FAR, y))

    def _part(self, axis: str, number: float, ends: Point) -> float:
        low, high = ends
        if axis in self.logarithmic:
            low, number, high = (log10(max(n, 1e-300)) for n in (low, number, high))
        return (number - low) / (high - low)

    def svg(self, moved: Mapping[str, Points]) -> str:
        """The panel as it looks with these points."""
        inside = "".join(self._mark(mark, moved) for mark in self.marks)
        across, height = WIDTH - LEFT - RIGHT, self.height
        whole = f"0 0 {WIDTH} {self.top + height + BOTTOM:g}"
        scale = json.dumps({"x": self.x, "y": self.y, "log": self.logarithmic}, separators=(",", ":"))
        size = f'x="{LEFT}" y="{self.top:g}" width="{across}" height="{height:g}"'
        lines = 'stroke-width="1.8" stroke-linejoin="round"'
        return (
            f'<svg class="play-panel" viewBox="{whole}" width="{WIDTH}" {LETTERS} aria-hidden="true">'
            f'{self._axes()}<svg class="play-inside" {size} {lines} data-scale="{escape(scale)}">'
            f"{inside}</svg></svg>"
        )

    def _axes(self) -> str:
        right, top, bottom = WIDTH - RIGHT, self.top, self.top + self.height
        middle = (LEFT + right) / 2
        found = [words(self.title, middle, 15, 'font-weight="bold"')]
        for k, row in enumerate(rows(self.legend)):
            entries = [f"<tspan {drawn(f'label {look}')}>{escape(text)}</tspan>" for look, text in row]
            down = TOP + 8 + ROW * k
            found.append(f'<text x="{middle:.1f}" y="{down}">{GAP.join(entries)}</text>')
        for number, text in self.xticks.items():
            x = LEFT + self.place((number, self.y[0]))[0]
            found += [rule("grid", f"M{x:.1f},{top:g}V{bottom:g}"), words(text, x, bottom + 15)]
        for number, text in self.yticks.items():
            y = top + self.place((self.x[0], number))[1]
            found.append(rule("grid", f"M{LEFT},{y:.1f}H{right}"))
            found.append(words(text, LEFT - 5, y + 4, 'text-anchor="end"'))
        found.append(rule("axis", f"M{LEFT},{top:g}V{bottom:g}H{right}"))
        found.append(words(self.xlabel, middle, bottom + 33))
        turned = f'transform="translate(12 {top + self.height / 2:g}) rotate(-90)"'
        found.append(words(self.ylabel, 0, 0, turned))
        return "".join(found)

    def _mark(self, mark: Mark, moved: Mapping[str, Points]) -> str:
        at = moved[mark.data] if mark.data else mark.at
        data = f' data-mark="{mark.data}" data-kind="{mark.kind}"' if mark.data else ""
        look = drawn(f"{mark.kind} {mark.look}")
        if mark.kind == "label":
            x, y = self.place(at[0] or (0, 0))
            return words(mark.text, x, y, look)
        fill = "" if mark.kind == "area" else ' fill="none"'
        return f'<path {look}{fill}{data} d="{self.outline(mark.kind, at)}"/>'

    def outline(self, kind: str, at: Points) -> str:
        """The points as an SVG path."""
        if kind in ("dots", "crosses"):
            arm = f"{2 * ARM:g}"
            shape = "h0" if kind == "dots" else f"m-{ARM:g},-{ARM:g}l{arm},{arm}m0,-{arm}l-{arm},{arm}"
            return "".join(f"M{write(self.place(p))}{shape}" for p in at if p)
        found, is_new = [], True
        for p in at:
            if p:
                found.append(("M" if is_new else "L") + write(self.place(p)))
            is_new = p is None
        if kind == "arrow" and at[0] and at[-1]:
            found.append(head(self.place(at[0]), self.place(at[-1])))
        return "".join(found) + ("Z" if kind == "area" else "")


def rows(legend: Iterable[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """The entries of a legend, in as few rows as they fit in.

    >>> rows([("blue", 30 * "b"), ("green", 10 * "g"), ("ink", 9 * "i")])[1]
    [('ink', 'iiiiiiiii')]
    """
    found: list[list[tuple[str, str]]] = []
    for entry in legend:
        letters = sum(len(text) + 2 for _, text in found[-1]) if found else LETTERS_OF_ROW
        if letters + len(entry[1]) > LETTERS_OF_ROW:
            found.append([])
        found[-1].append(entry)
    return found


def words(text: str, x: float, y: float, more: str = "") -> str:
    """A text, as SVG."""
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(text)}</text>' if text else ""


def rule(look: str, path: str) -> str:
    """A line of the axes, as SVG."""
    return f'<path {drawn(look)} fill="none" d="{path}"/>'


def write(point: Point) -> str:
    """A place in pixels, to a tenth."""
    return f"{point[0]:.1f},{point[1]:.1f}"


def head(start: Point, end: Point) -> str:
    """The head of an arrow, as the end of an SVG path."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    size = HEAD / max(hypot(dx, dy), 1e-9)
    back = (end[0] - size * dx, end[1] - size * dy)
    side = (0.4 * size * dy, -0.4 * size * dx)
    one, other = ((back[0] + s * side[0], back[1] + s * side[1]) for s in (1, -1))
    return f"M{write(one)}L{write(end)}L{write(other)}"
