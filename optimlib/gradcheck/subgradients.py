"""Several kinks at one point: which gradients are right there.

At a kink there is no gradient, but there are gradients close by. Any mean of them is as right as a
slope between two one-sided slopes is for a single number: it is what Clarke calls a generalized
gradient. So max(a, b) at a = b allows (t, 1 - t) with t from 0 to 1, and not (0, 0), although each of
these zeros lies between the slopes of its own coordinate.

A claim g is such a mean if along no direction d its slope g @ d is steeper than all slopes close to
theta along d. Of a convex loss, and of a concave one, the steepest are the two one-sided slopes at
theta. So these are looked at first, and others only where a claim lies outside of them.

Source: Clarke, *Optimization and Nonsmooth Analysis*, 1983, section 2.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from optimlib.gradcheck.slope import SAFETY

POSITIVE, SIGNED = 8, 8  # random directions: uniform shifts show most of a tie, the others the rest
CLOSE_BY = 24  # points close to theta where slopes are measured before a claim is called too steep
RELATIVE = 1e-6  # what is known of a slope is no more exact, whatever its values


class Slopes(NamedTuple):
    """A claimed slope along a direction, and the slopes that the loss has along it close to theta."""

    claim: float  #: what the gradient claims
    low: float  #: the least slope
    high: float  #: the largest slope
    error: float  #: a bound on the errors of both

    @property
    def is_outside(self) -> bool:
        """Whether the claim lies outside of the slopes."""
        beyond = max(self.low - self.claim, self.claim - self.high)
        return bool(beyond > SAFETY * self.error)

    @property
    def nearest(self) -> float:
        """The slope that is nearest to the claim."""
        return self.high if self.claim > self.high else self.low


def steeper_than_all(
    f: Callable[[np.ndarray], float],
    x: np.ndarray,
    claim: np.ndarray,
    distances: np.ndarray,
    rng: np.random.Generator,
    *,
    value_error: float,
    middle: np.ndarray | None = None,
) -> Slopes | None:
    """A direction along which a claim is steeper than the loss is anywhere close to x, if one is found.

    Parameters
    ----------
    f
        The loss as a function of the k numbers that have a kink.
    x
        Those numbers, shape (k,).
    claim
        The claimed gradient, shape (k,).
    distances
        How far to go from each, shape (k,).
    rng
        Chooses directions and points.
    value_error
        The absolute error of the values of `f`.
    middle
        What lies in the middle between the slopes on both sides of each number, shape (k,): a wrong
        claim is most likely to show along the direction from there to the claim.

    Examples
    --------
    >>> ties, rng = np.ones(4), np.random.default_rng(0)
    >>> options = {"distances": np.full(4, 1e-4), "rng": rng, "value_error": 1e-16}
    >>> steeper_than_all(np.max, ties, np.array([0.0, 0.4, 0.6, 0.0]), **options) is None
    True
    >>> steeper_than_all(np.max, ties, np.zeros(4), **options).is_outside
    True
    """

    def scaled(z: np.ndarray) -> float:
        return f(x + distances * z)

    value = scaled(np.zeros(len(x)))
    away = np.zeros(len(x)) if middle is None else (claim - middle) * distances
    for d in _directions([np.ones(len(x)), np.sign(x), away, claim * distances], rng):
        slopes = _at_theta(scaled, value, d, claim * distances, value_error)
        if slopes.is_outside and (close_by := _close_by(scaled, d, slopes, rng, value_error)).is_outside:
            length = float(np.linalg.norm(distances * d))
            return Slopes(*(number / length for number in close_by))
    return None


def _directions(chosen: list[np.ndarray], rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Directions whose largest element is 1: those chosen, unless they are 0, and random ones."""
    yield from (d / np.abs(d).max() for d in chosen if d.any())
    k = len(chosen[0])
    for number in range(POSITIVE + SIGNED):
        d = rng.standard_normal(k)
        if number < POSITIVE:
            d = np.abs(d) * (rng.random(k) < 0.5 if number % 2 and k > 2 else 1)
        if not d.any():
            continue
        yield d / np.abs(d).max()


def _at_theta(
    f: Callable[[np.ndarray], float],
    value: float,
    d: np.ndarray,
    claim: np.ndarray,
    value_error: float,
) -> Slopes:
    """The two one-sided slopes along d, extrapolated from a step and from half of it."""
    slopes, error = [], 16 * value_error
    for side in (1, -1):
        whole, half = side * (f(side * d) - value), side * 2 * (f(side * d / 2) - value)
        slopes.append(2 * half - whole)
        error += abs(half - whole) + RELATIVE * abs(whole)
    return Slopes(float(claim @ d), min(slopes), max(slopes), error)


def _close_by(
    f: Callable[[np.ndarray], float],
    d: np.ndarray,
    slopes: Slopes,
    rng: np.random.Generator,
    value_error: float,
) -> Slopes:
    """The claim against slopes along d at points close to theta, too, until it lies between them.

    First at random points; then one number after the other of the best point moves to where the slope
    comes nearer to the claim.
    """
    h = 1 / 64
    slopes = slopes._replace(error=slopes.error + 2 * value_error / h)
    nearest, best = np.inf, np.zeros(len(d))

    def look(y: np.ndarray) -> bool:
        nonlocal slopes, nearest, best
        slope = float((f(y + h * d) - f(y - h * d)) / (2 * h))
        slopes = slopes._replace(low=min(slopes.low, slope), high=max(slopes.high, slope))
        if abs(slope - slopes.claim) < nearest:
            nearest, best = abs(slope - slopes.claim), y
        return slopes.is_outside

    for _ in range(CLOSE_BY):
        if not look(rng.choice([-1, 1], len(d)) * rng.uniform(0.5, 1, len(d))):
            return slopes
    for number in range(len(d)):
        for size in (2.0, -2.0):
            y = best.copy()
            y[number] = size * rng.uniform(0.75, 1)
            if not look(y):
                return slopes
    return slopes
