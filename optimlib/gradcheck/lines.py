"""The loss along a line through theta: what a probe evaluates (chapter 3)."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import Any

import numpy as np

from optimlib.gradcheck.arguments import loss_value
from optimlib.trees import Tree, copy_tree, flatten, map_tree

Loss = Callable[[Tree], float]


def evaluate(loss: Loss, theta: Tree) -> np.float32 | float:
    """The value of a loss: np.float32 if that is what it computes with, else a Python float.

    Raises
    ------
    TypeError
        If the loss is no real number.

    Examples
    --------
    >>> evaluate(np.sum, np.ones(3)), evaluate(np.sum, np.ones(3, np.float32))
    (3.0, np.float32(3.0))
    """
    with np.errstate(all="ignore"):  # a step may well leave the loss's domain
        value = loss(theta)
    return loss_value(value, "loss(theta)")


class Line:
    """The loss as a function of the distance from theta along a direction.

    Every call makes its own copy of theta, so that calls may run side by side. Where the loss is
    undefined the value is NaN.

    Parameters
    ----------
    loss
        Takes a tree like `theta` and returns a number.
    theta
        Where the line starts. It is only read.
    direction
        One array for every leaf of `theta`, of its shape; None for a leaf that stays.

    Attributes
    ----------
    evaluations : int
        How often the loss was called.

    Examples
    --------
    >>> line = Line(np.sum, np.array([1.0, 2.0]), [np.array([1.0, 1.0])])
    >>> line(0.5), line.evaluations
    (4.0, 1)
    """

    def __init__(self, loss: Loss, theta: Tree, direction: list[np.ndarray | None]) -> None:
        self.loss = loss
        self.theta = theta
        self.direction = direction
        self.evaluations = 0

    def __call__(self, distance: float) -> float:
        """The loss at that distance from theta."""
        directions = iter(self.direction)

        def moved(leaf: np.ndarray) -> np.ndarray:
            d = next(directions)
            return leaf.copy() if d is None else np.asarray(leaf + distance * d, leaf.dtype)

        self.evaluations += 1
        return evaluate_anywhere(self.loss, map_tree(moved, self.theta))


class Coordinate:
    """The loss as a function of the number at one place in theta.

    Parameters, attributes and copies as for `Line`; `leaf` counts the leaves from 0.

    >>> Coordinate(np.sum, np.array([1.0, 2.0]), leaf=0, index=(1,))(5.0)
    6.0
    """

    def __init__(self, loss: Loss, theta: Tree, leaf: int, index: tuple[int, ...]) -> None:
        self.loss = loss
        self.theta = theta
        self.leaf = leaf
        self.index = index
        self.evaluations = 0

    def __call__(self, value: Any) -> float:
        """The loss with `value` in that place."""
        moved = copy_tree(self.theta)
        flatten(moved)[self.leaf][1][self.index] = value
        self.evaluations += 1
        return evaluate_anywhere(self.loss, moved)


def evaluate_anywhere(loss: Loss, theta: Tree) -> float:
    """The loss, or NaN where it is undefined.

    >>> from math import log
    >>> evaluate_anywhere(log, 1.0), evaluate_anywhere(log, -1.0)
    (0.0, nan)
    """
    try:
        return float(evaluate(loss, theta))
    except (ArithmeticError, ValueError):  # as math.log(-1.0) raises
        return nan
