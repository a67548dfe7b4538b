r"""Learning-rate schedules: functions from the number of finished steps to a learning rate (chapter 12).

Everything here is called with its settings and returns a *schedule*: a pure function of
:math:`n = 0, 1, 2, \dots`, the number of steps that are finished, so that its value at 0 is the
learning rate of the first step. An optimizer takes a schedule wherever it takes a learning rate.
"Steps" may be epochs just as well: ``lambda n: schedule(n // steps_per_epoch)``.

`ReduceOnPlateau` is the exception: it follows the losses that it is shown, and so it has a state,
which an optimizer saves with its own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from numbers import Real

import numpy as np

from optimlib.arguments import hyperparameter, positive, whole_number

Schedule = Callable[[int], float]
"""A function from the number of finished steps (0 first) to a learning rate."""


def _checked(rate: Schedule) -> Schedule:
    """The schedule, asking for a whole number from 0 on and giving a finite one."""

    @functools.wraps(rate)
    def schedule(finished: int) -> float:
        finished = whole_number("finished", finished)
        try:
            return rate(finished)
        except OverflowError:
            raise ValueError(f"the learning rate after {finished} steps is too large") from None

    return schedule


def constant(learning_rate: float) -> Schedule:
    r"""The same learning rate for ever, :math:`\eta_n = \eta`.

    Parameters
    ----------
    learning_rate
        The step size :math:`\eta`, from 0 on.

    Examples
    --------
    >>> warmup(constant(0.5), steps=4)(2)
    0.25
    """
    learning_rate = hyperparameter("learning_rate", learning_rate)
    return _checked(lambda n: learning_rate)


def step_decay(learning_rate: float, every: int, factor: float = 0.1) -> Schedule:
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
    learning_rate = hyperparameter("learning_rate", learning_rate)
    every = whole_number("every", every, lowest=1)
    factor = hyperparameter("factor", factor)
    return _checked(lambda n: learning_rate * factor ** (n // every))


def exponential_decay(learning_rate: float, factor: float, every: int = 1) -> Schedule:
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

    Notes
    -----
    PyTorch's ``ExponentialLR``; Optax's ``exponential_decay``; Keras's ``ExponentialDecay``.

    Examples
    --------
    >>> schedule = exponential_decay(1.0, factor=0.25, every=2)
    >>> [schedule(n) for n in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """
    learning_rate = hyperparameter("learning_rate", learning_rate)
    factor = hyperparameter("factor", factor)
    every = whole_number("every", every, lowest=1)
    return _checked(lambda n: learning_rate * factor ** (n / every))


