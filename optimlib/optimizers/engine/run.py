"""How a step runs: every block is gathered, updated, and spread to where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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
        p, *state = (gather(row, block) for row in rows)
        try:
            update(p, clip(gather(gradients, block)), *state)
        except NotFiniteResultError as lost:
            lost.block = block
            raise
        if len(block) > 1:  # then they are copies
            for row, new in zip(rows, (p, *state), strict=True):
                spread(new, row, block)
    arrays.write_back(rows[0])
