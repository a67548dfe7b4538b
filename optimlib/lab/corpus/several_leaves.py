"""Problems of several leaves: nested trees, and small gradients beside large ones."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from optimlib.lab.corpus.case import GradientProblem
from optimlib.trees import Tree


def nested() -> GradientProblem:
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

    return GradientProblem("nested tree", "tree", loss, grad, theta)


def beside_large_weights(
    name: str, bias: float, *, kind: str = "tree", weight: float = 1e3, weights: int, biases: int
) -> GradientProblem:
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
    return GradientProblem(name, kind, loss, grad, theta, mistakes)


def trees() -> Iterator[GradientProblem]:
    """Problems of several leaves."""
    yield nested()
    yield GradientProblem(
        "one number", "tree", lambda x: float(x) ** 3, lambda x: 3 * x**2, np.array(0.4)
    )
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

    yield GradientProblem(
        "normal distribution",
        "tree",
        normal,
        normal_gradient,
        {"mu": np.array(1.5), "log_sigma": np.array(-0.3)},
        {
            "without the square": partial(normal_gradient, residual_power=1),
            "without the normalization": partial(normal_gradient, terms=0),
        },
    )
    yield GradientProblem(
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
