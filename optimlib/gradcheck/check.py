"""Checking a gradient against values of the loss: a verdict, not a number (chapter 3).

Every probe compares one number of the claimed gradient with a difference quotient of the loss, along
a coordinate or along a random direction. How far the two may be apart is not a constant: it is
estimated, for every probe, from the values that the quotient is made of.
"""

from __future__ import annotations

from concurrent.futures import Executor
from math import inf
from numbers import Integral
from typing import Any

import numpy as np

from optimlib.gradcheck import diagnosis
from optimlib.gradcheck.arguments import check_executor, check_function, check_point
from optimlib.gradcheck.beside import with_memory
from optimlib.gradcheck.bounds import Bounds, Room
from optimlib.gradcheck.lines import Loss
from optimlib.gradcheck.objective import Gradient, Subject
from optimlib.gradcheck.probes import Prober, norm
from optimlib.gradcheck.report import GradientReport
from optimlib.trees import Tree

FEW = 100  # up to so many parameters are all probed one by one


def check_gradient(
    loss: Loss,
    grad: Gradient,
    theta: Tree,
    *,
    coordinates: int | None = None,
    directions: int | None = None,
    bounds: Bounds = (-inf, inf),
    rng: np.random.Generator | None = None,
    executor: Executor | None = None,
    progress: bool = False,
) -> GradientReport:
    """Compare a gradient with differences of the loss, and give a verdict.

    Up to 100 parameters are all probed one by one. Of more, all are moved at once along six random
    directions: about 50 evaluations of the loss, however many parameters there are. If one of these
    probes fails, some more find out where.

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
        `theta` has at most 100, else none.
    directions
        How many random directions to probe. Leaves whose gradients differ much in size take turns,
        in at most three groups. Unless given: none if all coordinates are probed, else 6.
    bounds
        Where the loss may be called: lowest and highest value, each a number or a tree like `theta`.
        At a bound the slope is measured from one side.
    rng
        Chooses coordinates, directions and steps; ``np.random.default_rng(0)`` unless given.
    executor
        Anything with the interface of `concurrent.futures.Executor`, to probe side by side. The
        result is the same. A pool of processes needs a `loss` that can be pickled.
    progress
        Show a progress bar. It needs the package tqdm.

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
        If theta holds no number or lies outside its bounds, the gradient's structure or shapes differ
        from theta's, a number is NaN or infinite, `loss` or `grad` changes its argument, or
        `coordinates` or `directions` is negative.

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
    report, subject = _probed(
        loss,
        grad,
        theta,
        coordinates=coordinates,
        directions=directions,
        bounds=bounds,
        rng=rng,
        executor=executor,
        progress=progress,
    )
    return with_memory(report, subject)


# DIAGNOSIS: `_probed` is the body of the old check_gradient; `compare` is what products call.


def compare(loss: Loss, grad: Gradient, theta: Tree, **options: Any) -> GradientReport:
    """Compare a gradient with differences of the loss at theta alone, for options of `check_gradient`.

    The functions are not called at other points for the sake of hints: a product with a Jacobian is the
    same at all points, and rightly so.
    """
    return _probed(loss, grad, theta, **options)[0]


def _probed(
    loss: Loss,
    grad: Gradient,
    theta: Tree,
    *,
    coordinates: int | None = None,
    directions: int | None = None,
    bounds: Bounds = (-inf, inf),
    rng: np.random.Generator | None = None,
    executor: Executor | None = None,
    progress: bool = False,
) -> tuple[GradientReport, Subject]:
    """The report, and the subject that it is about."""
    check_function(loss, "loss", "theta")
    check_function(grad, "grad", "theta")
    check_executor(executor)
    leaves = check_point(theta, "theta")
    for name, number in (("coordinates", coordinates), ("directions", directions)):
        whole = isinstance(number, Integral) and not isinstance(number, bool)
        if number is not None and not (whole and number >= 0):
            raise ValueError(f"{name} is {number!r}; expected a whole number from 0 on")
    size = sum(leaf.size for _, leaf in leaves)
    rng = np.random.default_rng(0) if rng is None else rng
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is {rng!r}; expected a numpy.random.Generator")
    few = size <= FEW
    if directions is None and coordinates is None and few:
        directions = 0
    if coordinates is None:
        coordinates = FEW if few else 0
    subject = Subject(loss, grad, theta, Room(theta, bounds), rng)
    prober = Prober(subject, executor, progress)
    if coordinates == directions == 0:
        subject.problem = "nothing was probed: coordinates and directions are both 0"
    if not subject.problem:
        prober.probe_coordinates(coordinates)
        prober.probe_directions(directions)
        if prober.has_doubts():
            subject, prober = _beside(subject, prober, directions)
        prober.find_failures()
    return _report(subject, prober), subject


def _beside(subject: Subject, prober: Prober, directions: int | None) -> tuple[Subject, Prober]:
    """Directions close to theta, where directions at theta cross kinks and can't decide.

    The slopes of many kinks add up along a direction, some turned upwards and some downwards. So a
    right gradient need not lie between the two slopes there.
    """
    if prober.has("inconclusive"):  # the loss is too coarse here, and so it is close by
        prober.overrule("inconclusive")
        return subject, prober
    try:
        near = subject.beside()
    except (ArithmeticError, ValueError):  # outside of the functions' domain
        prober.overrule("inconclusive")
        return subject, prober
    second = Prober(near, prober.executor, prober.progress)
    if not near.problem:
        second.probe_directions(directions)
    near.evaluations += subject.evaluations + prober.evaluations
    if second.has("fail"):
        second.probes = [probe for probe in prober.probes if probe.index is not None] + second.probes
        return near, second
    prober.overrule("inconclusive" if near.problem or second.has("inconclusive") else "kink")
    subject.evaluations = near.evaluations + second.evaluations - prober.evaluations
    return subject, prober


def _report(subject: Subject, prober: Prober) -> GradientReport:
    """All that was found."""
    guesses: tuple[str, ...] = ()
    if prober.has("fail"):
        guesses = diagnosis.explain(subject.leaves, subject.gradient, prober.probes)
    return GradientReport(
        probes=tuple(prober.probes),
        parameters=sum(g.size for _, g in subject.gradient),
        norm=norm([g for _, g in subject.gradient]),
        evaluations=subject.evaluations + prober.evaluations,
        problem=subject.problem,
        hints=guesses,
        gradient=tuple(subject.gradient),
        central=subject.central,
    )


def assert_gradient(loss: Loss, grad: Gradient, theta: Tree, **options: Any) -> None:
    """Raise an `AssertionError` that shows the report unless `grad` agrees with `loss`: a test.

    Parameters and errors as for `check_gradient`. The verdict "kink" is accepted, since the gradient
    lies between the two slopes there; "inconclusive" is not.

    >>> assert_gradient(lambda x: (x**2).sum(), lambda x: 2 * x, np.array([1.0, 3.0]))
    """
    check_gradient(loss, grad, theta, **options).raise_unless_accepted()
