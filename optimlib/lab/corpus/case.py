"""What the corpus is made of: losses, problems, mistakes and cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from optimlib.trees import Tree

Loss = Callable[[Tree], Any]
Gradient = Callable[[Tree], Tree]
Mistake = Callable[[Gradient], Gradient]

KINDS = ("smooth", "scaled", "kinked", "float32", "tree", "zero", "large", "beyond")
"""The difficulties that a problem can be there for; the kinds by which answers are counted."""


class GradientProblem(NamedTuple):
    """A loss and its right gradient, with the mistakes that only this model knows."""

    name: str
    kind: str
    loss: Loss
    grad: Gradient
    theta: Tree
    mistakes: Mapping[str, Gradient] = MappingProxyType({})  #: wrong gradients of its own
    general: tuple[str, ...] | None = None  #: names in `MISTAKES`, unless `GENERAL` or `FEW`
    slopes: tuple[Tree, Tree] | None = None  #: at a kink: the least and the largest right gradient


class Case(NamedTuple):
    """A loss, a gradient that is claimed for it, and the truth about the claim."""

    name: str  #: the problem, and after a colon the mistake
    kind: str  #: one of `KINDS`
    loss: Loss  #: takes a tree like `theta`, returns a number
    grad: Gradient  #: takes a tree like `theta`, returns a tree like it
    theta: Tree  #: where to compare them
    error: float  #: 0 for a right gradient; else the norm of the mistake over that of the leaf it hits
