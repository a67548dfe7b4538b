"""The error of a difference against its step: where it is least, and the curve that shows it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from optimlib.differences.schemes import Function, Scheme


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
    >>> from optimlib.differences import central
    >>> error_curve(central, np.sin, 0.0, exact=1.0, steps=np.array([0.1, 0.01])).round(6)
    array([1.666e-03, 1.700e-05])
    """
    return np.array([np.abs(scheme(f, x, h) - exact) for h in steps])
