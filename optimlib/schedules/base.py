"""What all schedules here share: settings that are checked, a call that is checked, and a repr.

A schedule here is a dataclass: its fields are its settings, and its method `rate` is its equation. So
it can be compared, copied and pickled, and its repr is how it is written.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, overload

import numpy as np

from optimlib.arguments import check_takes, whole_number

Schedule = Callable[[int], float]
"""A function from the number of finished steps (0 first) to a learning rate."""


class BaseSchedule:
    """A schedule whose settings are the fields of a dataclass and whose equation is `rate`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, repr=False)
    ... class halved(BaseSchedule):
    ...     learning_rate: float
    ...     def rate(self, n):
    ...         return self.learning_rate / 2**n
    >>> halved(8.0), halved(8.0)(2)
    (halved(8.0), 2.0)
    """

    def rate(self, n: int) -> float:
        """The learning rate after `n` finished steps."""
        raise NotImplementedError(f"{type(self).__name__} has to define rate(n)")

    @overload
    def __call__(self, finished: int) -> float: ...
    @overload
    def __call__(self, finished: np.ndarray) -> np.ndarray: ...
    def __call__(self, finished: int | np.ndarray) -> float | np.ndarray:
        """The learning rate after so many finished steps, or an array of them for an array of counts.

        Raises
        ------
        ValueError
            If a count is not a whole number from 0 on, or its learning rate is too large for a float.
        """
        if isinstance(finished, np.ndarray):
            rates = [self(n) for n in finished.ravel().tolist()]
            return np.array(rates, dtype=float).reshape(finished.shape)
        finished = whole_number("finished", finished)
        try:
            rate = self.rate(finished)
        except OverflowError:
            rate = math.inf
        if rate == math.inf:
            raise ValueError(f"the learning rate after {finished} steps is too large")
        return rate

    def __repr__(self) -> str:
        """How the schedule is written: the first setting, and by name what is not at its default."""
        settings = [field for field in fields(self) if field.init]  # type: ignore[arg-type]
        written = [repr(getattr(self, settings[0].name))]
        for field in settings[1:]:
            value = getattr(self, field.name)
            if field.default is MISSING or value != field.default:
                written.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(written)})"

    def _check(self, **checks: Callable[[str, Any], Any]) -> None:
        """Replace every setting by what its check, called with its name and value, makes of it."""
        for name, check in checks.items():
            object.__setattr__(self, name, check(name, getattr(self, name)))  # of a frozen dataclass


def count(name: str, value: int) -> int:
    """A number of steps, from 1 on.

    >>> count("steps", 0)
    Traceback (most recent call last):
        ...
    ValueError: steps is 0; expected a whole number from 1 on
    """
    return whole_number(name, value, lowest=1)


def schedule_function(name: str, value: Schedule) -> Schedule:
    """A schedule, once it can be called.

    >>> schedule_function("schedule", 0.1)
    Traceback (most recent call last):
        ...
    TypeError: schedule is 0.1; expected a function such as constant(0.1)
    """
    if not callable(value):
        raise TypeError(f"{name} is {value!r}; expected a function such as constant(0.1)")
    check_takes(name, value, "the number of steps")
    return value


def ends_of_parts(name: str, value: Any) -> tuple[int, ...]:
    """The steps where the parts of a schedule end: whole numbers that rise from 1 on.

    >>> ends_of_parts("at", [30, 30])
    Traceback (most recent call last):
        ...
    ValueError: at[1] is 30; expected a whole number from 31 on
    """
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        raise TypeError(f"{name} is {value!r}; expected a list of steps, such as [30, 60]")
    ends: list[int] = []
    for number, end in enumerate(value):
        ends.append(whole_number(f"{name}[{number}]", end, lowest=ends[-1] + 1 if ends else 1))
    return tuple(ends)
