"""What a gradient check learns at a point near theta: whether the gradient follows its argument.

A gradient that reads other arrays than its argument, a notebook's globals or stored activations, is
right wherever these happen to hold the same numbers. At one more point it shows itself.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optimlib.differences import unit_roundoff
from optimlib.gradcheck.diagnosis import repeated_calls
from optimlib.gradcheck.nearby import nearby_point, short_distance
from optimlib.gradcheck.objective import Objective
from optimlib.gradcheck.probes import Prober
from optimlib.gradcheck.report import GradientReport
from optimlib.trees import Tree, copy_tree, flatten

ASIDE = 2**-2  # from theta, in units of each number, or of 1 if it is smaller


def with_second_point(report: GradientReport, objective: Objective) -> GradientReport:
    """A report with what the two functions show near theta.

    A failing gradient whose numbers fit no other pattern gets a hint if it stays the same, although the
    slopes of the loss change. A passing one gets a note if it disagrees with the loss there: one value
    of the loss arouses suspicion, a second strengthens it, and a probe makes sure.
    """
    if report.problem or report.hints or report.verdict not in ("pass", "fail"):
        return report
    check = SecondPoint(objective)
    hints, notes = report.hints, report.notes
    try:
        with np.errstate(all="ignore"):
            if report.verdict == "fail" and check.stays_the_same():
                hints += (repeated_calls.STAYS_THE_SAME,)
            if report.verdict == "pass" and check.answers_late():
                notes += (repeated_calls.LATE,)
            elif report.verdict == "pass" and check.is_suspicious() and check.fails():
                notes += (repeated_calls.WRONG_NEARBY.format(check.unmoved()),)
    except Exception:  # outside of the functions' domain: no remark is worth an error
        pass
    return replace(report, hints=hints, notes=notes, evaluations=objective.evaluations)


class SecondPoint:
    """The loss and the gradient of a check at points near theta."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.theta = objective.theta
        self.here = [g for _, g in objective.gradient]
        roundoff = max(objective.roundoff, *(unit_roundoff(leaf) for _, leaf in flatten(self.theta)))
        self.noise = max(objective.noise, roundoff * abs(objective.value))
        self.distance = short_distance(roundoff)

    def loss(self, theta: Tree) -> float:
        """The loss, for a copy."""
        self.objective.evaluations += 1
        return self.objective.loss(copy_tree(theta))

    def gradient(self, theta: Tree) -> list[np.ndarray]:
        """The leaves of the gradient."""
        return [g for _, g in self.objective.claimed(theta)]

    def point(self, far: float) -> Tree:
        """A point at that distance from theta, always in the same direction."""
        return nearby_point(self.theta, self.objective.bounds, far)

    def stays_the_same(self) -> bool:
        """Whether the gradient does not move with theta, although the slopes of the loss do."""
        moved = self.point(ASIDE)
        there = self.gradient(moved)
        return repeated_calls.stays_the_same(self.loss, self.theta, moved, self.here, there, self.noise)

    def answers_late(self) -> bool:
        """Whether the gradient near theta is that at theta first, and another one when asked again."""
        moved = self.point(self.distance)
        if not all(map(np.array_equal, self.gradient(moved), self.here)):
            return False
        return not all(map(np.array_equal, self.gradient(moved), self.here))

    def is_suspicious(self) -> bool:
        """Whether the trapezoidal rule leaves a rest of second order."""
        rests: list[float] = []
        for far in (self.distance, self.distance / 2):
            moved = self.point(far)
            change = self.loss(moved) - self.objective.value
            there = self.gradient(moved)
            rest = repeated_calls.trapezoid_rest(change, self.theta, moved, self.here, there, self.noise)
            if not (rests or rest.is_large):
                return False
            rests.append(float(rest.size))
        low, high = repeated_calls.QUARTER
        return low < rests[1] / rests[0] < high

    def fails(self) -> bool:
        """Whether the gradient fails along a direction near theta, and not for a kink there."""
        moved = self.point(self.distance)
        o = self.objective
        rng = np.random.default_rng(0)
        nearby = Objective(o.loss, o.grad, moved, o.bounds.at(moved), rng, o.accuracy, o.calls)
        prober = Prober(nearby)
        if not nearby.problem:
            prober.probe_directions(1)
        return any(p.verdict == "fail" and not prober.is_doubtful(p) for p in prober.probes)

    def unmoved(self) -> str:
        """The leaves whose gradient does not move with theta, in a sentence."""
        places = [f"theta{path}" for path, _ in self.objective.gradient]
        return repeated_calls.unmoved(self.here, self.gradient(self.point(self.distance)), places)
