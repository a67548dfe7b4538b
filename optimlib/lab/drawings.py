"""The book's drawings: boxes, circles, arrows and arrays, in one hand.

A *sketch* is a canvas without axes whose unit is about one line of text. What flows forward is blue and
solid, what flows back is vermillion and dashed, so that a drawing speaks without its colors, too.
"""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

from optimlib.lab.figures import BLACK, BLUE, GREY, VERMILLION

LINE = 1.4  # points: outlines and arrows
PALE = "#EAF2F8"  # the inside of what is filled
WARM = "#FBEBDD"
INCH = 0.42  # a unit of a sketch

Point = tuple[float, float]


class Sketch:
    r"""A canvas of `width` by `height` units, with the origin at the lower left.

    Parameters
    ----------
    width, height
        The size, in units of 0.42 inches: a figure 13 units wide fills the page.

    Attributes
    ----------
    ax : matplotlib.axes.Axes
        For what is drawn by other means.

    Examples
    --------
    >>> sketch = Sketch(6, 2)
    >>> sketch.box((1, 1), "$x$")
    >>> sketch.circle((4, 1), r"$\times$")
    >>> sketch.arrow((1.6, 1), (3.5, 1), "forward")
    >>> len(sketch.ax.patches)
    3
    >>> plt.close(sketch.ax.figure)
    """

    def __init__(self, width: float, height: float) -> None:
        figure = plt.figure(figsize=(INCH * width, INCH * height))
        figure.set_layout_engine("none")  # the canvas has no margins
        self.ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
        self.ax.axis("off")

    def box(
        self,
        center: Point,
        text: str,
        size: Point = (1.2, 0.9),
        *,
        fill: str = PALE,
        edge: str = BLACK,
        **font: Any,
    ) -> None:
        """A rounded box with a text in it: an array, a layer, a value that is kept."""
        (x, y), (width, height) = center, size
        self.ax.add_patch(
            FancyBboxPatch(
                (x - width / 2 + 0.1, y - height / 2 + 0.1),
                width - 0.2,
                height - 0.2,
                boxstyle="round,pad=0.1",
                facecolor=fill,
                edgecolor=edge,
                linewidth=LINE,
            )
        )
        self.text(center, text, **font)

    def circle(self, center: Point, text: str, radius: float = 0.42, *, fill: str = "white") -> None:
        """A circle with a symbol in it: an operation, a unit of a network."""
        self.ax.add_patch(
            Circle(center, radius, facecolor=fill, edgecolor=BLACK, linewidth=LINE, zorder=2)
        )
        self.text(center, text)

    def arrow(
        self,
        start: Point,
        end: Point,
        label: str = "",
        *,
        back: bool = False,
        bend: float = 0.0,
        above: float = 0.3,
        color: str | None = None,
    ) -> None:
        """An arrow from `start` to `end`, with a label beside its middle.

        Parameters
        ----------
        start, end
            Points.
        label
            What flows along it.
        back
            Whether it belongs to the backward pass: dashed.
        bend
            How far it is bent to the left, in parts of its length.
        above
            Where the label stands: so many units to the left of the arrow, or to the right if negative.
        color
            Instead of blue for forward and vermillion for back.
        """
        color = color or (VERMILLION if back else BLUE)
        self.ax.add_patch(
            FancyArrowPatch(
                start,
                end,
                arrowstyle="-|>",
                mutation_scale=11,
                shrinkA=0,
                shrinkB=0,
                connectionstyle=f"arc3,rad={-bend}",
                linestyle="--" if back else "-",
                linewidth=LINE,
                color=color,
                zorder=3,
            )
        )
        if label:
            (x0, y0), (x1, y1) = start, end
            dx, dy = x1 - x0, y1 - y0
            length = float(np.hypot(dx, dy))
            shift = above / length + bend / 2
            self.text(((x0 + x1) / 2 - dy * shift, (y0 + y1) / 2 + dx * shift), label, color=color)

    def text(self, where: Point, text: str, **font: Any) -> None:
        """A text that is centered at a point, unless `ha` or `va` say otherwise."""
        style: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 4, **font}
        self.ax.text(*where, text, **style)

    def brace(self, start: Point, end: Point, label: str, *, below: bool = False) -> None:
        """A bracket over a horizontal stretch, with a label: so many, these together."""
        sign = -1 if below else 1
        (x0, y), (x1, _) = start, end
        self.ax.plot(
            [x0, x0, x1, x1], [y, y + 0.15 * sign, y + 0.15 * sign, y], color=GREY, lw=1, ls="-"
        )
        self.text(((x0 + x1) / 2, y + 0.5 * sign), label, fontsize="small", color=GREY)

    def grid(
        self,
        corner: Point,
        values: Any,
        cell: Point = (0.7, 0.7),
        *,
        filled: Any = None,
        **font: Any,
    ) -> None:
        """A matrix as cells, drawn from its upper left corner.

        Parameters
        ----------
        corner
            The upper left corner.
        values : array_like of two axes
            What stands in the cells; an empty string leaves one empty.
        cell
            Width and height of a cell.
        filled : array_like of bool, optional
            Which cells have a tint.
        """
        table = np.atleast_2d(np.asarray(values, dtype=object))
        tinted = np.zeros(table.shape, bool) if filled is None else np.atleast_2d(filled)
        (x, y), (width, height) = corner, cell
        for (row, column), value in np.ndenumerate(table):
            left, bottom = x + column * width, y - (row + 1) * height
            color = WARM if tinted[row, column] else "white"
            self.ax.add_patch(
                Rectangle((left, bottom), width, height, facecolor=color, edgecolor=BLACK, linewidth=1)
            )
            self.text((left + width / 2, bottom + height / 2), str(value), **font)
