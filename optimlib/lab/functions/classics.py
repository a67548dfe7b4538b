r"""Rosenbrock's valley, Beale's plains and a saddle: the difficulties that have names."""

from __future__ import annotations

import numpy as np

from optimlib.arguments import whole_number
from optimlib.lab.functions.problem import Problem


def rosenbrock(dimension: int = 2) -> Problem:
    r"""Rosenbrock's valley: its floor is bent, and almost level.

    .. math::

        L(x) = \sum_{i=1}^{n-1} \bigl(100 \, (x_{i+1} - x_i^2)^2 + (1 - x_i)^2\bigr)

    The least value is 0, at :math:`(1, \dots, 1)`. The start is :math:`(-1.2, 1)`, repeated as often
    as it takes. In two dimensions the floor is the parabola :math:`x_2 = x_1^2`, the way along it
    leads round the bend at the origin, and at its end the curvature across is 2,500 times that along.

    Parameters
    ----------
    dimension
        The number :math:`n` of coordinates, from 2 on. From 4 on there is a second minimum, with
        :math:`x_1 < 0`, which is only a local one.

    Raises
    ------
    ValueError
        If `dimension` is not a whole number from 2 on.

    Notes
    -----
    H. H. Rosenbrock, *An automatic method for finding the greatest or least value of a function*, The
    Computer Journal 3 (1960), 175 to 184, for two dimensions. The sum over more of them is SciPy's
    ``rosen``; for its second minimum see Shang and Qiu, *A note on the extended Rosenbrock function*,
    Evolutionary Computation 14 (2006).

    Examples
    --------
    >>> problem = rosenbrock()
    >>> round(problem.value(problem.start), 6), problem.gradient(problem.start).round(6)
    (24.2, array([-215.6,  -88. ]))
    """
    dimension = whole_number("dimension", dimension, lowest=2)

    def value(x: np.ndarray) -> float:
        bend = x[1:] - x[:-1] ** 2
        return float((100 * bend**2 + (1 - x[:-1]) ** 2).sum())

    def gradient(x: np.ndarray) -> np.ndarray:
        bend = x[1:] - x[:-1] ** 2
        g = np.zeros(dimension)
        g[:-1] -= 400 * x[:-1] * bend + 2 * (1 - x[:-1])
        g[1:] += 200 * bend
        return g

    return Problem(
        name="Rosenbrock" if dimension == 2 else f"Rosenbrock in {dimension} dimensions",
        value=value,
        gradient=gradient,
        start=np.resize([-1.2, 1.0], dimension),
        minimizers=(np.ones(dimension),),
        minimum=0.0,
    )


def beale() -> Problem:
    r"""Beale's function: plains on which hardly anything moves, and steep walls beside them.

    .. math::

        L(x, y) = \sum_{k=1}^3 \bigl(c_k - x (1 - y^k)\bigr)^2, \qquad
        c = (1.5, 2.25, 2.625)

    The least value is 0, at :math:`(3, 1/2)`. The start is :math:`(1, 1)`, where the gradient says
    nothing about :math:`x`.

    Notes
    -----
    E. M. L. Beale, *On an iterative method for finding a local minimum of a function of more than one
    variable*, Technical Report 25, Statistical Techniques Research Group, Princeton University, 1958.
    The start is that of Moré, Garbow and Hillstrom, *Testing unconstrained optimization software*,
    ACM Transactions on Mathematical Software 7 (1981), 17 to 41, problem 5.

    Examples
    --------
    >>> problem = beale()
    >>> problem.value(problem.start), problem.gradient(problem.start)
    (14.203125, array([ 0.  , 27.75]))
    """
    c, k = np.array([1.5, 2.25, 2.625]), np.array([1, 2, 3])

    def value(theta: np.ndarray) -> float:
        x, y = theta
        return float(((c - x * (1 - y**k)) ** 2).sum())

    def gradient(theta: np.ndarray) -> np.ndarray:
        x, y = theta
        residual = c - x * (1 - y**k)
        along_x = (-2 * residual * (1 - y**k)).sum()
        along_y = (2 * residual * x * k * y ** (k - 1)).sum()
        return np.array([along_x, along_y])

    return Problem(
        name="Beale",
        value=value,
        gradient=gradient,
        start=np.array([1.0, 1.0]),
        minimizers=(np.array([3.0, 0.5]),),
        minimum=0.0,
    )


def saddle() -> Problem:
    r"""A saddle between two valleys, with the start almost on its ridge.

    .. math:: L(x, y) = \frac{x^2}2 - \frac{y^2}2 + \frac{y^4}4

    The least value is :math:`-1/4`, at :math:`(0, 1)` and :math:`(0, -1)`. At the origin, the saddle,
    the gradient is zero too. From the start :math:`(1, 10^{-3})` the gradient points there almost
    exactly, and only a thousandth of the way aside.

    Examples
    --------
    >>> saddle().gradient(np.array([1.0, 0.5]))
    array([ 1.   , -0.375])
    """

    def value(theta: np.ndarray) -> float:
        x, y = theta
        return float(x**2 / 2 - y**2 / 2 + y**4 / 4)

    def gradient(theta: np.ndarray) -> np.ndarray:
        x, y = theta
        return np.array([x, y**3 - y])

    return Problem(
        name="saddle",
        value=value,
        gradient=gradient,
        start=np.array([1.0, 1e-3]),
        minimizers=(np.array([0.0, 1.0]), np.array([0.0, -1.0])),
        minimum=-0.25,
    )
