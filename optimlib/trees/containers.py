"""The containers of a tree: their children, the paths of the leaves, and containers built anew.

A *container* is a dict, a list or a tuple, also of a class derived from one of them, such as a
namedtuple or an OrderedDict. Everything else is a *leaf*.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np

Tree = Any
"""An array, or a dict, list or tuple of trees."""


def children(tree: Tree) -> list[tuple[Any, Tree]] | None:
    """The ``(key, subtree)`` pairs of a container, or `None` for a leaf.

    >>> children({"W": 1.0, "b": 2.0})
    [('W', 1.0), ('b', 2.0)]
    """
    if isinstance(tree, dict):
        return list(tree.items())
    if isinstance(tree, (list, tuple)):  # quicker than list | tuple, and asked of every array
        return list(enumerate(tree))
    return None


def leaves(tree: Tree) -> list[Any]:
    """All leaves, in the order of the containers.

    >>> leaves({"W": 1.0, "layers": [2.0, 3.0]})
    [1.0, 2.0, 3.0]
    """
    below = children(tree)
    if below is None:
        return [tree]
    return [leaf for _, subtree in below for leaf in leaves(subtree)]


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


def map_tree(function: Callable[..., Any], tree: Tree, *others: Tree) -> Tree:
    """A tree like the first one, with ``function(leaf, *leaves_of_the_others)`` in place of every leaf.

    Parameters
    ----------
    function
        What to put in place of a leaf, given the leaves at the same place of all trees.
    tree
        The tree whose containers the result has, type for type.
    *others
        Trees with the same keys and lengths. Lists and tuples may stand for each other, and the order
        of a dict's keys is free.

    Raises
    ------
    TypeError
        If a container is of a class that cannot be built anew with other entries.
    ValueError
        If the trees are not built alike.

    Examples
    --------
    >>> map_tree(lambda w: 2 * w, {"W": 1.0, "b": (2.0, 3.0)})
    {'W': 2.0, 'b': (4.0, 6.0)}
    >>> map_tree(lambda w, g: w - 0.5 * g, {"W": 1.0, "b": 2.0}, {"b": 4.0, "W": 6.0})
    {'W': -2.0, 'b': 0.0}
    """
    return map_with_path(lambda _, *leaves: function(*leaves), tree, *others)


def map_with_path(function: Callable[..., Any], tree: Tree, *others: Tree, path: str = "") -> Tree:
    """A tree like the first one, with ``function(path, leaf, *leaves_of_the_others)`` at every leaf.

    >>> map_with_path(lambda path, w: path, {"W": 1.0, "b": (2.0, 3.0)})
    {'W': "['W']", 'b': ("['b'][0]", "['b'][1]")}
    """
    below = children(tree)
    if below is None:
        for number, other in enumerate(others, 2):
            if children(other) is not None:
                raise ValueError(
                    f"tree {number} has a {type(other).__name__} at {path or 'its root'};"
                    " expected a leaf, as in tree 1"
                )
        return function(path, tree, *others)
    entries = [_entries_like(tree, other, number, path) for number, other in enumerate(others, 2)]
    mapped = [
        map_with_path(function, subtree, *(entry[key] for entry in entries), path=f"{path}[{key!r}]")
        for key, subtree in below
    ]
    return _with_entries(tree, mapped, path)


def _entries_like(tree: Tree, other: Tree, number: int, path: str) -> dict[Any, Tree]:
    """The children of `other` by key, once they have the keys that those of `tree` have."""
    place, below = path or "its root", children(other)
    if below is None or isinstance(other, dict) != isinstance(tree, dict):
        raise ValueError(
            f"tree {number} has a {type(other).__name__} at {place};"
            f" expected a {type(tree).__name__}, as in tree 1"
        )
    entries, known = dict(below), dict(children(tree) or ())
    if difference := key_difference(entries, known):
        raise ValueError(f"tree {number} is not built like tree 1 at {place}: {difference}")
    return entries


def key_difference(received: dict[Any, Any], expected: dict[Any, Any]) -> str:
    """The keys that two containers do not share, in a few words; nothing if they share all.

    >>> key_difference({"w": 1, "b": 2}, {"W": 1, "b": 2})
    "missing keys ['W'], unexpected keys ['w']"
    """
    if received.keys() == expected.keys():
        return ""
    missing = [key for key in expected if key not in received]
    unexpected = [key for key in received if key not in expected]
    return f"missing keys {listed(missing)}, unexpected keys {listed(unexpected)}"


def listed(items: Sequence[Any], most: int = 4) -> str:
    """A list as text, of which only the first few items are written.

    >>> listed(range(100))
    '[0, 1, 2, 3, and 96 more]'
    """
    rest = [f"and {len(items) - most} more"] if len(items) > most else []
    return f"[{', '.join([*(shown(item) for item in items[:most]), *rest])}]"


def shown(value: object, most: int = 80) -> str:
    """What stands in an error for a value: its repr in one line, cut when it is long.

    >>> shown(np.zeros((50, 50)), most=30)
    'array([[0., 0., 0., ..., 0., …'
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _with_entries(tree: Tree, entries: list[Any], path: str) -> Tree:
    """A container like `tree` with other entries under its keys."""
    kind = type(tree)
    if kind in (dict, list, tuple):
        return dict(zip(tree, entries, strict=True)) if kind is dict else kind(entries)
    try:
        if isinstance(tree, dict):
            new = _dict_with_entries(tree, entries)
        else:  # a namedtuple takes its fields one by one
            new = kind(*entries) if hasattr(tree, "_fields") else kind(entries)
        before, after = children(tree) or [], children(new) or []
        built = [key for key, _ in after] == [key for key, _ in before]
        built = built and all(a is b for (_, a), b in zip(after, entries, strict=True))
    except Exception:  # a constructor or an assignment of its own does not take them
        built = False
    if not built:
        raise TypeError(
            f"the tree has a {kind.__name__} at {path or 'its root'}, which cannot be built anew with"
            f" other entries; expected a plain {'dict' if isinstance(tree, dict) else 'list or tuple'}"
        )
    return new


