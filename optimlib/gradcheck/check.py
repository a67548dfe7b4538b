"""Checking a gradient against values of the loss: a verdict, not a number.

Every probe compares one number of the claimed gradient with a difference quotient of the loss, along
a coordinate or along a random direction. How far the two may be apart is not a constant: it is
estimated, for every probe, from the values that the quotient is made of.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np

from optimlib.gradcheck import diagnosis
from optimlib.gradcheck.arguments import check_function, check_point, generator
from optimlib.gradcheck.bounds import Bounds, Frozen, Limits
from optimlib.gradcheck.lines import Loss
from optimlib.gradcheck.localization import find_failures
from optimlib.gradcheck.objective import Gradient, Objective
from optimlib.gradcheck.options import Options, explaining_options
from optimlib.gradcheck.probes import Executor, Prober
from optimlib.gradcheck.progress import Progress
from optimlib.gradcheck.report import GradientReport
from optimlib.gradcheck.sampling import budget, some_of_each, spread
from optimlib.gradcheck.scales import norm
from optimlib.gradcheck.second_point import with_second_point
from optimlib.gradcheck.ties import constant_at_kinks, probe_ties
from optimlib.trees import Tree

NOTHING_PROBED = "nothing was probed: coordinates and directions are both 0"
AGREES_CLOSE_BY = (
    "all slopes are zero at theta (a minimum?), and grad was tested at a point close by, too"
)
FAILS_CLOSE_BY = "at a point close by, where the loss has slopes, grad disagrees with it: check there"
CONSTANT = (
    "grad is the same all around theta, where the slopes of the loss change: only its numbers at theta"
    " were judged"
)
FEW = 20  # up to so many parameters are all probed one by one
COARSE = 2**8  # so many roundings of the loss are a word in the report


@explaining_options
def check_gradient(
    loss: Loss,
    grad: Gradient,
    theta: Tree,
    *,
    coordinates: int | None = None,
    directions: int | None = None,
    bounds: Limits = (-inf, inf),
    rng: np.random.Generator | None = None,
    executor: Executor | None = None,
    progress: bool | None = None,
    accuracy: float | None = None,
    frozen: Frozen = None,
) -> GradientReport:
    """Compare a gradient with differences of the loss, and give a verdict.

    Up to 20 parameters are all probed one by one. Of more, all are moved at once along six random
    directions, and as many are probed by themselves as fit into a hundred evaluations of the loss (of
    millions of parameters, none: 55 are enough). If a probe fails, some more find out where.

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
        How many numbers of every leaf to probe one by one, chosen at random: 0 for none, as many as
        theta has for all. Unless given: all of them if `theta` has at most 20, else as many as fit
        into the evaluations that a check may take, the leaves taking turns.
    directions
        How many random directions to probe; 0 for none. Along a direction all parameters move at once,
        and a wrong number anywhere changes the slope. Where the gradients of the leaves differ much in
        size, the small ones would not show beside the large ones: the leaves are then parted by size
        into two or three groups, and each direction moves one group, the groups taking turns. Unless
        given: none where neither option is given and `theta` has at most 20 parameters, else up to 6,
        as many as fit into 40 evaluations.
    bounds
        Where the loss may be called: lowest and highest value, each a number or a tree like `theta`.
        At a bound the slope is measured from one side. Where both are equal, the number is held fixed.
    rng
        Chooses coordinates, directions and steps; ``np.random.default_rng(0)`` unless given, so that
        the check is the same every time.
    executor
        Anything with the interface of `concurrent.futures.Executor`, to probe side by side. The
        result is the same. A pool of processes needs a `loss` that can be pickled.
    progress
        True shows how far the check has come, with the package tqdm if it is installed, else in lines;
        False shows nothing. Unless given: shown once the check has taken five seconds.
    accuracy
        How far the values of the loss may be from the right ones, absolutely: of a loss that a solver
        computes, its tolerance. Slopes are not trusted beyond what such errors leave of them. Unless
        given, and where it is larger than what is given, the error is estimated.
    frozen
        Which parameters are held fixed, and not checked: a function of the path of a leaf, such as
        ``['W']``, that returns True or False, or a tree like `theta` of bools.

    Returns
    -------
    GradientReport
        Its `verdict` is "pass"; "fail"; "kink" where all disagreement is at kinks of the loss, and
        the gradient lies between the slopes on both sides; or "inconclusive" where the loss is too
        coarse to tell, or not a function of its argument, or shows no slope at theta and close by.

    Raises
    ------
    TypeError
        If a parameter or a gradient has a dtype that cannot be checked, the loss is no number, or an
        option is of a wrong type.
    ValueError
        If theta holds no number that may be moved, or lies outside its bounds, the gradient's structure
        or shapes differ from theta's, a number is NaN or infinite, `loss` or `grad` changes its
        argument, `coordinates` or `directions` is not a whole number from 0 on, or `accuracy` is
        negative, NaN or infinite.

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
    options = Options(
        coordinates=coordinates,
        directions=directions,
        bounds=bounds,
        rng=rng,
        executor=executor,
        progress=progress,
        accuracy=accuracy,
        frozen=frozen,
    )
    report, objective = _compared(loss, grad, theta, options)
    report = _with_slopes_close_by(report, objective, options)
    return with_second_point(report, objective)


