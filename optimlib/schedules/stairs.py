"""Stairs: a learning rate that is constant for some steps, and then another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from optimlib.arguments import hyperparameter
from optimlib.schedules.base import BaseSchedule, count, ends_of_parts


@dataclass(frozen=True, repr=False)
class step_decay(BaseSchedule):
    r"""A staircase: multiplied by a factor every so many steps.

    .. math:: \eta_n = \eta \gamma^{\lfloor n / k \rfloor}

    Parameters
    ----------
    learning_rate
        The learning rate :math:`\eta` of the first stair.
    every
        The number :math:`k` of steps on a stair.
    factor
        The ratio :math:`\gamma` of a stair to the one before it.

    Raises
    ------
    TypeError, ValueError
        If a setting is not a number, or outside its range.

    Notes
    -----
    PyTorch's ``StepLR``; Optax's ``exponential_decay`` and Keras's ``ExponentialDecay`` with
    ``staircase=True``.

    Examples
    --------
    >>> schedule = step_decay(1.0, every=2, factor=0.5)
    >>> [schedule(n) for n in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    learning_rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        self._check(learning_rate=hyperparameter, every=count, factor=hyperparameter)

    def rate(self, n: int) -> float:
        return self.learning_rate * self.factor ** (n // self.every)


@dataclass(frozen=True, repr=False)
class milestones(BaseSchedule):
    r"""One learning rate after another, each from its milestone on.

    .. math:: \eta_n = \eta^{(i)}, \qquad i = \#\{j : k_j \le n\}

    Parameters
    ----------
    rates
        The learning rates :math:`\eta^{(0)}, \eta^{(1)}, \dots`.
    at
        The milestones :math:`k_1 < k_2 < \dots`, one less than rates: how many steps are finished when
        the next rate begins.

    Raises
    ------
    TypeError, ValueError
        If a rate is not a number from 0 on, the milestones do not rise from 1 on, or there is not one
        more rate than milestones.

    Notes
    -----
    PyTorch's ``MultiStepLR(milestones=at, gamma=0.1)`` multiplies by the same factor at every
    milestone, Optax's ``piecewise_constant_schedule`` by one of its own. Keras's
    ``PiecewiseConstantDecay(boundaries, values)`` goes over one step later:
    ``milestones(values, [k + 1 for k in boundaries])``.

    Examples
    --------
    >>> schedule = milestones([0.1, 0.01, 0.001], at=[2, 3])
    >>> [schedule(n) for n in range(5)]
    [0.1, 0.1, 0.01, 0.001, 0.001]
    """

    rates: Sequence[float]
    at: Sequence[int]

    def __post_init__(self) -> None:
        self._check(rates=_rates, at=ends_of_parts)
        if len(self.rates) != len(self.at) + 1:
            raise ValueError(
                f"rates has {len(self.rates)} learning rates and at {len(self.at)} milestones;"
                " expected one more rate than milestones"
            )

    def rate(self, n: int) -> float:
        return self.rates[bisect_right(self.at, n)]


def _rates(name: str, value: Sequence[float]) -> tuple[float, ...]:
    """Learning rates as Python floats."""
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        raise TypeError(f"{name} is {value!r}; expected a list of learning rates, such as [0.1, 0.01]")
    return tuple(hyperparameter(f"{name}[{number}]", rate) for number, rate in enumerate(value))
