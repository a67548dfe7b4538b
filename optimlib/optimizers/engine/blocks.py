"""Blocks: the elements of many arrays in portions that fit into a cache.

A step over a whole array sends every temporary result through the memory, and a step over a few
numbers costs little more than calling the functions. So a large array is cut, and small ones are put
together. No rule notices: it says what happens to each element, and looks at no other. Rules that look
at a whole array get one array a block.

A *piece* is some elements of one array; a *block* is one piece of a large array, or small arrays whole.
A *row* is an array's elements one after the other (`optimlib.optimizers.engine.arrays`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import EllipsisType
from typing import NamedTuple

import numpy as np

BLOCK_BYTES = 640 * 1024
"""The size of a block: what a rule computes from it fits into a cache, too."""

LARGE_BYTES = 16 * 2**20
"""The size of blocks for a compiled rule, which has no temporary arrays: from here on NumPy asks Linux
for large pages."""

SMALL = 8
"""An array is small if this many of it fit into a block."""


class Piece(NamedTuple):
    """Some elements of an array: the array's number, and their place in its row, or ``...`` for all."""

    array: int
    here: slice | EllipsisType


Block = list[Piece]


def pack(
    rows: Iterable[tuple[int, np.ndarray]], block_bytes: int | None = None, whole: bool = False
) -> list[Block]:
    """Blocks in which every element of every array is once.

    Parameters
    ----------
    rows
        The arrays of one dtype, each with its number. Only their sizes matter here.
    block_bytes
        The size in bytes to cut large arrays to. Without it they are cut to `BLOCK_BYTES`.
    whole
        Whether every array is a block of its own, in its own shape.

    Examples
    --------
    >>> for block in pack(enumerate([np.zeros(3), np.zeros(100_000), np.zeros(4)])):
    ...     print([(piece.array, piece.here.start, piece.here.stop) for piece in block])
    [(0, 0, 3), (2, 0, 4)]
    [(1, 0, 81920)]
    [(1, 81920, 100000)]
    """
    if whole:
        return [[Piece(number, ...)] for number, row in rows if row.size]  # a norm needs a number
    blocks: list[Block] = []
    filling: Block = []  # the block of small arrays that has room
    filled = 0
    for number, row in rows:
        if SMALL * row.nbytes > BLOCK_BYTES:
            size = (block_bytes or BLOCK_BYTES) // row.itemsize
            starts = range(0, row.size, size)
            blocks += [[Piece(number, slice(start, min(start + size, row.size)))] for start in starts]
            continue
        if not filling or filled + row.nbytes > BLOCK_BYTES:
            filling, filled = [], 0
            blocks.append(filling)
        filling.append(Piece(number, slice(0, row.size)))
        filled += row.nbytes
    return blocks


def keep_freed_memory() -> None:
    """Have the memory that a block's temporary arrays leave kept for those of the next block.

    Left alone, Linux's malloc returns what was freed at its end to the system, and gets it again page by
    page: a step may take twice as long. Malloc keeps such memory from the time when an array larger than
    any of the temporary ones is freed, as happens here.
    """
    np.empty(16 * BLOCK_BYTES, dtype=np.uint8)


def gather(rows: Sequence[np.ndarray] | Mapping[int, np.ndarray], block: Block) -> np.ndarray:
    """The elements of a block: a view of a large array, or a copy of small ones side by side.

    >>> gather([np.array([1.0, 2.0]), np.array([3.0])], [Piece(0, slice(0, 2)), Piece(1, slice(0, 1))])
    array([1., 2., 3.])
    """
    if len(block) == 1:
        ((array, here),) = block
        return rows[array][here]
    return np.concatenate([rows[array] for array, _ in block])


def spread(values: np.ndarray, rows: Sequence[np.ndarray], block: Block) -> None:
    """Write values, side by side as `gather` returns them, to the places of a block.

    >>> rows = [np.zeros(2), np.zeros(1)]
    >>> spread(np.array([1.0, 2.0, 3.0]), rows, [Piece(0, slice(0, 2)), Piece(1, slice(0, 1))])
    >>> rows
    [array([1., 2.]), array([3.])]
    """
    if len(block) == 1:
        ((array, here),) = block
        rows[array][here] = values
        return
    start = 0
    for array, _ in block:
        stop = start + rows[array].size
        rows[array][...] = values[start:stop]  # quicker than [:]
        start = stop


def find(block: Block, rows: Sequence[np.ndarray], position: int) -> tuple[int, int]:
    """The array in which an element of a block lies, and its place in that array's row.

    >>> find([Piece(0, slice(0, 2)), Piece(1, slice(0, 3))], [np.zeros(2), np.zeros(3)], 4)
    (1, 2)
    """
    rest = position
    for array, here in block:
        start, stop, _ = (slice(None) if here is ... else here).indices(rows[array].size)
        if rest < stop - start:
            return array, start + rest
        rest -= stop - start
    raise IndexError(f"the block has no element {position}")
