r"""Right and wrong gradients to try a gradient check on: an answer is known for each (chapter 3).

A *problem* is a loss, its right gradient and a point. A *mistake* turns a right gradient into a
wrong one. Most mistakes fit any problem: every smooth or badly scaled problem is crossed with all of
them, other kinds with some. The rest, such as a label that is off by one class, are made by calling
a model's own right gradient with a wrong argument.

Not every wrong gradient can be found from values of the loss, which are rounded. A mistake of
:math:`\delta` in one number of the gradient changes what the gradient predicts for the loss, over a
step as long as :math:`\max(1, |x|)`, by :math:`\delta \max(1, |x|)`. The best step of a fourth-order
difference leaves an error of about :math:`u^{4/5}|f|` in that prediction (chapter 2). A crossing
belongs to the corpus if its mistake is a hundred times that somewhere, and no smaller part of the
number it hits than 5e-7 (in float32, 5e-3); the others are left out. So are mistakes within the
slopes of a kink, where every slope is right, and repetitions: two mistakes that make the same. The
problems of the kind *beyond* stand below that line on purpose: there, no answer but a plain
refusal of the right gradient is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import count
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from optimlib.gradcheck.check import check_gradient
from optimlib.trees import Tree, flatten, map_tree

Loss = Callable[[Tree], Any]
Gradient = Callable[[Tree], Tree]
Mistake = Callable[[Gradient], Gradient]
Checker = Callable[[Loss, Gradient, Tree], bool | None]
"""Says True for right, False for wrong, None for "cannot tell"."""

KINDS = ("smooth", "scaled", "kinked", "float32", "tree", "zero", "large", "beyond")
VISIBLE = 100  # times the error of the best fourth-order difference
FINEST = {False: 5e-7, True: 5e-3}  # a mistake is no smaller part of a number; True: in float32


class Case(NamedTuple):
    """A loss, a gradient that is claimed for it, and the truth about the claim."""

    name: str  #: the problem, and after a colon the mistake
    kind: str  #: one of `KINDS`
    loss: Loss  #: takes a tree like `theta`, returns a number
    grad: Gradient  #: takes a tree like `theta`, returns a tree like it
    theta: Tree  #: where to compare them
    error: float  #: 0 for a right gradient; else the norm of the mistake over that of the leaf it hits


# Mistakes that fit any gradient


def each(change: Callable[[np.ndarray], np.ndarray]) -> Mistake:
    """The same change of every leaf."""
    return lambda grad: lambda theta: map_tree(lambda g: change(np.asarray(g)), grad(theta))


def one(number: int, change: Callable[[np.ndarray], np.ndarray]) -> Mistake:
    """A change of the leaf with this number; negative numbers count from the end."""

    def mistake(grad: Gradient) -> Gradient:
        def wrong(theta: Tree) -> Tree:
            g = grad(theta)
            chosen, numbers = number % len(flatten(g)), count()
            return map_tree(lambda leaf: change(leaf) if next(numbers) == chosen else leaf, g)

        return wrong

    return mistake


def with_theta(change: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Mistake:
    """A change of every leaf that looks at the parameters too."""

    def mistake(grad: Gradient) -> Gradient:
        def wrong(theta: Tree) -> Tree:
            g = grad(theta)
            parameters = dict(flatten(theta))
            changed = iter([change(np.asarray(leaf), parameters[path]) for path, leaf in flatten(g)])
            return map_tree(lambda _: next(changed), g)

        return wrong

    return mistake


def coordinate(
    place: Callable[[np.ndarray], int], change: Callable[[Any], Any]
) -> Callable[[np.ndarray], np.ndarray]:
    """A change of one number of a leaf."""

    def changed(g: np.ndarray) -> np.ndarray:
        g = np.array(g)
        if g.size:
            g.flat[place(g)] = change(g.flat[place(g)])
        return g

    return changed


def transposed(g: np.ndarray) -> np.ndarray:
    """The numbers of the transposed matrix in an array of the old shape."""
    return g.T.reshape(g.shape)


def swapped(grad: Gradient) -> Gradient:
    """The first two leaves of the same shape and type change places."""

    def wrong(theta: Tree) -> Tree:
        g = grad(theta)
        leaves = [np.asarray(leaf) for _, leaf in flatten(g)]
        alike = [
            (i, j)
            for i, a in enumerate(leaves)
            for j, b in enumerate(leaves[:i])
            if a.shape == b.shape and a.dtype == b.dtype
        ]
        for i, j in alike[:1]:
            leaves[i], leaves[j] = leaves[j], leaves[i]
        in_turn = iter(leaves)
        return map_tree(lambda _: next(in_turn), g)

    return wrong


def of_previous_parameters(grad: Gradient) -> Gradient:
    """The gradient at the parameters of one step ago, 1 % away."""
    return lambda theta: grad(map_tree(lambda x: x * x.dtype.type(0.99), theta))


def clipped(g: np.ndarray) -> np.ndarray:
    """Scaled down to norm 1, as by clipping before the check."""
    return g / max(g.dtype.type(1), np.linalg.norm(g))


def largest(g: np.ndarray) -> int:
    """The place of the number of the largest magnitude."""
    return int(np.abs(g).argmax())


MISTAKES: dict[str, Mistake] = {
    "doubled": each(lambda g: 2 * g),
    "halved": each(lambda g: g / 2),
    "of the other sign": each(lambda g: -g),
    "times 32, summed for averaged": each(lambda g: 32 * g),
    "divided by 32, averaged for summed": each(lambda g: g / 32),
    "5 % too large": each(lambda g: g * 1.05),
    "0.05 % too small": each(lambda g: g * 0.9995),
    "a millionth too large": each(lambda g: g * (1 + 1e-6)),
    "zero": each(np.zeros_like),
    "absolute values": each(np.abs),
    "rounded to integers": each(np.round),
    "of the rounding of half precision": each(lambda g: g.astype(np.float16).astype(g.dtype)),
    "clipped": each(clipped),
    "averaged over the leaf": each(lambda g: np.full_like(g, g.mean()) if g.size else g),
    "shifted by one place": each(lambda g: np.roll(g, 1)),
    "transposed": each(transposed),
    "leaves swapped": swapped,
    "first leaf zero": one(0, np.zeros_like),
    "last leaf zero": one(-1, np.zeros_like),
    "last leaf of the other sign": one(-1, lambda g: -g),
    "largest number masked": one(0, coordinate(largest, lambda g: 0 * g)),
    "last number forgotten": one(-1, coordinate(lambda g: -1, lambda g: 0 * g)),
    "middle number 1 % too large": one(0, coordinate(lambda g: g.size // 2, lambda g: g * 1.01)),
    "a regulariser too much": with_theta(lambda g, x: g + x / 100),
    "a constant too much": each(lambda g: g + g.dtype.type(1e-4)),
    "of the previous parameters": of_previous_parameters,
}
"""The mistakes by name. Of one that changes nothing in a problem, there is no case."""

GENERAL = {
    **dict.fromkeys(("smooth", "scaled", "zero", "beyond"), tuple(MISTAKES)),
    "large": (
        "0.05 % too small",
        "last leaf zero",
        "largest number masked",
        "middle number 1 % too large",
    ),
}
"""The names of the mistakes that the problems of a kind are crossed with, if not `FEW`."""

FEW = (
    "doubled",
    "of the other sign",
    "times 32, summed for averaged",
    "0.05 % too small",
    "a millionth too large",
    "zero",
    "last leaf zero",
    "largest number masked",
    "middle number 1 % too large",
)
"""The names for the other kinds."""


# Problems


class Problem(NamedTuple):
    """A loss and its right gradient, with the mistakes that only this model knows."""

    name: str
    kind: str
    loss: Loss
    grad: Gradient
    theta: Tree
    mistakes: Mapping[str, Gradient] = MappingProxyType({})  #: wrong gradients of its own
    general: tuple[str, ...] | None = None  #: names in `MISTAKES`, unless `GENERAL` or `FEW`
    slopes: tuple[Tree, Tree] | None = None  #: at a kink: the least and the largest right gradient


# Problems of one array, whose loss is a sum over its elements

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


def sums() -> Iterable[Problem]:
    """The problems of `SUMS`."""
    for kind, functions in SUMS.items():
        for name, (f, slope, points) in functions.items():
            theta = np.array(points, dtype=np.float64)
            yield Problem(name, kind, lambda x, f=f: f(x).sum(), slope, theta)


# Problems of one array whose elements work together


def least_squares(decay: float = 0.1) -> Problem:
    """Half the sum of squared residuals, and a ridge."""
    rng = np.random.default_rng(0)
    A, b, w = rng.standard_normal((12, 4)), rng.standard_normal(12), rng.standard_normal(4)

    def loss(w: np.ndarray) -> float:
        return 0.5 * ((A @ w - b) ** 2).sum() + 0.5 * decay * (w**2).sum()

    def grad(w: np.ndarray, b: np.ndarray = b, rows: int = 12, decay: float = decay) -> np.ndarray:
        return A[:rows].T @ (A @ w - b)[:rows] + decay * w

    mistakes = {
        "without the regulariser": partial(grad, decay=0),
        "with the regulariser doubled": partial(grad, decay=2 * decay),
        "without the last example": partial(grad, rows=11),
        "with the targets' sign": partial(grad, b=-b),
    }
    return Problem("least squares", "smooth", loss, grad, w, mistakes)


def logistic_regression() -> Problem:
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
    return Problem("logistic regression", "smooth", loss, grad, w, mistakes)


def inverse_trace(M: np.ndarray) -> float:
    """The trace of the inverse of a matrix."""
    return np.trace(np.linalg.inv(M))


def inverse_trace_gradient(M: np.ndarray) -> np.ndarray:
    """Its gradient."""
    inverse = np.linalg.inv(M)
    return -(inverse @ inverse).T


def vectors() -> Iterable[Problem]:
    """Rosenbrock's function and others; the regressions."""

    def rosenbrock(x: np.ndarray) -> float:
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    def rosenbrock_gradient(x: np.ndarray, inner: float = -2) -> np.ndarray:
        bend = 200 * (x[1] - x[0] ** 2)
        return np.array([inner * x[0] * bend - 2 * (1 - x[0]), bend])

    no_chain = {"without the inner derivative": partial(rosenbrock_gradient, inner=-1)}
    start = np.array([-1.2, 1.0])
    yield Problem("Rosenbrock", "smooth", rosenbrock, rosenbrock_gradient, start, no_chain)
    yield Problem("Rosenbrock's minimum", "zero", rosenbrock, rosenbrock_gradient, np.ones(2))

    A = np.array([[3.0, 1.0, -2.0], [0.0, 2.0, 0.5], [1.0, -1.0, 4.0]])  # not symmetric
    yield Problem(
        "quadratic form",
        "smooth",
        lambda x: x @ A @ x,
        lambda x: (A + A.T) @ x,
        np.array([1.0, -0.5, 2.0]),
        {"as if symmetric": lambda x: 2 * A @ x, "transposed matrix": lambda x: 2 * A.T @ x},
    )
    stiff = np.array([1e-3, 1.0, 1e3])
    yield Problem(
        "stiff quadratic",
        "scaled",
        lambda x: 0.5 * (stiff * x**2).sum(),
        lambda x: stiff * x,
        np.array([1.0, -1.0, 2.0]),
    )
    units = np.array([1e-6, 1.0, 1e6])
    yield Problem(
        "sines in three units",
        "scaled",
        lambda x: np.sin(x / units).sum(),
        lambda x: np.cos(x / units) / units,
        np.array([3e-7, 0.3, 3e5]),
    )
    quarter = np.repeat([1.0, 1.0, 1.0, 2.0], 50)
    many_units = 10 ** np.linspace(-6, 6, 200)
    yield Problem(
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
    yield Problem(
        "sines beside a million",
        "scaled",
        lambda x: np.sin(x).sum() + 1e6,
        np.cos,
        np.array([0.3, 1.0, -0.7]),
    )
    yield Problem(
        "product",
        "smooth",
        np.prod,
        lambda x: np.prod(x) / x,
        np.array([0.5, -2.0, 3.0, 1.5]),
    )
    yield Problem(
        "norm",
        "smooth",
        np.linalg.norm,
        lambda x: x / np.linalg.norm(x),
        np.array([3.0, -4.0, 12.0]),
        {"of the square": lambda x: 2 * x},
    )
    yield Problem(
        "log-sum-exp",
        "smooth",
        lambda x: np.log(np.exp(x).sum()),
        lambda x: np.exp(x) / np.exp(x).sum(),
        np.array([0.3, -1.0, 2.0, 0.0]),
        {"not normalised": np.exp, "times 1 - p": lambda x: _softmax(x) * (1 - _softmax(x))},
    )
    yield Problem(
        "Rayleigh quotient",
        "smooth",
        lambda x: x @ A @ x / (x @ x),
        lambda x: ((A + A.T) @ x - 2 * (x @ A @ x) / (x @ x) * x) / (x @ x),
        np.array([3.0, -4.0, 12.0]),
        {"without the quotient rule": lambda x: (A + A.T) @ x / (x @ x)},
    )
    yield Problem(
        "cross-entropy of a nearly sure answer",
        "scaled",
        lambda z: np.log1p(np.exp(z[1:] - z[0]).sum()),
        lambda z: _softmax(z) * np.array([0, 1, 1]) - np.array([_softmax(z)[1:].sum(), 0, 0]),
        np.array([15.0, 0.0, -3.0]),
        {"as if unsure": lambda z: _softmax(z / 2) - np.array([1, 0, 0])},
    )
    yield Problem(
        "trace of an inverse",
        "smooth",
        inverse_trace,
        inverse_trace_gradient,
        A.copy(),
    )
    yield Problem(
        "logarithm of a determinant",
        "smooth",
        lambda M: np.linalg.slogdet(M)[1],
        lambda M: np.linalg.inv(M).T,
        A.copy(),
    )
    terms = np.random.default_rng(2).standard_normal(2000)
    yield Problem(
        "2,000 terms of one parameter",
        "scaled",
        lambda w: np.tanh(w[0] * terms).sum(),
        lambda w: np.array([((1 - np.tanh(w[0] * terms) ** 2) * terms).sum()]),
        np.array([0.7]),
    )
    yield Problem(
        "2,000 cancelling terms",
        "scaled",
        lambda w: np.sin(1e3 + w[0] * terms).sum(),
        lambda w: np.array([(np.cos(1e3 + w[0] * terms) * terms).sum()]),
        np.array([0.7]),
    )
    yield least_squares()
    yield logistic_regression()


def _softmax(z: np.ndarray) -> np.ndarray:
    exponentials = np.exp(z - z.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


# Kinks: every number between the two one-sided slopes is right there


def kinks() -> Iterable[Problem]:
    """Problems with a parameter exactly at a kink, or with maxima."""
    low, high = np.array([-1.0, 1.0]), np.array([1.0, 1.0])
    for claim in (-1.0, 0.5):
        yield Problem(
            f"absolute value at its kink, claim {claim:g}",
            "kinked",
            lambda x: np.abs(x).sum(),
            lambda x, claim=claim: np.where(x == 0, claim, np.sign(x)),
            np.array([0.0, 0.7]),
            slopes=(low, high),
        )
    for claim in (0.0, 1.0):
        yield Problem(
            f"positive part at its kink, claim {claim:g}",
            "kinked",
            lambda x: np.maximum(x, 0).sum(),
            lambda x, claim=claim: np.where(x == 0, claim, x > 0),
            np.array([0.0, 0.7]),
            {"1.5 there": lambda x: np.where(x == 0, 1.5, x > 0)},
            slopes=(np.array([0.0, 1.0]), high),
        )
    labels = np.array([1.0, -1.0, 1.0])
    yield Problem(
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
    yield Problem(
        "largest of three",
        "kinked",
        np.max,
        lambda x: (x == x.max()) * 1.0,
        np.array([0.3, 0.7, 0.7 - 1e-6]),
        {"of the smallest": lambda x: (x == x.min()) * 1.0, "of all": np.ones_like},
    )
    yield Problem(  # the right gradients are (a, 1 - a, 0) with a from 0 to 1
        "largest of two equal ones",
        "kinked",
        np.max,
        lambda x: np.array([1.0, 0.0, 0.0]),
        np.array([0.7, 0.7, 0.3]),
        {"of both": lambda x: (x == x.max()) * 1.0, "1.5 to the first": lambda x: np.array([1.5, 0, 0])},
        general=("doubled", "of the other sign", "zero"),
    )


def relu_unit_at_zero(slope_at_zero: float) -> Problem:
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
    return Problem(name, "kinked", loss, grad, theta, mistakes, slopes=(least, most))


# Networks

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
    dtype: type = np.float64,
) -> Problem:
    """Two layers, a mean cross-entropy, and weight decay; W2 is square unless sizes are given."""
    rng = np.random.default_rng(3)
    inputs, hidden, classes = sizes
    f, f_slope = ACTIVATIONS[activation]
    X = rng.standard_normal((examples, inputs)).astype(dtype)
    labels, decay = np.eye(classes, dtype=dtype)[rng.integers(0, classes, examples)], dtype(decay)
    theta = {
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
        return -(labels * log_p).sum() / dtype(examples) + decay / 2 * squares

    def grad(
        t: Tree,
        labels: np.ndarray = labels,
        examples: float = examples,
        slope: Callable = f_slope,
        decay: float = decay,
        of_biases: Callable = np.sum,
        back: Callable = np.transpose,
    ) -> Tree:
        a = X @ t["W1"] + t["b1"]
        y = f(a)
        dz = (_softmax(y @ t["W2"] + t["b2"]) - labels) / dtype(examples)
        da = dz @ back(t["W2"]) * slope(a, y)
        return {
            "W1": X.T @ da + decay * t["W1"],
            "b1": of_biases(da, axis=0),
            "W2": y.T @ dz + decay * t["W2"],
            "b2": of_biases(dz, axis=0),
        }

    mistakes = {
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
    if activation != "relu":  # whose slope is the same there
        mistakes["the slope of the output"] = partial(grad, slope=lambda a, y: f_slope(y, f(y)))
    if hidden == classes:
        mistakes["W2 not transposed on the way back"] = partial(grad, back=np.copy)
    if kind == "large":  # a check takes long
        mistakes = {}
    return Problem(name, kind, loss, grad, theta, mistakes)


def networks() -> Iterable[Problem]:
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


# Float32


def in_float32(problem: Problem) -> Problem:
    """A problem of one array with its parameters, loss and gradient in float32."""
    theta = problem.theta.astype(np.float32)
    return Problem(
        f"{problem.name} in float32",
        "float32",
        lambda x: np.float32(problem.loss(x)),
        lambda x: np.asarray(problem.grad(x)).astype(x.dtype),
        theta,
    )


def float32_hidden(problem: Problem) -> Problem:
    """A loss of float64 parameters that computes in float32 and says nothing of it."""
    return problem._replace(
        name=f"{problem.name} with float32 inside",
        kind="float32",
        loss=lambda x: float(problem.loss(x.astype(np.float32))),
        mistakes={},
    )


def float32_problems() -> Iterable[Problem]:
    """Some of the smooth problems again."""
    named = {problem.name: problem for problem in (*sums(), *vectors())}
    for name in ("squares", "exponential", "logarithm", "hyperbolic tangent", "squares at 1e6"):
        yield in_float32(named[name])
    yield in_float32(named["product"])
    yield float32_hidden(named["sine"])
    yield float32_hidden(named["hyperbolic tangent"])
    X = np.random.default_rng(4).standard_normal(2000).astype(np.float32)
    yield Problem(
        "2,000 terms in float32",
        "float32",
        lambda w: np.tanh(w[0] * X).sum(),
        lambda w: np.array([((1 - np.tanh(w[0] * X) ** 2) * X).sum()]),
        np.array([0.7], np.float32),
    )


# Trees


def nested() -> Problem:
    """Dicts, lists, tuples, leaves of shape () and an empty one."""
    theta = {
        "head": [np.array(0.7)],
        "layers": [
            {
                "W": np.linspace(-2, 1, 6).reshape(2, 3),
                "b": np.array([0.5, -1.0]),
                "none": np.zeros((0, 3)),
            }
        ],
        "s": (np.array(-1.3),),
    }

    def loss(t: Tree) -> float:
        (scale,), layer, (s,) = t["head"], t["layers"][0], t["s"]
        return scale * np.sin(layer["W"]).sum() + (layer["b"] ** 3).sum() * s + layer["none"].sum()

    def grad(t: Tree) -> Tree:
        (scale,), layer, (s,) = t["head"], t["layers"][0], t["s"]
        return {
            "head": [np.sin(layer["W"]).sum()],
            "layers": [
                {
                    "W": scale * np.cos(layer["W"]),
                    "b": 3 * layer["b"] ** 2 * s,
                    "none": np.ones((0, 3)),
                }
            ],
            "s": ((layer["b"] ** 3).sum(),),
        }

    return Problem("nested tree", "tree", loss, grad, theta)


def beside_large_weights(
    name: str, bias: float, *, kind: str = "tree", weight: float = 1e3, weights: int, biases: int
) -> Problem:
    """Biases whose gradient is `bias`, beside 100 times the sum of exp(W / weight)."""
    theta = {"W": np.full(weights, weight), "b": np.linspace(0.1, 1, biases)}

    def loss(t: Tree) -> float:
        return 100 * np.exp(t["W"] / weight).sum() + bias * t["b"].sum()

    def grad(t: Tree, last: float = 1) -> Tree:
        b = np.full(biases, bias)
        b[-1] *= last
        return {"W": 100 * np.exp(t["W"] / weight) / weight, "b": b}

    mistakes = {"one bias of the other sign": partial(grad, last=-1)}
    if biases > 1:
        mistakes["one bias forgotten"] = partial(grad, last=0)
    return Problem(name, kind, loss, grad, theta, mistakes)


def trees() -> Iterable[Problem]:
    """Problems of several leaves."""
    yield nested()
    yield Problem("one number", "tree", lambda x: float(x) ** 3, lambda x: 3 * x**2, np.array(0.4))
    rng = np.random.default_rng(5)
    y = 2 + 0.5 * rng.standard_normal(10)

    def normal(t: Tree) -> float:
        return (t["log_sigma"] + 0.5 * ((y - t["mu"]) * np.exp(-t["log_sigma"])) ** 2).sum()

    def normal_gradient(t: Tree, residual_power: int = 2, terms: int = 10) -> Tree:
        z = (y - t["mu"]) * np.exp(-t["log_sigma"])
        return {
            "mu": -(z * np.exp(-t["log_sigma"])).sum(),
            "log_sigma": terms - (z**residual_power).sum(),
        }

    yield Problem(
        "normal distribution",
        "tree",
        normal,
        normal_gradient,
        {"mu": np.array(1.5), "log_sigma": np.array(-0.3)},
        {
            "without the square": partial(normal_gradient, residual_power=1),
            "without the normalisation": partial(normal_gradient, terms=0),
        },
    )
    yield Problem(
        "product of two matrices",
        "tree",
        lambda t: np.sin(t["A"] @ t["B"]).sum(),
        lambda t: {
            "A": np.cos(t["A"] @ t["B"]) @ t["B"].T,
            "B": t["A"].T @ np.cos(t["A"] @ t["B"]),
        },
        {"A": rng.standard_normal((3, 3)), "B": rng.standard_normal((3, 3))},
        {
            "not transposed": lambda t: {
                "A": np.cos(t["A"] @ t["B"]) @ t["B"],
                "B": t["A"] @ np.cos(t["A"] @ t["B"]),
            }
        },
    )
    yield beside_large_weights("a tiny bias beside large weights", 1e-5, weights=30, biases=1)
    yield beside_large_weights("20 tiny biases, 200 large weights", 1e-3, weights=200, biases=20)
    yield beside_large_weights(
        "20 tiny biases, 200 steep weights", 1e-3, weight=1e-4, weights=200, biases=20
    )
    yield beside_large_weights(
        "a bias drowned by large weights", 1e-12, kind="beyond", weights=30, biases=1
    )


# The corpus


def problems() -> list[Problem]:
    """All problems, each with its right gradient.

    >>> [problem.name for problem in problems()][:3]
    ['squares', 'cubes', 'polynomial']
    """
    return [*sums(), *vectors(), *kinks(), *networks(), *trees(), *float32_problems()]


def cases() -> list[Case]:
    """All cases of the corpus: the right gradients, and the wrong ones made of them.

    >>> [case.name for case in cases() if case.error == 0][:3]
    ['squares', 'cubes', 'polynomial']
    >>> [case.name for case in cases() if case.error > 0][:2]
    ['squares: doubled', 'squares: halved']
    """
    return [case for problem in problems() for case in _cases_of(problem)]


def _cases_of(problem: Problem) -> Iterable[Case]:
    """The right gradient, then every wrong one that is not the same as one before."""
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


def _size(problem: Problem, claim: dict[str, np.ndarray]) -> tuple[float, bool]:
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


# Counting


def trust(loss: Loss, grad: Gradient, theta: Tree) -> bool | None:
    """`check_gradient` as a checker: True for "pass" and "kink", None for "inconclusive".

    >>> trust(lambda x: (x**2).sum(), lambda x: 2 * x, np.ones(2))
    True
    """
    return {"pass": True, "kink": True, "fail": False, "inconclusive": None}[
        check_gradient(loss, grad, theta).verdict
    ]


class Tally(NamedTuple):
    """How a checker did on some cases."""

    kind: str
    right: int  #: right gradients
    accepted: int  #: of which it accepted
    false_alarms: int  #: of which it refused
    wrong: int  #: wrong gradients
    found: int  #: of which it refused
    missed: int  #: of which it accepted
    inconclusive: int  #: right and wrong ones on which it decided nothing


def tally(checker: Checker, chosen: Iterable[Case] | None = None) -> list[Tally]:
    """Count a checker's answers: a row for each kind, and one for all but the kind *beyond*.

    Parameters
    ----------
    checker
        Takes loss, gradient and theta, and returns True, False, or None for "cannot tell".
    chosen
        The cases; `cases` unless given.

    Examples
    --------
    >>> credulous = tally(lambda loss, grad, theta: True, cases()[:4])
    >>> credulous[0]._asdict()  # doctest: +ELLIPSIS
    {'kind': 'smooth', 'right': 1, 'accepted': 1, ..., 'wrong': 3, 'found': 0, 'missed': 3, ...}
    """
    chosen = cases() if chosen is None else list(chosen)
    answers = [(case, checker(case.loss, case.grad, case.theta)) for case in chosen]
    kinds = {kind: [pair for pair in answers if pair[0].kind == kind] for kind in KINDS}
    kinds["all"] = [pair for pair in answers if pair[0].kind != "beyond"]
    return [_count(kind, pairs) for kind, pairs in kinds.items() if pairs]


def _count(kind: str, pairs: list[tuple[Case, bool | None]]) -> Tally:
    right = [answer for case, answer in pairs if case.error == 0]
    wrong = [answer for case, answer in pairs if case.error > 0]
    return Tally(
        kind=kind,
        right=len(right),
        accepted=right.count(True),
        false_alarms=right.count(False),
        wrong=len(wrong),
        found=wrong.count(False),
        missed=wrong.count(True),
        inconclusive=(right + wrong).count(None),
    )
