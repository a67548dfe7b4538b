"""The arrays of an optimizer: parameters, gradients and state, as rows that lie alike in memory.

A *row* is all elements of an array one after the other, as they lie in memory: a view where they lie
side by side in some order of the axes, C or Fortran or another, and else a copy. The rows of a
parameter, its gradient and its state follow the parameter's order: element k is the same one in each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from optimlib.optimizers.engine.blocks import Block, find
from optimlib.trees import (
    Memory,
    Tree,
    check_all_finite,
    check_parameters,
    flatten,
    format_index,
    leaves,
    map_tree,
    match_some,
)

HUGE = {dtype: 1e-8 * float(np.finfo(dtype).max) for dtype in "fd"}
"""By dtype: below this even 100 million times the squares of a gradient have a finite sum."""

TOGETHER_BYTES = 4096
"""Rows up to this size are put together before something is asked of them: a call takes longer."""

TILED_BYTES = 2**20
"""From this size on a transposed copy of a matrix is made in tiles: about four times as fast."""


class Arrays:
    """The arrays of an optimizer: parameters, which stay the caller's, and state.

    Parameters
    ----------
    params
        The tree of the parameters.
    slots
        The names of the state arrays that belong to every parameter array.
    initial
        A function of a slot and a parameter array: that state array before the first step.
    whole
        Whether arrays are updated whole, in their own shape. Then a state may have another one.

    Attributes
    ----------
    torn : bool
        Whether a change of these arrays was interrupted.

    Examples
    --------
    >>> W = np.array([[1.0, 2.0], [3.0, 4.0]], order="F")
    >>> arrays = Arrays({"W": W}, ["m"], lambda slot, array: 0 * array, whole=False)
    >>> arrays.rows_to_change()
    [array([1., 3., 2., 4.])]
    """

    def __init__(
        self,
        params: Tree,
        slots: Sequence[str],
        initial: Callable[[str, np.ndarray], np.ndarray],
        whole: bool,
    ) -> None:
        pairs = check_parameters(params)
        self.params, self.whole, self.torn = params, whole, False
        self.paths = [path for path, _ in pairs]
        self.leaves = [leaf for _, leaf in pairs]
        self.axes = [None if whole else memory_order(leaf) for leaf in self.leaves]
        self.state = {
            slot: [
                self._first(slot, initial(slot, leaf), number) for number, leaf in enumerate(self.leaves)
            ]
            for slot in slots
        }
        self._find_memory()

    def _first(self, slot: str, first: np.ndarray, number: int) -> np.ndarray:
        """A state array before the first step, ordered like its parameter."""
        leaf, axes = self.leaves[number], self.axes[number]
        first = np.asarray(first) if isinstance(first, np.generic) else first  # of no axes
        if not isinstance(first, np.ndarray) or first.dtype != leaf.dtype:
            raise TypeError(f"initial({slot!r}, ...) is {first!r}; expected an array of {leaf.dtype}")
        if self.whole:
            return np.array(first)
        if first.shape != leaf.shape:
            raise ValueError(f"initial({slot!r}, ...) has shape {first.shape}; expected {leaf.shape}")
        if axes is None:
            return np.array(first, order="C")
        return np.array(first.transpose(axes), order="C").transpose(np.argsort(axes))

    def _find_memory(self) -> None:
        """Note where the arrays lie, which every step needs."""
        self.memory = Memory(self.leaves)
        self.owners = {id(array) for leaf in self.leaves for array in (leaf, leaf.base)}
        self.leaf_rows = self._rows(self.leaves)
        self.scattered = [
            number
            for number, (leaf, axes) in enumerate(zip(self.leaves, self.axes, strict=True))
            if axes is not None and not leaf.transpose(axes).flags.c_contiguous
        ]
        self.state_rows = [self._rows(arrays) for arrays in self.state.values()]

    def __getstate__(self) -> dict[str, Any]:
        found = {"memory", "owners", "leaf_rows", "scattered", "state_rows"}
        return {key: value for key, value in vars(self).items() if key not in found}

    def __setstate__(self, attributes: dict[str, Any]) -> None:
        """A copy, deep or unpickled, has its arrays in another place."""
        vars(self).update(attributes)
        self._find_memory()

    def _rows(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The rows of arrays shaped like the parameters, in their order; or whole arrays as they are."""
        return [
            array if self.whole else row(array, axes)
            for array, axes in zip(arrays, self.axes, strict=True)
        ]

    def rows_to_change(self) -> list[np.ndarray]:
        """The rows of the parameters: views, or copies for `write_back`."""
        rows = list(self.leaf_rows)
        for number in self.scattered:
            rows[number] = row(self.leaves[number], self.axes[number])
        return rows

    def write_back(self, rows: Sequence[np.ndarray]) -> None:
        """Write rows that are copies to the parameters that they are copies of."""
        for number in self.scattered:
            ordered = self.leaves[number].transpose(self.axes[number])
            ordered[...] = rows[number].reshape(ordered.shape)

    def _overlaps(self, g: np.ndarray) -> bool:
        """Whether a gradient may lie where parameters lie; quickly, where its memory is its own."""
        return (g.base is not None or id(g) in self.owners) and self.memory.overlaps(g)

    def place(self, block: Block, position: int) -> str:
        """The path and index of an element of a block."""
        number, position = find(block, self.leaves, position)
        leaf, axes = self.leaves[number], self.axes[number]
        order = range(leaf.ndim) if axes is None else axes
        found = np.unravel_index(position, [leaf.shape[axis] for axis in order])
        index = dict(zip(order, found, strict=True))
        return f"{self.paths[number]}{format_index(tuple(int(index[k]) for k in range(leaf.ndim)))}"

    def begin(self) -> None:
        """Note that a change has begun; whoever ends it sets `torn` to False."""
        self.torn = True

    def check_the_same(self, to_change: bool = True) -> None:
        """Refuse to go on with arrays that the caller no longer uses, or that cannot be changed.

        Raises
        ------
        ValueError
            If an array was replaced, added or taken away, or one `to_change` is read-only.
        """
        found = leaves(self.params)
        for number, (leaf, ours) in enumerate(zip(found, self.leaves, strict=False)):
            if leaf is not ours:
                path, _ = flatten(self.params)[number]
                raise ValueError(
                    f"params{path} was replaced by another array; expected the one that this"
                    " optimizer was created with (assign with params[...][:] = values)"
                )
            if to_change and not leaf.flags.writeable:
                path, _ = flatten(self.params)[number]
                raise ValueError(f"params{path} is read-only; expected an array that can be updated")
        if len(found) != len(self.leaves):
            raise ValueError(
                f"params has {len(found)} arrays; expected the {len(self.leaves)} that this"
                " optimizer was created with"
            )

    def check_not_torn(self) -> None:
        """Refuse to go on, or to be saved, from the middle of a change.

        Raises
        ------
        RuntimeError
            If a step, or loading, was interrupted.
        """
        if self.torn:
            raise RuntimeError(
                "a step was interrupted: some arrays have changed and others have not;"
                " expected a saved state to be loaded first"
            )

    def gradients(self, grads: Tree, ignored: Sequence[str]) -> tuple[dict[int, np.ndarray], bool]:
        """The gradient of every array that takes a step, by its number, and whether any is huge.

        The gradient of x * y is (y, x): what lies in a parameter's memory would change under way, and
        is copied. Arrays of the `ignored` paths take no step, nor do those whose gradient is None. A
        gradient is huge where `is_moderate` denies it, unless it holds NaN or infinity.

        Raises
        ------
        TypeError, ValueError
            If a gradient does not fit its parameter.
        NonFiniteError
            If one holds NaN or infinity.
        RuntimeError
            If a change was interrupted.
        """
        self.check_not_torn()
        self.check_the_same()
        matched = match_some(grads, self.params, "grads", "params", ignored, finite=False)
        given = {number: g for number, g in enumerate(matched) if g is not None}
        apart = {k: g.copy() if self._overlaps(g) else g for k, g in given.items()}
        rows = apart if self.whole else {k: row(g, self.axes[k]) for k, g in apart.items()}
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            huge = denied(is_moderate, rows)
        if huge:
            check_all_finite([(f"grads{self.paths[k]}", given[k]) for k in huge])
        return rows, bool(huge)


