"""Functions with a memory: what repeated calls tell about a loss or a gradient that is no function.

A loss and a gradient have to be *functions* of theta: called twice with the same numbers, they return
the same. Where they do not, the way in which the results change shows what they remember. And a
gradient that forgets to look at its argument may well be right at one point: at another it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from optimlib.trees import Tree, copy_tree, flatten, map_tree

Arrays = list[np.ndarray]
"""The leaves of a gradient."""

CALLS = 6  # that are compared: random values rise or fall all the way once in 360 times
SAME = 1e-9  # relative difference of increments, or of their ratios, that count as equal
NOISES = 64  # of the loss: what is less may be chance
PART = 2**-12  # of the change of slope that the gradient expects: a larger rest is looked into
QUARTER = (0.2, 0.3)

RANDOM = "Fix the seed: draw masks and noise once, outside."
GROWING = (
    "Every call adds the same amount: something is added to what the last call left. Start from zero in"
    " every call."
)
DRIFTING = (
    "Every call moves it further in one direction: it reads what the last call left, such as the running"
    " means of batch normalization. Freeze them, or restore them in every call."
)
SETTLING = (
    "Only the first calls differ: something is stored then and read later. Store it before the check."
)
REPEATING = (
    "Its values come back after {} calls: another batch in every call? Take one batch, outside the loss."
)
READS_THE_LAST_LOSS = (
    "grad reads what the last loss left: run the forward pass inside grad, for the theta it is given."
)
ACCUMULATES = "grad adds to what it returned before: start from zeros in every call."
KEEPS = (
    "Every call moves it further in one direction: grad keeps something from call to call (a momentum,"
    " running means?). Start afresh in every call."
)
LATE = "grad answers one call late: it returns the gradient of the parameters of the call before."
STAYS_THE_SAME = (
    "grad(theta) stays the same when theta moves, though the slopes of the loss do not: it does not look"
    " at its argument (stored activations, other parameters, a factor left out?)."
)
WRONG_NEARBY = (
    "right at theta only: at a point beside it grad disagrees with the loss{}. Does grad read other"
    " arrays than its argument? Check there, too."
)
UNMOVED = ", and does not move with theta"


def varying_loss(values: Sequence[float]) -> str:
    """What to do about a loss that returned these values, one call after another, for one theta.

    Examples
    --------
    >>> varying_loss([1.0, 3.0, 5.0, 7.0, 9.0, 11.0])
    'Every call adds the same amount: something is added to what the last call left. Start from zero in every call.'
    >>> varying_loss([1.0, 3.0, 2.0, 7.0, 4.0, 5.0])
    'Fix the seed: draw masks and noise once, outside.'
    """  # noqa: E501
    differences = np.diff(values)
    if not differences[1:].any():
        return SETTLING
    if np.allclose(differences, differences[0], rtol=SAME, atol=1e-14 * abs(values[0])):
        return GROWING
    for period in range(2, CALLS - 1):  # two values at least come back
        if values[period:] == values[:-period]:
            return REPEATING.format(period)
    if (differences > 0).all() or (differences < 0).all():
        return DRIFTING
    return RANDOM


def varying_gradient(
    loss: Callable[[Tree], float], grad: Callable[[Tree], Arrays], theta: Tree, moved: Tree
) -> str:
    """What to do about a gradient whose calls with one theta differ, though the loss is a function.

    Parameters
    ----------
    loss, grad
        The two functions. `grad` returns the leaves in one list; both may change what they are given.
    theta, moved
        The point, and another one near it.

    Examples
    --------
    >>> total = np.zeros(2)
    >>> def grad(theta):
    ...     total[:] += 2 * theta
    ...     return [total]
    >>> varying_gradient(lambda theta: (theta**2).sum(), grad, np.ones(2), np.full(2, 1.1))
    'grad adds to what it returned before: start from zeros in every call.'
    """

    def gradient(at: Tree) -> np.ndarray:
        return np.concatenate([np.ravel(leaf).astype(np.float64) for leaf in grad(copy_tree(at))])

    def gradient_after_loss(at: Tree) -> np.ndarray:
        loss(copy_tree(at))
        return gradient(theta)

    try:
        _, *calls = [gradient(theta) for _ in range(5)]
    except Exception:  # so far a loss was called before every gradient: this is a cache used up
        return READS_THE_LAST_LOSS
    if all(np.array_equal(call, calls[0]) for call in calls):
        after = [gradient_after_loss(at) for at in (moved, theta, moved)]
        if np.array_equal(after[0], after[2]) and not np.array_equal(after[0], after[1]):
            return READS_THE_LAST_LOSS
        gradient(moved)
        late, right = gradient(theta), gradient(theta)
        if not np.array_equal(late, right):
            return LATE
        return SETTLING
    ratio = _common_ratio(np.diff(calls, axis=0))
    if ratio:
        return ACCUMULATES if abs(ratio - 1) <= SAME else KEEPS
    fresh = [gradient_after_loss(theta) for _ in range(3)]
    if all(np.array_equal(one, fresh[0]) for one in fresh):  # taken from a stack
        return READS_THE_LAST_LOSS
    return RANDOM


def _common_ratio(steps: np.ndarray) -> float:
    """The number by which each of three steps is the one before multiplied, or 0."""
    first, second, third = steps
    size = np.abs(steps).max()
    ratio = float(second @ first / (first @ first)) if first.any() else 0.0
    rests = np.abs([second - ratio * first, third - ratio * second])
    return ratio if rests.max() <= SAME * size else 0.0


def stays_the_same(
    loss: Callable[[Tree], float], theta: Tree, moved: Tree, here: Arrays, there: Arrays, noise: float
) -> bool:
    """Whether a gradient is the same at `moved` as at theta, although the loss has other slopes there.

    The slope of the loss changes along the line between the two points if its values do not lie on a
    straight line: three evaluations. What is linear has the same gradient everywhere, and rightly so.

    Parameters
    ----------
    loss
        It gets trees that are not its own: let it copy them.
    theta, moved
        The point, and another one near it.
    here, there
        The leaves of the gradient at the one and at the other.
    noise
        The absolute error of the values of the loss, where it is more than their rounding.
    """
    if not all(np.array_equal(a, b) for a, b in zip(here, there, strict=True)):
        return False
    start, middle, end = (float(loss(tree)) for tree in (theta, _between(theta, moved), moved))
    rest = abs(start - 2 * middle + end)
    rounding = _rounding(theta) * max(abs(start), abs(middle), abs(end))
    return bool(rest > NOISES * max(rounding, noise))


class Rest(NamedTuple):
    """What the trapezoidal rule leaves of the change of a loss between two points."""

    size: float  #: the rest, with its sign
    is_large: bool  #: whether it is more than a right gradient leaves, where there is no kink


def trapezoid_rest(
    change: float, theta: Tree, moved: Tree, here: Arrays, there: Arrays, noise: float
) -> Rest:
    r"""What the gradients at two points leave unexplained of the change of the loss between them.

    With :math:`d` from theta to `moved`, the trapezoidal rule leaves a rest of third order,

    .. math::

        L(\theta + d) - L(\theta) - \tfrac12 \langle g(\theta) + g(\theta + d), d \rangle,

    and one of second order, which half the distance makes a quarter, where :math:`g` does not follow
    theta. A kink between the points leaves a rest of its own, which half the distance leaves or removes.

    Parameters
    ----------
    change
        The loss at `moved` minus the loss at theta.
    theta, moved
        The point, and another one near it.
    here, there
        The leaves of the gradient at the one and at the other.
    noise
        The absolute error of the values of the loss.
    """
    mean = bend = terms = 0.0
    for (_, old), (_, new), a, b in zip(flatten(theta), flatten(moved), here, there, strict=True):
        step = new.astype(np.float64) - old
        mean += float((step * (np.float64(a) + b) / 2).sum())
        bend += float((step * (np.float64(b) - a) / 2).sum())
        terms += float(np.abs(step * a).sum())
    rest = change - mean
    return Rest(rest, abs(rest) > PART * abs(bend) + NOISES * (noise + _rounding(theta) * terms))


def _rounding(theta: Tree) -> float:
    """The spacing of the coarsest numbers in theta, relative to them."""
    return max(float(np.finfo(leaf.dtype).eps) for _, leaf in flatten(theta))


def unmoved(gradient: Arrays, there: Arrays, places: Sequence[str]) -> str:
    """Which leaves of two gradients are the same, and not all zero: the end of a sentence, or ""."""
    same = [
        place
        for place, a, b in zip(places, gradient, there, strict=True)
        if a.any() and np.array_equal(a, b)
    ]
    if not same or len(places) == 1:
        return UNMOVED if same else ""
    return f"{UNMOVED} in {', '.join(same[:3])}"


def _between(theta: Tree, moved: Tree) -> Tree:
    """The point half way."""
    others = iter(flatten(moved))
    return map_tree(lambda leaf: np.asarray((leaf + next(others)[1]) / 2, leaf.dtype), theta)
