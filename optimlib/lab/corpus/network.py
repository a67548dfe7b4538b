"""Problems that are networks of two layers, with the mistakes that people make in backpropagation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from optimlib.lab.corpus.case import Gradient, GradientProblem
from optimlib.lab.corpus.vector import softmax
from optimlib.trees import Tree

ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {  # the function; its slope from input and output
    "tanh": (np.tanh, lambda a, y: 1 - y**2),
    "relu": (lambda a: np.maximum(a, 0), lambda a, y: (a > 0).astype(a.dtype)),
    "sigmoid": (lambda a: 1 / (1 + np.exp(-a)), lambda a, y: y * (1 - y)),
}


def network(
    name: str,
    kind: str,
    activation: str,
    *,
    sizes: tuple[int, int, int] = (5, 4, 4),
    examples: int = 6,
    scale: float = 1.0,
    decay: float = 0.01,
    dtype: type[np.floating] = np.float64,
) -> GradientProblem:
    """Two layers, a mean cross-entropy, and weight decay; W2 is square unless sizes are given."""
    rng = np.random.default_rng(3)
    inputs, hidden, classes = sizes
    f, f_slope = ACTIVATIONS[activation]
    X: np.ndarray = rng.standard_normal((examples, inputs)).astype(dtype)
    labels: np.ndarray = np.eye(classes, dtype=dtype)[rng.integers(0, classes, examples)]
    ridge = dtype(decay)
    theta: dict[str, np.ndarray] = {
        "W1": (scale * rng.standard_normal((inputs, hidden)) / math.sqrt(inputs)).astype(dtype),
        "b1": (0.1 * rng.standard_normal(hidden)).astype(dtype),
        "W2": (scale * rng.standard_normal((hidden, classes)) / math.sqrt(hidden)).astype(dtype),
        "b2": np.zeros(classes, dtype),
    }

    def loss(t: Tree) -> Any:
        z = f(X @ t["W1"] + t["b1"]) @ t["W2"] + t["b2"]
        largest = z.max(axis=1, keepdims=True)
        log_p = z - largest - np.log(np.exp(z - largest).sum(axis=1, keepdims=True))
        squares = (t["W1"] ** 2).sum() + (t["W2"] ** 2).sum()
        return -(labels * log_p).sum() / dtype(examples) + ridge / 2 * squares

    def grad(
        t: Tree,
        labels: np.ndarray = labels,
        examples: float = examples,
        slope: Callable = f_slope,
        decay: Any = ridge,
        of_biases: Callable = np.sum,
        back: Callable = np.transpose,
    ) -> Tree:
        a = X @ t["W1"] + t["b1"]
        y = f(a)
        dz = (softmax(y @ t["W2"] + t["b2"]) - labels) / dtype(examples)
        da = dz @ back(t["W2"]) * slope(a, y)
        return {
            "W1": X.T @ da + decay * t["W1"],
            "b1": of_biases(da, axis=0),
            "W2": y.T @ dz + decay * t["W2"],
            "b2": of_biases(dz, axis=0),
        }

    if kind == "large":  # whose check takes long
        return GradientProblem(name, kind, loss, grad, theta)
    mistakes = mistakes_of(grad, labels, examples, ridge)
    if activation != "relu":  # whose slope is the same there
        mistakes["the slope of the output"] = partial(grad, slope=lambda a, y: f_slope(y, f(y)))
    if hidden == classes:
        mistakes["W2 not transposed on the way back"] = partial(grad, back=np.copy)
    return GradientProblem(name, kind, loss, grad, theta, mistakes)


def mistakes_of(
    grad: Callable[..., Tree], labels: np.ndarray, examples: int, decay: np.floating
) -> dict[str, Gradient]:
    """What goes wrong in backpropagation: calls of the right gradient with a wrong argument."""
    dtype = type(decay)
    return {
        "labels off by one class": partial(grad, labels=np.roll(labels, 1, axis=1)),
        "labels forgotten": partial(grad, labels=0 * labels),
        "labels of the examples before": partial(grad, labels=np.roll(labels, 1, axis=0)),
        "without the mean": partial(grad, examples=1),
        "with n - 1 for n": partial(grad, examples=examples - 1),
        "without the slope of the activation": partial(grad, slope=lambda a, y: dtype(1)),
        "the slope without the square": partial(grad, slope=lambda a, y: 1 - y),
        "without weight decay": partial(grad, decay=dtype(0)),
        "with weight decay doubled": partial(grad, decay=2 * decay),
        "biases averaged": partial(grad, of_biases=np.mean),
        "biases of the last example only": partial(grad, of_biases=lambda d, axis: d[-1]),
    }


def networks() -> Iterator[GradientProblem]:
    """Networks of all kinds."""
    yield network("tanh network", "smooth", "tanh")
    yield network("sigmoid network", "smooth", "sigmoid")
    yield network("tanh network with large weights", "scaled", "tanh", scale=5)
    yield network("tanh network with small weights", "scaled", "tanh", scale=0.01)
    yield network("relu network", "kinked", "relu")
    yield network("relu network with small weights", "kinked", "relu", scale=0.01)
    yield network("tanh network in float32", "float32", "tanh", dtype=np.float32)
    yield network("relu network in float32", "float32", "relu", dtype=np.float32)
    yield network("large tanh network", "large", "tanh", sizes=(80, 110, 10))
    yield network("large relu network", "large", "relu", sizes=(80, 110, 10))
    yield network("tanh network of 294 parameters", "tree", "tanh", sizes=(20, 12, 4))
