"""Problems of one array whose elements work together: forms, units, matrices, long sums, regressions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from optimlib.lab.corpus.case import GradientProblem

A = np.array([[3.0, 1.0, -2.0], [0.0, 2.0, 0.5], [1.0, -1.0, 4.0]])  # not symmetric


def softmax(z: np.ndarray) -> np.ndarray:
    """Probabilities from logits, over the last axis."""
    exponentials = np.exp(z - z.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def least_squares(decay: float = 0.1) -> GradientProblem:
    """Half the sum of squared residuals, and a ridge."""
    rng = np.random.default_rng(0)
    A, b, w = rng.standard_normal((12, 4)), rng.standard_normal(12), rng.standard_normal(4)

    def loss(w: np.ndarray) -> float:
        return 0.5 * ((A @ w - b) ** 2).sum() + 0.5 * decay * (w**2).sum()

    def grad(w: np.ndarray, b: np.ndarray = b, rows: int = 12, decay: float = decay) -> np.ndarray:
        return A[:rows].T @ (A @ w - b)[:rows] + decay * w

    mistakes = {
        "without the regularizer": partial(grad, decay=0),
        "with the regularizer doubled": partial(grad, decay=2 * decay),
        "without the last example": partial(grad, rows=11),
        "with the targets' sign": partial(grad, b=-b),
    }
    return GradientProblem("least squares", "smooth", loss, grad, w, mistakes)


def binary_cross_entropy() -> GradientProblem:
    """The mean of log(1 + exp(z)) - y z with z = X w."""
    rng = np.random.default_rng(1)
    X, w = rng.standard_normal((16, 5)), rng.standard_normal(5)
    y = (rng.random(16) < 0.5) * 1.0

    def loss(w: np.ndarray) -> float:
        return (np.logaddexp(0, X @ w) - y * (X @ w)).mean()

    def grad(
        w: np.ndarray,
        y: np.ndarray = y,
        p: Callable = lambda z: 1 / (1 + np.exp(-z)),
        share: float = 1 / 16,
    ) -> np.ndarray:
        return X.T @ (p(X @ w) - y) * share

    mistakes = {
        "without the sigmoid": partial(grad, p=lambda z: z),
        "with tanh for the sigmoid": partial(grad, p=np.tanh),
        "without the mean": partial(grad, share=1),
        "with labels of -1 and 1": partial(grad, y=2 * y - 1),
        "with one wrong label": partial(grad, y=np.append(1 - y[:1], y[1:])),
        "with n - 1 for n": partial(grad, share=1 / 15),
    }
    return GradientProblem("logistic regression", "smooth", loss, grad, w, mistakes)


def inverse_trace(M: np.ndarray) -> float:
    """The trace of the inverse of a matrix."""
    return np.trace(np.linalg.inv(M))


def inverse_trace_gradient(M: np.ndarray) -> np.ndarray:
    """Its gradient."""
    inverse = np.linalg.inv(M)
    return -(inverse @ inverse).T


def polynomials() -> Iterator[GradientProblem]:
    """Rosenbrock's valley and a quadratic form."""

    def rosenbrock(x: np.ndarray) -> float:
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    def rosenbrock_gradient(x: np.ndarray, inner: float = -2) -> np.ndarray:
        bend = 200 * (x[1] - x[0] ** 2)
        return np.array([inner * x[0] * bend - 2 * (1 - x[0]), bend])

    no_chain = {"without the inner derivative": partial(rosenbrock_gradient, inner=-1)}
    start = np.array([-1.2, 1.0])
    yield GradientProblem("Rosenbrock", "smooth", rosenbrock, rosenbrock_gradient, start, no_chain)
    yield GradientProblem("Rosenbrock's minimum", "zero", rosenbrock, rosenbrock_gradient, np.ones(2))

    yield GradientProblem(
        "quadratic form",
        "smooth",
        lambda x: x @ A @ x,
        lambda x: (A + A.T) @ x,
        np.array([1.0, -0.5, 2.0]),
        {"as if symmetric": lambda x: 2 * A @ x, "transposed matrix": lambda x: 2 * A.T @ x},
    )


