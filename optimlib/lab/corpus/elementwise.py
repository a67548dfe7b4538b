"""Problems of one array whose loss is a sum over its elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from optimlib.lab.corpus.case import GradientProblem

SUMS: dict[str, dict[str, tuple[Callable, Callable, list[float]]]] = {
    "smooth": {  # the function, its derivative, the points
        "squares": (lambda x: x**2, lambda x: 2 * x, [1, -2, 3]),
        "cubes": (lambda x: x**3, lambda x: 3 * x**2, [0.5, -1.5, 2]),
        "polynomial": (
            lambda x: x**4 - 3 * x**3 + 2 * x,
            lambda x: 4 * x**3 - 9 * x**2 + 2,
            [-1, 0.3, 2.7],
        ),
        "exponential": (np.exp, np.exp, [-1, 0.2, 2]),
        "logarithm": (np.log, lambda x: 1 / x, [0.3, 2, 5]),
        "square root": (np.sqrt, lambda x: 0.5 / np.sqrt(x), [0.2, 1, 9]),
        "reciprocal": (lambda x: 1 / x, lambda x: -1 / x**2, [0.4, -2, 3]),
        "power 3/2": (lambda x: x**1.5, lambda x: 1.5 * np.sqrt(x), [0.5, 1, 4]),
        "sine": (np.sin, np.cos, [0.3, 1, -2]),
        "tangent": (np.tan, lambda x: 1 / np.cos(x) ** 2, [0.3, -1, 1.2]),
        "hyperbolic tangent": (np.tanh, lambda x: 1 - np.tanh(x) ** 2, [0.3, -1, 2]),
        "softplus": (lambda x: np.logaddexp(0, x), lambda x: 1 / (1 + np.exp(-x)), [0.3, -1, 4]),
        "log(1 + x)": (np.log1p, lambda x: 1 / (1 + x), [0.3, 1, 4]),
        "bell": (lambda x: np.exp(-(x**2)), lambda x: -2 * x * np.exp(-(x**2)), [0.3, -1, 1.5]),
        "Cauchy": (lambda x: np.log1p(x**2), lambda x: 2 * x / (1 + x**2), [0.3, -1, 4]),
        "x log x": (lambda x: x * np.log(x), lambda x: np.log(x) + 1, [0.1, 0.7, 3]),
        "fast sine": (lambda x: np.sin(50 * x), lambda x: 50 * np.cos(50 * x), [0.3, 1, -2]),
    },
    "scaled": {
        "squares at 1e6": (lambda x: x**2, lambda x: 2 * x, [1e6, -3e6]),
        "squares at 1e-6": (lambda x: x**2, lambda x: 2 * x, [1e-6, -3e-6]),
        "squares from 1e-2 to 1e2": (lambda x: x**2, lambda x: 2 * x, [1e-2, 1, 1e2]),
        "logarithm at 1e-7": (np.log, lambda x: 1 / x, [1e-7, 0.5]),
        "logarithm at 1e-12": (np.log, lambda x: 1 / x, [1e-12]),
        "square root at 1e-8": (np.sqrt, lambda x: 0.5 / np.sqrt(x), [1e-8, 1]),
        "reciprocal at 1e-6": (lambda x: 1 / x, lambda x: -1 / x**2, [1e-6]),
        "x log x at 1e-5": (lambda x: x * np.log(x), lambda x: np.log(x) + 1, [1e-5, 0.2]),
        "exponential of 300": (np.exp, np.exp, [300.0, 299.5]),
        "steep exponential": (lambda x: np.exp(50 * x), lambda x: 50 * np.exp(50 * x), [0.3, 1]),
        "very fast sine": (lambda x: np.sin(1e6 * x), lambda x: 1e6 * np.cos(1e6 * x), [0.3, 1]),
        "sine far out": (np.sin, np.cos, [1e4, -3e4]),
        "sine very far out": (np.sin, np.cos, [1e7, -3e7]),
        "logarithm near an edge at 1": (
            lambda x: np.log(x - 0.999999),
            lambda x: 1 / (x - 0.999999),
            [1.0],
        ),
        "arc cosine near its edge": (
            np.arccos,
            lambda x: -1 / np.sqrt((1 - x) * (1 + x)),
            [0.999999, 0.1],
        ),
        "resonance": (
            lambda x: 1 / (1e-4 + x**2),
            lambda x: -2 * x / (1e-4 + x**2) ** 2,
            [0.003, 0.5],
        ),
        "narrow bell": (
            lambda x: np.exp(-((1e4 * x) ** 2)),
            lambda x: -2e8 * x * np.exp(-((1e4 * x) ** 2)),
            [3e-5, -1e-4],
        ),
        "tenth powers at 1e3": (lambda x: x**10, lambda x: 10 * x**9, [1e3, -2e3]),
        "a millionth of squares": (lambda x: 1e-6 * x**2, lambda x: 2e-6 * x, [1, 2, 3]),
        "1e8 times a sine": (lambda x: 1e8 * np.sin(x), lambda x: 1e8 * np.cos(x), [0.3, 1]),
        "1e-8 times a sine": (lambda x: 1e-8 * np.sin(x), lambda x: 1e-8 * np.cos(x), [0.3, 1]),
        "1e-150 times a sine": (lambda x: 1e-150 * np.sin(x), lambda x: 1e-150 * np.cos(x), [0.3, 1]),
    },
    "kinked": {
        "absolute value": (np.abs, np.sign, [0.7, -2]),
        "absolute value near its kink": (np.abs, np.sign, [1e-3, -1e-5]),
        "absolute value beside its kink": (np.abs, np.sign, [1e-7, -1e-9]),
        "leaky positive part": (
            lambda x: np.maximum(x, 0.01 * x),
            lambda x: np.where(x > 0, 1, 0.01),
            [1e-4, -1e-4, 2],
        ),
        "Huber where its pieces meet": (
            lambda x: np.where(np.abs(x) <= 1, x**2 / 2, np.abs(x) - 0.5),
            lambda x: np.clip(x, -1, 1),
            [1, -1, 0.4],
        ),
        "distance to three points": (
            lambda x: sum(np.abs(x - a) for a in (0, 1e-3, 1)),
            lambda x: sum(np.sign(x - a) for a in (0, 1e-3, 1)),
            [5e-4, 2, 0.3],
        ),
        "distance to 1,000 points": (
            lambda x: np.abs(x[:, None] - np.arange(1000) / 1000 - 0.0005).sum(axis=1),
            lambda x: np.sign(x[:, None] - np.arange(1000) / 1000 - 0.0005).sum(axis=1),
            [0.3, 0.71],
        ),
        "square root of |x|": (
            lambda x: np.sqrt(np.abs(x)),
            lambda x: 0.5 * np.sign(x) / np.sqrt(np.abs(x)),
            [1e-6, -0.3],
        ),
    },
    "zero": {
        "squares at their minimum": (lambda x: x**2, lambda x: 2 * x, [0, 0]),
        "squares and 1 at their minimum": (
            lambda x: (x - 0.1) ** 2 + 0.5,
            lambda x: 2 * (x - 0.1),
            [0.1, 0.1],
        ),
        "fourth powers at their minimum": (lambda x: x**4, lambda x: 4 * x**3, [0, 0]),
        "cosine at its maximum": (np.cos, lambda x: -np.sin(x), [0, 0]),
        "cubes at their saddle": (lambda x: x**3, lambda x: 3 * x**2, [0, 0]),
        "a constant": (lambda x: 0 * x + 2.5, lambda x: 0 * x, [1, 2]),
        "nothing at all": (lambda x: 0 * x, lambda x: 0 * x, [1, 2]),
        "an unused parameter": (
            lambda x: x**2 * np.array([1, 0]),
            lambda x: 2 * x * np.array([1, 0]),
            [1.5, 2],
        ),
    },
    "beyond": {
        "a millionth of a sine and 1e10": (
            lambda x: 1e-6 * np.sin(x) + 1e10,
            lambda x: 1e-6 * np.cos(x),
            [0.3, 1],
        ),
        "squares and 1e17": (lambda x: x**2 + 1e17, lambda x: 2 * x, [1, -0.5]),
    },
}


def total(f: Callable, x: np.ndarray) -> float:
    """The sum of `f` over the elements."""
    return f(x).sum()


def sums() -> Iterator[GradientProblem]:
    """The problems of `SUMS`."""
    for kind, functions in SUMS.items():
        for name, (f, slope, points) in functions.items():
            theta = np.array(points, dtype=np.float64)
            yield GradientProblem(name, kind, partial(total, f), slope, theta)
