"""Several kinks at one point: which gradients are right there.

At a kink there is no gradient, but there are gradients beside it. Any mean of them is as right as a
slope between two one-sided slopes is for a single number: it is what Clarke calls a generalized
gradient. So max(a, b) at a = b allows (t, 1 - t) with t from 0 to 1, and not (0, 0), although each of
these zeros lies between the slopes of its own coordinate.

Source: Clarke, *Optimization and Nonsmooth Analysis*, 1983, section 2.5.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from optimlib.differences import estimates

DIRECTIONS = 500  # along which a claim is compared with the gradients beside it


def gradients_beside(
    f: Callable[[np.ndarray], float],
    x: np.ndarray,
    distances: np.ndarray,
    rng: np.random.Generator,
    *,
    roundoff: float,
    noise: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients at one point in each of the 2**k corners around x, from values of f alone.

    Parameters
    ----------
    f
        The loss as a function of the k numbers that have a kink.
    x
        Those numbers, shape (k,).
    distances
        How far to go from each, shape (k,); all but one of them go less far, since a tie holds along
        the diagonals too.
    rng
        Chooses who goes how far.
    roundoff, noise
        As for `optimlib.differences.estimates`.

    Returns
    -------
    tuple
        The gradients, shape (2**k, k), and bounds on their errors, of the same shape: of the
        differences, and of how much the gradient changes on half the way to x.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found, error = gradients_beside(np.max, np.ones(2), np.full(2, 1e-4), rng, roundoff=2.0**-53)
    >>> sorted(set(map(tuple, found.round(6).tolist())))
    [(0.0, 1.0), (1.0, 0.0)]
    """
    found, errors = [], []
    for signs in product((-1, 1), repeat=len(x)):
        offset = np.array(signs) * distances * rng.permutation(np.linspace(0.5, 1, len(x)))
        (near, near_error), (far, far_error) = (
            _gradient(f, x + part * offset, part * distances / 64, roundoff, noise) for part in (0.5, 1)
        )
        found.append(near)
        errors.append(np.abs(far - near) + near_error + far_error)
    return np.array(found), np.array(errors)


def _gradient(
    f: Callable[[np.ndarray], float], x: np.ndarray, steps: np.ndarray, roundoff: float, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of f at x, and bounds on its errors."""
    value = f(x)
    found = []
    for i, step in enumerate(steps):

        def along(number: float, i: int = i) -> float:
            return f(np.where(np.arange(len(x)) == i, number, x))

        e = next(estimates(along, x[i], x.dtype.type(step), f_x=value, roundoff=roundoff, noise=noise))
        found.append((e.value, e.error))
    values, errors = np.array(found).T
    return values, errors


def excess(
    claim: np.ndarray, gradients: np.ndarray, errors: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Along which direction a claim exceeds all gradients by most, and by how many of their errors.

    A claim is a mean of the gradients if along no direction d its slope ``claim @ d`` is above all of
    theirs. Up to 1 may be chance.

    Parameters
    ----------
    claim
        The claimed gradient, shape (k,).
    gradients, errors
        As `gradients_beside` returns them.
    rng
        Chooses the directions to try.

    Examples
    --------
    >>> corners, rng = np.array([[0.0, 1.0], [1.0, 0.0]]), np.random.default_rng(0)
    >>> excess(np.array([0.3, 0.7]), corners, np.full((2, 2), 0.01), rng)[1] <= 1
    True
    >>> excess(np.array([0.0, 0.0]), corners, np.full((2, 2), 0.01), rng)[1] > 10
    True
    """
    d = rng.standard_normal((DIRECTIONS, len(claim)))
    above = d @ claim - (d @ gradients.T).max(axis=1)
    error = (np.abs(d) @ errors.T).max(axis=1)
    ratio = np.where(above > 0, above / np.where(error > 0, error, 1e-300), 0.0)
    worst = int(ratio.argmax())
    return d[worst], float(ratio[worst])
