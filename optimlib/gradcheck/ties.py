"""Ties: numbers with kinks, moved together.

A *tie* is a point where several numbers are each at a kink since they are equal, as the numbers are that
max is taken of. Slopes that are right one by one may be wrong together there: of n equal numbers, max
allows every gradient from 0 on whose sum is 1. So a sample of the numbers does not show what all of
them have to add up to. But equal numbers that all move alike stay equal: along such a *shift* there is
no kink at a tie, and the slope there is known as exactly as any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from optimlib.gradcheck.lines import evaluate_anywhere
from optimlib.gradcheck.objective import FAR_OUT, Objective
from optimlib.gradcheck.probes import Prober
from optimlib.gradcheck.report import Probe
from optimlib.gradcheck.sampling import Place
from optimlib.gradcheck.slope import SAFETY
from optimlib.gradcheck.subgradients import steeper_than_all
from optimlib.trees import copy_tree, flatten

TIED = 32  # up to so many numbers with a kink are looked at together
POINTS = 6  # close to theta, at which a gradient has to be the same before it is called constant
ROUNDED = 2.0**-43  # numbers that move alike are rounded alike: where by more, their slope is not exact
ABOVE_ERRORS = 2**14  # so many errors of its values a kinked loss changes by, where it is looked at
SHIFTED = 3  # up to so many leaves are shifted


def probe_ties(prober: Prober) -> None:
    """Move numbers with a kink together, and where not all of them are known, whole leaves.

    Probes are added: of numbers only if their slopes are wrong together, of leaves in any case.
    """
    kinks = [p for p in prober.probes if p.index is not None and p.jump]
    if len(kinks) >= 2:
        probe_together(prober, kinks[:TIED])
    if not prober.has("fail"):
        probe_shifts(prober, leaves_to_shift(prober, kinks))


def probe_together(prober: Prober, kinks: list[Probe]) -> None:
    """Move numbers at their kinks together, and add a probe if slopes right one by one are wrong so.

    It is for a direction that shows it.
    """
    objective, scales = prober.objective, prober.scales
    places = [(scales.paths.index(p.path), p.index) for p in kinks if p.index is not None]
    x = np.array([scales.leaves[leaf][index] for leaf, index in places])
    claim = np.array([float(scales.gradient[leaf][index]) for leaf, index in places])
    value_error = scales.value_error() + float(np.abs(claim) @ np.spacing(np.abs(x)))
    # Numbers far from zero move by as much as those of order 1, but not less than errors leave room for.
    widest = objective.roundoff**0.25 * np.maximum(1, np.abs(x))
    least = np.where(np.abs(x) > FAR_OUT, objective.roundoff**0.25, widest)
    steepest = max(max(abs(p.jump), abs(p.analytic), abs(p.numeric)) for p in kinks)
    room = ABOVE_ERRORS * value_error / steepest
    slopes = steeper_than_all(
        objective.counted(at_places(prober, places)),
        x,
        claim,
        np.clip(room, least, widest),
        prober.rng,
        value_error=value_error,
        middle=np.array([p.numeric for p in kinks]),
    )
    if slopes is None:
        return
    shown = ", ".join(prober.place(leaf, index) for leaf, index in places[:4])
    prober.probes.append(
        Probe(
            place=shown + (f" and {len(places) - 4} more" if len(places) > 4 else ""),
            path="",
            index=None,
            analytic=slopes.claim,
            numeric=slopes.nearest,
            error=slopes.error,
            tolerance=SAFETY * slopes.error,
            jump=0.0,
            verdict="fail",
            is_random=False,
        )
    )


def at_places(prober: Prober, places: list[Place]) -> Callable[[np.ndarray], float]:
    """The loss as a function of the numbers at some places."""

    def f(numbers: np.ndarray) -> float:
        moved = copy_tree(prober.objective.point)
        leaves = [leaf for _, leaf in flatten(moved)]
        for (leaf, index), number in zip(places, numbers, strict=True):
            leaves[leaf][index] = number
        return evaluate_anywhere(prober.objective.loss, moved)

    return f


def leaves_to_shift(prober: Prober, kinks: list[Probe]) -> list[int]:
    """The leaves with two kinks or more among their probed numbers, and others that are not probed.

    Of a leaf without a number that is probed by itself, the directions tell whether there are kinks.
    """
    paths, free = prober.scales.paths, prober.scales.free
    probed = Counter(p.path for p in prober.probes if p.index is not None)
    kinked = Counter(p.path for p in kinks)
    doubtful = {path for p in prober.probes if prober.is_doubtful(p) for path in p.leaves}
    return [
        leaf
        for leaf, path in enumerate(paths)
        if probed[path] < np.count_nonzero(free[leaf])
        and (kinked[path] >= 2 or (path in doubtful and not probed[path]))
    ][:SHIFTED]


def probe_shifts(prober: Prober, leaves: list[int]) -> None:
    """Shift each of these leaves, and then all together, until one of these probes fails."""
    for group in [[leaf] for leaf in leaves] + ([leaves] if len(leaves) > 1 else []):
        x = np.concatenate([prober.scales.leaves[leaf][prober.scales.free[leaf]] for leaf in group])
        if prober.objective.roundoff * np.abs(x).max() > ROUNDED:
            continue
        for signed in [False] + [True] * bool((x < 0).any() and (x > 0).any()):
            if prober.add_shift(group, signed=signed).verdict == "fail":
                return


def constant_at_kinks(prober: Prober, close_by: Objective) -> set[int]:
    """The leaves with kinks whose gradient is the same at theta, close by, and all around.

    All leaves count, if all are like that; else those with a kink or a shift that was probed. None
    counts if all are zero: a gradient that is zero everywhere is rather a mistake than a choice.
    """
    here = [g for _, g in prober.objective.gradient]
    judged = {p.path for p in prober.probes if p.index is not None and p.jump}
    judged |= {path for p in prober.probes if not p.is_random for path in p.leaves}
    constant, gradient = set(range(len(here))), close_by.gradient
    for _ in range(POINTS):
        constant = {n for n in constant if np.array_equal(here[n], gradient[n][1])}
        if not any(here[n].any() for n in constant):
            return set()
        gradient = prober.objective.claimed(prober.objective.point_close_by())
    if len(constant) == len(here):
        return constant
    return {n for n in constant if prober.scales.paths[n] in judged}
