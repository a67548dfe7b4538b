"""Checking a gradient against values of the loss: a verdict, not a number (chapter 3).

Every probe compares one number of the claimed gradient with a difference quotient of the loss, along
a coordinate or along a random direction. How far the two may be apart is not a constant: it is
estimated, for every probe, from the values that the quotient is made of.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite, nan, sqrt
from numbers import Integral, Real
from typing import Any

import numpy as np

from optimlib.differences import noise_level, unit_roundoff
from optimlib.gradient_report import GradientReport, Probe
from optimlib.trees import Tree, check_parameters, copy_tree, flatten, format_index, match
from optimlib.verdicts import Claim

Loss = Callable[[Tree], float]
Gradient = Callable[[Tree], Tree]

FEW = 100  # up to so many parameters are all probed one by one


def check_gradient(
    loss: Loss,
    grad: Gradient,
    theta: Tree,
    *,
    coordinates: int | None = None,
    directions: int | None = None,
    rng: np.random.Generator | None = None,
) -> GradientReport:
    """Compare a gradient with differences of the loss, and give a verdict.

    Parameters
    ----------
    loss
        Takes a tree like `theta` and returns a number.
    grad
        Takes a tree like `theta` and returns a tree of the same structure, shapes and dtypes.
    theta
        The point: float32 or float64 arrays in nested dicts, lists and tuples. It is never changed;
        `loss` and `grad` get copies.
    coordinates
        How many coordinates of every leaf to probe, chosen at random. Unless given: all of them if
        `theta` has at most 100, else 2.
    directions
        How many random directions over all parameters to probe. Unless given: none if all
        coordinates are probed, else 8.
    rng
        Chooses coordinates and directions; ``np.random.default_rng(0)`` unless given.

    Returns
    -------
    GradientReport
        Its `verdict` is "pass"; "fail"; "kink" where all disagreement is at kinks of the loss, and
        the gradient lies between the slopes on both sides; or "inconclusive" where the loss is too
        coarse to tell, or not a function of its argument.

    Raises
    ------
    TypeError
        If a parameter or a gradient has a dtype that cannot be checked, the loss is no number, or
        `rng` is no generator.
    ValueError
        If theta holds no number, the gradient's structure or shapes differ from theta's, a number
        is NaN or infinite, `loss` or `grad` changes its argument, or `coordinates` or `directions`
        is negative.

    Examples
    --------
    >>> theta = {"w": np.array([1.0, -2.0])}
    >>> def loss(theta): return (theta["w"] ** 3).sum()
    >>> def grad(theta): return {"w": 3 * theta["w"] ** 2}
    >>> check_gradient(loss, grad, theta).verdict
    'pass'
    >>> check_gradient(loss, lambda theta: {"w": theta["w"] ** 2}, theta).verdict
    'fail'
    """
    leaves = check_parameters(theta, "theta")
    for name, number in (("coordinates", coordinates), ("directions", directions)):
        whole = isinstance(number, Integral) and not isinstance(number, bool)
        if number is not None and not (whole and number >= 0):
            raise ValueError(f"{name} is {number!r}; expected a whole number from 0 on")
    size = sum(leaf.size for _, leaf in leaves)
    if size == 0:
        raise ValueError(f"theta is {theta!r}; expected at least one number in it")
    rng = np.random.default_rng(0) if rng is None else rng
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is {rng!r}; expected a numpy.random.Generator")
    few = size <= FEW
    if directions is None:
        directions = 0 if few and coordinates is None else 8
    if coordinates is None:
        coordinates = FEW if few else 2
    checker = _Checker(loss, grad, theta)
    if coordinates == directions == 0:
        checker.problem = "nothing was probed: coordinates and directions are both 0"
    if not checker.problem:
        checker.measure_noise(rng)
        checker.probe_coordinates(coordinates, rng)
        checker.probe_directions(directions, rng)
    return checker.report()


def assert_gradient(loss: Loss, grad: Gradient, theta: Tree, **options: Any) -> None:
    """Raise an `AssertionError` that shows the report unless `grad` agrees with `loss`: a test.

    Parameters and errors as for `check_gradient`. The verdict "kink" is accepted, since the gradient
    lies between the two slopes there; "inconclusive" is not.

    >>> assert_gradient(lambda x: (x**2).sum(), lambda x: 2 * x, np.array([1.0, 3.0]))
    """
    report = check_gradient(loss, grad, theta, **options)
    if report.verdict not in ("pass", "kink"):
        raise AssertionError(f"\n{report}")


class _Checker:
    """Probes one gradient at one point and collects what it finds."""

    def __init__(self, loss: Loss, grad: Gradient, theta: Tree) -> None:
        self.loss = loss
        self.theta = flatten(theta)
        self.moved = copy_tree(theta)  # what the loss gets to see; theta itself is never touched
        self.moved_leaves = [leaf for _, leaf in flatten(self.moved)]
        self.roundoff = max(unit_roundoff(leaf) for _, leaf in self.theta)
        self.noise = 0.0
        self.evaluations = 0
        self.probes: list[Probe] = []
        self.value = self.evaluate()
        if not isfinite(self.value):
            raise ValueError(f"loss(theta) is {self.value}; expected a finite number")
        self.check_unchanged(self.moved, self.moved_leaves, "loss")
        self.gradient = self.claimed(grad, theta)
        self.norm = _norm(self.gradient)
        self.length = _norm([leaf for _, leaf in self.theta])
        self.problem = self.randomness(grad, theta)

    def report(self) -> GradientReport:
        """All that was found."""
        size = sum(g.size for g in self.gradient)
        return GradientReport(tuple(self.probes), size, self.norm, self.evaluations, self.problem)

    def evaluate(self) -> float:
        """The loss at the moved parameters."""
        self.evaluations += 1
        with np.errstate(all="ignore"):  # a step may well leave the loss's domain
            value = self.loss(self.moved)
        if isinstance(value, np.ndarray) and value.shape == ():
            value = value[()]
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(
                f"loss(theta) is {value!r} of type {type(value).__name__}; expected a number"
            )
        if isinstance(value, np.float32):
            self.roundoff = unit_roundoff(value)
        return float(value)

    def evaluate_anywhere(self) -> float:
        """The same where the loss may be undefined: NaN then."""
        try:
            return self.evaluate()
        except (ArithmeticError, ValueError):  # as math.log(-1.0) raises
            return nan

    def claimed(self, grad: Gradient, theta: Tree) -> list[np.ndarray]:
        """The leaves of the claimed gradient, once they fit those of `theta`."""
        argument = copy_tree(theta)
        arrays = [leaf for _, leaf in flatten(argument)]
        leaves = [np.copy(g) for g in match(grad(argument), theta, "grad(theta)", "theta")]
        self.check_unchanged(argument, arrays, "grad")
        return leaves

    def check_unchanged(self, argument: Tree, arrays: list[np.ndarray], name: str) -> None:
        """Refuse a function that changed its argument, whose leaves were `arrays`."""
        now = flatten(argument)
        if [path for path, _ in now] != [path for path, _ in self.theta]:
            raise ValueError(
                f"{name}(theta) changed the structure of theta; expected a function that only reads it"
            )
        for (path, leaf), array, (_, before) in zip(now, arrays, self.theta, strict=True):
            if leaf is not array or not np.array_equal(leaf, before):
                raise ValueError(
                    f"{name}(theta) changed theta{path}; expected a function that only reads it"
                )

    def randomness(self, grad: Gradient, theta: Tree) -> str:
        """How a second call with the same parameters differed from the first, or ""."""
        advice = "it is not a function of theta. Fix the seed: draw masks and noise once, outside."
        again = self.evaluate()
        if again != self.value:
            return f"loss(theta) is {self.value:.9g} and then {again:.9g}: {advice}"
        beside = self.line([np.ones(leaf.shape) for _, leaf in self.theta])
        first, second = beside(2.0**-12), beside(2.0**-12)  # two masks may agree by chance at theta
        if first != second and isfinite(first):
            return f"the loss beside theta is {first:.9g} and then {second:.9g}: {advice}"
        pairs = zip(self.theta, self.gradient, self.claimed(grad, theta), strict=True)
        for (path, _), first, second in pairs:
            if not np.array_equal(first, second):
                return f"grad(theta){path} differs between two calls: {advice}"
        return ""

    def measure_noise(self, rng: np.random.Generator) -> None:
        """Look for errors in the loss beyond its last rounding: float32 inside, long sums."""
        changes = [
            rng.standard_normal(leaf.shape) * np.where(leaf == 0, 1, np.abs(leaf))
            for _, leaf in self.theta
        ]
        noise = noise_level(self.line(changes), 2.0**12 * self.roundoff)
        if isfinite(noise):
            self.noise = 4 * noise

    def random_direction(self, rng: np.random.Generator) -> list[np.ndarray]:
        """A normal random number for every parameter."""
        return [rng.standard_normal(leaf.shape) for _, leaf in self.theta]

    def line(self, direction: list[np.ndarray]) -> Callable[[float], float]:
        """The loss as a function of the distance from theta along a direction."""

        def f(distance: float) -> float:
            for moved, (_, leaf), d in zip(self.moved_leaves, self.theta, direction, strict=True):
                moved[...] = leaf + distance * d
            value = self.evaluate_anywhere()
            for moved, (_, leaf) in zip(self.moved_leaves, self.theta, strict=True):
                moved[...] = leaf
            return value

        return f

    def probe_directions(self, count: int, rng: np.random.Generator) -> None:
        """Probe `count` random directions over all parameters."""
        for number in range(1, count + 1):
            direction = self.random_direction(rng)
            products = [g.astype(np.float64) * d for g, d in zip(self.gradient, direction, strict=True)]
            claim = Claim(
                f=self.line(direction),
                x=0.0,
                value=self.value,
                slope=float(sum(product.sum() for product in products)),
                size=self.norm,
                length=self.length / _norm(direction),
                length_of_all=self.length / _norm(direction),
                reach=max(1.0, self.length) / _norm(direction),
                roundoff=self.roundoff,
                noise=self.noise,
            )
            self.probe(claim, f"direction {number}", "", None)

    def coordinate(self, moved: np.ndarray, index: tuple[int, ...]) -> Callable[[Any], float]:
        """The loss as a function of the number at one place."""
        before = moved[index]

        def f(value: np.floating) -> float:
            moved[index] = value
            result = self.evaluate_anywhere()
            moved[index] = before
            return result

        return f

    def probe_coordinates(self, count: int, rng: np.random.Generator) -> None:
        """Probe `count` coordinates of every leaf, or all of a leaf that has no more."""
        leaves = zip(self.theta, self.moved_leaves, self.gradient, strict=True)
        for (path, leaf), moved, g in leaves:
            ordinary = _norm([g]) / sqrt(max(1, g.size))  # the root mean square of the leaf
            for flat in sorted(rng.choice(g.size, min(count, g.size), replace=False)):
                index = tuple(int(i) for i in np.unravel_index(flat, g.shape))
                x = leaf[index]
                claim = Claim(
                    f=self.coordinate(moved, index),
                    x=x,
                    value=self.value,
                    slope=float(g[index]),
                    size=ordinary,
                    length=abs(float(x)),
                    length_of_all=self.length,
                    reach=max(1.0, abs(float(x))),
                    roundoff=self.roundoff,
                    noise=self.noise,
                )
                self.probe(claim, f"theta{path}{format_index(index)}", path, index)

    def probe(self, claim: Claim, place: str, path: str, index: tuple[int, ...] | None) -> None:
        """Measure the slope that is claimed, compare, and note what was found."""
        best = claim.best_estimate()
        verdict = "inconclusive" if best is None else claim.verdict(best)
        probe = Probe(
            place=place,
            path=path,
            index=index,
            analytic=claim.slope,
            numeric=nan if best is None else best.value,
            error=inf if best is None else best.error,
            tolerance=inf if best is None else claim.tolerance(best),
            jump=best.jump if verdict == "kink" else 0.0,
            verdict=verdict,
        )
        self.probes.append(probe)


def _norm(leaves: list[np.ndarray]) -> float:
    """The Euclidean norm of all numbers together, in float64; no square overflows."""
    largest = max((float(np.abs(leaf).max()) for leaf in leaves if leaf.size), default=0.0)
    if largest == 0:
        return 0.0
    scaled = (np.square(leaf.astype(np.float64) / largest).sum() for leaf in leaves)
    return largest * sqrt(sum(float(total) for total in scaled))
