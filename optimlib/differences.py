"""Derivatives from values alone: differences, their steps and their errors.

Every scheme takes a function `f`, a point `x` and a step `h` and returns an approximation of the
derivative at `x`. A function of one number may return an array, and has an array as its derivative. A
function that works element by element may be given an array of points; one that returns another number
of values than it was given points is refused. To differentiate along a line in many dimensions, pass the
function of the distance along it: ``central(lambda s: loss(theta + s * d), 0.0)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from optimlib.trees import check_dtype

Function = Callable[[Any], Any]
Scheme = Callable[..., Any]


def unit_roundoff(x: Any) -> float:
    """The largest relative error of one rounding in the dtype of `x`: u, half the spacing at 1.

    >>> unit_roundoff(1.0) == 2.0**-53, unit_roundoff(np.float32(1)) == 2.0**-24
    (True, True)
    """
    return float(np.finfo(_point(x).dtype).eps) / 2


def representable_step(x: Any, h: Any) -> Any:
    """The step that is really taken from `x`: ``x + h`` is rounded, and so is the way to it.

    >>> representable_step(1e6, 1e-10)
    np.float64(1.1641532182693481e-10)
    """
    x = _point(x)
    return (x + h) - x


def forward(f: Function, x: Any, h: Any = None) -> Any:
    r"""Forward difference: :math:`(f(x + h) - f(x)) / h`, with an error of order :math:`h`.

    Parameters
    ----------
    f
        The function to differentiate; two evaluations, at ``x`` and at ``x + h``.
    x
        The point, or an array of points: float32 or float64.
    h
        The step, `default_step` unless given. The difference is divided by the step really taken.

    Raises
    ------
    TypeError
        If `x` is not float32 or float64: in an integer array, ``x + h`` would be ``x``.
    ValueError
        If `h` is so small that ``x + h`` is rounded to ``x``, or `f` does not return one value for each
        point.

    Examples
    --------
    >>> bool(abs(forward(np.exp, 0.0) - 1) < 1e-7)
    True
    """
    x = _point(x)
    right = x + _step(forward, x, h)
    return (_values(f, right) - _values(f, x)) / (right - x)


def central(f: Function, x: Any, h: Any = None) -> Any:
    r"""Central difference: :math:`(f(x + h) - f(x - h)) / 2h`, with an error of order :math:`h^2`.

    Parameters, errors and return value as for `forward`; two evaluations, at ``x + h`` and
    ``x - h``.

    >>> bool(abs(central(np.exp, 0.0) - 1) < 1e-9)
    True
    """
    x = _point(x)
    h = _step(central, x, h)
    right, left = x + h, x - h
    return (_values(f, right) - _values(f, left)) / (right - left)


def richardson(f: Function, x: Any, h: Any = None) -> Any:
    r"""Richardson's extrapolation, :math:`(4 D(h/2) - D(h)) / 3`, with an error of order :math:`h^4`.

    :math:`D` is the central difference. Parameters, errors and return value as for `forward`; four
    evaluations, at ``x + h``, ``x - h``, ``x + h / 2`` and ``x - h / 2``.

    >>> bool(abs(richardson(np.exp, 0.0) - 1) < 1e-12)
    True
    """
    h = default_step(richardson, x) if h is None else h
    return (4 * central(f, x, h / 2) - central(f, x, h)) / 3


def complex_step(f: Function, x: Any, h: float = 1e-200) -> Any:
    r"""Complex step: :math:`\operatorname{Im} f(x + ih) / h`. Nothing is subtracted, nothing cancels.

    `f` must be made of operations that continue to complex numbers: ``abs``, comparisons,
    ``maximum`` and ``conj`` do not, and the result is then wrong without a warning.
    Source: Squire and Trapp, 1998.

    Parameters
    ----------
    f
        The function to differentiate; one evaluation, at ``x + ih``.
    x
        The point, or an array of points: float64 (a float32 `x` is converted).
    h
        The step: so small that its square is nothing beside 1.

    Raises
    ------
    TypeError
        If `x` is not float32 or float64, or `f` returns a real number.
    ValueError
        If `f` does not return one value for each point.

    Examples
    --------
    >>> complex_step(np.exp, 0.0)
    np.float64(1.0)
    """
    value = _values(f, _point(x).astype(np.float64) + 1j * h)
    if not np.iscomplexobj(value):
        raise TypeError(
            f"f returned {value!r} for a complex argument; expected a complex number:"
            " something in it drops the imaginary part"
        )
    return np.imag(value) / h


SMALL = 2.0**-8
"""`noise_level` moves its points no further apart than 256 times this."""

ORDERS = {forward: 1, central: 2, richardson: 4}
"""The order p of each scheme: its truncation error is proportional to h**p."""


def default_step(scheme: Scheme, x: Any) -> Any:
    r"""A step for a function of which nothing is known: :math:`u^{1/(p+1)} \max(1, |x|)`.

    :math:`u` is the unit roundoff of the dtype of `x` and :math:`p` the order of the scheme. The
    step is rounded to a power of two, so that its halves are exact.

    >>> default_step(central, 1.0) == 2.0**-18
    np.True_
    """
    if scheme not in ORDERS:
        raise ValueError(f"scheme is {scheme!r}; expected forward, central or richardson")
    x = _point(x)
    h = unit_roundoff(x) ** (1 / (ORDERS[scheme] + 1)) * np.maximum(1, np.abs(x))
    return np.ldexp(x.dtype.type(1), np.round(np.log2(h)).astype(int))


class Optimum(NamedTuple):
    """Where truncation and rounding error together are least."""

    step: Any  #: the best step
    error: Any  #: the sum of both bounds there


def forward_optimum(value: Any, second: Any, noise: Any) -> Optimum:
    r"""The least of :math:`\tfrac12 h |f''| + 2 \eta |f| / h` over the step :math:`h`.

    Parameters
    ----------
    value, second
        :math:`f(x)` and :math:`f''(x)`, or arrays of them; :math:`f''(x)` is not zero.
    noise
        The relative error :math:`\eta` of the values of `f`; at best `unit_roundoff`.

    Examples
    --------
    >>> optimum = forward_optimum(value=1.0, second=1.0, noise=2.0**-54)
    >>> optimum.step == 2.0**-26, optimum.error == 2.0**-26
    (np.True_, np.True_)
    """
    value, second = np.abs(value), np.abs(second)
    return Optimum(2 * np.sqrt(noise * value / second), 2 * np.sqrt(noise * value * second))


def central_optimum(value: Any, third: Any, noise: Any) -> Optimum:
    r"""The least of :math:`\tfrac16 h^2 |f'''| + \eta |f| / h` over the step :math:`h`.

    Parameters as for `forward_optimum`, with :math:`f'''(x)` in place of :math:`f''(x)`.

    >>> bool(np.isclose(central_optimum(value=1.0, third=3.0, noise=2.0**-54).step, 2.0**-18))
    True
    """
    value, third = np.abs(value), np.abs(third)
    step = np.cbrt(3 * noise * value / third)
    return Optimum(step, np.cbrt(3 * noise * value) ** 2 * np.cbrt(third) / 2)


def error_curve(scheme: Scheme, f: Function, x: Any, exact: Any, steps: np.ndarray) -> np.ndarray:
    """The absolute error of a scheme at each of many steps.

    Parameters
    ----------
    scheme
        `forward`, `central`, `richardson` or `complex_step`.
    f, x
        The function and the point, or an array of points for a function that works on arrays.
    exact
        The derivative of `f` at `x`.
    steps
        The steps, shape ``(n,)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, or ``(n, *x.shape)`` for an array of points.

    Examples
    --------
    >>> error_curve(central, np.sin, 0.0, exact=1.0, steps=np.array([0.1, 0.01])).round(6)
    array([1.666e-03, 1.700e-05])
    """
    return np.array([np.abs(scheme(f, x, h) - exact) for h in steps])


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
    >>> first = next(estimates(np.exp, 0.0, 2.0**-9))
    >>> bool(abs(first.value - 1) < first.error < 1e-10)
    True
    """
    x = _point(x)
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
    x = _point(x)
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


def _point(x: Any) -> np.ndarray:
    x = np.asarray(x)
    check_dtype(x, "x")
    return x[()]  # an array of shape () as a scalar


def _values(f: Function, x: Any) -> Any:
    """The values of `f`: one for every point of an array, or any number at a single point."""
    values = f(x)
    if np.shape(x) and np.shape(values) != np.shape(x):
        raise ValueError(
            f"f returned values of shape {np.shape(values)} for points of shape {np.shape(x)}; expected"
            " one value for each point. Differentiate a function of many numbers along a line, such as"
            " central(lambda s: f(x + s * d), 0.0), or compare its gradient with check_gradient"
        )
    return values


def _step(scheme: Scheme, x: Any, h: Any) -> Any:
    """The step in the dtype of `x`, so that `f` is evaluated in it, once it moves `x` at all."""
    h = np.asarray(default_step(scheme, x) if h is None else h, dtype=x.dtype)[()]
    if np.any(x + h == x):
        raise ValueError(f"h is {h}, which is lost in x = {x}; expected a step that changes x")
    return h
