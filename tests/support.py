"""What several test files need."""

import ast
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from optimlib import Adam, check_gradient
from optimlib.trees import flatten

GOLDEN = Path(__file__).with_name("golden")


def bits(tree: Any) -> list[tuple]:
    """All that can be seen of a tree's arrays, and which objects they are."""
    return [(path, id(leaf), leaf.dtype, leaf.shape, leaf.tobytes()) for path, leaf in flatten(tree)]


@contextmanager
def unchanged(*trees: Any) -> Iterator[None]:
    """Fail if the block replaces an array of `trees` or changes a single bit of one."""
    before = [bits(tree) for tree in trees]
    yield
    assert [bits(tree) for tree in trees] == before


def same(a: Any, b: Any) -> bool:
    """Whether two trees have containers of the same types and equal arrays of the same dtypes."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a.dtype == b.dtype and np.array_equal(a, b)


def recorded_layer(name: str) -> SimpleNamespace:
    """What PyTorch returned: `inputs`, `others` that have no gradient, `y`, `dy` and `gradients`."""
    path = GOLDEN / "layers.json"
    case = json.loads(path.read_text(encoding="utf8"))["cases"][name]

    def arrays(tree):
        return {key: arrays(v) for key, v in tree.items()} if isinstance(tree, dict) else np.array(tree)

    return SimpleNamespace(**arrays(case))


def steps_taken(
    optimizer: type, gradients: Any, start: float = 0.0, **hyperparameters: Any
) -> np.ndarray:
    """What an optimizer subtracts in each step, for gradients given by their first axis."""
    gradients = np.asarray(gradients, dtype=float)
    theta = np.full(gradients.shape[1:] or (1,), start)
    running = optimizer(theta, **hyperparameters)
    positions = [theta.copy()]
    for g in gradients:
        running.step(np.reshape(g, theta.shape))
        positions.append(theta.copy())
    return -np.diff(positions, axis=0).reshape(gradients.shape)


def close(found: Any, expected: Any) -> None:
    """Fail unless all numbers agree but for a few roundings in float64."""
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-300)


def eighths(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random multiples of 1/8: sums and products of a few of them are exact in float64."""
    return rng.integers(-16, 17, shape) / 8


def verdict(loss: Any, grad: Any, theta: Any, **options: Any) -> str:
    """What a gradient check says."""
    return check_gradient(loss, grad, theta, **options).verdict


def assert_not_wrong(loss: Any, grad: Any, theta: Any) -> None:
    """Fail unless a gradient agrees with its loss, or the loss has no slope to compare it with."""
    report = check_gradient(loss, grad, theta)
    assert report.tested_nothing or report.verdict in ("pass", "kink"), report


def loss_of_the_best_rate(
    optimizer: type, rates: np.ndarray, curvatures: np.ndarray, steps: int, **hyperparameters: Any
) -> float:
    """The least loss that some steps on a bowl with these curvatures leave, over the rates."""
    ends = []
    for rate in rates:
        theta = np.ones(len(curvatures))
        opt = optimizer(theta, rate, **hyperparameters)
        for _ in range(steps):
            opt.step(curvatures * np.clip(theta, -1e9, 1e9))
        ends.append(curvatures @ theta**2 / 2)
    return float(min(ends))


def spread_at_the_end(rate: Any, steps: int, size: int) -> float:
    """How far Adam leaves parameters from the minimum of a bowl, after steps with noisy gradients."""
    rng, theta = np.random.default_rng(5), np.zeros(size)
    opt = Adam(theta, rate)
    for _ in range(steps):
        opt.step(theta + rng.standard_normal(size))
    return float(theta.std())


def names_read(tree: ast.AST) -> set[str]:
    """The names that a program reads."""
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {node.id for node in nodes if isinstance(node.ctx, ast.Load)}
