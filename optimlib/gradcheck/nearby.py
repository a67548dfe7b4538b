"""Points near theta, within its bounds, at which the two functions of a check may be called."""

from __future__ import annotations

import numpy as np

from optimlib.gradcheck.bounds import Bounds
from optimlib.trees import Tree, flatten, map_tree


def short_distance(roundoff: float) -> float:
    """A distance at which second differences of a loss are well above its roundings."""
    return roundoff ** (1 / 3)


def nearby_point(theta: Tree, bounds: Bounds, far: float) -> Tree:
    """A random point near theta and within its bounds, the same one every time.

    The numbers do not all move alike: a softmax would not see that.
    """
    rng = np.random.default_rng(0)
    direction: list[np.ndarray | None] = [
        free * np.maximum(1, np.abs(leaf)) * rng.standard_normal(leaf.shape)
        for (_, leaf), free in zip(flatten(theta), bounds.free, strict=True)
    ]
    inwards, distance, _ = bounds.inwards(direction, far)
    steps = iter(inwards)

    def moved(leaf: np.ndarray) -> np.ndarray:
        step = next(steps)
        return leaf.copy() if step is None else np.asarray(leaf + distance * step, leaf.dtype)

    return map_tree(moved, theta)