def _dict_with_entries(tree: dict, entries: list[Any]) -> dict:
    """A copy of a dict of a derived class, with its attributes, and other entries."""
    new = copy.copy(tree)
    if getattr(tree, "__dict__", None) is tree:  # its attributes are its entries
        object.__setattr__(new, "__dict__", new)
    for key, entry in zip(tree, entries, strict=True):
        new[key] = entry
    before, attributes = list(tree.values()), getattr(new, "__dict__", {})
    if attributes is not new and any(a is b for a in attributes.values() for b in before):
        raise TypeError("an attribute still holds an entry of the old one")
    return new


def is_number(value: object) -> bool:
    """Whether a value is a real number, of Python's or NumPy's; a truth value is none.

    >>> is_number(np.float32(0.5)), is_number(2), is_number(True), is_number(np.ones(1))
    (True, True, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool)


def check_plain(leaf: object, place: str) -> None:
    """Refuse a masked array: what computes with it as with an array forgets the mask.

    >>> check_plain(np.ma.masked_array([1.0, 2.0], [False, True]), "grads['W']")
    Traceback (most recent call last):
        ...
    TypeError: grads['W'] is a masked array; expected a plain one (use .filled(0))
    """
    if isinstance(leaf, np.ma.MaskedArray):
        raise TypeError(f"{place} is a masked array; expected a plain one (use .filled(0))")


def copy_tree(tree: Tree) -> Tree:
    """A tree of the same structure with a copy of every array.

    >>> theta = {"b": np.zeros(2)}
    >>> copy_tree(theta)["b"] is theta["b"]
    False
    """
    return map_tree(np.copy, tree)