def inverse_time_decay(learning_rate: float, decay: float, power: float = 1.0) -> Schedule:
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

    Notes
    -----
    With power 1 it is what ``lr_decay`` does in PyTorch's ``Adagrad``, and Keras's
    ``InverseTimeDecay(rate, k, a)`` with ``decay = a / k``; with decay 1, scikit-learn's
    ``invscaling``.

    Examples
    --------
    >>> schedule = inverse_time_decay(1.0, decay=1.0)
    >>> [schedule(n) for n in (0, 1, 3)]
    [1.0, 0.5, 0.25]
    """
    learning_rate = hyperparameter("learning_rate", learning_rate)
    decay = hyperparameter("decay", decay)
    power = hyperparameter("power", power)

    def rate(n: int) -> float:
        try:
            return learning_rate / (1 + decay * n) ** power
        except OverflowError:  # of the divisor
            return 0.0

    return _checked(rate)


def polynomial_decay(learning_rate: float, steps: int, end: float = 0.0, power: float = 1.0) -> Schedule:
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
    learning_rate = hyperparameter("learning_rate", learning_rate)
    steps = whole_number("steps", steps, lowest=1)
    end = hyperparameter("end", end)
    power = positive("power", power)
    return _checked(lambda n: end + (learning_rate - end) * (1 - min(n, steps) / steps) ** power)


def cosine(learning_rate: float, steps: int, end: float = 0.0) -> Schedule:
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
    learning_rate = hyperparameter("learning_rate", learning_rate)
    steps = whole_number("steps", steps, lowest=1)
    end = hyperparameter("end", end)
    return _checked(lambda n: end + (learning_rate - end) * _half_cosine(min(n, steps) / steps))


def _half_cosine(x: float) -> float:
    """From 1 at 0 to 0 at 1 along a cosine."""
    return (1 + math.cos(math.pi * x)) / 2


def cosine_restarts(learning_rate: float, steps: int, factor: int = 1, end: float = 0.0) -> Schedule:
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
        What each period falls towards, :math:`\eta_{\min}`: the restart comes where it would be reached.

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
    learning_rate = hyperparameter("learning_rate", learning_rate)
    steps = whole_number("steps", steps, lowest=1)
    factor = whole_number("factor", factor, lowest=1)
    end = hyperparameter("end", end)

    def rate(n: int) -> float:
        period = steps
        if factor == 1:
            n %= period
        while n >= period:
            n, period = n - period, period * factor
        return end + (learning_rate - end) * _half_cosine(n / period)

    return _checked(rate)


def warmup(schedule: Schedule, steps: int, start: float = 0.0) -> Schedule:
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

    Notes
    -----
    Goyal et al., 2017, section 2.2. Optax's ``warmup_cosine_decay_schedule(start, peak, k, T)`` is
    ``warmup(cosine(peak, T - k), k, start)``. Keras's ``CosineDecay(start, T)`` with a
    ``warmup_target`` and ``warmup_steps=k`` is ``warmup(cosine(peak, T), k, start)``: its T begins
    after the warmup. PyTorch's ``LinearLR`` starts at a third of the peak unless told otherwise. The
    state of a schedule that has one is saved through this one.

    Examples
    --------
    >>> schedule = warmup(cosine(1.0, steps=2), steps=2)
    >>> [round(schedule(n), 3) for n in range(5)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if not callable(schedule):
        raise TypeError(f"schedule is {schedule!r}; expected a function such as constant(0.1)")
    steps = whole_number("steps", steps)
    start = hyperparameter("start", start)

    def rate(n: int) -> float:
        if n >= steps:
            return schedule(n - steps)
        return start + (schedule(0) - start) * n / steps

    rate = _checked(rate)
    if has_state(schedule):
        rate.state_dict, rate.load_state_dict = schedule.state_dict, schedule.load_state_dict
    return rate


def one_cycle(
    peak: float,
    steps: int,
    rise: float = 0.3,
    back: float | None = None,
    divisor: float = 25.0,
    final_divisor: float = 1e4,
    shape: str = "cosine",
) -> Schedule:
    r"""Up to a large learning rate and down to a tiny one, once.

    The learning rate passes through these corners, and between them along half a cosine,
    :math:`a + (b - a) \tfrac12 (1 - \cos \pi x)`, or a straight line, :math:`a + (b - a) x`:

    .. math::

        \eta_0 = \frac{\eta_{\max}}d, \qquad
        \eta_{rT} = \eta_{\max}, \qquad
        \Bigl[\eta_{sT} = \frac{\eta_{\max}}d,\Bigr] \qquad
        \eta_T = \frac{\eta_{\max}}{d f}

    Parameters
    ----------
    peak
        The largest learning rate, :math:`\eta_{\max}`.
    steps
        The number :math:`T` of steps after which the end is reached; from then on it stays.
    rise
        The part :math:`r` of them in which the learning rate rises, above 0 and below 1.
    back
        The part :math:`s` of them after which it is back where it began, between `rise` and 1: the
        three phases of the article. With `None` there are two.
    divisor
        The ratio :math:`d` of the peak to the start.
    final_divisor
        The ratio :math:`f` of the start to the end.
    shape
        ``"cosine"`` or ``"linear"``.

    Notes
    -----
    Smith and Topin, "Super-convergence", 2019: three straight phases. They also lower the momentum
    while the learning rate is high, which this does not do. Two phases of a cosine are the default
    of PyTorch and of Optax, whose corners differ: Optax rounds `rise` times `steps` down; PyTorch's
    ``OneCycleLR(total_steps=N, pct_start=p)`` reaches its end in the last of its N steps, which
    makes it ``steps = N - 1`` and ``rise = (p * N - 1) / (N - 1)`` here.

    Examples
    --------
    >>> schedule = one_cycle(1.0, steps=4, rise=0.5, divisor=10.0, final_divisor=10.0)
    >>> [round(schedule(n), 3) for n in range(6)]
    [0.1, 0.55, 1.0, 0.505, 0.01, 0.01]
    """
    peak = hyperparameter("peak", peak)
    steps = whole_number("steps", steps, lowest=1)
    rise = positive("rise", hyperparameter("rise", rise, below=1.0))
    start = peak / positive("divisor", divisor)
    final = start / positive("final_divisor", final_divisor)
    if shape not in ("cosine", "linear"):
        raise ValueError(f"shape is {shape!r}; expected 'cosine' or 'linear'")
    corners = [(0.0, start), (rise, peak), (1.0, final)]
    if back is not None:
        back = hyperparameter("back", back, below=1.0)
        if back <= rise:
            raise ValueError(f"back is {back}; expected more than rise, {rise}")
        corners.insert(2, (back, start))

    def rate(n: int) -> float:
        x = min(n / steps, 1.0)
        (left, a), (right, b) = next(pair for pair in pairwise(corners) if x <= pair[1][0])
        part = (right - x) / (right - left)  # that is left
        if shape == "cosine":
            part = _half_cosine(1 - part)
        return part * a + (1 - part) * b  # in this form nothing is lost at either end

    return _checked(rate)


class ReduceOnPlateau:
    r"""A learning rate that is multiplied by a factor when the loss no longer falls.

    A loss is an improvement if :math:`L < L^* - \rho |L^*| - \alpha`, where :math:`L^*` is the last
    loss that was one. When more than `patience` losses in a row are none, the learning rate falls,

    .. math:: \eta \leftarrow \max(\gamma \eta, \eta_{\min}),

    and the counting starts again, after `cooldown` losses that are not counted.

    Parameters
    ----------
    learning_rate
        The learning rate :math:`\eta` to begin with.
    factor
        The factor :math:`\gamma`, in [0, 1).
    patience
        How many losses in a row may be no improvement.
    rtol, atol
        How much smaller than the best a loss must be, as a part :math:`\rho` of the best and in the
        units of the loss (:math:`\alpha`).
    cooldown
        How many losses are not counted after the learning rate fell.
    lowest
        The least learning rate, :math:`\eta_{\min}`.

    Attributes
    ----------
    learning_rate : float
        The present learning rate.
    best : float
        The best loss so far; infinity while there is none.

    Raises
    ------
    TypeError, ValueError
        If a setting is not a number, or outside its range.

    Notes
    -----
    PyTorch's ``ReduceLROnPlateau``, except that PyTorch leaves the learning rate as it is where it
    would change by less than its ``eps``, 1e-8, and that its relative threshold takes a slightly
    *larger* loss for an improvement when the best loss is negative. For an accuracy, which should
    rise, observe its negative: that is ``mode="max"`` exactly. Optax's ``reduce_on_plateau`` counts
    to `patience` where PyTorch counts past it: its 5 is 4 here.

    Examples
    --------
    >>> from optimlib import SGD
    >>> schedule = ReduceOnPlateau(1.0, factor=0.5, patience=1)
    >>> optimizer = SGD(np.zeros(1), learning_rate=schedule)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):  # of four epochs, say
    ...     schedule.observe(loss)
    >>> schedule.learning_rate
    0.5
    """

    def __init__(
        self,
        learning_rate: float,
        factor: float = 0.1,
        patience: int = 10,
        rtol: float = 1e-4,
        atol: float = 0.0,
        cooldown: int = 0,
        lowest: float = 0.0,
    ) -> None:
        self.learning_rate = hyperparameter("learning_rate", learning_rate)
        self.factor = hyperparameter("factor", factor, below=1.0)
        self.patience = whole_number("patience", patience)
        self.rtol = hyperparameter("rtol", rtol)
        self.atol = hyperparameter("atol", atol)
        self.cooldown = whole_number("cooldown", cooldown)
        self.lowest = hyperparameter("lowest", lowest)
        if self.lowest > self.learning_rate:
            raise ValueError(f"lowest is {lowest}; expected at most learning_rate, {learning_rate}")
        self.best = math.inf
        self._bad = 0  # losses in a row that were no improvement
        self._cooling = 0  # losses that will not be counted

    def __call__(self, finished: int) -> float:
        """The present learning rate, however many steps are finished."""
        whole_number("finished", finished)
        return self.learning_rate

    def observe(self, loss: float) -> None:
        """Take note of a loss: usually that of an epoch on data that is not trained on.

        Raises
        ------
        TypeError, ValueError
            If the loss is not a finite number. Nothing has been changed then.
        """
        if isinstance(loss, bool) or not isinstance(loss, Real):
            raise TypeError(f"loss is {loss!r} of type {type(loss).__name__}; expected a number")
        if not math.isfinite(loss):
            raise ValueError(f"loss is {loss}; expected a finite number")
        loss = float(loss)
        if self.best == math.inf or loss < self.best - self.rtol * abs(self.best) - self.atol:
            self.best = loss
            self._bad = 0
        else:
            self._bad += 1
        if self._cooling:
            self._cooling -= 1
            self._bad = 0
        if self._bad > self.patience:
            self.learning_rate = max(self.factor * self.learning_rate, self.lowest)
            self._bad = 0
            self._cooling = self.cooldown

    def state_dict(self) -> dict[str, np.ndarray]:
        """A copy of what later losses are judged by, as arrays; an optimizer saves it with its own."""
        return {
            "learning_rate": np.array(self.learning_rate),
            "best": np.array(self.best),
            "bad": np.array(self._bad),
            "cooling": np.array(self._cooling),
        }

    def load_state_dict(self, saved: Mapping[str, np.ndarray]) -> None:
        """Go on from a saved state.

        Raises
        ------
        TypeError, ValueError
            If it is no such state. Nothing has been changed then.
        """
        if set(saved) != set(self.state_dict()):
            raise ValueError(
                f"the saved schedule has {sorted(saved)}; expected {sorted(self.state_dict())}"
            )
        values = {key: np.asarray(value).tolist() for key, value in saved.items()}
        learning_rate = hyperparameter("learning_rate", values["learning_rate"])
        best = values["best"]
        if not isinstance(best, float) or not best > -math.inf:
            raise ValueError(f"best is {best!r}; expected a loss, or infinity while there is none")
        bad = whole_number("bad", values["bad"])
        cooling = whole_number("cooling", values["cooling"])
        self.learning_rate, self.best, self._bad, self._cooling = learning_rate, best, bad, cooling


def has_state(schedule: Schedule) -> bool:
    """Whether a schedule has a state to be saved: ``state_dict()`` and ``load_state_dict(saved)``.

    >>> has_state(ReduceOnPlateau(0.1)), has_state(constant(0.1))
    (True, False)
    """
    return hasattr(schedule, "state_dict") and hasattr(schedule, "load_state_dict")
