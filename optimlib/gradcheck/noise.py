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


def noise_beside(
    along: Along, spacing: float, value: float, sides: tuple[float, ...] = (1.0, -1.0)
) -> float:
    r"""The standard deviation of the errors of a loss right beside theta, from sixth differences.

    They vanish for polynomials up to degree 5. Of independent errors, they have a variance of
    :math:`\binom{12}{6} = 924` times that of one error. A kink at theta, or on one side of it, is no
    error: the side counts on which there is less.

    Parameters
    ----------
    along
        The loss at a distance from theta; eight values on a side.
    spacing
        The distance between the values.
    value
        The loss at theta.
    sides
        Where it may be called: 1.0 to the right, -1.0 to the left.

    Examples
    --------
    >>> noise_beside(lambda t: round(t, 3) + t**5, 0.0123, 0.0) > 1e-4
    True
    >>> noise_beside(lambda t: abs(t) + t**5, 0.0123, 0.0) < 1e-15
    True
    """
    levels = []
    for side in sides:
        values = [value, *(along(side * k * spacing) for k in range(1, 9))]
        with np.errstate(all="ignore"):
            sixth = np.diff(values, 6)
        level = float(np.sqrt(np.mean(sixth**2) / 924)) if np.isfinite(sixth).all() else 0.0
        levels.append(level)
        if level <= 2 * unit_roundoff(1.0) * abs(value):
            break
    return min(levels)


def height_of_stairs(
    along: Along,
    step: float,
    widest: float,
    value: float,
    sides: tuple[float, ...] = (1.0, -1.0),
) -> float:
    """How high the next stair is, if the loss is level beside theta because its values are rounded.

    A loss of parameters that are rounded, written as text or looked up in a table is a staircase. It
    jumps at the end of the level part. A loss that is level because of a dead unit does not jump there:
    halving the way to the point where it changes halves the change.

    Parameters
    ----------
    along, value, sides
        As for `noise_beside`.
    step, widest
        How near and how far to look.

    Examples
    --------
    >>> height_of_stairs(lambda t: round(t, 1), step=0.01, widest=1.0, value=0.0)
    0.1
    >>> height_of_stairs(lambda t: max(t - 0.3, 0), step=0.01, widest=1.0, value=0.0)
    0.0
    """
    if any(along(side * part * step) != value for side in sides for part in (1 / 4, 1)):
        return 0.0
    inside, distance = step, step
    while distance < widest:
        distance = min(8 * distance, widest)
        for side in sides:
            if along(side * distance) != value:
                return _jump(along, side * inside, side * distance, value)
        inside = distance
    return 0.0


def _jump(along: Along, inside: float, outside: float, value: float) -> float:
    """By how much the loss jumps between a point where it has that value and one where it has not."""
    first = last = abs(along(outside) - value)
    for _ in range(16):
        middle = (inside + outside) / 2
        change = abs(along(middle) - value)
        if change:
            outside, last = middle, change
        else:
            inside = middle
    return last if isfinite(first) and last > first / 2**10 else 0.0
