"""What may stand in a tree: parameters, gradients that fit them, numbers that are finite.

A *place* is how the user would write what an error is about: the name of the tree and a path, such as
``grads['layers'][0]['W']``.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from optimlib.trees.blocks import CUT_BYTES, Flat, cut, flat
from optimlib.trees.containers import (
    Tree,
    check_plain,
    children,
    flatten,
    is_number,
    key_difference,
    shown,
)
from optimlib.trees.memory import check_no_shared_memory, overlaps_itself

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


class NonFiniteError(ValueError):
    """A number is NaN or infinite where a finite one was expected."""


def check_parameters(
    tree: Tree, name: str = "params", updated: bool = True
) -> list[tuple[str, np.ndarray]]:
    """Check that a tree can hold parameters, and return its ``(path, array)`` pairs.

    Parameters
    ----------
    tree
        The parameters. Every leaf must be a float32 or float64 array of finite numbers, and no two
        leaves may share memory: to change one would silently change the other.
    name
        What the caller calls the tree. Every place that an error names starts with it.
    updated
        Whether the arrays will be changed in place. If so, they must not be read-only, and no array
        may have two elements in one place.

    Raises
    ------
    TypeError
        If a leaf is not a plain NumPy array, or its dtype is not float32 or float64.
    NonFiniteError
        If a leaf holds NaN or infinity.
    ValueError
        If there is no leaf, if two leaves share memory, or if a leaf cannot be updated although it
        will be.

    Examples
    --------
    >>> check_parameters({"W": np.array([1, 2])}, "theta")
    Traceback (most recent call last):
        ...
    TypeError: theta['W'] has dtype int64; expected float32 or float64 (use .astype(np.float64))
    """
    check_no_lists_of_numbers(tree, name)
    leaves = flatten(tree)
    if not leaves:
        raise ValueError(f"{name} is {shown(tree)}; expected at least one array in it")
    for path, leaf in leaves:
        _check_parameter(leaf, f"{name}{path}", updated)
    check_no_shared_memory(leaves, name)
    return leaves


def _check_parameter(leaf: Any, place: str, updated: bool) -> None:
    """Refuse a leaf that is not an array of parameters."""
    if not isinstance(leaf, np.ndarray):
        raise TypeError(
            f"{place} is {shown(leaf)} of type {type(leaf).__name__}; expected a NumPy array"
            " (for a single number, np.array(0.5))"
        )
    if isinstance(leaf, np.matrix | np.ma.MaskedArray):  # has no one row, or numbers not to be used
        raise TypeError(f"{place} is a {type(leaf).__name__}; expected a plain NumPy array")
    check_dtype(leaf, place)
    if updated and not leaf.flags.writeable:
        raise ValueError(f"{place} is read-only; expected an array that can be updated (use .copy())")
    if updated and overlaps_itself(leaf):
        raise ValueError(
            f"{place} overlaps itself: two of its elements lie in one place;"
            " expected an array that can be updated (use .copy())"
        )
    check_finite(leaf, place)


def check_no_lists_of_numbers(tree: Tree, place: str) -> None:
    """Refuse a list where an array was meant.

    >>> check_no_lists_of_numbers({"W": [[1.0, 2.0], [3.0, 4.0]]}, "theta")
    Traceback (most recent call last):
        ...
    TypeError: theta['W'][0] is a list of numbers; expected a NumPy array (use np.array)
    """
    below = children(tree)
    if not below:
        return
    numbers = [is_number(child) for _, child in below]
    if all(numbers) and not isinstance(tree, dict):
        raise TypeError(
            f"{place} is a {type(tree).__name__} of numbers; expected a NumPy array (use np.array)"
        )
    for key, child in below:
        check_no_lists_of_numbers(child, f"{place}[{key!r}]")


def match(
    tree: Tree, reference: Tree, name: str, reference_name: str, finite: bool = True
) -> list[np.ndarray]:
    """The leaves of `tree` as arrays, in the order of the leaves of `reference`, once they fit.

    They fit if the containers have the same keys and lengths (lists and tuples may stand for each
    other, and the order of a dict's keys is free) and every leaf has the shape and the dtype of its
    counterpart. A real number may stand for an array of shape ``()``.

    Raises
    ------
    TypeError
        If a leaf is of another dtype than its counterpart, `None`, or masked.
    NonFiniteError
        If a leaf holds NaN or infinity, unless `finite` is False.
    ValueError
        If structure or shape differ.

    Examples
    --------
    >>> match({"b": np.ones(3)}, {"b": np.zeros(2)}, "grads", "params")
    Traceback (most recent call last):
        ...
    ValueError: grads['b'] has shape (3,); expected (2,), the shape of params['b']
    """
    matched = [
        (f"{name}{path}", _fitting(leaf, like, path, name, reference_name))
        for path, leaf, like in _counterparts(tree, reference, "", name, reference_name, None)
    ]
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
    """The leaves of `tree`, in the order of those of `reference`, where not every leaf is there.

    Parameters
    ----------
    tree, reference, name, reference_name, finite
        What is matched with what, and what the caller calls both. `None` in place of a leaf, or of a
        whole container, says that there is none.
    ignored
        The paths of leaves that may be there, be absent, or be anything.

    Returns
    -------
    list
        For every leaf of `reference` its counterpart, an array that fits as `match` has it, or `None`
        where there is none or it is ignored.

    Raises
    ------
    TypeError
        If a leaf is of another dtype than its counterpart, or masked.
    NonFiniteError
        If a leaf holds NaN or infinity, unless `finite` is False.
    ValueError
        If structure or shape differ.

    Examples
    --------
    >>> theta = {"W": np.zeros(2), "b": np.zeros(1), "c": np.zeros(1)}
    >>> match_some({"W": None, "b": np.ones(1)}, theta, "grads", "params", ignored=["['c']"])
    [None, array([1.]), None]
    """
    matched = [
        (path, None if leaf is None else _fitting(leaf, like, path, name, reference_name))
        for path, leaf, like in _counterparts(
            tree, reference, "", name, reference_name, frozenset(ignored)
        )
    ]
    if finite:
        check_all_finite([(f"{name}{path}", leaf) for path, leaf in matched if leaf is not None])
    return [leaf for _, leaf in matched]


def _counterparts(
    tree: Tree,
    reference: Tree,
    path: str,
    name: str,
    reference_name: str,
    ignored: frozenset[str] | None,
) -> list[tuple[str, Any, np.ndarray]]:
    """For every leaf of `reference` its path, what stands there in `tree`, and itself.

    With `ignored`, leaves of these paths need not be there, and `None` may stand for a container.
    """
    expected = children(reference)
    if expected is None:
        return [(path, None if ignored and path in ignored else tree, reference)]
    if ignored is not None and tree is None:
        return [(below, None, leaf) for below, leaf in flatten(reference, path)]
    received = children(tree)
    if received is None or isinstance(tree, dict) != isinstance(reference, dict):
        raise ValueError(
            f"{name}{path} is a {type(tree).__name__}; expected a {type(reference).__name__}"
            f" like {reference_name}{path}"
        )
    subtrees, known = dict(received), dict(expected)
    if ignored:
        for key in known.keys() - subtrees.keys():
            if ignored.issuperset(below for below, _ in flatten(known[key], f"{path}[{key!r}]")):
                subtrees[key] = None
    if difference := key_difference(subtrees, known):
        remedy = "" if ignored is None else " (where an array has no gradient, put None, or use frozen=)"
        raise ValueError(f"{name}{path} is not built like {reference_name}{path}: {difference}{remedy}")
    return [
        found
        for key, subtree in known.items()
        for found in _counterparts(
            subtrees[key], subtree, f"{path}[{key!r}]", name, reference_name, ignored
        )
    ]


def _fitting(leaf: Any, like: np.ndarray, path: str, name: str, reference_name: str) -> np.ndarray:
    """A leaf as an array, once it has the dtype and the shape of its counterpart."""
    if type(leaf) is np.ndarray and leaf.dtype == like.dtype and leaf.shape == like.shape:
        return leaf
    if like.shape == () and like.dtype in FLOATS and is_number(leaf):
        with np.errstate(over="ignore"):  # an infinite number is refused as such
            return np.array(leaf, dtype=like.dtype)
    place, counterpart = f"{name}{path}", f"{reference_name}{path}"
    if leaf is None:
        raise TypeError(
            f"{place} is None; expected an array like {counterpart} (zeros where nothing depends on it)"
        )
    if children(leaf) is not None:
        raise ValueError(f"{place} is a {type(leaf).__name__}; expected an array like {counterpart}")
    check_plain(leaf, place)
    array = np.asarray(leaf)
    if array.dtype != like.dtype:
        if array.dtype == object and array.shape == () and array.item() is None:
            raise TypeError(f"{place} is an array of None; expected an array like {counterpart}")
        raise TypeError(
            f"{place} has dtype {array.dtype}; expected {like.dtype}, the dtype of {counterpart}"
            f"{_remedy(array.dtype, like.dtype)}"
        )
    if array.shape != like.shape:
        raise ValueError(
            f"{place} has shape {array.shape}; expected {like.shape}, the shape of {counterpart}"
        )
    return array


def check_dtype(array: np.ndarray, place: str) -> None:
    """Refuse an array whose numbers are not float32 or float64, naming its `place`.

    >>> check_dtype(np.array([1 + 2j]), "theta")
    Traceback (most recent call last):
        ...
    TypeError: theta has dtype complex128; expected float32 or float64 (split it into two arrays, .real
    and .imag)
    """
    if array.dtype in FLOATS:
        return
    if array.dtype == object and array.shape == () and array.item() is None:
        raise TypeError(f"{place} is None; expected float32 or float64 numbers")
    remedy = _remedy(array.dtype, np.dtype(np.float64))
    raise TypeError(f"{place} has dtype {array.dtype}; expected float32 or float64{remedy}")


def _remedy(received: np.dtype, expected: np.dtype) -> str:
    """What to do about numbers of another dtype, where something can be done."""
    if expected not in FLOATS:
        return ""
    if received.kind == "c":
        return " (split it into two arrays, .real and .imag)"
    return f" (use .astype(np.{expected.name}))" if received.kind in "biufO" else ""


def check_finite(array: np.ndarray, place: str) -> None:
    """Refuse an array that holds NaN or infinity, naming the place of the first one.

    >>> check_finite(np.array([[1.0, 2.0], [np.nan, 4.0]]), "grads['W']")
    Traceback (most recent call last):
        ...
    optimlib.trees.checks.NonFiniteError: grads['W'][1, 0] is nan; expected finite numbers
    """
    check_all_finite([(place, array)])


def check_all_finite(pairs: Sequence[tuple[str, np.ndarray]]) -> None:
    """Refuse arrays, each given with its place, of which one holds NaN or infinity."""
    # A finite sum of products proves all factors finite, in one pass and without a temporary array.
    # It may also overflow: then the exact question follows.
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        doubtful = [pair for pair in pairs if not math.isfinite(_sum_of_products(pair[1]))]
    for place, array in doubtful:
        row = _in_any_order(array)
        if not all(np.isfinite(row[here]).all() for here in cut(array)):
            index = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
            raise NonFiniteError(
                f"{place}{format_index(index)} is {array[index]}; expected finite numbers"
            )


def _sum_of_products(array: np.ndarray) -> float:
    """Of the elements in pairs, each in one at least; NaN where a large copy would have to be made."""
    row = _in_any_order(array)
    if not isinstance(row, np.ndarray):
        return math.nan
    half = -(-row.size // 2)
    return np.dot(row[:half], row[row.size - half :])  # memory is read faster in two places at once


def _in_any_order(array: np.ndarray) -> Flat:
    """The elements of an array in one row, in the order that is quickest to read."""
    if array.flags.f_contiguous:
        return array.T.reshape(-1)
    return array.reshape(-1) if array.nbytes <= CUT_BYTES else flat(array)


def format_index(index: tuple[int, ...]) -> str:
    """An array index as it is written behind a path; nothing for an array of shape ``()``.

    >>> format_index((3, 2)), format_index(())
    ('[3, 2]', '')
    """
    return f"[{', '.join(map(str, index))}]" if index else ""
