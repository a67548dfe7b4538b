"""Arithmetic with trees: sums, multiples and zeros, leaf by leaf.

A leaf that is `None`, a gradient that an array does not have, adds nothing to a sum, and stays `None` in
a multiple and among zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from optimlib.trees.containers import Tree, check_plain, is_number, map_with_path, shown


def add(tree: Tree, *others: Tree) -> Tree:
    r"""The sum of some trees, :math:`a_\ell + b_\ell + \dots` at every leaf :math:`\ell`.

    Parameters
    ----------
    tree, *others
        Trees that are built alike, with arrays of the same shapes. They are only read.

    Returns
    -------
    Tree
        New arrays in containers like those of the first tree.

    Raises
    ------
    TypeError
        If a leaf is neither numbers nor `None`.
    ValueError
        If the trees are not built alike, or two arrays at one place differ in shape.

    Examples
    --------
    A large batch does not fit into memory. The gradients of its four parts are added up, and their
    mean is the gradient of the whole:

    >>> from optimlib import SGD, trees
    >>> theta, batches = {"w": np.array([2.0])}, np.arange(8.0).reshape(4, 2)
    >>> def grad(theta, batch): return {"w": theta["w"] - batch.mean(keepdims=True)}
    >>> total = trees.add(*(grad(theta, batch) for batch in batches))
    >>> SGD(theta, learning_rate=0.5).step(trees.scale(total, 1 / 4))
    >>> theta
    {'w': array([2.75])}
    """

    def total(path: str, *leaves: Any) -> np.ndarray | None:
        arrays = [_numbers(path, leaf) for leaf in leaves if leaf is not None]
        if not arrays:
            return None
        for array in arrays:
            if array.shape != arrays[0].shape:
                raise ValueError(
                    f"the trees to add have arrays of shapes {arrays[0].shape} and {array.shape} at"
                    f" {path or 'their root'}; expected arrays of one shape"
                )
        result = np.array(arrays[0])
        for array in arrays[1:]:
            result = np.asarray(result + array)
        return result

    return map_with_path(total, tree, *others)


def scale(tree: Tree, factor: float) -> Tree:
    r"""A multiple of a tree, :math:`c \, a_\ell` at every leaf :math:`\ell`, in the dtype of the leaf.

    Parameters
    ----------
    tree
        The tree. It is only read.
    factor
        The number :math:`c`.

    Returns
    -------
    Tree
        New arrays in containers like those of `tree`.

    Raises
    ------
    TypeError
        If the factor is not a real number, or a leaf is neither numbers nor `None`.

    Examples
    --------
    >>> scale([np.array([1.0, 2.0]), None], 0.5)
    [array([0.5, 1. ]), None]
    """
    if not is_number(factor):
        raise TypeError(f"factor is {factor!r} of type {type(factor).__name__}; expected a number")
    number = float(factor)  # a NumPy scalar of float64 would turn float32 into float64

    def multiple(path: str, leaf: Any) -> np.ndarray | None:
        return None if leaf is None else np.asarray(_numbers(path, leaf) * number)

    return map_with_path(multiple, tree)


def zeros_like(tree: Tree) -> Tree:
    """A tree of zeros in arrays of the same shapes and dtypes; `None` stays `None`.

    Raises
    ------
    TypeError
        If a leaf is neither numbers nor `None`.

    Examples
    --------
    >>> zeros_like({"W": np.ones((1, 2)), "b": np.array(3.0), "frozen": None})
    {'W': array([[0., 0.]]), 'b': array(0.), 'frozen': None}
    """

    def zeros(path: str, leaf: Any) -> np.ndarray | None:
        return None if leaf is None else np.zeros_like(_numbers(path, leaf))

    return map_with_path(zeros, tree)


def _numbers(path: str, leaf: Any) -> np.ndarray:
    """A leaf as an array, once it can be calculated with."""
    check_plain(leaf, f"the leaf at {path or 'the root'}")
    array = np.asarray(leaf)
    if array.dtype.kind not in "biufc":
        raise TypeError(
            f"the tree has {shown(leaf)} at {path or 'its root'}; expected an array of numbers, or None"
        )
    return array
