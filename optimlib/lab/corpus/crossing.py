r"""Every problem crossed with its mistakes: which crossings are cases, and how wrong they are.

Not every wrong gradient can be found from values of the loss, which are rounded. A mistake of
:math:`\delta` in one number of the gradient changes what the gradient predicts for the loss, over a
step as long as :math:`\max(1, |x|)`, by :math:`\delta \max(1, |x|)`. The best step of a fourth-order
difference leaves an error of about :math:`u^{4/5}|f|` in that prediction. A crossing belongs to the
corpus if its mistake is a hundred times that somewhere, and no smaller part of the number it hits
than 5e-7 (in float32, 5e-3); the others are left out. So are mistakes within the slopes of a kink,
where every slope is right, and mistakes that make the same gradient as one before. The problems of
the kind *beyond* stand below that line on purpose: there, the only wrong answer is to refuse the
right gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from optimlib.lab.corpus.case import Case, GradientProblem
from optimlib.lab.corpus.elementwise import sums
from optimlib.lab.corpus.kinked import kinks
from optimlib.lab.corpus.mistakes import FEW, GENERAL, MISTAKES
from optimlib.lab.corpus.network import networks
from optimlib.lab.corpus.several_leaves import trees
from optimlib.lab.corpus.single_precision import float32_problems
from optimlib.lab.corpus.vector import vectors
from optimlib.trees import flatten

VISIBLE = 100  # times the error of the best fourth-order difference
FINEST = {False: 5e-7, True: 5e-3}  # the least part of a number that a mistake is; True: in float32


def problems() -> list[GradientProblem]:
    """All problems, each with its right gradient.

    Examples
    --------
    >>> [problem.name for problem in problems()][:3]
    ['squares', 'cubes', 'polynomial']
    """
    return [*sums(), *vectors(), *kinks(), *networks(), *trees(), *float32_problems()]


def cases() -> list[Case]:
    """All cases of the corpus: the right gradients, and the wrong ones made of them.

    Examples
    --------
    >>> [case.name for case in cases() if case.error == 0][:3]
    ['squares', 'cubes', 'polynomial']
    >>> [case.name for case in cases() if case.error > 0][:2]
    ['squares: doubled', 'squares: halved']
    """
    return [case for problem in problems() for case in _cases_of(problem)]


def _cases_of(problem: GradientProblem) -> Iterator[Case]:
    """The right gradient, then every wrong one that differs from those before."""
    loss, theta = problem.loss, problem.theta
    yield Case(problem.name, problem.kind, loss, problem.grad, theta, error=0.0)
    general = GENERAL.get(problem.kind, FEW) if problem.general is None else problem.general
    wrong = {**{name: MISTAKES[name](problem.grad) for name in general}, **problem.mistakes}
    seen = set()
    for name, grad in wrong.items():
        with np.errstate(over="ignore"):
            claim = dict(flatten(grad(theta)))
        bits = tuple(np.asarray(claim[path]).tobytes() for path, _ in flatten(theta))
        error, visible = _size(problem, claim)
        if bits not in seen and error > 0 and visible == (problem.kind != "beyond"):
            seen.add(bits)
            yield Case(f"{problem.name}: {name}", problem.kind, loss, grad, theta, error)


def _size(problem: GradientProblem, claim: dict[str, np.ndarray]) -> tuple[float, bool]:
    """The relative size of a mistake, and whether the loss can show it."""
    theta = dict(flatten(problem.theta))
    right = dict(flatten(problem.grad(problem.theta)))
    low, high = map(dict, map(flatten, problem.slopes or (problem.grad(problem.theta),) * 2))
    single = problem.kind == "float32"
    u = 2.0**-24 if single else 2.0**-53
    least = VISIBLE * u**0.8 * abs(float(problem.loss(problem.theta)))
    error, visible = 0.0, False
    for path, x in theta.items():
        g = np.asarray(claim[path], dtype=np.float64)
        if not np.isfinite(g).all():
            return 0.0, False  # an overflow: no check is needed to see it
        outside = np.maximum(np.maximum(low[path] - g, g - high[path]), 0)
        if outside.any():
            norm = np.linalg.norm(right[path])
            error = max(error, float(np.linalg.norm(outside) / norm) if norm else math.inf)
            of_size = outside >= FINEST[single] * np.abs(right[path])
            visible |= bool((of_size & (outside * np.maximum(1, np.abs(x)) > least)).any())
    return error, visible
