"""Blocks: the elements of many arrays in portions that fit into a cache (chapter 16).

A step over a whole array sends every temporary result through the memory, and a step over a few
numbers costs little more than calling the functions. So a large array is cut, and small ones are put
together. No rule notices: it says what happens to each element, and looks at no other.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from optimlib import trees
from optimlib.trees import Flat, cut

SMALL = 8
"""An array is small if this many of it fit into a block."""

LARGE_BYTES = 4 * 2**20
"""The size of blocks for a compiled rule, which has no temporary arrays: from here on NumPy asks Linux
for large pages."""


class Piece(NamedTuple):
    """Some elements of an array: the array's number, and their place among its elements in one row."""

    array: int
    here: slice


Block = list[Piece]
"""Pieces of arrays of one dtype: one piece of a large array, or small arrays whole."""


def pack(
    arrays: Sequence[np.ndarray], kinds: Sequence[Hashable], block_bytes: int | None = None
) -> list[Block]:
    """Blocks in which every element of every array is once.

    Parameters
    ----------
    arrays
        The arrays. Only their sizes matter here.
    kinds
        For each array what it has to have in common with those that it shares a block with, its
        dtype among it.
    block_bytes
        The size to cut large arrays to, unless it is that of `optimlib.trees.cut`.

    Examples
    --------
    >>> blocks = pack([np.zeros(3), np.zeros(100_000), np.zeros((2, 2))], ["a", "a", "a"])
    >>> for block in blocks:
    ...     print([(piece.array, piece.here.start, piece.here.stop) for piece in block])
    [(0, 0, 3), (2, 0, 4)]
    [(1, 0, 81920)]
    [(1, 81920, 100000)]
    """
    blocks: list[Block] = []
    filling: dict[Hashable, tuple[Block, int]] = {}  # by kind, the block with room and its bytes
    for number, (array, kind) in enumerate(zip(arrays, kinds, strict=True)):
        pieces = [Piece(number, here) for here in cut(array, block_bytes)]
        if SMALL * array.nbytes > trees.blocks.BLOCK_BYTES:
            blocks += [[piece] for piece in pieces]
            continue
        block, filled = filling.get(kind, ([], 0))
        if not block or filled + array.nbytes > trees.blocks.BLOCK_BYTES:
            block, filled = [], 0
            blocks.append(block)
        block += pieces
        filling[kind] = block, filled + array.nbytes
    return blocks


def keep_freed_memory() -> None:
    """Have the memory that a block's temporary arrays leave kept for those of the next block.

    Left alone, Linux's malloc returns what was freed at its end to the system, and gets it again page by
    page: a step may take twice as long. It stops once a larger array than all of them has been freed.
    """
    np.empty(16 * trees.blocks.BLOCK_BYTES, dtype=np.uint8)


def gather(rows: Sequence[Flat], block: Block) -> np.ndarray:
    """The elements of a block: a view of a large array's row, or a copy of small ones side by side.

    >>> gather([np.array([1.0, 2.0]), np.array([3.0])], [Piece(0, slice(0, 2)), Piece(1, slice(0, 1))])
    array([1., 2., 3.])
    """
    if len(block) == 1:
        ((array, here),) = block
        return rows[array][here]
    return np.concatenate([rows[array][here] for array, here in block])


def spread(values: np.ndarray, rows: Sequence[Flat], block: Block) -> None:
    """Write values, side by side as `gather` returns them, to the places of a block.

    >>> rows = [np.zeros(2), np.zeros(1)]
    >>> spread(np.array([1.0, 2.0, 3.0]), rows, [Piece(0, slice(0, 2)), Piece(1, slice(0, 1))])
    >>> rows
    [array([1., 2.]), array([3.])]
    """
    start = 0
    for array, here in block:
        stop = start + here.stop - here.start
        rows[array][here] = values[start:stop]
        start = stop