def fill_tree(params: Tree, arrays: Sequence[np.ndarray]) -> Tree:
    """A tree like `params` with copies of other arrays, given in the order of its leaves.

    >>> fill_tree({"W": 0, "b": [0]}, [np.array(1), np.array(2)])
    {'W': array(1), 'b': [array(2)]}
    """
    remaining = iter(arrays)
    return map_tree(lambda _: next(remaining).copy(), params)


def memory_order(array: np.ndarray) -> list[int] | None:
    """The axes from the one with the longest stride to that with the shortest; None for C order.

    >>> memory_order(np.zeros((2, 3), order="F")), memory_order(np.zeros((2, 3)))
    ([1, 0], None)
    """
    if array.flags.c_contiguous:
        return None
    return sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))


def row(array: np.ndarray, axes: Sequence[int] | None) -> np.ndarray:
    """The elements of an array one after the other, the last of these axes fastest."""
    ordered = array if axes is None else array.transpose(axes)
    if ordered.flags.c_contiguous:
        return ordered.reshape(-1)
    is_large = ordered.ndim == 2 and ordered.nbytes > TILED_BYTES
    return (tiled_copy(ordered) if is_large else ordered.copy(order="C")).reshape(-1)


def tiled_copy(matrix: np.ndarray) -> np.ndarray:
    """A copy in C order, tile by tile: of a large transposed matrix each line of memory is read once.

    >>> tiled_copy(np.array([[1, 2], [3, 4]]).T)
    array([[1, 3],
           [2, 4]])
    """
    copy = np.empty(matrix.shape, matrix.dtype)
    height, width = 64, 256
    for top in range(0, len(matrix), height):
        for left in range(0, matrix.shape[1], width):
            tile = slice(top, top + height), slice(left, left + width)
            copy[tile] = matrix[tile]
    return copy


