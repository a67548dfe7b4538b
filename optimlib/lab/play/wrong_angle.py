"""A gradient that is wrong by an angle: the path that it takes, and what still falls."""

from __future__ import annotations

from math import pi, sin

import numpy as np

from optimlib.lab.play.bowls import CENTER, contours, powers, ticks, turn, walk
from optimlib.lab.play.drawing import Mark, Panel, digits, points
from optimlib.lab.play.moving import Play, Slider, checked
from optimlib.optimizers import SGD

CURVATURES = (1.0, 2.0)
START = (2.2, 1.1)
STEPS = 40
ARROW = 1.1  # the length of the arrows
SLIDERS = (
    Slider("degrees", "angle α", 0, 180, 1, unit="°"),
    Slider("learning_rate", "learning rate η", 0.02, 0.8, 0.02),
)
ALT = (
    "First panel: the contours of a bowl and two paths from the same start, that of gradient descent"
    " and that of a gradient that is turned by an angle at every point; at less than ninety degrees it"
    " comes in to the minimum if its steps are small enough. Second panel: the two losses against the"
    " step on a logarithmic axis."
)


def angle(degrees: float = 40, learning_rate: float = 0.2) -> Play:
    """Descent on a bowl by a gradient that is turned by an angle at every point.

    Parameters
    ----------
    degrees, learning_rate
        Where the sliders begin.

    Raises
    ------
    TypeError, ValueError
        If one is no number on its slider.

    Examples
    --------
    >>> print(angle(90, learning_rate=0.1).said.split(". ")[0])
    The cosine of α is 0
    """
    settings = checked(SLIDERS, degrees=degrees, learning_rate=learning_rate)
    degrees, learning_rate = settings.values()
    curvatures = np.array(CURVATURES)
    paths = {"right": run(learning_rate, 0), "wrong": run(learning_rate, degrees)}
    losses = {name: (path**2 @ curvatures) / 2 for name, path in paths.items()}
    gradient = curvatures * START
    arrow = ARROW * gradient / np.linalg.norm(gradient)
    moved = {f"{name} path": points(*path.T) for name, path in paths.items()}
    moved |= {f"{name} loss": points(range(STEPS + 1), loss) for name, loss in losses.items()}
    ends = {"-g": START - arrow, "-d": START - turn(degrees) @ arrow}
    moved |= {name: [START, (float(end[0]), float(end[1]))] for name, end in ends.items()}
    changes = {name: loss[1] - loss[0] for name, loss in losses.items()}
    cosine = sin((90 - degrees) * pi / 180)  # 0 at a right angle, which cos rounds to 6e-17
    said = (
        f"The cosine of α is {digits(cosine)}. The first step changes the loss by"
        f" {digits(changes['wrong'])}, that of the right gradient by {digits(changes['right'])}."
        f" After {STEPS} steps the loss is {digits(losses['wrong'][-1])}, with the right gradient"
        f" {digits(losses['right'][-1])}."
    )
    fixed = {"curvatures": CURVATURES, "start": START, "steps": STEPS, "arrow": ARROW}
    return Play("angle", settings, fixed, SLIDERS, PANELS, ALT, moved, said)


def run(learning_rate: float, degrees: float) -> np.ndarray:
    """The path of descent by a gradient that is turned by so much, of shape ``(STEPS + 1, 2)``."""
    axes, curvatures = turn(degrees), np.array(CURVATURES)

    def gradient(theta: np.ndarray) -> np.ndarray:
        return axes @ (curvatures * theta)

    return walk(SGD(np.array(START), learning_rate), gradient, STEPS)


PANELS = (
    Panel(
        "the paths",
        "θ₁",
        "θ₂",
        x=(-2.9, 3.3),
        y=(-2.2, 2.4),
        xticks=ticks(-2, -1, 0, 1, 2, 3),
        yticks=ticks(-2, -1, 0, 1, 2),
        height=208,
        marks=(
            Mark("line", "grey thin", at=contours(CURVATURES, 0, (0.2, 1.2, 3.63, 7))),
            Mark("line", "blue", "right path"),
            Mark("line", "vermillion dashed", "wrong path"),
            Mark("dots", "vermillion", "wrong path"),
            Mark("crosses", "ink", at=CENTER),
            Mark("arrow", "blue", "-g"),
            Mark("arrow", "vermillion", "-d"),
        ),
    ),
    Panel(
        "the losses",
        "step",
        "loss",
        x=(0, STEPS),
        y=(1e-8, 1e4),
        xticks=ticks(0, 10, 20, 30, 40),
        yticks=powers(-8, -6, -4, -2, 0, 2, 4),
        logarithmic="y",
        height=208,
        legend=(("blue", "— right gradient"), ("vermillion", "- - wrong gradient")),
        marks=(
            Mark("line", "blue", "right loss"),
            Mark("line", "vermillion dashed", "wrong loss"),
        ),
    ),
)
