"""Parameter trees: an array, or nested dicts, lists and tuples of arrays.

A model keeps its parameters in whatever container reads best. Everything in `optimlib` that takes
parameters takes such a *tree*, and names a place in it the way Python would: the leaf reached by
``theta["layers"][0]["W"]`` has the path ``['layers'][0]['W']``, and a bare array has the path ``""``.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Collection
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds


class NonFiniteError(ValueError):
    """A number is NaN or infinite where a finite one was expected."""


Tree = Any
"""An array, or a dict, list or tuple of trees."""

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
BLOCK_BYTES = 640 * 1024  # a block and what a step computes from it fit into a cache


def children(tree: Tree) -> list[tuple[Any, Tree]] | None:
    """The ``(key, subtree)`` pairs of a container, or ``None`` for a leaf.

    >>> children({"W": 1.0, "b": 2.0})
    [('W', 1.0), ('b', 2.0)]
    """
    if isinstance(tree, dict):
        return list(tree.items())
    if isinstance(tree, list | tuple):
        return list(enumerate(tree))
    return None


def flatten(tree: Tree, path: str = "") -> list[tuple[str, Any]]:
    """All ``(path, leaf)`` pairs, in the order of the containers.

    Parameters
    ----------
    tree
        A leaf, or nested dicts, lists and tuples of leaves.
    path
        The path of `tree` itself; it starts the path of everything below it.

    Examples
    --------
    >>> flatten({"W": np.ones(2), "layers": [np.zeros(1)]})
    [("['W']", array([1., 1.])), ("['layers'][0]", array([0.]))]
    """
    below = children(tree)
    if below is None:
        return [(path, tree)]
    return [pair for key, subtree in below for pair in flatten(subtree, f"{path}[{key!r}]")]


def map_tree(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """A tree of the same structure with ``function(leaf)`` in place of every leaf.

    >>> map_tree(lambda w: 2 * w, {"W": 1.0, "b": (2.0, 3.0)})
    {'W': 2.0, 'b': (4.0, 6.0)}
    """
    below = children(tree)
    if below is None:
        return function(tree)
    if isinstance(tree, dict):
        return {key: map_tree(function, subtree) for key, subtree in below}
    mapped = [map_tree(function, subtree) for _, subtree in below]
    if hasattr(tree, "_fields"):  # a namedtuple takes its fields one by one
        return type(tree)(*mapped)
    return type(tree)(mapped)


def copy_tree(tree: Tree) -> Tree:
    """The same structure with a copy of every array.

    >>> theta = {"b": np.zeros(2)}
    >>> copy_tree(theta)["b"] is theta["b"]
    False
    """
    return map_tree(np.copy, tree)


def check_parameters(tree: Tree, name: str = "params") -> list[tuple[str, np.ndarray]]:
    """Check that a tree can hold parameters, and return its ``(path, array)`` pairs.

    Parameters
    ----------
    tree
        The parameters. Every leaf must be a writeable float32 or float64 array of finite numbers,
        and no two leaves may share memory: to change one would silently change the other.
    name
        What the caller calls the tree. Every place that an error names starts with it.

    Raises
    ------
    TypeError
        If a leaf is not a plain NumPy array, or its dtype is not float32 or float64.
    ValueError
        If there is no leaf, if a leaf is read-only or holds NaN or infinity, or if two leaves share
        memory.

    Examples
    --------
    >>> check_parameters({"W": np.array([1, 2])}, "theta")
    Traceback (most recent call last):
        ...
    TypeError: theta['W'] has dtype int64; expected float32 or float64
    """
    leaves = flatten(tree)
    if not leaves:
        raise ValueError(f"{name} is {tree!r}; expected at least one array in it")
    for path, leaf in leaves:
        if not isinstance(leaf, np.ndarray):
            raise TypeError(
                f"{name}{path} is {leaf!r} of type {type(leaf).__name__}; expected a NumPy array"
                " (for a single number, np.array(0.5))"
            )
        if isinstance(leaf, np.matrix | np.ma.MaskedArray):  # has no one row, or numbers not to be used
            raise TypeError(f"{name}{path} is a {type(leaf).__name__}; expected a plain NumPy array")
        check_dtype(leaf, f"{name}{path}")
        if not leaf.flags.writeable:
            raise ValueError(f"{name}{path} is read-only; expected an array that can be updated")
        check_finite(leaf, f"{name}{path}")
    check_no_shared_memory(leaves, name)
    return leaves


def match(
    tree: Tree, reference: Tree, name: str, reference_name: str, finite: bool = True
) -> list[np.ndarray]:
    """The leaves of `tree` as arrays, in the order of the leaves of `reference`, once they fit.

    They fit if the containers have the same keys and lengths (lists and tuples may stand for each
    other, and the order of a dict's keys is free) and every leaf has the shape and the dtype of its
    counterpart. A number may stand for an array of shape ``()``.

    Raises
    ------
    TypeError
        If a leaf is of another dtype than its counterpart, or masked.
    ValueError
        If structure or shape differ, or, unless `finite` is False, a leaf holds NaN or infinity.

    Examples
    --------
    >>> match({"b": np.ones(3)}, {"b": np.zeros(2)}, "grads", "params")
    Traceback (most recent call last):
        ...
    ValueError: grads['b'] has shape (3,); expected (2,), the shape of params['b']
    """
    matched: list[tuple[str, np.ndarray]] = []
    _match(tree, reference, "", name, reference_name, matched)
    if finite:
        check_all_finite(matched)
    return [leaf for _, leaf in matched]


def match_some(
    tree: Tree,
    reference: Tree,
    name: str,
    reference_name: str,
    ignored: Collection[str] = (),
    finite: bool = True,
) -> list[np.ndarray | None]:
    """The leaves of `tree`, in the order of those of `reference`, where not every leaf is there."""
    absent: set[str] = set()

    def filled(part: Tree, like: Tree, path: str) -> Tree:
        below = children(like)
        if part is None or path in ignored:
            absent.update(place for place, _ in flatten(like, path))
            return like
        if below is None or children(part) is None:
            return part
        given = dict(children(part))
        for key, subtree in below:
            inside = [place for place, _ in flatten(subtree, f"{path}[{key!r}]")]
            if key in given or all(place in ignored for place in inside):
                given[key] = filled(given.get(key), subtree, f"{path}[{key!r}]")
        return given if isinstance(like, dict) else list(given.values())

    matched = match(filled(tree, reference, ""), reference, name, reference_name, finite)
    places = [path for path, _ in flatten(reference)]
    return [None if path in absent else leaf for path, leaf in zip(places, matched, strict=True)]


def per_leaf(choice: Any, tree: Tree, name: str, kind: Callable[[str, Any], Any]) -> list[Any]:
    """What was chosen for every leaf of a tree, in the order of its leaves."""
    paths = [path for path, _ in flatten(tree)]
    if callable(choice):
        return [kind(f"{name}({path!r})", choice(path)) for path in paths]
    chosen = dict(flatten(choice))
    missing = [path for path in paths if path not in chosen]
    unexpected = [path for path in chosen if path not in paths]
    if missing or unexpected:
        raise ValueError(f"{name} is not built like params: missing {missing}, unexpected {unexpected}")
    return [kind(f"{name}{path}", chosen[path]) for path in paths]


def _match(
    tree: Tree,
    reference: Tree,
    path: str,
    name: str,
    reference_name: str,
    matched: list[tuple[str, np.ndarray]],
) -> None:
    """Append the leaves of `tree`, which stands at `path`, to `matched`, each with its place."""
    place, counterpart = f"{name}{path}", f"{reference_name}{path}"
    expected = children(reference)
    if expected is None:
        leaf = np.asarray(tree) if children(tree) is None else None
        if leaf is None:
            raise ValueError(f"{place} is a {type(tree).__name__}; expected an array like {counterpart}")
        if isinstance(tree, np.ma.MaskedArray):
            raise TypeError(f"{place} is a masked array; expected a plain one (use .filled(0))")
        if leaf.dtype != reference.dtype:
            raise TypeError(
                f"{place} has dtype {leaf.dtype}; expected {reference.dtype}, the dtype of {counterpart}"
            )
        if leaf.shape != reference.shape:
            raise ValueError(
                f"{place} has shape {leaf.shape}; expected {reference.shape}, the shape of {counterpart}"
            )
        matched.append((place, leaf))
        return
    received = children(tree)
    if received is None or isinstance(tree, dict) != isinstance(reference, dict):
        raise ValueError(
            f"{place} is a {type(tree).__name__}; expected a {type(reference).__name__}"
            f" like {counterpart}"
        )
    subtrees, known = dict(received), dict(expected)
    missing = [key for key in known if key not in subtrees]
    unexpected = [key for key in subtrees if key not in known]
    if missing or unexpected:
        raise ValueError(
            f"{place} is not built like {counterpart}:"
            f" missing keys {missing}, unexpected keys {unexpected}"
        )
    for key, subtree in known.items():
        _match(subtrees[key], subtree, f"{path}[{key!r}]", name, reference_name, matched)


Flat = np.ndarray | np.flatiter
"""The elements of an array in one row."""


def flat(array: np.ndarray) -> Flat:
    """The elements of an array in one row, to read and to write slices of it.

    Examples
    --------
    >>> w = np.zeros((2, 3)).T
    >>> flat(w)[1:3] = 7
    >>> w
    array([[0., 7.],
           [7., 0.],
           [0., 0.]])
    """
    return array.reshape(-1) if array.flags.c_contiguous else array.flat


def cut(array: np.ndarray, block_bytes: int | None = None) -> list[slice]:
    """The blocks to work through an array in: slices of its elements in one row.

    Examples
    --------
    >>> cut(np.zeros(100_000))
    [slice(0, 81920, None), slice(81920, 100000, None)]
    """
    size = (block_bytes or BLOCK_BYTES) // array.itemsize
    starts = range(0, max(1, array.size), size)  # an empty array is one empty block
    return [slice(start, min(start + size, array.size)) for start in starts]


def check_dtype(array: np.ndarray, place: str) -> None:
    """Refuse an array whose numbers are not float32 or float64, naming its `place`.

    >>> check_dtype(np.array(["a"], dtype=object), "theta")
    Traceback (most recent call last):
        ...
    TypeError: theta has dtype object; expected float32 or float64
    """
    if array.dtype not in FLOATS:
        raise TypeError(f"{place} has dtype {array.dtype}; expected float32 or float64")


def check_finite(array: np.ndarray, place: str) -> None:
    """Refuse an array that holds NaN or infinity, naming the first one's place.

    >>> check_finite(np.array([[1.0, 2.0], [np.nan, 4.0]]), "grads['W']")
    Traceback (most recent call last):
        ...
    ValueError: grads['W'][1, 0] is nan; expected finite numbers
    """
    check_all_finite([(place, array)])


def check_all_finite(pairs: list[tuple[str, np.ndarray]]) -> None:
    """The same for many pairs of a place and an array."""
    # A finite sum of products proves all factors finite, in one pass and without a temporary array.
    # It may also overflow: then the exact question follows.
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        doubtful = [pair for pair in pairs if not math.isfinite(_sum_of_products(pair[1]))]
    for place, array in doubtful:
        row = flat(array)
        if not all(np.isfinite(row[here]).all() for here in cut(array)):
            index = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
            raise NonFiniteError(
                f"{place}{format_index(index)} is {array[index]}; expected finite numbers"
            )


def _sum_of_products(array: np.ndarray) -> float:
    """Of the elements in pairs, each in one at least; NaN where a copy would have to be made."""
    row = flat(array)
    if not isinstance(row, np.ndarray):
        return math.nan
    half = -(-row.size // 2)
    return np.dot(row[:half], row[row.size - half :])  # memory is read faster in two places at once


def format_index(index: tuple[int, ...]) -> str:
    """An array index as it is written behind a path; nothing for an array of shape ``()``.

    >>> format_index((3, 2)), format_index(())
    ('[3, 2]', '')
    """
    return f"[{', '.join(map(str, index))}]" if index else ""


def check_no_shared_memory(leaves: list[tuple[str, np.ndarray]], name: str) -> None:
    """Refuse leaves of which one lies, wholly or in part, where another lies.

    >>> w = np.zeros(4)
    >>> check_no_shared_memory([("['a']", w), ("['b']", w[2:])], "theta")
    Traceback (most recent call last):
        ...
    ValueError: theta['a'] and theta['b'] share memory; expected separate arrays (use .copy())
    """
    by_address = sorted(leaves, key=lambda pair: byte_bounds(pair[1]))
    for i, (path, leaf) in enumerate(by_address):
        for other_path, other in by_address[i + 1 :]:
            if byte_bounds(other)[0] >= byte_bounds(leaf)[1]:
                break  # and so do all that follow
            if np.shares_memory(leaf, other):
                raise ValueError(
                    f"{name}{path} and {name}{other_path} share memory;"
                    " expected separate arrays (use .copy())"
                )


class Memory:
    """The stretches of memory that some arrays occupy.

    >>> w = np.zeros(4)
    >>> Memory([w]).overlaps(w[1:]), Memory([w]).overlaps(w.copy())
    (True, False)
    """

    def __init__(self, arrays: list[np.ndarray]) -> None:
        spans = sorted(byte_bounds(array) for array in arrays)
        self.lows = [low for low, _ in spans]
        self.highs = list(accumulate((high for _, high in spans), max))

    def overlaps(self, array: np.ndarray) -> bool:
        """Whether `array` may lie in one of the stretches."""
        if array.flags.c_contiguous:  # byte_bounds is slow for what a step asks of every gradient
            low = array.__array_interface__["data"][0]
            high = low + array.nbytes
        else:
            low, high = byte_bounds(array)
        before = bisect_left(self.lows, high)
        return before > 0 and self.highs[before - 1] > low
