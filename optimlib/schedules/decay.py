"""Decays: a learning rate that falls, or rises, along a curve."""

from __future__ import annotations

from dataclasses import dataclass

from optimlib.arguments import hyperparameter, positive
from optimlib.schedules.base import BaseSchedule, count


@dataclass(frozen=True, repr=False)
class constant(BaseSchedule):
    r"""One learning rate for all steps, :math:`\eta_n = \eta`.

    Parameters
    ----------
    learning_rate
        The step size :math:`\eta`, from 0 on.

    Raises
    ------
    TypeError, ValueError
        If a setting is not a number, or outside its range.

    Examples
    --------
    >>> from optimlib.schedules import constant, warmup
    >>> warmup(constant(0.5), steps=4)(2)
    0.25
    """

    learning_rate: float

    def __post_init__(self) -> None:
        self._check(learning_rate=hyperparameter)

    def rate(self, n: int) -> float:
        return self.learning_rate


@dataclass(frozen=True, repr=False)
class exponential_decay(BaseSchedule):
    r"""A ratio that is the same from every step to the next.

    .. math:: \eta_n = \eta \gamma^{n / k}

    Parameters
    ----------
    learning_rate
        The learning rate :math:`\eta` of the first step.
    factor
        The ratio :math:`\gamma`. Above 1 the learning rate grows, as in a range test.
    every
        The number :math:`k` of steps in which the learning rate changes by that ratio.

    Raises
    ------
    TypeError, ValueError
        If a setting is not a number, or outside its range.

    Notes
    -----
    PyTorch's ``ExponentialLR``; Optax's ``exponential_decay``; Keras's ``ExponentialDecay``.

    Examples
    --------
    >>> schedule = exponential_decay(1.0, factor=0.25, every=2)
    >>> [schedule(n) for n in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """

    learning_rate: float
    factor: float
    every: int = 1

    def __post_init__(self) -> None:
        self._check(learning_rate=hyperparameter, factor=hyperparameter, every=count)

    def rate(self, n: int) -> float:
        return self.learning_rate * self.factor ** (n / self.every)


@dataclass(frozen=True, repr=False)
class inverse_time_decay(BaseSchedule):
    r"""A learning rate that falls as a power of time.

    .. math:: \eta_n = \frac{\eta}{(1 + \kappa n)^p}

    Parameters
    ----------
    learning_rate
        The learning rate :math:`\eta` of the first step.
    decay
        The rate :math:`\kappa`, per step.
    power
        The exponent :math:`p`. With :math:`\kappa = 1`, 1 gives the :math:`\eta / t` of stochastic
        approximation (Robbins and Monro, 1951), and 1/2 the :math:`\eta / \sqrt t` of regret bounds.

    Raises
    ------
    TypeError, ValueError
        If a setting is not a number, or outside its range.

    Notes
    -----
    With power 1 it is what ``lr_decay`` does in PyTorch's ``Adagrad``, and Keras's
    ``InverseTimeDecay(rate, k, a)`` with ``decay = a / k``. What scikit-learn calls ``invscaling``
    counts examples. Its ``SGDRegressor`` and ``SGDClassifier`` take a step for each, so that n counts
    both, and decay is 1. Its networks change the learning rate at the ends of epochs only: with N
    examples, decay is N, and n counts epochs.

    Examples
    --------
    >>> schedule = inverse_time_decay(1.0, decay=1.0)
    >>> [schedule(n) for n in (0, 1, 3)]
    [1.0, 0.5, 0.25]
    """

    learning_rate: float
    decay: float
    power: float = 1.0

    def __post_init__(self) -> None:
        self._check(learning_rate=hyperparameter, decay=hyperparameter, power=hyperparameter)

    def rate(self, n: int) -> float:
        try:
            return self.learning_rate / (1 + self.decay * n) ** self.power
        except OverflowError:  # of the divisor
            return 0.0


@dataclass(frozen=True, repr=False)
class polynomial_decay(BaseSchedule):
    r"""From one learning rate to another along a power of the time that is left.

    .. math:: \eta_n = \eta_T + (\eta - \eta_T) \Bigl(1 - \frac nT\Bigr)^p \quad (n \le T)

    Parameters
    ----------
    learning_rate
        The learning rate :math:`\eta` of the first step.
    steps
        The number :math:`T` of steps after which `end` is reached; from then on it stays.
    end
        The last learning rate, :math:`\eta_T`.
    power
        The exponent :math:`p`, above 0: 1 is a straight line.

    Raises
    ------
    TypeError, ValueError
        If a setting is not a number, or outside its range.

    Notes
    -----
    PyTorch's ``PolynomialLR`` (whose `end` is 0); Optax's ``polynomial_schedule``; Keras's
    ``PolynomialDecay`` (whose `end` is 1e-4 unless given) without ``cycle``.

    Examples
    --------
    >>> schedule = polynomial_decay(1.0, steps=4, power=2.0)
    >>> [schedule(n) for n in (0, 2, 4, 5)]
    [1.0, 0.25, 0.0, 0.0]
    """

    learning_rate: float
    steps: int
    end: float = 0.0
    power: float = 1.0

    def __post_init__(self) -> None:
        self._check(learning_rate=hyperparameter, steps=count, end=hyperparameter, power=positive)

    def rate(self, n: int) -> float:
        left = 1 - min(n, self.steps) / self.steps
        return self.end + (self.learning_rate - self.end) * left**self.power
