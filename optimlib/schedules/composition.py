"""Schedules made of others: a rise in front of one, and one after another.

A schedule that is made of others has the *state* that these have, which an optimizer saves with its
own. A function of one's own has one if it has the methods of `Stateful`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

import numpy as np

from optimlib.arguments import hyperparameter, whole_number
from optimlib.schedules.base import BaseSchedule, Schedule, ends_of_parts, schedule_function


class Stateful(Protocol):
    """A schedule with a state."""

    def __call__(self, finished: int, /) -> float:
        """The learning rate after so many finished steps."""

    def state_dict(self) -> dict[str, np.ndarray]:
        """A copy of the state, as arrays by name."""

    def load_state_dict(self, saved: Mapping[str, np.ndarray]) -> None:
        """Go on from a saved state."""


def has_state(schedule: Schedule) -> TypeGuard[Stateful]:
    """Whether a schedule has a state to be saved: ``state_dict()`` and ``load_state_dict(saved)``.

    >>> from optimlib.schedules import ReduceOnPlateau, constant
    >>> has_state(ReduceOnPlateau(0.1)), has_state(constant(0.1)), has_state(warmup(constant(0.1), 9))
    (True, False, False)
    """
    if isinstance(schedule, Composed):
        return any(map(has_state, schedule.parts))
    return hasattr(schedule, "state_dict") and hasattr(schedule, "load_state_dict")


def as_written(schedule: Schedule, state: Mapping[str, np.ndarray] | None = None) -> str:
    """How a schedule is written, to be compared with that of another run.

    Parameters
    ----------
    schedule
        The schedule. One that is not of this package is only a function.
    state
        If given and not empty, the state that the schedule is to be written with. It is not changed.

    Examples
    --------
    >>> from optimlib.schedules import cosine
    >>> as_written(cosine(0.5, 100)), as_written(joined((as_written, cosine(0.5, 100)), at=(3,)))
    ('cosine(0.5, steps=100)', 'joined((<function as_written>, cosine(0.5, steps=100)), at=(3,))')
    """
    if not isinstance(schedule, BaseSchedule):
        return "a function"
    if state and has_state(schedule):
        schedule = deepcopy(schedule)
        schedule.load_state_dict(state)
    return re.sub(" at 0x[0-9A-Fa-f]+", "", repr(schedule))  # where a function lies in memory


class Composed(BaseSchedule):
    """A schedule made of others, whose state is theirs."""

    @property
    def parts(self) -> Sequence[Any]:
        """The schedules that this one is made of."""
        raise NotImplementedError(f"{type(self).__name__} has to define parts")

    def _stateful(self) -> dict[str, Any]:
        """The parts that have a state, by what the names of their states start with."""
        prefixes = [""] if len(self.parts) == 1 else [f"{number}." for number in range(len(self.parts))]
        return {
            prefix: part for prefix, part in zip(prefixes, self.parts, strict=True) if has_state(part)
        }

    def state_dict(self) -> dict[str, np.ndarray]:
        """A copy of the state of every part; of several, under names such as ``"0.best"``."""
        return {
            prefix + name: value
            for prefix, part in self._stateful().items()
            for name, value in part.state_dict().items()
        }

    def load_state_dict(self, saved: Mapping[str, np.ndarray]) -> None:
        """Go on from a saved state.

        Raises
        ------
        TypeError, ValueError
            If it is no such state. Nothing has been changed then.
        """
        before = self.state_dict()
        if set(saved) != set(before):
            raise ValueError(f"the saved schedule has {sorted(saved)}; expected {sorted(before)}")
        try:
            self._load(saved)
        except Exception:
            self._load(before)
            raise

    def _load(self, saved: Mapping[str, np.ndarray]) -> None:
        for prefix, part in self._stateful().items():
            part.load_state_dict({name: saved[prefix + name] for name in part.state_dict()})


@dataclass(frozen=True, repr=False)
class warmup(Composed):
    r"""A straight rise in front of a schedule, which begins when the rise is over.

    .. math::

        \eta_n = \begin{cases}
            \eta_{\text{start}} + (s_0 - \eta_{\text{start}}) \, n / k & n < k \\
            s_{n - k} & n \ge k
        \end{cases}

    Parameters
    ----------
    schedule
        The schedule :math:`s`.
    steps
        The number :math:`k` of steps that the rise takes; with 0 there is none.
    start
        The learning rate of the first step. With 0, the default, the first step changes no
        parameter; ``peak / (steps + 1)`` makes the rise begin with one like the others.

    Raises
    ------
    TypeError, ValueError
        If a setting is not a number, or outside its range.

    Notes
    -----
    Goyal et al., 2017, section 2.2. Optax's ``warmup_cosine_decay_schedule(start, peak, k, T)`` is
    ``warmup(cosine(peak, T - k), k, start)``. Keras's ``CosineDecay(start, T)`` with a
    ``warmup_target`` and ``warmup_steps=k`` is ``warmup(cosine(peak, T), k, start)``: its T begins
    after the warmup. PyTorch's ``LinearLR`` starts at a third of the peak unless told otherwise. The
    state of a schedule that has one is saved through this one.

    Examples
    --------
    >>> from optimlib.schedules import cosine, warmup
    >>> schedule = warmup(cosine(1.0, steps=2), steps=2)
    >>> [round(schedule(n), 3) for n in range(5)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    schedule: Schedule
    steps: int
    start: float = 0.0

    def __post_init__(self) -> None:
        self._check(schedule=schedule_function, steps=whole_number, start=hyperparameter)

    @property
    def parts(self) -> Sequence[Any]:
        """The schedule behind the rise."""
        return (self.schedule,)

    def rate(self, n: int) -> float:
        if n >= self.steps:
            return _rate_of(self.schedule, n - self.steps, "schedule")
        first = _rate_of(self.schedule, 0, "schedule")
        return self.start + (first - self.start) * n / self.steps


@dataclass(frozen=True, repr=False)
class joined(Composed):
    r"""One schedule after another, each counting from where it begins.

    .. math:: \eta_n = s^{(i)}_{n - k_i}, \qquad k_i \le n < k_{i+1}, \qquad k_0 = 0

    Parameters
    ----------
    schedules
        The schedules :math:`s^{(0)}, s^{(1)}, \dots`.
    at
        The steps :math:`k_1 < k_2 < \dots`, one less than schedules: how many are finished when the next
        schedule begins.

    Raises
    ------
    TypeError, ValueError
        If a schedule cannot be called, the steps do not rise from 1 on, or there is not one more
        schedule than steps.

    Notes
    -----
    Optax's ``join_schedules``; PyTorch's ``SequentialLR``.

    Examples
    --------
    >>> from optimlib.schedules import constant, cosine
    >>> schedule = joined([constant(0.5), cosine(1.0, steps=2)], at=[3])
    >>> [schedule(n) for n in range(6)]
    [0.5, 0.5, 0.5, 1.0, 0.5, 0.0]
    >>> schedule
    joined((constant(0.5), cosine(1.0, steps=2)), at=(3,))
    """

    schedules: Sequence[Schedule]
    at: Sequence[int]

    def __post_init__(self) -> None:
        self._check(schedules=_schedules, at=ends_of_parts)
        if len(self.schedules) != len(self.at) + 1:
            raise ValueError(
                f"schedules has {len(self.schedules)} schedules and at {len(self.at)} steps;"
                " expected one more schedule than steps"
            )

    @property
    def parts(self) -> Sequence[Any]:
        """The schedules, in their order."""
        return self.schedules

    def rate(self, n: int) -> float:
        i = bisect_right(self.at, n)
        return _rate_of(self.schedules[i], n - (0, *self.at)[i], f"schedules[{i}]")


def _schedules(name: str, value: Sequence[Schedule]) -> tuple[Schedule, ...]:
    """Schedules that can be called."""
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        raise TypeError(f"{name} is {value!r}; expected a list of schedules")
    return tuple(schedule_function(f"{name}[{number}]", part) for number, part in enumerate(value))


def _rate_of(schedule: Schedule, n: int, name: str) -> float:
    """What a schedule, which may be any function, returns for a step, once it is a learning rate."""
    return hyperparameter(f"{name}({n})", schedule(n))
