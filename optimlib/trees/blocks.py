"""The elements of an array in one row, and the blocks to work through them in.

A *block* is a slice of that row, small enough that what is computed from it stays in a cache.
"""

from __future__ import annotations

import numpy as np

CUT_BYTES = 640 * 1024  # a block and what is computed from it fit into a cache

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


def cut(array: np.ndarray) -> list[slice]:
    """The blocks to work through an array in: slices of its elements in one row.

    Examples
    --------
    >>> cut(np.zeros(100_000))
    [slice(0, 81920, None), slice(81920, 100000, None)]
    """
    size = CUT_BYTES // array.itemsize
    starts = range(0, max(1, array.size), size)  # an empty array is one empty block
    return [slice(start, min(start + size, array.size)) for start in starts]