def compare(loss: Loss, grad: Gradient, theta: Tree, **options: Any) -> GradientReport:
    """Compare a gradient with differences of the loss at theta alone, for options of `check_gradient`.

    The functions are not called at other points for the sake of hints: a product with a Jacobian is the
    same at all points, and rightly so.
    """
    return _compared(loss, grad, theta, Options.named(options))[0]


def _compared(
    loss: Loss, grad: Gradient, theta: Tree, options: Options
) -> tuple[GradientReport, Objective]:
    """The report, and the objective that it is about."""
    check_function(loss, "loss", "theta")
    check_function(grad, "grad", "theta")
    check_point(theta, "theta")
    room = Bounds(theta, options.bounds, options.frozen)
    size = sum(int(free.sum()) for free in room.free)
    if size == 0:
        raise ValueError("all of theta is held fixed; expected at least one number that may be moved")
    objective = Objective(loss, grad, theta, room, generator(options.rng), options.accuracy or 0.0)
    problem = objective.problem
    if options.coordinates == options.directions == 0:
        problem = problem or NOTHING_PROBED
    with closing(Progress(options.progress)) as progress:
        prober = Prober(objective, options.executor, progress)
        if not problem:
            prober = _probe(prober, options.coordinates, options.directions, size)
            find_failures(prober)
    return _report(prober, size, problem), prober.objective


