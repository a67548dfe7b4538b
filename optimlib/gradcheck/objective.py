"""The two functions of a gradient check, and what can be learnt by calling them (chapter 3)."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, log2, nan

import numpy as np

from optimlib.differences import SMALL, central, noise_level, unit_roundoff
from optimlib.gradcheck.arguments import fitted_gradient
from optimlib.gradcheck.bounds import Room
from optimlib.gradcheck.diagnosis import memory
from optimlib.gradcheck.lines import Coordinate, Line, Loss, evaluate, evaluate_anywhere
from optimlib.gradcheck.nearby import near, point_beside
from optimlib.trees import Tree, copy_tree, flatten, map_tree

Gradient = Callable[[Tree], Tree]
Leaves = list[tuple[str, np.ndarray]]
"""The leaves of a tree with their paths."""

FAR = 6.0  # noise is looked for at up to so many times the parameters' own size


class Subject:
    """A loss and its claimed gradient at one point: values, noise, and whether they are functions.

    Parameters
    ----------
    loss, grad, theta
        As for `optimlib.gradcheck.check.check_gradient`, which has checked `theta`.
    room
        How far theta may be moved.
    rng
        Chooses the places where noise is looked for.

    Attributes
    ----------
    leaves, gradient : list of (str, numpy.ndarray)
        Copies of the leaves of theta and of the claimed gradient, with their paths.
    value : float
        The loss at theta.
    roundoff : float
        The unit roundoff of the numbers that the loss computes with.
    noise : float
        The absolute error of its values, where it is seen to be larger than that; else 0.
    evaluations : int
        How often the loss was called.
    problem : str
        Why nothing can be compared, or "".

    Raises
    ------
    TypeError, ValueError
        As `optimlib.gradcheck.check.check_gradient`.

    Examples
    --------
    >>> room = Room(np.ones(2), (-np.inf, np.inf))
    >>> rng = np.random.default_rng(0)
    >>> subject = Subject(np.sum, np.ones_like, np.ones(2), room, rng)
    >>> subject.value, subject.problem
    (2.0, '')
    >>> Subject(lambda x: rng.random(), np.ones_like, np.ones(2), room, rng).problem[:14]
    'loss(theta) is'
    """

    def __init__(
        self, loss: Loss, grad: Gradient, theta: Tree, room: Room, rng: np.random.Generator
    ) -> None:
        self.loss, self.grad, self.room, self.rng = loss, grad, room, rng
        self.theta = copy_tree(theta)
        self.leaves: Leaves = flatten(self.theta)
        self.value, self.roundoff = self.first_value()
        self.evaluations = 1
        self.gradient = self.claimed(self.theta)
        self.noise = 0.0
        self.problem = self.randomness()

    def first_value(self) -> tuple[float, float]:
        """The loss at theta, and the unit roundoff of what it computes with."""
        argument = copy_tree(self.theta)
        arrays = [leaf for _, leaf in flatten(argument)]
        value = evaluate(self.loss, argument)
        _check_unchanged(argument, arrays, self.leaves, "loss")
        if not isfinite(value):
            raise ValueError(f"loss(theta) is {float(value)}; expected a finite number")
        coarsest = max(unit_roundoff(leaf) for _, leaf in self.leaves)
        return float(value), max(coarsest, unit_roundoff(value))

    def claimed(self, theta: Tree) -> Leaves:
        """The leaves of the claimed gradient, once they fit those of theta."""
        argument = copy_tree(theta)
        arrays = [leaf for _, leaf in flatten(argument)]
        gradient = self.grad(argument)
        matched = [np.copy(g) for g in fitted_gradient(gradient, theta)]
        _check_unchanged(argument, arrays, flatten(theta), "grad")
        return [(path, g) for (path, _), g in zip(self.leaves, matched, strict=True)]

    def randomness(self) -> str:
        """How a second call with the same parameters differed from the first, or "".

        On the way, measure the errors of the loss beyond its last rounding: float32 inside, long sums.
        """
        h = 2.0 ** round(0.75 * log2(self.roundoff))  # many roundings, and still next to nothing
        line = self.line_for_noise()
        known = {0.0: line(0.0), h: line(h)}
        again = line(h)  # two masks may agree by chance at theta
        self.evaluations += line.evaluations
        if known[0.0] != self.value:
            return f"loss(theta) is {self.value:.9g} and then {known[0.0]:.9g}: {self.why_loss_varies()}"
        if known[h] != again and isfinite(again):
            return (
                f"the loss beside theta is {known[h]:.9g} and then {again:.9g}: {self.why_loss_varies()}"
            )
        for (path, first), (_, second) in zip(self.gradient, self.claimed(self.theta), strict=True):
            if not np.array_equal(first, second):
                return f"grad(theta){path} differs between two calls: {self.why_gradient_varies()}"
        self.noise = 4 * self.noise_along(line, h, known)
        return ""

    # DIAGNOSIS: what to do about a loss or a gradient that is not a function

    def why_loss_varies(self) -> str:
        """What to do about a loss that is no function."""
        self.evaluations += memory.CALLS
        values = [evaluate_anywhere(self.loss, copy_tree(self.theta)) for _ in range(memory.CALLS)]
        return f"it is not a function of theta. {memory.varying_loss(values)}"

    def why_gradient_varies(self) -> str:
        """What to do about a gradient that is no function, though the loss is one."""

        def claimed(theta: Tree) -> list[np.ndarray]:
            return [g for _, g in self.claimed(theta)]

        moved = point_beside(self.theta, self.room, near(self.roundoff))
        try:
            what = memory.varying_gradient(self.loss, claimed, self.theta, moved)
        except Exception:  # outside of the functions' domain: no advice is worth an error
            what = memory.RANDOM
        return f"it is not a function of theta. {what}"

    def noise_along(self, line: Line, h: float, known: dict[float, float]) -> float:
        """The standard deviation of the errors of the loss, as far as it can be seen."""

        def f(distance: float) -> float:
            if distance not in known:
                known[distance] = line(distance)
                self.evaluations += 1
            return known[distance]

        level = noise_level(f, h)
        if set(known.values()) == {self.value}:  # nothing to be seen here: look further away
            wide = self.line_for_noise(least=1.0)
            level = noise_level(wide, SMALL / 2**8)
            self.evaluations += wide.evaluations
            if level == 0 and float(np.float32(self.value)) == self.value:  # it may come from float32
                level = unit_roundoff(np.float32(0)) * abs(self.value) / 2
        return level if isfinite(level) else 0.0

    def line_for_noise(self, least: float = 0.0) -> Line:
        """A line along which every number changes in proportion to itself, by a random factor.

        In the steps that noise is looked for with, nothing is rounded: what wavers is the loss itself.
        Numbers below `least` are changed as if they were that large.
        """
        direction = []
        for _, leaf in self.leaves:
            size = np.maximum(np.abs(leaf), least)
            power = np.exp2(np.floor(np.log2(np.where(size == 0, 1, size))))
            factor = self.rng.choice([-1, 1], leaf.shape) * self.rng.integers(16, 65, leaf.shape) / 32
            direction.append(factor * power)
        inwards, farthest, _ = self.room.inwards(direction, FAR)
        return Line(self.loss, self.theta, [farthest / FAR * d for d in inwards])

    def beside(self) -> Subject:
        """The same functions at a random point close to theta, where its kinks are not."""
        size = self.roundoff**0.25  # far enough for steps that stay on one side of a kink
        direction = [self.rng.standard_normal(leaf.shape) for _, leaf in self.leaves]
        inwards, distance, _ = self.room.inwards(direction, size)
        shifts = iter(inwards)
        moved = map_tree(lambda leaf: np.asarray(leaf + distance * next(shifts), leaf.dtype), self.theta)
        return Subject(self.loss, self.grad, moved, Room(moved, self.room.bounds), self.rng)

    def central(self, path: str, index: tuple[int, ...], h: float) -> float:
        """The central difference of the loss at one place, or NaN: for the report's curve."""
        leaf = [known for known, _ in self.leaves].index(path)
        x = self.leaves[leaf][1][index]
        try:
            return float(central(Coordinate(self.loss, self.theta, leaf, index), x, h))
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
