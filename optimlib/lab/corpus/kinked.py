"""Problems with kinks: every number between the two one-sided slopes is right at one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from optimlib.lab.corpus.case import GradientProblem
from optimlib.trees import Tree


def sign_with(at_zero: float, x: np.ndarray) -> np.ndarray:
    """The slope of the absolute value, with a slope of one's choice at 0."""
    return np.where(x == 0, at_zero, np.sign(x))


def step_with(at_zero: float, x: np.ndarray) -> np.ndarray:
    """The slope of the positive part, with a slope of one's choice at 0."""
    return np.where(x == 0, at_zero, x > 0)


def kinks() -> Iterator[GradientProblem]:
    """Problems with a parameter exactly at a kink, or with maxima."""
    low, high = np.array([-1.0, 1.0]), np.array([1.0, 1.0])
    for claim in (-1.0, 0.5):
        yield GradientProblem(
            f"absolute value at its kink, claim {claim:g}",
            "kinked",
            lambda x: np.abs(x).sum(),
            partial(sign_with, claim),
            np.array([0.0, 0.7]),
            slopes=(low, high),
        )
    for claim in (0.0, 1.0):
        yield GradientProblem(
            f"positive part at its kink, claim {claim:g}",
            "kinked",
            lambda x: np.maximum(x, 0).sum(),
            partial(step_with, claim),
            np.array([0.0, 0.7]),
            {"1.5 there": lambda x: np.where(x == 0, 1.5, x > 0)},
            slopes=(np.array([0.0, 1.0]), high),
        )
    labels = np.array([1.0, -1.0, 1.0])
    yield GradientProblem(
        "hinge",
        "kinked",
        lambda x: np.maximum(0, 1 - labels * x).sum(),
        lambda x: -labels * (labels * x < 1),
        np.array([1.0, 0.4, 3.0]),
        {
            "without the label": lambda x: -1.0 * (labels * x < 1),
            "without the case": lambda x: -labels,
        },
        slopes=(np.array([-1.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0])),
    )
    yield relu_unit_at_zero(0.0)
    yield relu_unit_at_zero(1.0)
    yield GradientProblem(
        "largest of three",
        "kinked",
        np.max,
        lambda x: (x == x.max()) * 1.0,
        np.array([0.3, 0.7, 0.7 - 1e-6]),
        {"of the smallest": lambda x: (x == x.min()) * 1.0, "of all": np.ones_like},
    )
    yield GradientProblem(  # the right gradients are (a, 1 - a, 0) with a from 0 to 1
        "largest of two equal ones",
        "kinked",
        np.max,
        lambda x: np.array([1.0, 0.0, 0.0]),
        np.array([0.7, 0.7, 0.3]),
        {"of both": lambda x: (x == x.max()) * 1.0, "1.5 to the first": lambda x: np.array([1.5, 0, 0])},
        general=("doubled", "of the other sign", "zero"),
    )


def relu_unit_at_zero(slope_at_zero: float) -> GradientProblem:
    """One example makes one unit exactly 0; any slope from 0 to 1 is right there."""
    X = np.array([[1.0, -1.0], [2.0, 0.5]])
    theta = {"W": np.array([[0.5, 0.4], [0.5, -0.3]]), "v": np.array([1.0, -2.0])}

    def loss(t: Tree) -> float:
        return (np.maximum(X @ t["W"], 0) @ t["v"]).sum()

    def grad(t: Tree, at_zero: float = slope_at_zero) -> Tree:
        a = X @ t["W"]
        slope = np.where(a == 0, at_zero, a > 0)
        return {"W": X.T @ (slope * t["v"]), "v": np.maximum(a, 0).sum(axis=0)}

    mistakes = {
        "slope 1.5 there": partial(grad, at_zero=1.5),
        "slope -0.5 there": partial(grad, at_zero=-0.5),
    }
    ends = [grad(theta, at_zero=0.0), grad(theta, at_zero=1.0)]
    least, most = (
        {key: pick(*(end[key] for end in ends)) for key in theta} for pick in (np.minimum, np.maximum)
    )
    name = f"relu unit at zero, slope {slope_at_zero:g} there"
    return GradientProblem(name, "kinked", loss, grad, theta, mistakes, slopes=(least, most))
