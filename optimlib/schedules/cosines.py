"""Cosines: half a period, once or again and again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from optimlib.arguments import hyperparameter
from optimlib.schedules.base import BaseSchedule, count


def half_cosine(x: float) -> float:
    """From 1 at 0 to 0 at 1 along a cosine.

    >>> half_cosine(0), half_cosine(0.5), half_cosine(1)
    (1.0, 0.5, 0.0)
    """
    return (1 + math.cos(math.pi * x)) / 2


@dataclass(frozen=True, repr=False)
class cosine(BaseSchedule):
    r"""Half a period of a cosine: slow at both ends.

    .. math::

        \eta_n = \eta_T + (\eta - \eta_T) \, \tfrac12 \Bigl(1 + \cos \frac{\pi n}T\Bigr) \quad (n \le T)

    Parameters
    ----------
    learning_rate
        The learning rate :math:`\eta` of the first step.
    steps
        The number :math:`T` of steps after which `end` is reached; from then on it stays.
    end
        The last learning rate, :math:`\eta_T`.

    Raises
    ------
    TypeError, ValueError
        If a setting is not a number, or outside its range.

    Notes
    -----
    One period of Loshchilov and Hutter, 2017, equation 5. PyTorch's ``CosineAnnealingLR`` does not
    stay at its `end`: it rises again, as the cosine does. Optax's ``cosine_decay_schedule`` and
    Keras's ``CosineDecay`` stay; their ``alpha`` is the ratio of `end` to the first rate.

    Examples
    --------
    >>> schedule = cosine(1.0, steps=4)
    >>> [round(schedule(n), 3) for n in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """

    learning_rate: float
    steps: int
    end: float = 0.0

    def __post_init__(self) -> None:
        self._check(learning_rate=hyperparameter, steps=count, end=hyperparameter)

    def rate(self, n: int) -> float:
        x = min(n, self.steps) / self.steps
        return self.end + (self.learning_rate - self.end) * half_cosine(x)


@dataclass(frozen=True, repr=False)
class cosine_restarts(BaseSchedule):
    r"""The cosine again and again, each time over as many steps or over a multiple of them.

    .. math::

        \eta_n = \eta_{\min} + (\eta - \eta_{\min}) \, \tfrac12 \Bigl(1 + \cos \frac{\pi n_i}{T_i}\Bigr)

    Here :math:`n_i` counts the steps since the last restart, from 0 to :math:`T_i - 1`.

    Parameters
    ----------
    learning_rate
        The learning rate :math:`\eta` after each restart.
    steps
        The number :math:`T_0` of steps before the first restart.
    factor
        The whole number by which each period is longer than the one before: :math:`T_{i+1} / T_i`.
    end
        What each period falls toward, :math:`\eta_{\min}`: the restart comes where it would be reached.

    Raises
    ------
    TypeError, ValueError
        If a setting is not a number, or outside its range.

    Notes
    -----
    SGDR: Loshchilov and Hutter, 2017, equation 5. PyTorch's ``CosineAnnealingWarmRestarts``; Optax's
    ``sgdr_schedule`` without its warmups; Keras's ``CosineDecayRestarts`` with ``m_mul=1``, whose
    periods are twice as long each time unless ``t_mul`` says otherwise.

    Examples
    --------
    >>> schedule = cosine_restarts(1.0, steps=2, factor=2)
    >>> [round(schedule(n), 3) for n in range(7)]
    [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 1.0]
    """

    learning_rate: float
    steps: int
    factor: int = 1
    end: float = 0.0

    def __post_init__(self) -> None:
        self._check(learning_rate=hyperparameter, steps=count, factor=count, end=hyperparameter)

    def rate(self, n: int) -> float:
        period = self.steps
        if self.factor == 1:
            n %= period
        while n >= period:
            n, period = n - period, period * self.factor
        return self.end + (self.learning_rate - self.end) * half_cosine(n / period)
