"""Gradient descent on a bowl: the learning rate, the path and the loss."""

from __future__ import annotations

import numpy as np

from optimlib.lab.play.bowls import CENTER, contours, powers, ticks, turn, walk
from optimlib.lab.play.drawing import Mark, Panel, digits, points
from optimlib.lab.play.moving import Play, Slider, checked
from optimlib.optimizers import SGD

DEGREES = 30.0
START = (1.0, 2.2)  # along the axes of the bowl
STEPS = 30
LEVELS = (0.05, 0.5, 2.5, 7)
SLIDERS = (
    Slider("learning_rate", "learning rate η", 0.005, 0.3, 0.005),
    Slider("curvature", "steep curvature λ", 1, 20, 1),
)
ALT = (
    "First panel: the contours of a tilted bowl and the path of gradient descent. Second panel: the"
    " loss against the step on a logarithmic axis, with the parts that come from the steep and from the"
    " flat axis as straight lines: the loss follows the larger of the two."
)


def descent(learning_rate: float = 0.17, curvature: float = 10) -> Play:
    """Gradient descent on a tilted bowl: its path, and the loss with its two parts.

    Parameters
    ----------
    learning_rate
        Where its slider begins.
    curvature
        Where the slider of the bowl's steep axis begins; that of the flat axis is 1.

    Raises
    ------
    TypeError, ValueError
        If one is no number on its slider.

    Examples
    --------
    >>> print(descent(0.25, curvature=8).said)
    After 30 steps the loss is 4. A step multiplies the distance along the steep axis by −1 and along
    the flat axis by 0.75. The learning rate is at the limit, 0.25.
    """
    settings = checked(SLIDERS, learning_rate=learning_rate, curvature=curvature)
    learning_rate, curvature = settings.values()
    curvatures = np.array([curvature, 1.0])
    along = walk(SGD(np.array(START), learning_rate), curvatures.__mul__, STEPS)
    path, parts = along @ turn(DEGREES).T, curvatures / 2 * along**2
    steps = np.arange(STEPS + 1)
    moved = {
        "contours": contours(curvatures, DEGREES, LEVELS),
        "path": points(*path.T),
        "loss": points(steps, parts.sum(axis=1)),
        "steep": points(steps, parts[:, 0]),
        "flat": points(steps, parts[:, 1]),
    }
    limit = 2 / curvature
    side = "below" if learning_rate < limit else "beyond" if learning_rate > limit else "at"
    said = (
        f"After {STEPS} steps the loss is {digits(parts[-1].sum())}. A step multiplies the distance"
        f" along the steep axis by {digits(1 - learning_rate * curvature)} and along the flat axis by"
        f" {digits(1 - learning_rate)}. The learning rate is {side} the limit, {digits(limit)}."
    )
    fixed = {"degrees": DEGREES, "start": START, "steps": STEPS, "levels": LEVELS}
    return Play("descent", settings, fixed, SLIDERS, PANELS, ALT, moved, said)


PANELS = (
    Panel(
        "the path",
        "θ₁",
        "θ₂",
        x=(-2.6, 2.2),
        y=(-0.9, 2.6),
        xticks=ticks(-2, -1, 0, 1, 2),
        yticks=ticks(0, 1, 2),
        height=204,
        marks=(
            Mark("line", "grey thin", "contours"),
            Mark("line", "blue", "path"),
            Mark("dots", "blue", "path"),
            Mark("crosses", "ink", at=CENTER),
        ),
    ),
    Panel(
        "the loss and its two parts",
        "step",
        "loss",
        x=(0, STEPS),
        y=(1e-6, 1e3),
        xticks=ticks(0, 10, 20, 30),
        yticks=powers(-6, -4, -2, 0, 2),
        logarithmic="y",
        height=204,
        legend=(("vermillion", "- - steep axis"), ("blue", "— flat axis")),
        marks=(
            Mark("line", "ink wide faint", "loss"),
            Mark("line", "vermillion dashed", "steep"),
            Mark("line", "blue", "flat"),
        ),
    ),
)
