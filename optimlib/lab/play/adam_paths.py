"""Descent, momentum and Adam on a bowl that can be turned: their paths and their losses."""

from __future__ import annotations

import numpy as np

from optimlib.lab.play.bowls import CENTER, contours, powers, ticks, turn, walk
from optimlib.lab.play.drawing import Mark, Panel, digits, points
from optimlib.lab.play.moving import Play, Slider, checked
from optimlib.optimizers import SGD, Adam, Optimizer

CURVATURES = (100.0, 1.0)
STEPS = 60
LEVELS = (0.05, 0.5, 2.0, 8.0, 25.0, 60.0)
DESCENT, MOMENTUM = (0.019, 0.0), (0.01, 0.9)  # learning rate and momentum
SLIDERS = (
    Slider("learning_rate", "Adam's rate η", -3, 0.5, 0.25, "log10"),
    Slider("beta1", "Adam's β₁", 0, 0.99, 0.01),
    Slider("beta2", "Adam's β₂", 0.25, 4, 0.25, "one minus"),
    Slider("degrees", "turn of the bowl", 0, 90, 5, unit="°"),
)
ALT = (
    "First panel: the contours of a long bowl and three paths from the same start. Gradient descent"
    " jumps across the bowl and creeps along it, momentum swings more widely and gets down, and Adam"
    " takes a path of its own, which is a straight line if the axes of the bowl are those of the"
    " coordinates. Second panel: the three losses against the step on a logarithmic axis."
)


def adam(
    learning_rate: float = 0.1, beta1: float = 0.9, beta2: float = 0.999, degrees: float = 0
) -> Play:
    """Gradient descent, momentum and Adam on a bowl of curvatures 100 and 1, turned to the left.

    Parameters
    ----------
    learning_rate, beta1, beta2
        Where the sliders of Adam begin.
    degrees
        Where the slider of the bowl's turn begins. The start turns with it.

    Raises
    ------
    TypeError, ValueError
        If one is no number on its slider.

    Examples
    --------
    >>> print(adam().said.split(". ")[1])
    Turned back, Adam's path is off the one on the upright bowl by at most 0.
    """
    settings = checked(SLIDERS, learning_rate=learning_rate, beta1=beta1, beta2=beta2, degrees=degrees)
    learning_rate, beta1, beta2, degrees = settings.values()
    paths = {
        "descent": run(SGD(np.zeros(2), *DESCENT), degrees),
        "momentum": run(SGD(np.zeros(2), *MOMENTUM), degrees),
        "adam": run(Adam(np.zeros(2), learning_rate, beta1, beta2), degrees),
    }
    upright = run(Adam(np.zeros(2), learning_rate, beta1, beta2), 0)
    off = np.linalg.norm(paths["adam"] - upright @ turn(degrees).T, axis=1).max()
    losses = {
        name: (path @ turn(degrees)) ** 2 @ np.array(CURVATURES) / 2 for name, path in paths.items()
    }
    moved = {"contours": contours(CURVATURES, degrees, LEVELS)}
    moved |= {f"{name} path": points(*path.T) for name, path in paths.items()}
    moved |= {f"{name} loss": points(range(STEPS + 1), loss) for name, loss in losses.items()}
    last = {name: digits(loss[-1]) for name, loss in losses.items()}
    said = (
        f"After {STEPS} steps the loss is {last['descent']} for gradient descent, {last['momentum']} for"
        f" momentum and {last['adam']} for Adam. Turned back, Adam's path is off the one on the upright"
        f" bowl by at most {digits(round(off, 9))}."
    )
    fixed = {
        "curvatures": CURVATURES,
        "steps": STEPS,
        "levels": LEVELS,
        "descent": DESCENT,
        "momentum": MOMENTUM,
    }
    return Play("adam", settings, fixed, SLIDERS, PANELS, ALT, moved, said)


def run(optimizer: Optimizer, degrees: float) -> np.ndarray:
    """The path of an optimizer that has not begun yet, on the bowl turned by so much."""
    axes = turn(degrees)
    (a, b), (c, d) = axes @ np.diag(CURVATURES) @ axes.T
    optimizer.params[:] = axes @ np.ones(2)

    def gradient(theta: np.ndarray) -> np.ndarray:
        return np.array([a * theta[0] + b * theta[1], c * theta[0] + d * theta[1]])

    return walk(optimizer, gradient, STEPS)


METHODS = (
    ("descent", "blue", "— gradient descent"),
    ("momentum", "vermillion dashed", "- - momentum"),
    ("adam", "green dashdotted", "-·- Adam"),
)

PANELS = (
    Panel(
        "the paths",
        "θ₁",
        "θ₂",
        x=(-1.7, 1.7),
        y=(-0.95, 1.55),
        xticks=ticks(-1, 0, 1),
        yticks=ticks(0, 1),
        height=206,
        marks=(
            Mark("line", "grey thin", "contours"),
            *(Mark("line", look, f"{name} path") for name, look, _ in METHODS),
            Mark("crosses", "ink", at=CENTER),
        ),
    ),
    Panel(
        "the losses",
        "step",
        "loss",
        x=(0, STEPS),
        y=(1e-8, 1e4),
        xticks=ticks(0, 20, 40, 60),
        yticks=powers(-8, -6, -4, -2, 0, 2, 4),
        logarithmic="y",
        height=206,
        legend=tuple((look.split()[0], text) for _, look, text in METHODS),
        marks=tuple(Mark("line", look, f"{name} loss") for name, look, _ in METHODS),
    ),
)
