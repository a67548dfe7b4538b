"""The step of a difference: tangent, chords, and the curves of their errors."""

from __future__ import annotations

from math import log2
from typing import Any

import numpy as np

from optimlib.differences import central, error_curve, forward
from optimlib.lab.play.bowls import powers, ticks
from optimlib.lab.play.drawing import Mark, Panel, Points, digits, points, raised
from optimlib.lab.play.moving import Play, Slider, checked

LEAST = 50  # steps from 1 down to 2**-LEAST
ENDS = (-1.0, 3.2)  # of the drawn part of the curve
LOWEST = 3e-14  # a dot for a smaller error is drawn there, at the lower edge of the picture
SLIDERS = (
    Slider("step", "step h", -LEAST, 0, 1, "log2"),
    Slider("x", "point x", 0.1, 2, 0.1),
)
ALT = (
    "First panel: a bell-shaped curve with its tangent at a point, the chord of the forward"
    " difference and that of the central difference, extended to lines. Second panel: the errors of"
    " both differences against the step on logarithmic axes, two Vs with ragged left arms at most"
    " points, and a dot on each at the present step."
)


def f(x: Any) -> Any:
    """The function that is differentiated, :math:`1 / (1 + x^2)`."""
    return 1 / (1 + x * x)


def slope(x: Any) -> Any:
    """Its derivative."""
    return -2 * x / ((1 + x * x) * (1 + x * x))


def secant(step: float = 0.5, x: float = 1.5) -> Play:
    """Forward and central difference of :math:`1 / (1 + x^2)`: their lines and their errors.

    Parameters
    ----------
    step, x
        Where the sliders begin.

    Raises
    ------
    TypeError, ValueError
        If one is no number on its slider.

    Examples
    --------
    >>> print(secant(2.0**-50, x=0.5).said)
    At h = 2⁻⁵⁰ = 8.9 × 10⁻¹⁶ the forward difference is off by 0.11 and the central one by 0.0475. The
    slope is −0.64.
    """
    settings = checked(SLIDERS, step=step, x=x)
    step, x = settings.values()
    steps = np.ldexp(1.0, -np.arange(LEAST + 1))
    at, exact = np.float64(x), slope(x)
    slopes = {"forward": forward(f, at, step), "central": central(f, at, step)}
    errors = {name: abs(found - exact) for name, found in slopes.items()}
    moved: dict[str, Points] = {
        "tangent": line(exact, x),
        "forward": line(slopes["forward"], x),
        "central": line(slopes["central"], at - step),
        "forward ends": [(x, f(x)), (x + step, f(x + step))],
        "central ends": [(x - step, f(x - step)), (x + step, f(x + step))],
        "forward errors": points(steps, error_curve(forward, f, at, exact, steps)),
        "central errors": points(steps, error_curve(central, f, at, exact, steps)),
        "forward error": points([step], [max(LOWEST, errors["forward"])]),
        "central error": points([step], [max(LOWEST, errors["central"])]),
    }
    said = (
        f"At h = 2{raised(round(log2(step)))} = {digits(step)} the forward difference is off by"
        f" {digits(errors['forward'])} and the central one by {digits(errors['central'])}."
        f" The slope is {digits(exact)}."
    )
    return Play(
        "secant",
        settings,
        {"least": LEAST, "ends": ENDS, "lowest": LOWEST},
        SLIDERS,
        PANELS,
        ALT,
        moved,
        said,
    )


def line(slope: float, through: float) -> Points:
    """The line of a slope through a point of the curve, from one end of the panel to the other."""
    return [(x, float(f(through) + slope * (x - through))) for x in ENDS]


GRID = np.linspace(*ENDS, 64)

PANELS = (
    Panel(
        "tangent and chords",
        "x",
        "f(x)",
        x=ENDS,
        y=(-0.3, 1.3),
        xticks=ticks(-1, 0, 1, 2, 3),
        yticks=ticks(0, 0.5, 1),
        legend=(("vermillion", "- - × forward"), ("blue", "— ● central"), ("ink", "··· tangent")),
        marks=(
            Mark("line", "grey wide faint", at=points(GRID, f(GRID))),
            Mark("line", "ink dotted", "tangent"),
            Mark("line", "vermillion dashed", "forward"),
            Mark("line", "blue", "central"),
            Mark("crosses", "vermillion", "forward ends"),
            Mark("dots", "blue", "central ends"),
        ),
    ),
    Panel(
        "their errors",
        "step h",
        "error",
        x=(2.0 ** (-LEAST - 2), 4),
        y=(1e-14, 3),
        xticks={2.0**-k: f"2{raised(-k)}" if k else "1" for k in (50, 40, 30, 20, 10, 0)},
        yticks=powers(-12, -9, -6, -3, 0),
        logarithmic="xy",
        marks=(
            Mark("line", "vermillion dashed", "forward errors"),
            Mark("line", "blue", "central errors"),
            Mark("dots", "vermillion big", "forward error"),
            Mark("dots", "blue big", "central error"),
        ),
    ),
)