def _probe(prober: Prober, coordinates: int | None, directions: int | None, size: int) -> Prober:
    """All probes but those that find out where it failed."""
    free, rng = prober.scales.free, prober.rng
    if coordinates is None and directions is None and size <= FEW:
        coordinates, directions = FEW, 0
    prober.probe_directions(directions)
    if coordinates is None:
        most = budget(size)
        prober.probe_affordable(spread(free, most // 4, rng), most)
    else:
        prober.probe_coordinates(some_of_each(free, coordinates, rng))
    probe_ties(prober)
    return _with_doubts_settled(prober, directions) if prober.has_doubts() else prober


def _with_doubts_settled(prober: Prober, directions: int | None) -> Prober:
    """Directions at a point close by, where directions at theta cross kinks and can't decide.

    The slopes of many kinks add up along a direction, some turned upwards and some downwards. So a
    right gradient need not lie between the two slopes there. A gradient that is the same all around
    theta is none close by, whatever it is at theta: of such a one, only the numbers at theta are judged.
    """
    if prober.has("inconclusive"):  # the loss is too coarse here, and so it is close by
        prober.overrule("inconclusive")
        return prober
    try:
        close_by = prober.objective.at(prober.objective.point_close_by())
        constant = set() if prober.has_failing_doubts() else constant_at_kinks(prober, close_by)
    except (ArithmeticError, ValueError):  # outside of the functions' domain
        prober.overrule("inconclusive")
        return prober
    second = Prober(close_by, prober.executor, prober.progress)
    if constant:
        prober.objective.notes += (CONSTANT,)
    if not close_by.problem:
        second.probe_directions(directions, without=constant)
    if second.has("fail"):
        second.probes = [probe for probe in prober.probes if probe.index is not None] + second.probes
        second.tested |= prober.tested
        return second
    prober.overrule("inconclusive" if close_by.problem or second.has("inconclusive") else "kink")
    return prober


def _with_slopes_close_by(
    report: GradientReport, objective: Objective, options: Options
) -> GradientReport:
    """Where no slope at theta can be tested, the report with what a point close by says.

    At a minimum all slopes are zero, and a wrong formula may well give these zeros. A loss that bends
    has slopes close by, which show it; one that is constant, or drowns in its roundings, has none.
    """
    if report.problem or not report.tested_nothing or {p.verdict for p in report.probes} != {"pass"}:
        return report
    prober = _probes_close_by(objective, options, report.parameters)
    report = replace(report, evaluations=objective.evaluations)
    if prober is None:
        return report
    if prober.has("fail"):
        return replace(report, notes=(*report.notes, FAILS_CLOSE_BY))
    if not prober.tested or {p.verdict for p in prober.probes} != {"pass"}:
        return report
    untested = tuple(f"theta{path}" for path in prober.untested())
    return replace(report, untested=untested, notes=(*report.notes, AGREES_CLOSE_BY))


def _probes_close_by(objective: Objective, options: Options, size: int) -> Prober | None:
    """Probes at a point close by, or None if the loss is as high there as it is at theta."""
    try:
        point = objective.point_close_by()
        if not objective.moves_to(point) or (close_by := objective.at(point)).problem:
            return None
        return _probe(Prober(close_by, options.executor), options.coordinates, options.directions, size)
    except Exception:  # outside of the functions' domain: nothing can be tested there
        return None


def _report(prober: Prober, size: int, problem: str) -> GradientReport:
    """All that was found."""
    objective = prober.objective
    guesses: tuple[str, ...] = ()
    if prober.has("fail"):
        guesses = diagnosis.explain(objective.leaves, objective.gradient, prober.probes)
    return GradientReport(
        probes=tuple(prober.probes),
        parameters=size,
        norm=norm(prober.scales.gradient),
        evaluations=objective.evaluations,
        problem=problem,
        hints=guesses,
        notes=(*objective.notes, *_notes(prober, size)),
        untested=tuple(f"theta{path}" for path in prober.untested()) if prober.probes else (),
        gradient=tuple(objective.gradient),
        central=objective.central,
    )


def _notes(prober: Prober, size: int) -> list[str]:
    """What a reader should know about the values of the loss, and about what was not probed."""
    objective, notes = prober.objective, []
    roundings = objective.roundoff * abs(objective.value)
    noise = max(objective.noise, prober.unseen_noise)
    if noise > max(COARSE * roundings, objective.accuracy):
        notes.append(
            f"the values of the loss are no more exact than {noise:.0e}: float32 inside,"
            " rounding, a table or a solver?"
        )
    undefined = [p.place for p in prober.probes if np.isnan(p.numeric)]
    if undefined:
        notes.append(
            f"the loss is not a finite number on both sides of {undefined[0]}, however small the step"
            " (at the edge of its domain, say so with bounds=)"
        )
    probed = sum(p.index is not None for p in prober.probes)
    if 0 < probed < size and any(p.index is None for p in prober.probes) and not prober.has("fail"):
        notes.append(
            f"{probed} of {size} parameters were also probed one by one; coordinates={size} probes each"
        )
    return notes


def assert_gradient(loss: Loss, grad: Gradient, theta: Tree, **options: Any) -> None:
    """Raise an `AssertionError` that shows the report unless `grad` agrees with `loss`: a test.

    Parameters and errors as for `check_gradient`. The verdict "kink" is accepted, since the gradient
    lies between the two slopes there; "inconclusive" is not.

    >>> assert_gradient(lambda x: (x**2).sum(), lambda x: 2 * x, np.array([1.0, 3.0]))
    """
    check_gradient(loss, grad, theta, **options).raise_unless_accepted()
