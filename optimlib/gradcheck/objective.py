"""The objective: a loss and its claimed gradient at one point, and what calling them tells."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, log2, nan
from typing import Any

import numpy as np

from optimlib.differences import central, unit_roundoff
from optimlib.gradcheck.arguments import fitted_gradient
from optimlib.gradcheck.bounds import Bounds
from optimlib.gradcheck.diagnosis import repeated_calls
from optimlib.gradcheck.lines import Coordinate, Line, Loss, evaluate, evaluate_anywhere
from optimlib.gradcheck.nearby import nearby_point, point_close_by, short_distance
from optimlib.gradcheck.noise import noise_along
from optimlib.trees import Tree, copy_tree, flatten, map_tree

Gradient = Callable[[Tree], Tree]
Leaves = list[tuple[str, np.ndarray]]
"""The leaves of a tree with their paths."""

NOISE_RANGE = 6.0  # noise is looked for at up to so many times the parameters' own size
FAR_OUT = 2**10  # a number of this size may be a date or a count: the loss may vary over lengths of 1
LAST_DIGITS = 2**10  # two calls may differ by so many roundings: sums in an order that changes
IN_DOUBLE = "the loss was evaluated in float64, and the gradient as it is, in float32"
CLOSE = 1e-2  # in float32 and in float64 a loss agrees to this part, if it computes the same


class NotAFunctionError(Exception):
    """Two calls with the same parameters differ by more than their last digits."""


class Calls:
    """How often the loss was called in one check, at whatever point: the only counter."""

    def __init__(self) -> None:
        self.number = 0


class Objective:
    """A loss and its claimed gradient at one point: values, noise, and whether they are functions.

    A loss of float32 parameters is evaluated in float64 if it can be: if it accepts such parameters,
    and returns a number that no float32 can hold.

    Two attributes change once an objective is made: `evaluations` grows with every call, and the prober
    raises `noise` where a probe finds the loss to be coarser than it looked.

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
    calls
        Counts the calls of the loss; given where another objective of the same check began to count.

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
        How often the loss was called in this check. The prober adds what the searches called, which may
        have run in other processes.
    problem : str
        Why nothing can be compared, or "".
    notes : tuple of str
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
        calls: Calls | None = None,
    ) -> None:
        self.loss, self.grad, self.bounds, self.rng = loss, grad, bounds, rng
        self.accuracy, self.calls = accuracy, calls or Calls()
        self.theta = copy_tree(theta)
        self.value, self.claim_roundoff = self.first_value()
        doubled = self.in_double()
        self.point, self.value, self.roundoff = doubled or (self.theta, self.value, self.claim_roundoff)
        self.leaves: Leaves = flatten(self.point)
        self.gradient = self.claimed(self.theta)
        self.noise, self.claim_noise, self.problem = accuracy, [0.0] * len(self.gradient), ""
        self.notes: tuple[str, ...] = (IN_DOUBLE,) if doubled else ()
        try:
            self.noise, self.claim_noise, wavering = self.errors()
        except NotAFunctionError as error:
            self.problem = str(error)
        else:
            if wavering:
                self.notes += (f"two calls of the loss differ by {wavering:.0e}, which counts as noise",)

    @property
    def evaluations(self) -> int:
        """How often the loss was called in this check."""
        return self.calls.number

    @evaluations.setter
    def evaluations(self, number: int) -> None:
        self.calls.number = number

    def first_value(self) -> tuple[float, float]:
        """The loss at theta, and the unit roundoff of what it computes with."""
        argument = copy_tree(self.theta)
        arrays, before = [leaf for _, leaf in flatten(argument)], flatten(self.theta)
        self.evaluations += 1
        value = evaluate(self.loss, argument)
        _check_unchanged(argument, arrays, before, "loss")
        if not isfinite(value):
            name = getattr(self.loss, "result", "loss(theta)")
            raise ValueError(f"{name} is {float(value)}; expected a finite number")
        coarsest = max(unit_roundoff(leaf) for _, leaf in before)
        return float(value), max(coarsest, unit_roundoff(value))

    def in_double(self) -> tuple[Tree, float, float] | None:
        """Theta in float64, the loss and its unit roundoff, if theta is float32 and that can be."""
        if all(leaf.dtype == np.float64 for _, leaf in flatten(self.theta)):
            return None
        doubled = map_tree(lambda leaf: leaf.astype(np.float64), self.theta)
        self.evaluations += 1
        try:
            value = evaluate(self.loss, copy_tree(doubled))
        except Exception:  # whatever a loss says to parameters of another dtype
            return None
        is_double, value = not isinstance(value, np.float32), float(value)
        if not is_double or float(np.float32(value)) == value:
            return None
        if not abs(value - self.value) <= CLOSE * abs(self.value):
            return None
        return doubled, value, unit_roundoff(1.0)

    def claimed(self, theta: Tree) -> Leaves:
        """The leaves of the claimed gradient, once they fit those of theta."""
        argument = copy_tree(theta)
        arrays = [leaf for _, leaf in flatten(argument)]
        gradient = self.grad(argument)
        matched = [np.copy(g) for g in fitted_gradient(gradient, theta)]
        _check_unchanged(argument, arrays, flatten(theta), "grad")
        return [(path, g) for (path, _), g in zip(flatten(theta), matched, strict=True)]

    def counted(self, f: Callable[[Any], float]) -> Callable[[Any], float]:
        """A function that calls the loss once, with its calls counted."""

        def counting(x: Any) -> float:
            self.evaluations += 1
            return f(x)

        return counting

    def errors(self) -> tuple[float, list[float], float]:
        """The absolute errors of the loss and of each leaf of the gradient, and the loss's wavering.

        A second call with the same parameters may differ in the last digits: that *wavering* is noise.
        Beside it, the errors of the loss beyond its last rounding are measured: float32 inside, long
        sums.

        Raises
        ------
        NotAFunctionError
            If a second call differs by more.
        """
        h = 2.0 ** round(0.75 * log2(self.roundoff))  # many roundings, and still next to nothing
        line, far_line = (self.counted(self.line_for_noise(least)) for least in (0.0, 1.0))
        known = {0.0: line(0.0), h: line(h)}
        again = line(h)  # two masks may agree by chance at theta
        wavering = max(
            self.loss_wavering("loss(theta)", self.value, known[0.0]),
            self.loss_wavering("the loss near theta", known[h], again),
        )
        claim_noise = self.gradient_wavering()

        def along(distance: float) -> float:
            return known[distance] if distance in known else line(distance)

        level = noise_along(along, far_line, h, self.value)
        return max(self.accuracy, 4 * wavering, 4 * level), claim_noise, wavering

    def loss_wavering(self, place: str, first: float, second: float) -> float:
        """How far two values of the loss for the same parameters are apart, in their last digits."""
        if not isfinite(first) or not isfinite(second):
            return 0.0
        if abs(first - second) > LAST_DIGITS * self.roundoff * abs(first):
            values = f"{first:.9g} and then {second:.9g}"
            raise NotAFunctionError(f"{place} is {values}: {self.why_loss_varies()}")
        return abs(first - second)

    def gradient_wavering(self) -> list[float]:
        """How far the numbers of each leaf of a second gradient are off, in their last digits."""
        errors = []
        for (path, g), (_, h) in zip(self.gradient, self.claimed(self.theta), strict=True):
            wavering = float(np.abs(g - h).max(initial=0))
            if wavering > LAST_DIGITS * self.claim_roundoff * float(np.abs(g).max(initial=0)):
                raise NotAFunctionError(
                    f"grad(theta){path} differs between two calls: {self.why_gradient_varies()}"
                )
            errors.append(4 * wavering)
        return errors

    def why_loss_varies(self) -> str:
        """What to do about a loss that is no function."""
        self.evaluations += repeated_calls.CALLS
        values = [
            evaluate_anywhere(self.loss, copy_tree(self.theta)) for _ in range(repeated_calls.CALLS)
        ]
        return f"it is not a function of theta. {repeated_calls.varying_loss(values)}"

    def why_gradient_varies(self) -> str:
        """What to do about a gradient that is no function, though the loss is one."""

        def claimed(theta: Tree) -> list[np.ndarray]:
            return [g for _, g in self.claimed(theta)]

        moved = nearby_point(self.theta, self.bounds, short_distance(self.claim_roundoff))
        try:
            what = repeated_calls.varying_gradient(self.counted(self.loss), claimed, self.theta, moved)
        except Exception:  # outside of the functions' domain: no advice is worth an error
            return "it is not a function of theta."
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
        inwards, farthest, _ = self.bounds.inwards(direction, NOISE_RANGE)
        return Line(
            self.loss, self.point, [d if d is None else farthest / NOISE_RANGE * d for d in inwards]
        )

    def point_close_by(self) -> Tree:
        """A random point close to theta, where its kinks are not."""
        far = self.roundoff**0.25  # enough for steps that stay on one side of a kink
        return point_close_by(self.theta, self.bounds, far, self.rng)

    def at(self, point: Tree) -> Objective:
        """The objective at another point, with the same counter of calls."""
        bounds = self.bounds.at(point)
        return Objective(self.loss, self.grad, point, bounds, self.rng, self.accuracy, self.calls)

    def moves_to(self, point: Tree) -> bool:
        """Whether the loss has another value at another point, by more than its errors."""
        self.evaluations += 1
        value = evaluate_anywhere(self.loss, copy_tree(point))
        return abs(value - self.value) > max(self.noise, self.roundoff * abs(self.value))

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
