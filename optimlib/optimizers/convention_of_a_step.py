"""Tells which convention a step of one's own follows, or which slip it has.

Nouns: a *candidate* is a class of this package, or `Adam` with a *slip*, a mistake that people make when
they write it themselves. All of them and the step in question get the same gradients; whose parameters
come out again is what it is. A *clock* says what a candidate takes for t.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from optimlib.optimizers.adam import Adam
from optimlib.optimizers.base import Optimizer
from optimlib.trees import Tree, check_parameters, copy_tree, flatten, map_tree, match

STEPS = 20
Clock = Callable[[int, int, int], int]
"""From the number of the step, the number of the array and how many arrays there are: the t."""


def which_convention(
    step: Callable[[Tree, Tree], Tree | None], params: Tree | None = None, **hyperparameters: Any
) -> list[tuple[str, float]]:
    """What a step of one's own computes: the candidates nearest to it, the nearest first.

    Parameters
    ----------
    step
        A function of parameters and their gradient that keeps its own state, changes the parameters in
        place or returns new ones, and was not called before.
    params
        What it takes for parameters, a tree of float64 arrays. Unless given, it is one array of 12.
    **hyperparameters
        Those that it was written with, under this package's names, `learning_rate` among them.
        Candidates without such a hyperparameter are left out.

    Returns
    -------
    list
        Up to five pairs: a name, and the largest difference between the two paths, as a fraction of the
        longest path. Two that agree differ by rounding alone, less than 1e-9.

    Raises
    ------
    TypeError
        If `step` cannot be called, `learning_rate` is missing, or `params` or what `step` returns are
        not arrays of float64.
    ValueError
        If no candidate has these hyperparameters, or if `step` returns arrays of other shapes, makes
        all parameters NaN, or neither changes them nor returns new ones.

    Examples
    --------
    >>> m = v = t = 0
    >>> def step(theta, g):
    ...     global m, v, t
    ...     t += 1
    ...     m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    ...     theta -= 0.01 * (m / (1 - 0.9**t)) / np.sqrt(v / (1 - 0.999**t) + 1e-8)
    >>> which_convention(step, learning_rate=0.01, beta1=0.9, beta2=0.999, eps=1e-8)[0][0]
    'Adam with epsilon inside the root'
    """
    if not callable(step):
        raise TypeError(f"step is {step!r}; expected a function of parameters and their gradient")
    if "learning_rate" not in hyperparameters:
        raise TypeError("learning_rate is missing; expected the one that step was written with")
    start = np.zeros(12) if params is None else params
    for place, leaf in check_parameters(start, updated=False):
        if leaf.dtype != np.float64:
            raise TypeError(
                f"params{place} has dtype {leaf.dtype}; expected float64, in which roundings are small"
            )
    leaves = [leaf for _, leaf in flatten(start)]
    gradients = [gradient(leaf.shape, np.random.default_rng(k)) for k, leaf in enumerate(leaves)]
    found = []
    for name, (optimizer, clock) in candidates(hyperparameters, len(leaves)).items():
        paths = [
            path(optimizer(leaf.copy(), **hyperparameters), leaf, gradients[k], clock, k, len(leaves))
            for k, leaf in enumerate(leaves)
        ]
        found.append((name, np.concatenate(paths, axis=1)))
    if not found:
        raise ValueError(
            f"no class has all of {', '.join(hyperparameters)}; expected hyperparameters of one method"
        )
    seen = path_of(step, start, gradients)
    differences = [(name, difference(seen, ours)) for name, ours in found]
    return sorted(differences, key=lambda pair: pair[1])[:5]


def path_of(
    step: Callable[[Tree, Tree], Tree | None], start: Tree, gradients: list[np.ndarray]
) -> np.ndarray:
    """All parameters after every call of `step`, in rows, once it is seen to move them.

    Raises
    ------
    TypeError, ValueError
        If it returns something else than parameters, leaves them where they are, or makes all NaN.
    """
    theirs, rows = copy_tree(start), []
    before = np.concatenate([np.ravel(leaf) for _, leaf in flatten(start)])
    for n in range(STEPS):
        returned = step(theirs, like_tree(theirs, [g[n].copy() for g in gradients]))
        if returned is not None:
            theirs = like_tree(start, match(returned, start, "step(...)", "params", finite=False))
        rows.append(np.concatenate([np.ravel(leaf) for _, leaf in flatten(copy_tree(theirs))]))
    if np.isnan(rows[0]).all():
        raise ValueError("step made all parameters NaN in its first call; expected numbers")
    if all(np.array_equal(row, before) for row in rows):
        raise ValueError(
            f"step left all parameters where they were in {STEPS} calls; expected it to change them in"
            " place (theta -= ..., not theta = theta - ...) or to return new ones"
        )
    return np.array(rows)


def like_tree(tree: Tree, arrays: list[np.ndarray]) -> Tree:
    """A tree like another, of these arrays in the order of its leaves."""
    remaining = iter(arrays)
    return map_tree(lambda _: next(remaining), tree)


def gradient(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """For every step a gradient, of elements so small that an epsilon shows and of large ones."""
    return rng.standard_normal((STEPS, *shape)) * 10.0 ** rng.uniform(-9, 2, shape)


def path(
    optimizer: Optimizer, theta: np.ndarray, gradients: np.ndarray, clock: Clock, number: int, count: int
) -> np.ndarray:
    """The parameters of one array after every step of a rule, in rows."""
    state = tuple(np.array(tree) for tree in optimizer.state.values())
    rows = []
    for n, g in enumerate(gradients, start=1):
        optimizer.t = clock(n, number, count)
        given = (theta, *state) if optimizer.needs_parameters else state
        with np.errstate(all="ignore"):
            step, state = optimizer.rule(g, *given)
        theta = theta - step
        rows.append(np.ravel(theta))
    return np.array(rows)


def difference(seen: np.ndarray, ours: np.ndarray) -> float:
    """The largest difference between two paths as a fraction of the longer; NaN and NaN do not differ.

    >>> difference(np.array([0.0, 1.0, np.nan]), np.array([0.0, 2.0, np.nan]))
    0.5
    """
    if not np.array_equal(np.isnan(seen), np.isnan(ours)):
        return np.inf
    length = max(np.nanmax(np.abs(seen), initial=0.0), np.nanmax(np.abs(ours), initial=0.0))
    return float(np.nanmax(np.abs(seen - ours), initial=0.0) / (length or 1.0))


def methods(base: type[Optimizer]) -> Iterator[type[Optimizer]]:
    """The classes in `optimlib.optimizers` that are derived from `base`, at any depth.

    >>> len(list(methods(Optimizer))) > 30
    True
    """
    for derived in base.__subclasses__():
        if derived.__module__.startswith(__package__) and derived.__module__ != __name__:
            yield derived
            yield from methods(derived)


def candidates(hyperparameters: dict[str, Any], count: int) -> dict[str, tuple[type[Optimizer], Clock]]:
    """All classes with a rule of their own, and slips with `count` arrays, that have these settings."""
    with_rules = [c for c in methods(Optimizer) if "rule" in vars(c)]
    every = {c.__name__: (c, once_a_step) for c in with_rules} | SLIPS
    names = {"learning_rate", *Optimizer(np.zeros(1), 1.0).settings()}
    return {
        name: (made, clock)
        for name, (made, clock) in every.items()
        if (count > 1 or clock is not once_an_array)
        and set(hyperparameters) <= names | set(made(np.zeros(1), learning_rate=1.0).settings())
    }


def once_a_step(step: int, number: int, count: int) -> int:
    """What t should be."""
    return step


def once_an_array(step: int, number: int, count: int) -> int:
    """What t is if it advances with every array; with one array that is no slip."""
    return count * (step - 1) + number + 1


class EpsInsideTheRoot(Adam):
    """Epsilon is in the units of a squared gradient."""

    def rule(self, g, m, v):
        _, (m, v) = super().rule(g, m, v)
        m_hat, v_hat = m / (1 - self.beta1**self.t), v / (1 - self.beta2**self.t)
        return self.learning_rate * m_hat / np.sqrt(v_hat + self.eps), (m, v)


class NoBiasCorrection(Adam):
    """The first steps are up to three times as long."""

    def rule(self, g, m, v):
        _, (m, v) = super().rule(g, m, v)
        return self.learning_rate * m / (np.sqrt(v) + self.eps), (m, v)


class SquareForgotten(Adam):
    """The second moment is one of g, and its root often NaN."""

    def rule(self, g, m, v):
        _, (m, _) = super().rule(g, m, v)
        v = self.beta2 * v + (1 - self.beta2) * g
        m_hat, v_hat = m / (1 - self.beta1**self.t), v / (1 - self.beta2**self.t)
        return self.learning_rate * m_hat / (np.sqrt(v_hat) + self.eps), (m, v)


class RootForgotten(Adam):
    """The steps go as one over the gradient."""

    def rule(self, g, m, v):
        _, (m, v) = super().rule(g, m, v)
        m_hat, v_hat = m / (1 - self.beta1**self.t), v / (1 - self.beta2**self.t)
        return self.learning_rate * m_hat / (v_hat + self.eps), (m, v)


class DecaysSwapped(Adam):
    """Each moment has the decay rate of the other."""

    def __init__(self, params, learning_rate, **options):
        super().__init__(params, learning_rate, **options)
        self.beta1, self.beta2 = self.beta2, self.beta1


class StateForgotten(Adam):
    """Every step is a first one, and has the sign of the gradient."""

    def rule(self, g, m, v):
        return super().rule(g, 0 * m, 0 * v)


SLIPS: dict[str, tuple[type[Adam], Clock]] = {
    "Adam whose t starts at 2": (Adam, lambda step, number, count: step + 1),
    "Adam whose t advances once an array": (Adam, once_an_array),
    "Adam with epsilon inside the root": (EpsInsideTheRoot, once_a_step),
    "Adam without bias correction": (NoBiasCorrection, once_a_step),
    "Adam with v of g and not of its square": (SquareForgotten, once_a_step),
    "Adam without the root of v": (RootForgotten, once_a_step),
    "Adam with beta1 and beta2 swapped": (DecaysSwapped, once_a_step),
    "Adam created again in every step": (StateForgotten, lambda step, number, count: 1),
}
