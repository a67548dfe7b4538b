"""What a gradient check learns from a point beside theta: whether the gradient follows its argument.

A gradient that reads other arrays than its argument, a notebook's globals or stored activations, is
right wherever these happen to hold the same numbers. At one more point it shows itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from optimlib.gradcheck.bounds import Room
from optimlib.gradcheck.diagnosis import memory
from optimlib.gradcheck.report import GradientReport
from optimlib.trees import Tree, copy_tree, flatten, map_tree

if TYPE_CHECKING:
    from optimlib.gradcheck.objective import Subject

FAR = 2**-10  # from theta, in units of each number, or of 1 if it is smaller


def with_memory(
    report: GradientReport, subject: Subject, compare: Callable[..., GradientReport]
) -> GradientReport:
    """A report with what the two functions show beside theta.

    A failing gradient whose numbers fit no other pattern gets a hint if it stays the same, although the
    slopes of the loss change. A passing one gets a note if it disagrees with the loss there, which is
    tested by `compare` if two values of the loss make it likely.
    """
    if report.problem or report.hints or report.verdict not in ("pass", "fail"):
        return report
    evaluations = 0

    def loss(theta: Tree) -> float:
        nonlocal evaluations
        evaluations += 1
        return subject.loss(copy_tree(theta))

    here = [g for _, g in report.gradient]
    theta, moved = subject.theta, point_beside(subject.theta, subject.room)
    hints, notes = report.hints, report.notes
    try:
        with np.errstate(all="ignore"):
            there = [g for _, g in subject.claimed(moved)]
            noise = max(subject.noise, subject.roundoff * abs(subject.value))
            points = (theta, moved, here, there, noise)
            if report.verdict == "fail" and memory.stays_the_same(loss, *points):
                hints += (memory.STAYS_THE_SAME,)
            if report.verdict == "pass" and memory.is_suspicious(loss, *points):
                bounds = subject.room.bounds
                beside = compare(loss, subject.grad, moved, coordinates=0, directions=1, bounds=bounds)
                if beside.verdict == "fail":
                    places = [f"theta{path}" for path, _ in report.gradient]
                    unmoved = memory.unmoved(here, there, places)
                    notes += (memory.WRONG_BESIDE.format(unmoved),)
    except (ArithmeticError, ValueError):  # outside of the functions' domain
        pass
    return replace(report, hints=hints, notes=notes, evaluations=report.evaluations + evaluations)


def point_beside(theta: Tree, room: Room) -> Tree:
    """A random point near theta and within its bounds, the same one every time.

    The numbers do not all move alike: a softmax would not see that.
    """
    rng = np.random.default_rng(0)
    direction = [
        np.maximum(1, np.abs(leaf)) * rng.standard_normal(leaf.shape) for _, leaf in flatten(theta)
    ]
    inwards, distance, _ = room.inwards(direction, FAR)
    steps = iter(inwards)
    return map_tree(lambda leaf: np.asarray(leaf + distance * next(steps), leaf.dtype), theta)
