"""How a step runs: every block is gathered, updated, and spread to where it came from.

A rehearsal does the same with updates that change nothing, and writes nothing back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from optimlib.clipping import Clip
from optimlib.optimizers.engine.arrays import Arrays
from optimlib.optimizers.engine.blocks import Block, gather, spread
from optimlib.optimizers.engine.contract import NotFiniteResultError, Update


def run(
    arrays: Arrays,
    updates: Iterable[tuple[Update, Block]],
    gradients: Mapping[int, np.ndarray],
    clip: Clip,
) -> None:
    """Give every block to its update, one after the other, so that what is computed stays in the cache.

    Parameters
    ----------
    arrays
        The parameters and the state, which change.
    updates
        The blocks, each with what updates it.
    gradients
        The rows of the gradient, by the numbers of their arrays.
    clip
        What is done to every block of the gradient first.

    Raises
    ------
    NotFiniteResultError
        If a result is NaN or infinite. It says in which block.
    """
    rows = arrays.rows_to_change(), *arrays.state_rows
    for update, block in updates:
        changed = updated(rows, update, block, gradients, clip)
        if len(block) > 1:  # then they are copies
            for row, new in zip(rows, changed, strict=True):
                spread(new, row, block)
    arrays.write_back(rows[0])


def rehearse_all(
    arrays: Arrays,
    updates: Iterable[tuple[Update, Block]],
    gradients: Mapping[int, np.ndarray],
    clip: Clip,
) -> None:
    """Give every block to an update that changes nothing: only to see whether it raises.

    Parameters
    ----------
    arrays, updates, gradients, clip
        Those of `run`. Nothing is written to the arrays.

    Raises
    ------
    NotFiniteResultError
        If a result is NaN or infinite. It says in which block.
    """
    rows = arrays.rows_to_change(), *arrays.state_rows
    for update, block in updates:
        updated(rows, update, block, gradients, clip)


def updated(
    rows: Sequence[Sequence[np.ndarray]],
    update: Update,
    block: Block,
    gradients: Mapping[int, np.ndarray],
    clip: Clip,
) -> list[np.ndarray]:
    """The parameters and the state of a block, once it is updated: views, or copies of small arrays."""
    arrays = [gather(row, block) for row in rows]
    try:
        update(arrays[0], clip(gather(gradients, block)), *arrays[1:])
    except NotFiniteResultError as lost:
        lost.block = block
        raise
    return arrays
