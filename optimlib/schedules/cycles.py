"""Cycles: up to a large learning rate and down again, once or many times."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from optimlib.arguments import hyperparameter, positive
from optimlib.schedules.base import BaseSchedule, count
from optimlib.schedules.cosines import half_cosine


@dataclass(frozen=True, repr=False)
class one_cycle(BaseSchedule):
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

    Raises
    ------
    TypeError, ValueError
        If a setting is not a number, or outside its range.

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

    peak: float
    steps: int
    rise: float = 0.3
    back: float | None = None
    divisor: float = 25.0
    final_divisor: float = 1e4
    shape: str = "cosine"

    def __post_init__(self) -> None:
        self._check(peak=hyperparameter, steps=count, rise=_part, divisor=positive)
        self._check(final_divisor=positive)
        if self.shape not in ("cosine", "linear"):
            raise ValueError(f"shape is {self.shape!r}; expected 'cosine' or 'linear'")
        if self.back is not None:
            self._check(back=_part)
            if self.back <= self.rise:
                raise ValueError(f"back is {self.back}; expected more than rise, {self.rise}")

    def corners(self) -> list[tuple[float, float]]:
        """The parts of the steps at which the learning rate turns, and what it is there."""
        start = self.peak / self.divisor
        back = [] if self.back is None else [(self.back, start)]
        return [(0.0, start), (self.rise, self.peak), *back, (1.0, start / self.final_divisor)]

    def rate(self, n: int) -> float:
        x = min(n / self.steps, 1.0)
        (left, a), (right, b) = next(pair for pair in pairwise(self.corners()) if x <= pair[1][0])
        part = (right - x) / (right - left)  # that is left
        if self.shape == "cosine":
            part = half_cosine(1 - part)
        return part * a + (1 - part) * b  # in this form nothing is lost at either end


def _part(name: str, value: float) -> float:
    """A part of the steps, between none and all."""
    return positive(name, hyperparameter(name, value, below=1.0))


@dataclass(frozen=True, repr=False)
class cyclic(BaseSchedule):
    r"""Up and down along straight lines, again and again.

    .. math::

        \eta_n = \eta_{\min} + (\eta_{\max} - \eta_{\min}) \, \gamma^{\lfloor n / (u + d) \rfloor}
        \min \Bigl( \frac ju, \frac{u + d - j}d \Bigr), \qquad j = n \bmod (u + d)

    Parameters
    ----------
    lowest
        The learning rate :math:`\eta_{\min}` with which every cycle begins and ends.
    peak
        The largest learning rate of the first cycle, :math:`\eta_{\max}`.
    up
        The number :math:`u` of steps in which the learning rate rises.
    down
        The number :math:`d` of steps in which it falls; as many as it rises unless given.
    factor
        The ratio :math:`\gamma` of the height of a cycle, above `lowest`, to that of the one before.

    Raises
    ------
    TypeError, ValueError
        If a setting is not a number, or outside its range.

    Notes
    -----
    Smith, "Cyclical learning rates", 2017. It is ``triangular``, and with factor 1/2 ``triangular2``,
    of PyTorch's ``CyclicLR``. For its ``exp_range``, whose height falls in every step, take a function
    of your own: ``lambda n: lowest + cyclic(0, peak - lowest, up)(n) * gamma**n``.

    Examples
    --------
    >>> schedule = cyclic(1.0, 3.0, up=2, factor=0.5)
    >>> [schedule(n) for n in range(9)]
    [1.0, 2.0, 3.0, 2.0, 1.0, 1.5, 2.0, 1.5, 1.0]
    """

    lowest: float
    peak: float
    up: int
    down: int | None = None
    factor: float = 1.0

    def __post_init__(self) -> None:
        self._check(lowest=hyperparameter, peak=hyperparameter, up=count, factor=hyperparameter)
        if self.down is not None:
            self._check(down=count)
        if self.peak < self.lowest:
            raise ValueError(f"peak is {self.peak}; expected at least lowest, {self.lowest}")

    def rate(self, n: int) -> float:
        down = self.up if self.down is None else self.down
        cycle, j = divmod(n, self.up + down)
        part = min(j / self.up, (self.up + down - j) / down)
        return self.lowest + (self.peak - self.lowest) * self.factor**cycle * part
