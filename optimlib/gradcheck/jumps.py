"""Jumps: where the loss is not continuous at theta, no slope is right.

A jump keeps its height however small a step is. So its difference quotient grows as the step shrinks,
in proportion, and the loss is smooth on both of its sides.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, sqrt

from optimlib.differences import Estimate
from optimlib.gradcheck.noise import noise_close_by

NOTICEABLE = 2**20  # so many roundings of the loss are a jump, and no noise
CONSTANT = 2.0**-20  # over steps of this ratio, only a jump at theta keeps its height


def jump_at_theta(
    quotient: Callable[[float], float], along: Callable[[float], float], wide: float, rounding: float
) -> Estimate | None:
    """The slope over the smallest step of three, if it shows a jump of the loss at theta.

    Parameters
    ----------
    quotient
        The difference quotient of the loss for a step; NaN where there is none.
    along
        The loss at a distance from theta.
    wide
        The widest step, negative to the left.
    rounding
        How much the values of the loss are rounded by.

    Examples
    --------
    >>> def step(t): return float(t > 0) + t**2
    >>> jump_at_theta(lambda h: (step(h) - step(-h)) / (2 * h), step, 0.5, rounding=1e-16).value
    1048576.0
    >>> jump_at_theta(lambda h: h, lambda t: t**2 / 2, 0.5, rounding=1e-16) is None
    True
    """
    close = wide * CONSTANT
    far, between, near = quotient(wide), quotient(wide * sqrt(CONSTANT)), quotient(close)
    height = abs(near) * CONSTANT  # in units of far, if it does not change with the step
    least = NOTICEABLE * rounding / abs(wide)
    if not (isfinite(near) and isfinite(far) and least < height > 0.5 * abs(far)):
        return None
    if not 0.5 * height < abs(between) * sqrt(CONSTANT) < 2 * height:
        return None
    # On this side the loss has to be smooth.
    noise = noise_close_by(lambda t: along(close + t), close / 10, along(close), sides=(1.0,))
    if NOTICEABLE * noise > height * abs(wide):
        return None
    return Estimate(near, 0.0, 0.0, abs(close), 0.0, 0.0, 0.0)
