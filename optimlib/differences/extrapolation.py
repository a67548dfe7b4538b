"""Estimates of one slope, each with an error: extrapolated differences whose steps halve."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from optimlib.differences.schemes import Function, as_point, unit_roundoff


class Estimate(NamedTuple):
    """A derivative from values, with what the same values say about its error."""

    value: float  #: the derivative
    error: float  #: a bound on its error
    rounding: float  #: the part of `error` that comes from the rounding of the values
    step: float  #: the largest of the three steps it was made with
    curvature: float  #: a rough second derivative
    jump: float  #: slope on the right less slope on the left; if it exceeds `jump_error`, a kink
    jump_error: float  #: a bound on the error of `jump`


def estimates(
    f: Function,
    x: Any,
    h: Any,
    *,
    f_x: float | None = None,
    roundoff: float | None = None,
    noise: float = 0.0,
) -> Iterator[Estimate]:
    r"""Derivatives by Richardson's extrapolation with ever smaller steps, each with its own error.

    From the central differences :math:`D(h)`, :math:`D(h/2)` and :math:`D(h/4)` come two
    extrapolations. The second is the value. How far the two are apart, plus the rounding error of
    the values, bounds its error:

    .. math::

        R_1 &= \frac{4 D(h/2) - D(h)}{3}, \qquad R_2 = \frac{4 D(h/4) - D(h/2)}{3} \\
        \mathrm{error} &= |R_2 - R_1| + \frac{\max(2u (|f_+| + |f_-|), \nu)}{h/4}

    Far from zero the steps to both sides may be rounded to different lengths, which adds the second
    derivative times their difference. Then `h` is halved. Two extrapolations may agree by chance, so
    from the second estimate on the distance of the two before counts as well, at a quarter. The first
    estimate costs seven evaluations, every further one two.

    Parameters
    ----------
    f
        The function, of one number. Where it returns NaN or infinity, so is the error.
    x
        The point: one float32 or float64 number.
    h
        The first and largest step.
    f_x
        The value at `x` if it is known, which saves an evaluation.
    roundoff
        The relative rounding error :math:`u` of the values; `unit_roundoff` of `x` unless given.
    noise
        The absolute error :math:`\nu` of the values, where it is known to be larger than that.

    Raises
    ------
    TypeError
        If `x` is not float32 or float64.
    ValueError
        If `x` is not a single number, or `h` is not above 0.

    Yields
    ------
    Estimate
        Until the step is lost in the rounding of ``x + h``.

    Examples
    --------
    >>> import numpy as np
    >>> first = next(estimates(np.exp, 0.0, 2.0**-9))
    >>> bool(abs(first.value - 1) < first.error < 1e-10)
    True
    """
    x = as_point(x)
    if x.shape or not h > 0:
        raise ValueError(f"x is {x!r} and h is {h!r}; expected a single number and a step above 0")
    roundoff = unit_roundoff(x) if roundoff is None else roundoff
    f_middle = float(f(x)) if f_x is None else f_x
    slopes: list[float] = []  # D(h), D(h/2), ...
    gaps: list[float] = []  # slope to the right less slope to the left, at the same steps
    while True:
        right, left = x + h, x - h
        to_right, to_left = float(right) - float(x), float(x) - float(left)
        if to_right == 0 or to_left == 0:
            return
        f_right, f_left = float(f(right)), float(f(left))
        slopes.append((f_right - f_left) / (to_right + to_left))
        gaps.append((f_right - f_middle) / to_right - (f_middle - f_left) / to_left)
        rounding = max(2 * roundoff * (abs(f_right) + abs(f_left)), noise) / float(h)
        if len(slopes) >= 3:
            value, apart = _extrapolate(slopes[-3:], weight=4)  # D(h) = f' + c h^2 + ...
            jump, jump_apart = _extrapolate(gaps[-3:], weight=2)  # gap(h) = jump + f'' h + ...
            if len(slopes) >= 4:  # two may agree by chance where three do not
                apart = max(apart, _extrapolate(slopes[-4:-1], weight=4)[1] / 4)
                jump_apart = max(jump_apart, _extrapolate(gaps[-4:-1], weight=2)[1] / 4)
            curvature = gaps[-1] / float(h)
            lopsided = abs(curvature) * abs(to_right - to_left)  # where the step is rounded
            yield Estimate(
                value=value,
                error=apart + rounding + lopsided,
                rounding=rounding,
                step=4 * float(h),
                curvature=curvature,
                jump=jump,
                jump_error=jump_apart + 4 * rounding,
            )
        h = h / 2


def one_sided_estimates(
    f: Function,
    x: Any,
    h: Any,
    *,
    f_x: float | None = None,
    roundoff: float | None = None,
    noise: float = 0.0,
) -> Iterator[Estimate]:
    r"""Derivatives by extrapolation from one side: from `x` in the direction of the sign of `h`.

    For a point at the edge of a function's domain. One-sided differences have an error of order
    :math:`h`, so they are extrapolated once more:

    .. math::

        D(h) &= \frac{f(x + h) - f(x)}{h}, \qquad G(h) = 2 D(h/2) - D(h) \\
        R_1 &= \frac{4 G(h/2) - G(h)}{3}, \qquad R_2 = \frac{4 G(h/4) - G(h/2)}{3} \\
        \mathrm{error} &= |R_2 - R_1| + \frac{4 \max(2u (|f(x + h/8)| + |f(x)|), \nu)}{h/8}

    Parameters as for `estimates`; `h` is negative for the left side. There is no other side to jump
    to, so `jump` and `jump_error` are 0.

    Raises
    ------
    TypeError
        If `x` is not float32 or float64.
    ValueError
        If `x` is not a single number, or `h` is 0 or NaN.

    Yields
    ------
    Estimate
        Until the step is lost in the rounding of ``x + h``.

    Examples
    --------
    >>> first = next(one_sided_estimates(lambda x: x**1.5, 1.0, -(2.0**-9)))
    >>> bool(abs(first.value - 1.5) < first.error < 1e-8)
    True
    """
    x = as_point(x)
    if x.shape or not abs(h) > 0:
        raise ValueError(f"x is {x!r} and h is {h!r}; expected a single number and a step that is not 0")
    roundoff = unit_roundoff(x) if roundoff is None else roundoff
    f_edge = float(f(x)) if f_x is None else f_x
    slopes: list[float] = []  # D(h), D(h/2), ...
    while True:
        beyond = x + h
        taken = float(beyond) - float(x)
        if taken == 0:
            return
        f_beyond = float(f(beyond))
        slopes.append((f_beyond - f_edge) / taken)
        rounding = 4 * max(2 * roundoff * (abs(f_beyond) + abs(f_edge)), noise) / abs(float(h))
        if len(slopes) >= 4:
            better = [2 * narrow - wide for wide, narrow in pairwise(slopes[-5:])]
            value, apart = _extrapolate(better[-3:], weight=4)
            if len(better) == 4:  # two may agree by chance where three do not
                apart = max(apart, _extrapolate(better[:3], weight=4)[1] / 4)
            yield Estimate(
                value=value,
                error=apart + rounding,
                rounding=rounding,
                step=8 * abs(float(h)),
                curvature=2 * (slopes[-2] - slopes[-1]) / float(h),
                jump=0.0,
                jump_error=0.0,
            )
        h = h / 2


def _extrapolate(slopes: list[float], weight: int) -> tuple[float, float]:
    """Richardson's extrapolation of the last two of three, and how far it is from that of the others."""
    wide, middle, narrow = slopes
    first = (weight * middle - wide) / (weight - 1)
    second = (weight * narrow - middle) / (weight - 1)
    return second, abs(second - first)
