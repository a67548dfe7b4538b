"""A choice for every leaf: a tree like the parameters, or a function of the path.

Masks of weight decay, frozen arrays and learning rates per array are such choices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from optimlib.arguments import check_takes
from optimlib.trees.containers import Tree, children, flatten, listed, shown

T = TypeVar("T")


def per_leaf(
    choice: Tree | Callable[[str], Any],
    tree: Tree,
    name: str,
    kind: Callable[[str, Any], T],
    tree_name: str = "params",
) -> list[T]:
    """What was chosen for every leaf of a tree, in the order of its leaves.

    Parameters
    ----------
    choice
        A tree with one value in place of every array, or a function that is called with the path of
        every leaf, such as ``"['layers'][0]['W']"``, and returns its value.
    tree
        The parameters.
    name
        What the caller calls the choice, such as ``"mask"``. It starts every error.
    kind
        Checks a value and returns it, given its place and the value: `optimlib.arguments.flag`,
        `optimlib.arguments.hyperparameter` and the like.
    tree_name
        What the caller calls the parameters.

    Raises
    ------
    TypeError
        If the choice is a class, or a function of something else; if a value is an array of several
        numbers; what `kind` raises.
    ValueError
        If the choice is one value, or a tree of another structure; what `kind` raises.

    Examples
    --------
    >>> from optimlib.arguments import flag
    >>> theta = {"W": np.ones((2, 2)), "b": np.zeros(2)}
    >>> per_leaf({"b": False, "W": True}, theta, "mask", flag)
    [True, False]
    >>> per_leaf(lambda path: path.endswith("['b']"), theta, "frozen", flag)
    [False, True]
    >>> per_leaf({"W": True}, theta, "frozen", flag)
    Traceback (most recent call last):
        ...
    ValueError: frozen is not built like params: missing ["['b']"], unexpected []
    """
    paths = [path for path, _ in flatten(tree)]
    if callable(choice):
        check_takes(name, choice, "the path of an array")
        values = {f"{name}({path!r})": choice(path) for path in paths}
    else:
        if children(choice) is None and children(tree) is not None:
            raise ValueError(
                f"{name} is {shown(choice)}; expected a tree like {tree_name}, or a function of the path"
                f" such as lambda path: {paths[0]!r} in path"
            )
        chosen, known = dict(flatten(choice)), set(paths)
        missing = [path for path in paths if path not in chosen]
        unexpected = [path for path in chosen if path not in known]
        if missing or unexpected:
            raise ValueError(
                f"{name} is not built like {tree_name}:"
                f" missing {listed(missing)}, unexpected {listed(unexpected)}"
            )
        values = {f"{name}{path}": chosen[path] for path in paths}
    for place, value in values.items():
        if isinstance(value, np.ndarray) and value.ndim:
            raise TypeError(
                f"{place} is an array of shape {value.shape}; expected one value for the whole array"
            )
    return [kind(place, value) for place, value in values.items()]
