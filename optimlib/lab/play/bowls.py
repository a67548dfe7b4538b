"""Bowls with turned axes, and paths on them: what several moving figures draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import cos, pi, sin, sqrt
from typing import Any

import numpy as np

from optimlib.lab.play.drawing import Points, raised
from optimlib.optimizers import Optimizer

AROUND = 60  # points of an ellipse


def turn(degrees: float) -> np.ndarray:
    """The matrix that turns the plane to the left.

    >>> turn(90).round(9).tolist()
    [[0.0, -1.0], [1.0, 0.0]]
    """
    c, s = cos(degrees * pi / 180), sin(degrees * pi / 180)
    return np.array([[c, -s], [s, c]])


def contours(curvatures: Iterable[float], degrees: float, levels: Iterable[float]) -> Points:
    """The level lines of a bowl whose axes are turned, with a gap after each.

    >>> level = contours((1.0, 4.0), 0, [2.0])
    >>> level[0], level[-1]
    ((2.0, 0.0), None)
    """
    axes = turn(degrees)
    found: Points = []
    for level in levels:
        a, b = (sqrt(2 * level / float(curvature)) for curvature in curvatures)
        for k in range(AROUND + 1):
            angle = 2 * pi * k / AROUND
            x, y = axes @ (a * cos(angle), b * sin(angle))
            found.append((float(x), float(y)))
        found.append(None)
    return found


def walk(optimizer: Optimizer, gradient: Callable[[Any], Any], steps: int) -> np.ndarray:
    """The points that an optimizer visits, the start included: an array of shape ``(steps + 1, 2)``.

    >>> from optimlib.optimizers import SGD
    >>> walk(SGD(np.array([1.0, 2.0]), 0.5), lambda theta: theta, steps=1).tolist()
    [[1.0, 2.0], [0.5, 1.0]]
    """
    theta = optimizer.params
    path = [theta.copy()]
    for _ in range(steps):
        optimizer.step(gradient(theta))
        path.append(theta.copy())
    return np.array(path)


def ticks(*numbers: float) -> dict[float, str]:
    """Numbers as the ticks of an axis.

    >>> ticks(-1, 0.5)
    {-1: '−1', 0.5: '0.5'}
    """
    return {number: f"{number:g}".replace("-", "−") for number in numbers}


def powers(*exponents: int) -> dict[float, str]:
    """Powers of ten as the ticks of a logarithmic axis.

    >>> powers(-2, 0)
    {0.01: '10⁻²', 1.0: '1'}
    """
    return {10.0**k: f"{10**k}" if k in (0, 1) else f"10{raised(k)}" for k in exponents}


CENTER: Points = [(0.0, 0.0)]