def units() -> Iterator[GradientProblem]:
    """Sums whose terms, or whose parameters, differ by orders of magnitude."""
    stiff = np.array([1e-3, 1.0, 1e3])
    yield GradientProblem(
        "stiff quadratic",
        "scaled",
        lambda x: 0.5 * (stiff * x**2).sum(),
        lambda x: stiff * x,
        np.array([1.0, -1.0, 2.0]),
    )
    three_units = np.array([1e-6, 1.0, 1e6])
    yield GradientProblem(
        "sines in three units",
        "scaled",
        lambda x: np.sin(x / three_units).sum(),
        lambda x: np.cos(x / three_units) / three_units,
        np.array([3e-7, 0.3, 3e5]),
    )
    quarter = np.repeat([1.0, 1.0, 1.0, 2.0], 50)
    many_units = 10 ** np.linspace(-6, 6, 200)
    yield GradientProblem(
        "200 sines in units from 1e-6 to 1e6",
        "scaled",
        lambda x: np.sin(x / many_units).sum(),
        lambda x: np.cos(x / many_units) / many_units,
        0.3 * many_units,
        {
            "last quarter doubled": lambda x: np.cos(x / many_units) / many_units * quarter,
            "last quarter zero": lambda x: np.cos(x / many_units) / many_units * (2 - quarter),
        },
    )
    yield GradientProblem(
        "sines beside a million",
        "scaled",
        lambda x: np.sin(x).sum() + 1e6,
        np.cos,
        np.array([0.3, 1.0, -0.7]),
    )


def of_all_elements() -> Iterator[GradientProblem]:
    """Functions to which every element contributes in its own way."""
    yield GradientProblem(
        "product",
        "smooth",
        np.prod,
        lambda x: np.prod(x) / x,
        np.array([0.5, -2.0, 3.0, 1.5]),
    )
    yield GradientProblem(
        "norm",
        "smooth",
        np.linalg.norm,
        lambda x: x / np.linalg.norm(x),
        np.array([3.0, -4.0, 12.0]),
        {"of the square": lambda x: 2 * x},
    )
    yield GradientProblem(
        "log-sum-exp",
        "smooth",
        lambda x: np.log(np.exp(x).sum()),
        lambda x: np.exp(x) / np.exp(x).sum(),
        np.array([0.3, -1.0, 2.0, 0.0]),
        {"not normalized": np.exp, "times 1 - p": lambda x: softmax(x) * (1 - softmax(x))},
    )
    yield GradientProblem(
        "Rayleigh quotient",
        "smooth",
        lambda x: x @ A @ x / (x @ x),
        lambda x: ((A + A.T) @ x - 2 * (x @ A @ x) / (x @ x) * x) / (x @ x),
        np.array([3.0, -4.0, 12.0]),
        {"without the quotient rule": lambda x: (A + A.T) @ x / (x @ x)},
    )
    yield GradientProblem(
        "cross-entropy of a nearly sure answer",
        "scaled",
        lambda z: np.log1p(np.exp(z[1:] - z[0]).sum()),
        lambda z: softmax(z) * np.array([0, 1, 1]) - np.array([softmax(z)[1:].sum(), 0, 0]),
        np.array([15.0, 0.0, -3.0]),
        {"as if unsure": lambda z: softmax(z / 2) - np.array([1, 0, 0])},
    )


def of_a_matrix() -> Iterator[GradientProblem]:
    """Functions of one square matrix."""
    yield GradientProblem(
        "trace of an inverse",
        "smooth",
        inverse_trace,
        inverse_trace_gradient,
        A.copy(),
    )
    yield GradientProblem(
        "logarithm of a determinant",
        "smooth",
        lambda M: np.linalg.slogdet(M)[1],
        lambda M: np.linalg.inv(M).T,
        A.copy(),
    )


def long_sums() -> Iterator[GradientProblem]:
    """Sums of thousands of terms, whose rounding counts."""
    terms = np.random.default_rng(2).standard_normal(2000)
    yield GradientProblem(
        "2,000 terms of one parameter",
        "scaled",
        lambda w: np.tanh(w[0] * terms).sum(),
        lambda w: np.array([((1 - np.tanh(w[0] * terms) ** 2) * terms).sum()]),
        np.array([0.7]),
    )
    yield GradientProblem(
        "2,000 canceling terms",
        "scaled",
        lambda w: np.sin(1e3 + w[0] * terms).sum(),
        lambda w: np.array([(np.cos(1e3 + w[0] * terms) * terms).sum()]),
        np.array([0.7]),
    )


def vectors() -> Iterator[GradientProblem]:
    """All problems of this module."""
    yield from polynomials()
    yield from units()
    yield from of_all_elements()
    yield from of_a_matrix()
    yield from long_sums()
    yield least_squares()
    yield binary_cross_entropy()
