"""The mistakes that fit any gradient, from a wrong factor to swapped leaves."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from optimlib.lab.corpus.case import Gradient, Mistake
from optimlib.trees import Tree, flatten, map_tree


def each(change: Callable[[np.ndarray], np.ndarray]) -> Mistake:
    """One change, made in every leaf."""
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
    "a regularizer too much": with_theta(lambda g, x: g + x / 100),
    "a constant too much": each(lambda g: g + g.dtype.type(1e-4)),
    "of the previous parameters": of_previous_parameters,
}
"""The mistakes by name. One that changes nothing in a problem makes no case of it."""

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
