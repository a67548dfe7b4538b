"""How far every array goes: the learning rate, what multiplies it, weight decay, and what never moves.

A *choice* is a tree like the parameters with one value for every array, or a function of the path.
Arrays that decay alike, at one rate and with one dtype, form a *group*: they are updated together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np

from optimlib.arguments import check_takes, flag, hyperparameter
from optimlib.optimizers.engine.arrays import Arrays
from optimlib.optimizers.engine.blocks import Block, pack
from optimlib.optimizers.engine.contract import Update
from optimlib.optimizers.settings import Settings
from optimlib.optimizers.weight_decay import WeightDecay
from optimlib.schedules import Schedule
from optimlib.trees import Tree, per_leaf


class Group(NamedTuple):
    """What arrays that are updated together have in common."""

    dtype: np.dtype
    strength: float  # of the weight decay
    rate: float  # times the learning rate


class PerArray(Settings):
    """Gives optimizers `learning_rate`, `rates`, `weight_decay` and `frozen`, to assign at any time."""

    default_decay: ClassVar[type[WeightDecay]]
    needs_whole_arrays: ClassVar[bool]
    t: int
    _arrays: Arrays
    _rate: float | None
    _schedule: Schedule | None
    _packed: tuple[Any, dict[Group, list[Block]]]
    _group_rate: float = 1.0  # what the learning rate is multiplied by, which a step sets back

    def _check_made(self) -> None:
        """Refuse an optimizer of a class whose ``__init__`` forgot that of its base class.

        Raises
        ------
        TypeError
            If that was not called.
        """
        if "_arrays" not in vars(self):
            name = type(self).__name__
            raise TypeError(
                f"{name}.__init__ did not call super().__init__; expected it to, with params"
            )

    @property
    def learning_rate(self) -> float:
        """The step size of the latest step; that of the next while a schedule was not asked."""
        if self._rate is None and self._schedule is not None:
            return hyperparameter("learning_rate", self._schedule(self.t))
        return cast(float, self._rate) * self._group_rate

    @learning_rate.setter
    def learning_rate(self, value: float | Schedule) -> None:
        if callable(value):
            check_takes("learning_rate", value, "the number of steps")
        rate = None if callable(value) else hyperparameter("learning_rate", value)
        self._rate, self._schedule = rate, value if callable(value) else None

    @property
    def schedule(self) -> Schedule | None:
        """The schedule of the learning rate, if there is one."""
        return self._schedule

    @property
    def weight_decay(self) -> WeightDecay:
        """The weight decay; a strength that is assigned is of the kind that the class prefers."""
        return self._weight_decay

    @weight_decay.setter
    def weight_decay(self, value: float | Tree | Callable[[str], float] | WeightDecay) -> None:
        decay = self._as_decay(value, None)
        self._strengths = decay.strengths(self._arrays.params)
        self._weight_decay, self._packed = decay, (None, {})

    @property
    def rates(self) -> Tree | Callable[[str], float] | None:
        """What every array's learning rate is multiplied by, as it was given."""
        return self._rates

    @rates.setter
    def rates(self, value: Tree | Callable[[str], float] | None) -> None:
        self._factors = self._chosen(value, "rates", hyperparameter, 1.0)
        self._rates, self._packed = value, (None, {})

    @property
    def frozen(self) -> Tree | Callable[[str], bool] | None:
        """Which arrays never move, as it was given."""
        return self._frozen

    @frozen.setter
    def frozen(self, value: Tree | Callable[[str], bool] | None) -> None:
        never = self._chosen(value, "frozen", flag, False)
        self._ignored = [path for path, no in zip(self._arrays.paths, never, strict=True) if no]
        self._frozen = value

    def _as_decay(self, given: Any, mask: Tree | Callable[[str], bool] | None) -> WeightDecay:
        """The weight decay that `weight_decay` and `mask` ask for."""
        if not isinstance(given, WeightDecay):
            return self.default_decay(given, mask)
        if mask is not None:
            raise ValueError(f"mask is given beside weight_decay={given!r}; expected it inside")
        return given

    def _chosen(self, choice: Any, name: str, kind: Callable[[str, Any], Any], default: Any) -> list:
        """What was chosen for every array, in their order."""
        if choice is None:
            return [default] * len(self._arrays.leaves)
        return per_leaf(choice, self._arrays.params, name, kind)

    def _updates(
        self, blocks: dict[Group, list[Block]], make: Callable[[Group], Update]
    ) -> Iterator[tuple[Update, Block]]:
        """Every block and what `make` says updates it, once all of these updates are made.

        The last block comes first: the check has just read the gradient to its end.
        """
        updates = {group: make(group) for group in blocks}
        for group, update in reversed(updates.items()):
            for block in reversed(blocks[group]):
                yield update, block

    def _blocks(self, numbers: tuple[int, ...], block_bytes: int | None) -> dict[Group, list[Block]]:
        """The blocks of the arrays with these numbers, by what they have in common."""
        key = numbers, block_bytes
        if self._packed[0] != key:
            arrays: dict[Group, list[tuple[int, np.ndarray]]] = {}
            for number in numbers:
                leaf = self._arrays.leaves[number]
                group = Group(leaf.dtype, self._strengths[number], self._factors[number])
                arrays.setdefault(group, []).append((number, leaf))
            packed = {g: pack(some, block_bytes, self.needs_whole_arrays) for g, some in arrays.items()}
            self._packed = key, packed
        return self._packed[1]
