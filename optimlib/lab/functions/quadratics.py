r"""Bowls: quadratic losses with curvatures of one's choice, turned at will, exact or noisy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optimlib.arguments import check_generator, positive, whole_number
from optimlib.lab.functions.problem import Problem


def quadratic(eigenvalues: Sequence[float] | np.ndarray, rotation: np.ndarray | None = None) -> Problem:
    r"""A bowl with the given curvatures along its axes, which may be turned.

    .. math::

        L(\theta) = \tfrac12 \sum_i \lambda_i z_i^2, \qquad z = Q^\top \theta, \qquad
        \nabla L(\theta) = Q \Lambda Q^\top \theta

    The least value is 0, at the origin. The start is :math:`z_i = 1` for all :math:`i`: every axis
    has the same way to go. What makes it hard is the condition number, the largest eigenvalue
    divided by the smallest; what makes it hard for a step size per coordinate is the rotation.

    Parameters
    ----------
    eigenvalues
        The curvatures :math:`\lambda_i`, each above 0.
    rotation
        The matrix :math:`Q`, whose columns are the axes; the coordinate axes unless given.

    Raises
    ------
    TypeError, ValueError
        If `eigenvalues` is not a row of finite numbers above 0, or `rotation` is not an orthogonal
        matrix of its size.

    Examples
    --------
    >>> quadratic([1.0, 100.0]).gradient(np.array([2.0, 2.0]))
    array([  2., 200.])
    >>> eighth = np.array([[0.5, -0.5], [0.5, 0.5]]) * 2**0.5  # of a turn
    >>> quadratic([1.0, 100.0], eighth).gradient(np.array([2.0, 2.0])).round(12)
    array([2., 2.])
    """
    curvatures = _eigenvalues(eigenvalues)
    Q = np.eye(len(curvatures)) if rotation is None else _rotation(rotation, len(curvatures))
    condition = curvatures.max() / curvatures.min()

    def value(theta: np.ndarray) -> float:
        z = Q.T @ theta
        return float((curvatures * z**2).sum() / 2)

    def gradient(theta: np.ndarray) -> np.ndarray:
        return Q @ (curvatures * (Q.T @ theta))

    return Problem(
        name=f"quadratic, condition {condition:g}{'' if rotation is None else ', turned'}",
        value=value,
        gradient=gradient,
        start=Q.sum(axis=1),
        minimizers=(np.zeros(len(curvatures)),),
        minimum=0.0,
    )


def noisy_quadratic(
    eigenvalues: Sequence[float] | np.ndarray,
    rotation: np.ndarray | None = None,
    spread: float = 1.0,
    batch: int = 1,
) -> Problem:
    r"""The mean of many bowls like `quadratic`, each with its bottom somewhere else.

    An example is a point :math:`c`, normally distributed around the origin with the standard
    deviation :math:`s` in every direction, and its loss is :math:`\tfrac12 (\theta - c)^\top A
    (\theta - c)` with :math:`A = Q \Lambda Q^\top`. The loss is the expectation of that, and a
    minibatch of :math:`B` examples with the mean :math:`\bar c` gives an estimate of its gradient:

    .. math::

        L(\theta) = \tfrac12 \theta^\top A \theta + \tfrac{s^2}2 \sum_i \lambda_i, \qquad
        g = A (\theta - \bar c), \qquad
        \operatorname{E} g = A \theta, \qquad
        \operatorname{Cov} g = \frac{s^2}B A^2

    The noise is the same everywhere, so it does not fade at the minimum. It is largest along the
    steepest axes.

    Parameters
    ----------
    eigenvalues
        The curvatures :math:`\lambda_i`, each above 0.
    rotation
        The matrix :math:`Q`, whose columns are the axes; the coordinate axes unless given.
    spread
        The standard deviation :math:`s`, above 0, in the units of :math:`\theta`.
    batch
        The number :math:`B` of examples in a minibatch.

    Raises
    ------
    TypeError, ValueError
        If `eigenvalues` is not a row of finite numbers above 0, `rotation` is not an orthogonal
        matrix of its size, `spread` is not a finite number above 0, or `batch` is not a whole number
        from 1 on.

    Notes
    -----
    Noisy quadratic models: Schaul, Zhang and LeCun, *No more pesky learning rates*, 2013; Zhang et
    al., *Which algorithmic choices matter at which batch sizes?*, 2019.

    Examples
    --------
    >>> problem = noisy_quadratic([4.0, 100.0], spread=0.5, batch=4)
    >>> rng = np.random.default_rng(0)
    >>> noise = [problem.noisy_gradient(np.zeros(2), rng) for _ in range(10_000)]
    >>> np.std(noise, axis=0).round()  # 0.5 / sqrt(4) of the eigenvalues
    array([ 1., 25.])
    """
    exact = quadratic(eigenvalues, rotation)
    spread, batch = positive("spread", spread), whole_number("batch", batch, lowest=1)
    minimum = spread**2 / 2 * float(np.sum(eigenvalues))

    def noisy_gradient(theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        centers = spread * rng.standard_normal((batch, len(theta)))
        return exact.gradient(theta - centers.mean(axis=0))

    return Problem(
        name=f"noisy {exact.name}",
        value=lambda theta: exact.value(theta) + minimum,
        gradient=exact.gradient,
        start=exact.start,
        minimizers=exact.minimizers,
        minimum=minimum,
        noisy_gradient=noisy_gradient,
    )


def random_rotation(dimension: int, rng: np.random.Generator) -> np.ndarray:
    r"""A rotation matrix, every rotation being as likely as any other.

    It is the :math:`Q` of the factorization :math:`QR` of a matrix of normal numbers, once the
    diagonal of :math:`R` is made positive and one axis is turned round if :math:`Q` is a mirror.

    Parameters
    ----------
    dimension
        The number of rows and of columns.
    rng
        The random numbers come from it.

    Returns
    -------
    numpy.ndarray
        float64, shape (dimension, dimension).

    Raises
    ------
    TypeError
        If `rng` is not a `numpy.random.Generator`.
    ValueError
        If `dimension` is not a whole number from 1 on.

    Notes
    -----
    F. Mezzadri, *How to generate random matrices from the classical compact groups*, 2007, who
    explains why the signs matter.

    Examples
    --------
    >>> Q = random_rotation(3, np.random.default_rng(0))
    >>> bool(np.allclose(Q.T @ Q, np.eye(3))), round(float(np.linalg.det(Q)), 6)
    (True, 1.0)
    """
    dimension = whole_number("dimension", dimension, lowest=1)
    check_generator("rng", rng)
    Q, R = np.linalg.qr(rng.standard_normal((dimension, dimension)))
    Q *= np.sign(np.diag(R))
    if np.linalg.det(Q) < 0:
        Q[:, 0] *= -1
    return Q


def _eigenvalues(eigenvalues: Sequence[float] | np.ndarray) -> np.ndarray:
    """The eigenvalues, once they are those of a bowl."""
    array = np.array(eigenvalues)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"eigenvalues is {eigenvalues!r}; expected numbers")
    if array.ndim != 1 or not array.size:
        raise ValueError(f"eigenvalues have shape {array.shape}; expected (n,) with n from 1 on")
    if not (np.isfinite(array) & (array > 0)).all():
        raise ValueError(f"eigenvalues are {array}; expected finite numbers above 0")
    return array.astype(float)


def _rotation(rotation: np.ndarray, dimension: int) -> np.ndarray:
    """The rotation, once it is orthogonal."""
    Q = np.array(rotation)
    if Q.dtype.kind not in "iuf":
        raise TypeError(f"rotation has dtype {Q.dtype}; expected numbers")
    if Q.shape != (dimension, dimension):
        raise ValueError(
            f"rotation has shape {Q.shape}; expected {(dimension, dimension)}, like the eigenvalues"
        )
    Q = Q.astype(float)
    error = np.abs(Q.T @ Q - np.eye(dimension)).max()
    if not error <= 1e-12 * dimension:
        raise ValueError(
            f"rotation's columns are not orthogonal and of length 1: the products of two are up to"
            f" {error:.1e} off"
        )
    return Q
