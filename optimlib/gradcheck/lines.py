"""The loss along a line through theta: the function of one number that a probe evaluates."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import nan
from typing import Any

import numpy as np

from optimlib.gradcheck.arguments import loss_value
from optimlib.trees import Tree, copy_tree, flatten, map_tree

Loss = Callable[[Tree], float]


class LossOf(partial[Any]):
    """A loss that calls a function of the user's, with what the user calls that function and its result.

    >>> LossOf(round, 1.5)(), LossOf(round, 1.5).written
    (2, 'f')
    """

    written = "f"
    result = "loss(theta)"


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

    Examples
    --------
    >>> line = Line(np.sum, np.array([1.0, 2.0]), [np.array([1.0, 1.0])])
    >>> line(0.5)
    4.0
    """

    def __init__(self, loss: Loss, theta: Tree, direction: list[np.ndarray | None]) -> None:
        self.loss = loss
        self.theta = theta
        self.direction = direction

    def __call__(self, distance: float) -> float:
        """The loss at that distance from theta."""
        directions = iter(self.direction)

        def moved(leaf: np.ndarray) -> np.ndarray:
            d = next(directions)
            return leaf.copy() if d is None else np.asarray(leaf + distance * d, leaf.dtype)

        return evaluate_anywhere(self.loss, map_tree(moved, self.theta))


class Coordinate:
    """The loss as a function of the number at one place in theta.

    Parameters
    ----------
    loss, theta
        As for `Line`.
    leaf, index
        The place: the number of the leaf, from 0, and the index in it.

    Examples
    --------
    >>> Coordinate(np.sum, np.array([1.0, 2.0]), leaf=0, index=(1,))(5.0)
    6.0
    """

    def __init__(self, loss: Loss, theta: Tree, leaf: int, index: tuple[int, ...]) -> None:
        self.loss = loss
        self.theta = theta
        self.leaf = leaf
        self.index = index

    def __call__(self, value: Any) -> float:
        """The loss with `value` in that place."""
        moved = copy_tree(self.theta)
        flatten(moved)[self.leaf][1][self.index] = value
        return evaluate_anywhere(self.loss, moved)


class Counted:
    """A function of one number that counts its calls, and is not called twice at one place.

    >>> f = Counted(abs)
    >>> f(-2.0), f(-2.0), f.calls
    (2.0, 2.0, 1)
    """

    def __init__(self, f: Callable[[Any], float]) -> None:
        self.f = f
        self.known: dict[float, float] = {}

    def __call__(self, x: Any) -> float:
        """The value there."""
        place = float(x)
        if place not in self.known:
            self.known[place] = self.f(x)
        return self.known[place]

    @property
    def calls(self) -> int:
        """How often the function was called."""
        return len(self.known)


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
