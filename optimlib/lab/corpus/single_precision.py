"""Problems in float32: some of the smooth ones again, some of them with the rounding hidden inside."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from optimlib.lab.corpus.case import GradientProblem
from optimlib.lab.corpus.elementwise import sums
from optimlib.lab.corpus.vector import vectors


def in_float32(problem: GradientProblem) -> GradientProblem:
    """A problem of one array with its parameters, loss and gradient in float32."""
    theta = problem.theta.astype(np.float32)
    return GradientProblem(
        f"{problem.name} in float32",
        "float32",
        lambda x: np.float32(problem.loss(x)),
        lambda x: np.asarray(problem.grad(x)).astype(x.dtype),
        theta,
    )


def float32_hidden(problem: GradientProblem) -> GradientProblem:
    """A loss of float64 parameters that computes in float32 and says nothing of it."""
    return problem._replace(
        name=f"{problem.name} with float32 inside",
        kind="float32",
        loss=lambda x: float(problem.loss(x.astype(np.float32))),
        mistakes={},
    )


def float32_problems() -> Iterator[GradientProblem]:
    """Some of the smooth problems again."""
    named = {problem.name: problem for problem in (*sums(), *vectors())}
    for name in ("squares", "exponential", "logarithm", "hyperbolic tangent", "squares at 1e6"):
        yield in_float32(named[name])
    yield in_float32(named["product"])
    yield float32_hidden(named["sine"])
    yield float32_hidden(named["hyperbolic tangent"])
    X = np.random.default_rng(4).standard_normal(2000).astype(np.float32)
    yield GradientProblem(
        "2,000 terms in float32",
        "float32",
        lambda w: np.tanh(w[0] * X).sum(),
        lambda w: np.array([((1 - np.tanh(w[0] * X) ** 2) * X).sum()]),
        np.array([0.7], np.float32),
    )
