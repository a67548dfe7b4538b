"""What the parts of the engine hand to each other: an advance, an update, and what went wrong.

An *advance* is a function of some parameters, their gradient and their state: a rule with its weight
decay. An *update* is a function of the same arrays, which changes the parameters and the state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optimlib.optimizers.engine.blocks import Block

Advance = Callable[..., tuple[Any, Any, tuple[Any, ...]]]
"""A function of `p`, `g` and the state arrays: where `p` starts from, the step to subtract there, and
the new state."""

Update = Callable[..., object]
"""A function of `p`, `g` and the state arrays, which changes `p` and the state."""


class NotFiniteResultError(ArithmeticError):
    """A number became NaN or infinite: in which of an update's results, and where in the block."""

    def __init__(self, result: int, position: int, value: float) -> None:
        super().__init__(result, position, value)
        self.result, self.position, self.value = result, position, value
        self.block: Block = []  # which the update does not know
