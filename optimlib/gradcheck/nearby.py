"""Points near theta, within its bounds, at which the two functions of a check may be called.

`nearby_point` is for what the functions show elsewhere: always the same point, and each number has moved
in proportion to its size. `point_close_by` is for getting off a kink: another point every time, and all
numbers have moved by about the same distance, however large they are.
"""

from __future__ import annotations

import numpy as np

from optimlib.gradcheck.bounds import Bounds
from optimlib.trees import Tree, flatten, map_tree


def short_distance(roundoff: float) -> float:
    """A distance at which second differences of a loss are well above its roundings."""
    return roundoff ** (1 / 3)


def nearby_point(theta: Tree, bounds: Bounds, far: float) -> Tree:
    """A random point near theta and within its bounds, the same one every time.

    A number moves by about `far` times its size, or times 1 if it is smaller. The numbers do not all
    move alike: a softmax would not see that.

    >>> theta = np.array([0.0, 1e6])
    >>> (nearby_point(theta, Bounds(theta, (-np.inf, np.inf)), 1e-3) - theta).round(6)
    array([ 1.26000000e-04, -1.32104863e+02])
    """
    rng = np.random.default_rng(0)
    direction: list[np.ndarray | None] = [
        free * np.maximum(1, np.abs(leaf)) * rng.standard_normal(leaf.shape)
        for (_, leaf), free in zip(flatten(theta), bounds.free, strict=True)
    ]
    return _moved(theta, bounds, direction, far)


def point_close_by(theta: Tree, bounds: Bounds, far: float, rng: np.random.Generator) -> Tree:
    """A random point close to theta and within its bounds, another one every time.

    A number moves by about `far`, whatever its size.

    >>> theta, rng = np.array([0.0, 1e6]), np.random.default_rng(0)
    >>> (point_close_by(theta, Bounds(theta, (-np.inf, np.inf)), 1e-3, rng) - theta).round(6)
    array([ 0.000126, -0.000132])
    """
    direction: list[np.ndarray | None] = [
        free * rng.standard_normal(leaf.shape)
        for (_, leaf), free in zip(flatten(theta), bounds.free, strict=True)
    ]
    return _moved(theta, bounds, direction, far)


def _moved(theta: Tree, bounds: Bounds, direction: list[np.ndarray | None], far: float) -> Tree:
    """The point that far along a direction, or along another one that stays within the bounds."""
    inwards, distance, _ = bounds.inwards(direction, far)
    steps = iter(inwards)

    def moved(leaf: np.ndarray) -> np.ndarray:
        step = next(steps)
        return leaf.copy() if step is None else np.asarray(leaf + distance * step, leaf.dtype)

    return map_tree(moved, theta)