def denied(holds: Callable[[np.ndarray], bool], rows: Mapping[int, np.ndarray]) -> list[int]:
    """The numbers of the rows of which something does not hold.

    Parameters
    ----------
    holds
        A function of an array. What holds of rows put together holds of each.
    rows
        Arrays with their numbers. Small ones of one dtype are put together first.

    Examples
    --------
    >>> denied(np.all, {0: np.array([True, False]), 3: np.array([True]), 7: np.array([False])})
    [0, 7]
    """
    alone: list[int] = []
    small: dict[str, list[int]] = {}
    for number, array in rows.items():
        (small.setdefault(array.dtype.char, []) if array.nbytes <= TOGETHER_BYTES else alone).append(
            number
        )
    for numbers in small.values():
        if len(numbers) == 1 or not holds(np.concatenate([rows[k] for k in numbers], axis=None)):
            alone += numbers
    return sorted(number for number in alone if not holds(rows[number]))


def is_moderate(g: np.ndarray) -> bool:
    """Whether a gradient is finite, and so are sums of its squares over 100 million steps.

    >>> with np.errstate(all="ignore"):
    ...     [is_moderate(np.float32([x, 1])) for x in (3.0, 1e20, np.nan)]
    [True, False, False]
    """
    return bool(squares(g) < HUGE[g.dtype.char])


def squares(array: np.ndarray) -> float:
    """The sum of all squares, in the array's precision: finite only where all elements are.

    It may overflow on the way to the answer.

    >>> with np.errstate(all="ignore"):
    ...     [float(squares(np.float32([x, 1]))) for x in (3.0, 1e20, np.nan)]
    [10.0, inf, nan]
    """
    flat = array if array.ndim == 1 else array.ravel(order="K")
    return np.dot(flat, flat)
