"""Parameter trees: what they are, how one computes with them, and what may stand in them.

A model keeps its parameters in the container that reads best: an array, or nested dicts, lists and
tuples of arrays. Everything in `optimlib` that takes parameters takes such a *tree*, and names a place
in it as Python would: the *leaf* reached by ``theta["layers"][0]["W"]`` has the *path*
``['layers'][0]['W']``, and a bare array has the path ``""``.

>>> import numpy as np
>>> from optimlib import trees
>>> theta = {"W": np.ones(2), "b": np.zeros(1)}
>>> trees.scale(trees.add(theta, theta), 0.5)
{'W': array([1., 1.]), 'b': array([0.])}
"""

# ruff: noqa: F401  (the other rooms import more from here than users call)
from optimlib.trees.arithmetic import add, scale, zeros_like
from optimlib.trees.blocks import Flat, cut, flat
from optimlib.trees.checks import (
    NonFiniteError,
    check_all_finite,
    check_dtype,
    check_finite,
    check_parameters,
    format_index,
    match,
    match_some,
)
from optimlib.trees.choices import per_leaf
from optimlib.trees.containers import Tree, children, copy_tree, flatten, leaves, map_tree
from optimlib.trees.memory import Memory, check_no_shared_memory

__all__ = [
    "NonFiniteError",
    "Tree",
    "add",
    "copy_tree",
    "flatten",
    "map_tree",
    "per_leaf",
    "scale",
    "zeros_like",
]
