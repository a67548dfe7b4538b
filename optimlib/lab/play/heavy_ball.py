"""The heavy ball on a bowl: the map of its settings, and the path beside it."""

from __future__ import annotations

from math import hypot, sqrt

import numpy as np

from optimlib.lab.play.bowls import CENTER, contours, ticks, walk
from optimlib.lab.play.drawing import Mark, Panel, Points, digits, points
from optimlib.lab.play.moving import Play, Slider, checked
from optimlib.optimizers import SGD

CURVATURES = (25.0, 1.0)
STEPS = 40
SLIDERS = (
    Slider("learning_rate", "learning rate η", 0.002, 0.16, 0.002),
    Slider("momentum", "momentum μ", 0, 0.99, 0.01),
)
ALT = (
    "First panel: the contours of a narrow bowl and the path of the heavy ball, which starts at the"
    " upper right. Second panel: the plane of learning rate times curvature and momentum, with a dot"
    " for each of the bowl's two curvatures. Two curves separate creeping, spiraling and jumping; to"
    " the right of a straight line the run diverges."
)


def momentum(learning_rate: float = 0.11, momentum: float = 0.44) -> Play:
    """The heavy ball on a bowl of curvatures 25 and 1: its path, and the map of its settings.

    Parameters
    ----------
    learning_rate, momentum
        Where the sliders begin.

    Raises
    ------
    TypeError, ValueError
        If one is no number on its slider.

    Examples
    --------
    >>> print(momentum(0.1, momentum=0.0).said)  # the first coordinate is multiplied by 1 - 2.5
    After 40 steps the distance to the minimum is 7.8 × 10⁶ times what it was. The coordinate of
    curvature 25 diverges, that of curvature 1 creeps. In the long run a step multiplies the distance
    by 1.5.
    """
    settings = checked(SLIDERS, learning_rate=learning_rate, momentum=momentum)
    learning_rate, momentum = settings.values()
    path = ball(learning_rate, momentum)
    scaled = [learning_rate * curvature for curvature in CURVATURES]
    moved = {
        "path": points(*path.T),
        "steep": points([scaled[0]], [momentum]),
        "flat": points([scaled[1]], [momentum]),
    }
    left = hypot(*path[-1]) / hypot(*path[0])
    kinds = [kind(product, momentum) for product in scaled]
    said = (
        f"After {STEPS} steps the distance to the minimum is {digits(left)} times what it was."
        f" The coordinate of curvature 25 {kinds[0]}, that of curvature 1 {kinds[1]}. In the long run a"
        f" step multiplies the distance by"
        f" {digits(max(factor(product, momentum) for product in scaled))}."
    )
    fixed = {"curvatures": CURVATURES, "start": (1.0, 1.0), "steps": STEPS}
    return Play("momentum", settings, fixed, SLIDERS, PANELS, ALT, moved, said)


def ball(learning_rate: float, momentum: float) -> np.ndarray:
    """The path of the heavy ball."""
    optimizer = SGD(np.ones(2), learning_rate, momentum)
    return walk(optimizer, np.array(CURVATURES).__mul__, STEPS)


def factor(product: float, momentum: float) -> float:
    """By how much a step multiplies the distance in the long run: the size of the larger root.

    >>> factor(2.5, 0.0), factor(1.0, 0.25)
    (1.5, 0.5)
    """
    a = 1 + momentum - product
    inside = a * a - 4 * momentum
    return sqrt(momentum) if inside < 0 else (abs(a) + sqrt(inside)) / 2


def kind(product: float, momentum: float) -> str:
    """What a coordinate does, given learning rate times curvature.

    >>> kind(0.1, 0.0), kind(1.0, 0.5), kind(1.5, 0.0), kind(2.5, 0.0)
    ('creeps', 'spirals', 'jumps', 'diverges')
    >>> kind(2.0, 0.0)  # for ever, from one side to the other
    'jumps'
    """
    a = 1 + momentum - product
    if product > 2 * (1 + momentum):
        return "diverges"
    if a * a < 4 * momentum:
        return "spirals"
    return "jumps" if a < 0 else "creeps"


def _border() -> Points:
    """Where the two roots are equal."""
    roots = np.linspace(0, 1, 41)
    return points(
        np.concatenate([(1 - roots) ** 2, (1 + roots[::-1]) ** 2]),
        np.concatenate([roots**2, roots[::-1] ** 2]),
    )


PANELS = (
    Panel(
        "the path",
        "θ₁",
        "θ₂",
        x=(-2.1, 2.1),
        y=(-1.25, 1.25),
        xticks=ticks(-2, -1, 0, 1, 2),
        yticks=ticks(-1, 0, 1),
        marks=(
            Mark("line", "grey thin", at=contours(CURVATURES, 0, (0.1, 0.5, 2, 6, 14, 28))),
            Mark("line", "blue", "path"),
            Mark("dots", "blue", "path"),
            Mark("crosses", "ink", at=CENTER),
        ),
    ),
    Panel(
        "the map of settings",
        "ηλ",
        "momentum μ",
        x=(-0.12, 4.12),
        y=(-0.13, 1.07),
        xticks=ticks(0, 1, 2, 3, 4),
        yticks=ticks(0, 0.5, 1),
        legend=(("green", "● λ = 1"), ("purple", "● λ = 25")),
        marks=(
            Mark("area", "blue", at=_border()),
            Mark("line", "vermillion dashed", at=[(2.0, 0.0), (4.0, 1.0)]),
            Mark("label", "ink", at=[(0.9, 0.5)], text="spirals"),
            Mark("label", "ink", at=[(0.4, -0.09)], text="creeps"),
            Mark("label", "ink", at=[(1.6, -0.09)], text="jumps"),
            Mark("label", "vermillion", at=[(3.3, 0.25)], text="diverges"),
            Mark("dots", "green big", "flat"),
            Mark("dots", "purple big", "steep"),
        ),
    ),
)
