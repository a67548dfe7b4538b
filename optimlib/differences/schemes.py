"""The schemes, each with its default step: forward, central, Richardson and complex-step differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optimlib.trees import check_dtype

Function = Callable[[Any], Any]
Scheme = Callable[..., Any]


def unit_roundoff(x: Any) -> float:
    """The largest relative error of one rounding in the dtype of `x`: u, half the spacing at 1.

    >>> unit_roundoff(1.0) == 2.0**-53, unit_roundoff(np.float32(1)) == 2.0**-24
    (True, True)
    """
    return float(np.finfo(as_point(x).dtype).eps) / 2


def representable_step(x: Any, h: Any) -> Any:
    """The step that is really taken from `x`: ``x + h`` is rounded, and so is the way to it.

    >>> representable_step(1e6, 1e-10)
    np.float64(1.1641532182693481e-10)
    """
    x = as_point(x)
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
    x = as_point(x)
    right = x + _step(forward, x, h)
    return (_values(f, right) - _values(f, x)) / (right - x)


def central(f: Function, x: Any, h: Any = None) -> Any:
    r"""Central difference: :math:`(f(x + h) - f(x - h)) / 2h`, with an error of order :math:`h^2`.

    Parameters, errors and return value as for `forward`; two evaluations, at ``x + h`` and
    ``x - h``.

    >>> bool(abs(central(np.exp, 0.0) - 1) < 1e-9)
    True
    """
    x = as_point(x)
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
    value = _values(f, as_point(x).astype(np.float64) + 1j * h)
    if not np.iscomplexobj(value):
        raise TypeError(
            f"f returned {value!r} for a complex argument; expected a complex number:"
            " something in it drops the imaginary part"
        )
    return np.imag(value) / h


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
    x = as_point(x)
    h = unit_roundoff(x) ** (1 / (ORDERS[scheme] + 1)) * np.maximum(1, np.abs(x))
    return np.ldexp(x.dtype.type(1), np.round(np.log2(h)).astype(int))


def as_point(x: Any) -> np.ndarray:
    """The points as an array of float32 or float64, or a single one as a NumPy number."""
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
