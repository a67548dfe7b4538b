"""How a step runs: every block is gathered, updated, and spread to where it came from.

A step is *torn* from its first change to its last one: whatever interrupts it there, some arrays have
moved and others have not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from optimlib.clipping import Clip
from optimlib.optimizers.engine.arrays import Arrays
from optimlib.optimizers.engine.blocks import Block, gather, spread
from optimlib.optimizers.engine.called import NotFiniteResultError, Update


def run(
    arrays: Arrays,
    updates: Iterable[tuple[Update, Block]],
    gradients: Mapping[int, np.ndarray],
    clip: Clip,
    in_place: bool,
) -> None:
    """Give every block its step, one after the other, so that what is computed stays in the cache.

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
    in_place
        Whether an update changes the arrays that it is given, and does not return new ones.

    Raises
    ------
    NotFiniteResultError
        If a result is NaN or infinite.
    """
    rows = arrays.rows_to_change(), *arrays.state_rows
    for update, block in updates:
        given = [gather(row, block) for row in rows]
        arrays.torn |= in_place
        new = _updated(update, block, given, clip(gather(gradients, block)))
        arrays.torn = True
        for row, old, values in zip(rows, given, new, strict=True):
            if values is not old or len(block) > 1:
                spread(values, row, block)
    arrays.write_back(rows[0])
    arrays.torn = False


def rehearse(
    arrays: Arrays,
    updates: Iterable[tuple[Update, Block]],
    gradients: Mapping[int, np.ndarray],
    clip: Clip,
) -> None:
    """Do all that `run` does but change anything: with a huge gradient the result may be infinite.

    The parameters are those of `run`, with updates that leave the arrays as they are.

    Raises
    ------
    NotFiniteResultError
        If a result is NaN or infinite.
    """
    rows = arrays.rows_to_change(), *arrays.state_rows
    for update, block in updates:
        given = [gather(row, block) for row in rows]
        with np.errstate(all="ignore"):
            _updated(update, block, given, clip(gather(gradients, block)))


def _updated(
    update: Update, block: Block, given: list[np.ndarray], g: np.ndarray
) -> tuple[np.ndarray, ...]:
    """What an update makes of parameters and state; its error knows the block."""
    try:
        return update(given[0], g, *given[1:])
    except NotFiniteResultError as lost:
        lost.block = block
        raise
