"""Hints about terms: a regularizer, or an epsilon, that only one of loss and gradient has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from optimlib.gradcheck.diagnosis.evidence import (
    ENOUGH,
    Finding,
    Leaf,
    common_ratio,
    fitted_constant,
    pool,
    simplest,
    with_a_constant,
)
from optimlib.gradcheck.diagnosis.wording import failing

VARIED = 0.05  # the relative differences, each known to 0.01, vary by more: else they are a factor
NEARLY = 1e-4  # of a leaf's largest slope: a difference below is too small for a wrong formula


def regularizer(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """The difference is one number times theta, or times its signs.

    Where the gradient itself is a multiple of theta, a constant factor explains as much, and nothing
    is said here.
    """
    for name, derivative in (("theta", np.asarray), ("sign(theta)", np.sign)):
        find = partial(_penalty, derivative=derivative)
        for group, size in with_a_constant(find, unexplained):
            if size > 0:
                which = (
                    f"that the gradient lacks in whole or in part, or {size / 2:.4g} {name} with the"
                    " wrong sign"
                )
            else:
                which = "that the gradient has once too often, or the loss lacks"
            yield (
                group,
                f"numeric - analytic is {size:.4g} {name} ({failing(group)});"
                f" usually a regularizer {which}",
            )
            unexplained = [leaf for leaf in unexplained if leaf not in group]


def _penalty(group: list[Leaf], derivative: Callable[[np.ndarray], np.ndarray]) -> float | None:
    """By how many times `derivative(theta)` the gradient of all these leaves is too small."""
    if common_ratio(group) is not None:
        return None
    analytic = pool([leaf.analytic for leaf in group])
    penalty = pool([leaf.at_probes(derivative(leaf.theta)) for leaf in group])
    fitted = fitted_constant(group, analytic, penalty)
    return None if fitted is None else simplest(*fitted)


def nearly_right(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """Differences that are far too small for most mistakes, in all leaves, and without a pattern."""
    parts = [_part(leaf) for leaf in leaves if leaf.failed.any()]
    if unexplained and max(parts) <= NEARLY:
        yield (
            unexplained,
            f"analytic and numeric differ by at most {max(parts):.0e} of the largest slope"
            f" ({failing(unexplained)}): an epsilon that only one of loss and gradient has, as in"
            " log(y + 1e-7), an approximation, such as a solver that stops early, or a factor that is"
            " nearly 1 at this theta?",
        )


def _part(leaf: Leaf) -> float:
    """The largest difference as a part of the largest slope; infinite if it is much like a factor."""
    difference = leaf.analytic - leaf.numeric
    ratio = (difference / leaf.numeric)[leaf.telling]
    varied = len(ratio) >= ENOUGH and np.ptp(ratio) > VARIED * np.abs(ratio).max()
    return float(np.abs(difference).max() / np.abs(leaf.numeric).max()) if varied else np.inf
