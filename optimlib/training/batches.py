"""Minibatches: the rows of some arrays, in a random order, some at a time.

A *row* is what an array has at one index of its first axis: an example, its label. The *order* is a
permutation of the rows' numbers, and a batch takes the next ones of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from optimlib.arguments import check_generator, flag, whole_number
from optimlib.trees import Tree, children, flatten, leaves
from optimlib.trees.containers import shown


def minibatches(
    data: Tree, batch_size: int, rng: np.random.Generator, drop_last: bool = False
) -> Iterator[Tree]:
    """The batches of one epoch: every row once, in an order that is drawn when this is called.

    Parameters
    ----------
    data
        Arrays of one length, of any dtype and with any further axes: one array, or several in nested
        tuples, lists and dicts.
    batch_size
        How many rows a batch has, from 1 to the length of the data.
    rng
        Draws the order, by ``rng.permutation``.
    drop_last
        Whether a last batch that would be smaller is left out.

    Yields
    ------
    Tree
        Copies of some rows, in plain tuples, lists and dicts built like those of `data`.

    Raises
    ------
    TypeError
        If something in `data` is no NumPy array, or `rng` no generator.
    ValueError
        If the arrays have no rows, or not equally many, or `batch_size` is not a whole number from 1 to
        their length.

    Examples
    --------
    >>> x, y = np.arange(10).reshape(5, 2), np.arange(5)
    >>> for xs, ys in minibatches((x, y), batch_size=2, rng=np.random.default_rng(0)):
    ...     print(ys, xs.tolist())
    [2 4] [[4, 5], [8, 9]]
    [3 0] [[6, 7], [0, 1]]
    [1] [[2, 3]]
    """
    rows, batch_size = check_batches(data, batch_size)
    check_generator("rng", rng)
    rest = rows % batch_size if flag("drop_last", drop_last) else 0
    order = rng.permutation(rows)[: rows - rest]
    return (take(data, some) for some in cut(order, batch_size))


def cut(order: np.ndarray, batch_size: int, done: int = 0) -> Iterator[np.ndarray]:
    """The numbers of the rows of each batch, after the first `done` batches.

    >>> list(cut(np.array([3, 0, 2, 4, 1]), batch_size=2, done=1))
    [array([2, 4]), array([1])]
    """
    for start in range(done * batch_size, len(order), batch_size):
        yield order[start : start + batch_size]


def take(data: Tree, rows: np.ndarray) -> Tree:
    """Copies of the rows of these numbers, in plain dicts, lists and tuples.

    >>> take({"x": np.arange(5.0), "y": (np.arange(5),)}, np.array([3, 0]))
    {'x': array([3., 0.]), 'y': (array([3, 0]),)}
    """
    if isinstance(data, np.ndarray):
        return data.take(rows, axis=0)  # quicker than data[rows]
    if isinstance(data, dict):
        return {key: take(below, rows) for key, below in data.items()}
    return (list if isinstance(data, list) else tuple)([take(below, rows) for below in data])


def check_batches(data: Tree, batch_size: int) -> tuple[int, int]:
    """The number of rows, and the size of a batch as a Python int, once they fit.

    >>> check_batches((np.zeros((5, 2)), np.zeros(4)), 2)
    Traceback (most recent call last):
        ...
    ValueError: data[1] has 4 rows; expected 5, as data[0] has
    """
    found = flatten(data)
    if not found:
        raise ValueError(f"data is {shown(data)}; expected at least one array in it")
    _check_arrays(data, "data")
    first, rows = f"data{found[0][0]}", len(found[0][1])
    if rows == 0:
        raise ValueError(f"{first} is empty, with shape {found[0][1].shape}; expected at least one row")
    for path, leaf in found:
        if len(leaf) != rows:
            raise ValueError(f"data{path} has {len(leaf)} rows; expected {rows}, as {first} has")
    size = whole_number("batch_size", batch_size, lowest=1)  # np.uint8(200) + 200 would be 144
    if size > rows:
        raise ValueError(
            f"batch_size is {batch_size}; expected at most {rows}, the number of rows of {first}"
        )
    return rows, size


def _check_arrays(data: Tree, place: str) -> None:
    """Refuse what has no rows to take: a list of numbers, a table of another library, a number."""
    below = children(data)
    if below is None:
        if not isinstance(data, np.ndarray):
            kind = type(data).__name__
            raise TypeError(
                f"{place} is {shown(data)} of type {kind}; expected a NumPy array (use np.asarray)"
            )
        if data.ndim == 0:
            raise ValueError(f"{place} has shape (); expected an array with rows")
    elif isinstance(data, list) and (kinds := {type(leaf) for leaf in leaves(data)} - {np.ndarray}):
        kind = min(kind.__name__ for kind in kinds)
        raise TypeError(f"{place} is a list of {kind}; expected a NumPy array (use np.asarray)")
    for key, child in below or ():
        _check_arrays(child, f"{place}[{key!r}]")
