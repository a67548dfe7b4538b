"""How exact the values of a loss are: errors that its dtype does not show."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

import numpy as np

from optimlib.differences import SMALL, noise_level, unit_roundoff

Along = Callable[[float], float]
"""The loss as a function of the distance along a line."""


def noise_along(narrow: Along, wide: Along, h: float, value: float) -> float:
    """The standard deviation of the errors of a loss, as far as it can be seen.

    Parameters
    ----------
    narrow, wide
        The loss along a line on which each number changes in proportion to itself, and along one on
        which small numbers change as if they were of order 1.
    h
        A distance at which there are many roundings, and still next to nothing.
    value
        The loss at theta.
    """
    known: dict[float, float] = {}

    def f(distance: float) -> float:
        if distance not in known:
            known[distance] = narrow(distance)
        return known[distance]

    level = noise_level(f, h)
    if set(known.values()) == {value}:  # nothing to be seen here: look further away
        level = noise_level(wide, SMALL / 2**8)
        if level == 0 and float(np.float32(value)) == value:  # it may come from float32
            level = unit_roundoff(np.float32(0)) * abs(value) / 2
    return level if isfinite(level) else 0.0
