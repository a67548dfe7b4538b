"""How exact the values of a loss are: errors that its dtype does not show."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import hypot, inf, isfinite, sqrt

import numpy as np

from optimlib.differences import noise_level, unit_roundoff
from optimlib.differences.noise import SMALL

POINTS, NEARER, LEVELS = 12, 2, 32  # steps in a row, how much smaller they become, and how often
RANGES, CLOSER = 3, 2**12  # looks, and how much nearer to theta the next one is
ASKEW = 0.7713  # of a spacing: steps that repeat with it show with others
STEEP = 8  # times the median rise, and it may be a jump
EXPLAINS = 2  # times what a slope is off, over a range, a jump may be to be its cause
AFAR = (1.0, 0.25)  # of a range: where a solver's jumps are looked for
SCANNED = 64  # steps of a graph that is looked at from afar
STEADY = 6  # halvings of a range over which a jump keeps its height
REMAINING = 1e-3  # of a rise is seen at the nearest, if it is made of jumps
ALTERNATING = 30  # about the square root of 924: a sixth difference of errors, in units of one

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


def noise_close_by(
    along: Along, spacing: float, value: float, sides: tuple[float, ...] = (1.0, -1.0)
) -> float:
    r"""The standard deviation of the errors of a loss close to theta, from eighth differences.

    They vanish for polynomials up to degree 7. Of independent errors, they have a variance of
    :math:`\binom{16}{8} = 12870` times that of one error. A kink at theta, or on one side of it, is no
    error: the side counts on which there is less.

    Parameters
    ----------
    along
        The loss at a distance from theta; ten values on a side.
    spacing
        The distance between the values.
    value
        The loss at theta.
    sides
        Where it may be called: 1.0 to the right, -1.0 to the left.

    Examples
    --------
    >>> noise_close_by(lambda t: round(t, 3) + t**5, 0.0123, 0.0) > 1e-4
    True
    >>> noise_close_by(lambda t: abs(t) + t**5, 0.0123, 0.0) < 1e-15
    True
    """
    levels = []
    for side in sides:
        values = [value, *(along(side * k * spacing) for k in range(1, 11))]
        with np.errstate(all="ignore"):
            eighth = np.diff(values, 8)
        level = hypot(*eighth) / sqrt(12870 * len(eighth)) if np.isfinite(eighth).all() else 0.0
        levels.append(level)
        if level <= 2 * unit_roundoff(1.0) * abs(value):
            break
    return min(levels)


def roughness(
    along: Along,
    low: float,
    high: float,
    rounding: float,
    roundoff: float = 0.0,
    resolution: float = 0.0,
    off: float = inf,
) -> float:
    """How much a loss jumps up and down near theta, if its graph is made of steps; 0 if it has none.

    A loss of parameters that are rounded, written as text or looked up in a table is a staircase, and
    one that a solver computes jumps where the number of iterations changes. We look for the largest
    sixth difference of values in a row, and then there from nearer and nearer. With steps of half the
    size it becomes 64 times smaller where the loss is smooth, twice at a kink, and stays what it is at a
    jump.

    Parameters
    ----------
    along
        The loss at a distance from theta.
    low, high
        Where to look.
    rounding
        The error of all of its values, by the rounding of theta and as far as it is known.
    roundoff
        The part of a value by which it may be rounded itself.
    resolution
        The smallest distance that is one: theta's own rounding makes steps, too.
    off
        How far a slope at theta is from what was claimed. Higher jumps than may explain that, over a
        range, are of another kind, and we look nearer.

    Returns
    -------
    float
        A standard deviation, as that of errors.

    Examples
    --------
    >>> roughness(lambda t: round(t, 1) + t, -1.0, 1.0, rounding=1e-16) > 0.01
    True
    >>> roughness(lambda t: max(t - 0.3, 0) + t, -1.0, 1.0, rounding=1e-16)
    0.0
    """
    for _ in range(RANGES):
        of_values = roundoff * max(abs(along(0.0)), abs(along(low)), abs(along(high)))
        level, is_smooth = _closest_look(along, low, high, rounding + of_values, resolution)
        if 0 < level < EXPLAINS * off * (high - low):
            return level
        if is_smooth:
            break
        low, high = low / CLOSER, high / CLOSER  # close to the kink, there may be small jumps as well
    return 0.0


def roughness_afar(
    along: Along,
    low: float,
    high: float,
    rounding: float,
    roundoff: float = 0.0,
    resolution: float = 0.0,
    off: float = inf,
) -> float:
    """How much a loss jumps where its graph looks least smooth from afar; 0 if it does not.

    A solver's loss has few jumps, and these are low: they show among many values in a row. Parameters
    as for `roughness`.

    Examples
    --------
    >>> roughness_afar(lambda t: 1e-7 * (t > 0.3) + t**2, -1.0, 1.0, rounding=1e-16) > 1e-8
    True
    >>> roughness_afar(lambda t: 1e-7 * max(t, 0.3) + t**2, -1.0, 1.0, rounding=1e-16)
    0.0
    """
    for part in AFAR:
        start, spacing = part * low, part * (high - low) / SCANNED
        values = [along(start + k * spacing) for k in range(SCANNED + 1)]
        with np.errstate(all="ignore"):
            eighth = np.nan_to_num(np.abs(np.diff(values, 8)), nan=0.0, posinf=0.0)
        start += int(eighth.argmax()) * spacing
        error = rounding + roundoff * max(map(abs, values))
        level, _ = _closest_look(along, start, start + 8 * spacing, error, resolution)
        if 0 < level < EXPLAINS * off * part * (high - low):
            return level
    return 0.0


def _closest_look(
    along: Along, low: float, high: float, rounding: float, resolution: float
) -> tuple[float, bool]:
    """The roughness in a range, and whether the loss is smooth there."""
    spacing, start = (high - low) / POINTS, low
    finest = max(spacing / NEARER**LEVELS, resolution)
    sizes: list[float] = []
    while spacing > finest:
        values = [along(start + k * spacing) for k in range(POINTS + 1)]
        with np.errstate(all="ignore"):
            sixth = np.abs(np.diff(values, 6))
            rises = np.abs(np.diff(values))
        sizes.append(float(sixth.max()))
        is_flat = not sizes[-1] > 64 * rounding  # or it is NaN
        if is_flat and len(sizes) == 1:
            spacing *= ASKEW
            continue
        if is_flat or _shrinks(sizes) or _grows(sizes):
            return 0.0, all(
                16 * nearer < size for size, nearer in pairwise(sizes) if size > 64 * rounding
            )
        if _stays(sizes) and rises.max() > STEEP * np.median(rises):
            before = start + int(rises.argmax()) * spacing
            is_jump = _is_jump(along, before, before + spacing, resolution)
            return (max(_lasting(sizes)) / ALTERNATING if is_jump else 0.0), False
        middle = start + (3 + int(sixth.argmax())) * spacing  # of the six steps that it spans
        spacing /= NEARER
        start = min(max(middle - POINTS / 2 * spacing, low), high - POINTS * spacing)
    return 0.0, False


def _is_jump(along: Along, low: float, high: float, resolution: float) -> bool:
    """Whether what a loss rises by between two points, it does at one of them: found by halving."""
    f_low, f_high = along(low), along(high)
    rises = [abs(f_high - f_low)]
    while high - low > resolution and len(rises) <= LEVELS:
        middle = (low + high) / 2
        f_middle = along(middle)
        lower, upper = abs(f_middle - f_low), abs(f_high - f_middle)
        if lower > upper:
            high, f_high = middle, f_middle
        else:
            low, f_low = middle, f_middle
        rises.append(max(lower, upper))
    # A steep slope has been seen as one if halving its length halves what it rises by.
    is_sudden = len(rises) > STEADY and 2 * rises[-1] > rises[-STEADY]
    return is_sudden and REMAINING * rises[0] < rises[-1] < STEEP * rises[0]  # it grows at a pole


def _lasting(sizes: list[float]) -> list[float]:
    """The last of some sixth differences, from where on they no longer shrink as smooth ones do.

    >>> _lasting([640.0, 10.0, 2.0, 1.0, 1.5])
    [2.0, 1.0, 1.5]
    """
    first = len(sizes) - 1
    while first > 0 and sizes[first - 1] < NEARER**2 * sizes[first]:
        first -= 1
    return sizes[first:]


def _stays(sizes: list[float]) -> bool:
    """Whether sixth differences stay as large as they are, as they do at jumps."""
    return len(sizes) > 8 and max(sizes[-8:]) < 2 * min(sizes[-8:])


def _shrinks(sizes: list[float]) -> bool:
    """Whether sixth differences become smaller all the time, as they do at a kink or a cusp."""
    return len(sizes) > 8 and all(1.3 * nearer < size for size, nearer in pairwise(sizes[-9:]))


def _grows(sizes: list[float]) -> bool:
    """Whether sixth differences become larger, as they do at a pole."""
    return len(sizes) > 8 and sizes[-1] > 4 * max(sizes[-9:-4])
