"""How exact the values of a function are, found from the values alone."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from optimlib.differences.schemes import Function, unit_roundoff

SMALL = 2.0**-8
"""`noise_level` moves its points no further apart than 256 times this."""


def noise_level(f: Function, h: float) -> float:
    r"""The standard deviation of the errors in the values of `f`, from nine of them near 0.

    The fourth differences of a smooth function, of size :math:`h^4`, are next to nothing when `h` is
    small. Those of independent errors are not: the weights are 1, -4, 6, -4, 1, so their variance is
    70 times that of an error. This is Hamming's table of differences, of which Moré and Wild, 2011,
    made an algorithm.

    Some of the nine values may be the same, because `f` rounds its values to a coarse grid: four
    decimals, say, or float32. Then the points are moved apart, and spaced unevenly, until the values
    differ. The distances between them are multiples of the grid's spacing :math:`q`, and errors spread
    evenly over one spacing have the deviation :math:`q / \sqrt{12}`.

    Parameters
    ----------
    f
        The function, of one number; nine evaluations, and as many whenever the points are moved apart.
    h
        The distance between the points: so small that `f` hardly bends over all nine.

    Examples
    --------
    >>> deviation = noise_level(lambda x: round(1000 * x) / 1000, h=2.0**-40)  # three decimals
    >>> round(deviation * 12**0.5, 6)
    0.001
    """
    values = [float(f(k * h)) for k in range(9)]
    with np.errstate(invalid="ignore"):  # infinity less infinity, beyond the domain of f
        fourth = np.diff(values, 4)
    level = math.hypot(*fourth) / math.sqrt(70 * len(fourth))  # the root mean square
    grid = 0.0
    while len(set(values)) < 9 and not grid and h <= SMALL:
        h *= 2**8
        values = [float(f((k + k % 3 / math.pi) * h)) for k in range(9)]
        values = [value for value in values if math.isfinite(value)] or [0.0]
        distances = [value - values[0] for value in values]
        grid = common_divisor(distances, 2 * unit_roundoff(1.0) * max(map(abs, values)))
    return max(level, grid / math.sqrt(12))


def common_divisor(numbers: Iterable[float], error: float) -> float:
    """The largest number of which all are whole multiples, each to within an `error`.

    Euclid's algorithm, with the errors carried along. The answer is 0.0 if no number exceeds its
    error, or if a remainder may be zero only because its error has grown.

    Examples
    --------
    >>> round(common_divisor([0.0006, -0.0015, 0.0], 1e-15), 9)
    0.0003
    >>> common_divisor([1.0, math.pi, math.e], 1e-15)
    0.0
    """
    divisor, divisor_error = 0.0, 0.0
    for number in map(abs, numbers):
        number_error = error
        while number > 2 * number_error:
            times = round(divisor / number)
            rest, rest_error = abs(divisor - times * number), divisor_error + times * number_error
            divisor, divisor_error, number, number_error = number, number_error, rest, rest_error
        if 0 < divisor < 20 * number_error:
            return 0.0
    return divisor
