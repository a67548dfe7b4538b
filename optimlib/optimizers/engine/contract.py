"""What the parts of the engine hand to each other: an advance, an update, and what went wrong.

An *advance* is a function of some parameters, their gradient and their state: a rule with its weight
decay. An *update* is a function of the same arrays, which changes the parameters and the state. A
*maker* makes an update of an advance: there is one that calls the rule, and one that compiles it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from optimlib.optimizers.engine.blocks import Block

Advance = Callable[..., tuple[Any, Any, tuple[Any, ...]]]
"""A function of `p`, `g` and the state arrays: where `p` starts from, the step to subtract there, and
the new state."""

Update = Callable[..., object]
"""A function of `p`, `g` and the state arrays, which changes `p` and the state."""


class Maker(NamedTuple):
    """A way to run rules, and what has to be known of it before a step."""

    update: Callable[..., Update]
    """A function of an advance, of what to call before something changes, the slots and the dtype."""

    check: Callable[..., None]
    """Refuses a wrong result: a function of the class's name, slots, result, and the rule's arrays."""

    block_bytes: int | None
    """The size that large arrays are cut to; None for that of blocks with temporary arrays."""


class NotFiniteResultError(ArithmeticError):
    """A number became NaN or infinite: in which of an update's results, and where in the block."""

    def __init__(self, result: int, position: int, value: float) -> None:
        super().__init__(result, position, value)
        self.result, self.position, self.value = result, position, value
        self.block: Block = []  # which the update does not know


def step_and_state(name: str, slots: Sequence[str], returned: Any) -> tuple[Any, Sequence[Any]]:
    """What the rule of the class `name` returned, once it is a step and one new state for every slot.

    Raises
    ------
    TypeError
        If it is no pair.
    ValueError
        If there are more or fewer states than slots.

    Examples
    --------
    >>> step_and_state("Adam", ("m", "v"), (0.5, (1.0, 2.0, 3.0)))
    Traceback (most recent call last):
        ...
    ValueError: Adam.rule returned (1.0, 2.0, 3.0) as the new state; expected 2 arrays
    """
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        raise TypeError(
            f"{name}.rule returned {repr(returned)[:200]}; expected the step and the new state"
        )
    step, state = returned
    if not isinstance(state, (tuple, list)) or len(state) != len(slots):
        raise ValueError(
            f"{name}.rule returned {repr(state)[:200]} as the new state; expected {len(slots)} arrays"
        )
    return step, state
