"""Hints about terms: a regulariser, or an epsilon, that only one of loss and gradient has."""

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

NEARLY = 1e-4  # of a leaf's largest slope: a difference below is too small for a wrong formula


def regulariser(unexplained: list[Leaf], leaves: list[Leaf]) -> Iterator[Finding]:
    """The difference is one number times theta, or times its signs.

    Where the gradient itself is a multiple of theta, a constant factor explains as much, and nothing
    is said here.
    """
    for name, derivative in (("theta", np.asarray), ("sign(theta)", np.sign)):
        find = partial(_penalty, derivative=derivative)
        for group, size in with_a_constant(find, unexplained):
            if size > 0:
                which = f"that the gradient lacks, or {size / 2:.4g} {name} with the wrong sign"
            else:
                which = "that the gradient has once too often"
            yield (
                group,
                f"numeric - analytic is {size:.4g} {name} ({failing(group)});"
                f" usually a regulariser {which}",
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
    """Differences far too small for a wrong formula, and without any other pattern."""
    group, worst = [], 0.0
    for leaf in unexplained:
        part = float(np.abs(leaf.analytic - leaf.numeric).max() / np.abs(leaf.numeric).max())
        if part <= NEARLY and leaf.telling.sum() >= ENOUGH:
            group.append(leaf)
            worst = max(worst, part)
    if group:
        yield (
            group,
            f"analytic and numeric differ by at most {worst:.0e} of the largest slope"
            f" ({failing(group)}); usually an epsilon that only one of loss and gradient has, as in"
            " log(y + 1e-7), or an approximation in one of them, such as a solver that stops early",
        )
