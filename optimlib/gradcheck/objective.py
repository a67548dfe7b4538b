"""The objective: a loss and its claimed gradient at one point, and what calling them tells."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, log2, nan
from typing import Any

import numpy as np

from optimlib.differences import central, unit_roundoff
from optimlib.gradcheck.arguments import fitted_gradient
from optimlib.gradcheck.bounds import Bounds
from optimlib.gradcheck.diagnosis import memory
from optimlib.gradcheck.lines import Coordinate, Line, Loss, evaluate, evaluate_anywhere
from optimlib.gradcheck.nearby import near, point_beside
from optimlib.gradcheck.noise import noise_along
from optimlib.trees import Tree, copy_tree, flatten, map_tree

Gradient = Callable[[Tree], Tree]
Leaves = list[tuple[str, np.ndarray]]
"""The leaves of a tree with their paths."""

FAR = 6.0  # noise is looked for at up to so many times the parameters' own size
FAR_OUT = 2**10  # a number of this size may be a date or a count: the loss may vary over lengths of 1
LAST_DIGITS = 2**10  # two calls may differ by so many roundings: sums in an order that changes
CLOSE = 1e-2  # in float32 and in float64 a loss agrees to this part, if it computes the same


class Objective:
    """A loss and its claimed gradient at one point: values, noise, and whether they are functions.

    A loss of float32 parameters is evaluated in float64 if it can be: if it accepts such parameters,
    and returns a number that no float32 can hold.

    Parameters
    ----------
    loss, grad, theta
        As for `optimlib.gradcheck.check.check_gradient`, which has checked `theta`.
    bounds
        How far theta may be moved.
    rng
        Chooses the places where noise is looked for.
    accuracy
        The absolute error of the values of the loss, where the user knows it.

    Attributes
    ----------
    point : Tree
        Theta as it is moved: in float64 if the loss is evaluated so.
    leaves, gradient : list of (str, numpy.ndarray)
        The leaves of that point and of the claimed gradient, with their paths.
    value : float
        The loss at theta.
    roundoff, claim_roundoff : float
        The unit roundoff of the numbers that the loss computes with, and of those of the gradient.
    noise : float
        The absolute error of the values, where it is seen to be larger than their rounding; else 0.
    claim_noise : list of float
        By how much the numbers of each leaf of the gradient differ between two calls.
    evaluations : int
        How often the loss was called, by whomever.
    problem : str
        Why nothing can be compared, or "".
    notes : list of str
        What a reader of the report should know about the loss.

    Raises
    ------
    TypeError, ValueError
        As `optimlib.gradcheck.check.check_gradient`.

    Examples
    --------
    >>> bounds = Bounds(np.ones(2), (-np.inf, np.inf))
    >>> rng = np.random.default_rng(0)
    >>> objective = Objective(np.sum, np.ones_like, np.ones(2), bounds, rng)
    >>> objective.value, objective.problem
    (2.0, '')
    >>> Objective(lambda x: rng.random(), np.ones_like, np.ones(2), bounds, rng).problem[:14]
    'loss(theta) is'
    """

    def __init__(
        self,
        loss: Loss,
        grad: Gradient,
        theta: Tree,
        bounds: Bounds,
        rng: np.random.Generator,
        accuracy: float = 0.0,
    ) -> None:
        self.loss, self.grad, self.bounds, self.rng = loss, grad, bounds, rng
        self.accuracy = accuracy
        self.theta = self.point = copy_tree(theta)
        self.leaves: Leaves = flatten(self.theta)
        self.evaluations = 0
        self.notes: list[str] = []
        self.value, self.roundoff = self.first_value()
        self.claim_roundoff = self.roundoff
        self.use_double()
        self.gradient = self.claimed(self.theta)
        self.claim_noise = [0.0] * len(self.gradient)
        self.noise = accuracy
        self.problem = self.randomness()

    def first_value(self) -> tuple[float, float]:
        """The loss at theta, and the unit roundoff of what it computes with."""
        argument = copy_tree(self.theta)
        arrays = [leaf for _, leaf in flatten(argument)]
        self.evaluations += 1
        value = evaluate(self.loss, argument)
        _check_unchanged(argument, arrays, self.leaves, "loss")
        if not isfinite(value):
            raise ValueError(f"loss(theta) is {float(value)}; expected a finite number")
        coarsest = max(unit_roundoff(leaf) for _, leaf in self.leaves)
        return float(value), max(coarsest, unit_roundoff(value))

    def use_double(self) -> None:
        """Evaluate a loss of float32 parameters in float64 from now on, if it can be."""
        if all(leaf.dtype == np.float64 for _, leaf in self.leaves):
            return
        doubled = map_tree(lambda leaf: leaf.astype(np.float64), self.theta)
        self.evaluations += 1
        try:
            value = evaluate(self.loss, copy_tree(doubled))
        except Exception:  # whatever a loss says to parameters of another dtype
            return
        in_double, value = not isinstance(value, np.float32), float(value)
        if not in_double or float(np.float32(value)) == value:
            return
        if not abs(value - self.value) <= CLOSE * abs(self.value):
            return
        self.point, self.leaves = doubled, flatten(doubled)
        self.value, self.roundoff = value, unit_roundoff(1.0)
        self.notes.append("the loss was evaluated in float64, and the gradient as it is, in float32")

    def claimed(self, theta: Tree) -> Leaves:
        """The leaves of the claimed gradient, once they fit those of theta."""
        argument = copy_tree(theta)
        arrays = [leaf for _, leaf in flatten(argument)]
        gradient = self.grad(argument)
        matched = [np.copy(g) for g in fitted_gradient(gradient, theta)]
        _check_unchanged(argument, arrays, flatten(theta), "grad")
        return [(path, g) for (path, _), g in zip(self.leaves, matched, strict=True)]

    def counted(self, f: Callable[[Any], float]) -> Callable[[Any], float]:
        """A function that calls the loss once, with its calls counted."""

        def counting(x: Any) -> float:
            self.evaluations += 1
            return f(x)

        return counting

    def randomness(self) -> str:
        """How a second call with the same parameters differed from the first, or "".

        A difference in the last digits is noise. On the way, measure the errors of the loss beyond its
        last rounding: float32 inside, long sums.
        """
        h = 2.0 ** round(0.75 * log2(self.roundoff))  # many roundings, and still next to nothing
        line, far_line = (self.counted(self.line_for_noise(least)) for least in (0.0, 1.0))
        known = {0.0: line(0.0), h: line(h)}
        again = line(h)  # two masks may agree by chance at theta
        wavering = 0.0
        for place, first, second in (
            ("loss(theta)", self.value, known[0.0]),
            ("the loss beside theta", known[h], again),
        ):
            if not isfinite(first) or not isfinite(second):
                continue
            if abs(first - second) > LAST_DIGITS * self.roundoff * abs(first):
                return f"{place} is {first:.9g} and then {second:.9g}: {self.why_loss_varies()}"
            wavering = max(wavering, abs(first - second))
        problem = self.gradient_randomness()
        if problem:
            return problem
        if wavering:
            self.notes.append(f"two calls of the loss differ by {wavering:.0e}, which counts as noise")

        def along(distance: float) -> float:
            return known[distance] if distance in known else line(distance)

        level = noise_along(along, far_line, h, self.value)
        self.noise = max(self.accuracy, 4 * wavering, 4 * level)
        return ""

    def gradient_randomness(self) -> str:
        """How a second call of the gradient differed from the first by more than its last digits."""
        second = self.claimed(self.theta)
        for leaf, ((path, g), (_, h)) in enumerate(zip(self.gradient, second, strict=True)):
            wavering = float(np.abs(g - h).max(initial=0))
            if wavering > LAST_DIGITS * self.claim_roundoff * float(np.abs(g).max(initial=0)):
                return f"grad(theta){path} differs between two calls: {self.why_gradient_varies()}"
            self.claim_noise[leaf] = 4 * wavering
        return ""

    def why_loss_varies(self) -> str:
        """What to do about a loss that is no function."""
        self.evaluations += memory.CALLS
        values = [evaluate_anywhere(self.loss, copy_tree(self.theta)) for _ in range(memory.CALLS)]
        return f"it is not a function of theta. {memory.varying_loss(values)}"

    def why_gradient_varies(self) -> str:
        """What to do about a gradient that is no function, though the loss is one."""

        def claimed(theta: Tree) -> list[np.ndarray]:
            return [g for _, g in self.claimed(theta)]

        moved = point_beside(self.theta, self.bounds, near(self.claim_roundoff))
        try:
            what = memory.varying_gradient(self.loss, claimed, self.theta, moved)
        except Exception:  # outside of the functions' domain: no advice is worth an error
            what = memory.RANDOM
        return f"it is not a function of theta. {what}"

    def line_for_noise(self, least: float) -> Line:
        """A line along which every number changes in proportion to itself, by a random factor.

        In the steps that noise is looked for with, nothing is rounded: what wavers is the loss itself.
        Numbers below `least` are changed as if they were that large.
        """
        direction: list[np.ndarray | None] = []
        for (_, leaf), free in zip(self.leaves, self.bounds.free, strict=True):
            size = np.maximum(np.abs(leaf), least)
            size = np.where(size > FAR_OUT, np.maximum(FAR_OUT, size / 64), size)
            power = np.exp2(np.floor(np.log2(np.where(size == 0, 1, size))))
            factor = self.rng.choice([-1, 1], leaf.shape) * self.rng.integers(16, 65, leaf.shape) / 32
            direction.append(free * factor * power)
        inwards, farthest, _ = self.bounds.inwards(direction, FAR)
        return Line(self.loss, self.point, [d if d is None else farthest / FAR * d for d in inwards])

    def beside(self) -> Objective:
        """An objective at a random point close to theta, where its kinks are not."""
        size = self.roundoff**0.25  # far enough for steps that stay on one side of a kink
        direction: list[np.ndarray | None] = [
            free * self.rng.standard_normal(leaf.shape)
            for (_, leaf), free in zip(self.leaves, self.bounds.free, strict=True)
        ]
        inwards, distance, _ = self.bounds.inwards(direction, size)
        shifts = iter(inwards)
        moved = map_tree(
            lambda leaf: np.asarray(leaf + distance * np.asarray(next(shifts)), leaf.dtype), self.theta
        )
        bounds = self.bounds.at(moved)
        return Objective(self.loss, self.grad, moved, bounds, self.rng, self.accuracy)

    def central(self, path: str, index: tuple[int, ...], h: float) -> float:
        """The central difference of the loss at one place, or NaN: for the report's curve."""
        leaf = [known for known, _ in self.leaves].index(path)
        x = self.leaves[leaf][1][index]
        try:
            return float(central(Coordinate(self.loss, self.point, leaf, index), x, h))
        except ValueError:  # the step is lost in the rounding of x
            return nan


def _check_unchanged(
    argument: Tree, arrays: list[np.ndarray], before: list[tuple[str, np.ndarray]], name: str
) -> None:
    """Refuse a function that changed its argument, whose leaves were `arrays`, copies of `before`."""
    now = flatten(argument)
    if [path for path, _ in now] != [path for path, _ in before]:
        raise ValueError(
            f"{name}(theta) changed the structure of theta; expected a function that only reads it"
        )
    for (path, leaf), array, (_, original) in zip(now, arrays, before, strict=True):
        if leaf is not array or not np.array_equal(leaf, original):
            raise ValueError(
                f"{name}(theta) changed theta{path}; expected a function that only reads it"
            )
