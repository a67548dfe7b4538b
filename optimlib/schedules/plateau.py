"""The plateau: a learning rate that follows the losses it is shown, and so has a state of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np

from optimlib.arguments import hyperparameter, whole_number
from optimlib.schedules.base import BaseSchedule


@dataclass(repr=False)
class ReduceOnPlateau(BaseSchedule):
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

    learning_rate: float
    factor: float = 0.1
    patience: int = 10
    rtol: float = 1e-4
    atol: float = 0.0
    cooldown: int = 0
    lowest: float = 0.0
    best: float = field(default=math.inf, init=False)
    _bad: int = field(default=0, init=False)  # losses in a row that were no improvement
    _cooling: int = field(default=0, init=False)  # losses that will not be counted

    def __post_init__(self) -> None:
        if self.lowest > self.learning_rate:
            raise ValueError(
                f"lowest is {self.lowest}; expected at most learning_rate, {self.learning_rate}"
            )

    def __setattr__(self, name: str, value: Any) -> None:
        """Check what is given or assigned; refuse a name that the schedule does not have."""
        if name not in SETTINGS:
            public = [known for known in SETTINGS if not known.startswith("_")]
            raise AttributeError(f"ReduceOnPlateau has no {name}; it has {', '.join(public)}")
        object.__setattr__(self, name, SETTINGS[name](name.removeprefix("_"), value))

    def rate(self, n: int) -> float:
        """The present learning rate, however many steps are finished."""
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
        best = _loss_or_none("best", values["best"])
        bad = whole_number("bad", values["bad"])
        cooling = whole_number("cooling", values["cooling"])
        self.learning_rate, self.best, self._bad, self._cooling = learning_rate, best, bad, cooling


def _below_one(name: str, value: float) -> float:
    """A factor that makes smaller."""
    return hyperparameter(name, value, below=1.0)


def _loss_or_none(name: str, value: float) -> float:
    """A loss, or infinity while there is none."""
    if not isinstance(value, float) or not value > -math.inf:
        raise ValueError(f"{name} is {value!r}; expected a loss, or infinity while there is none")
    return value


SETTINGS: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(("learning_rate", "rtol", "atol", "lowest"), hyperparameter),
    **dict.fromkeys(("patience", "cooldown", "_bad", "_cooling"), whole_number),
    "factor": _below_one,
    "best": _loss_or_none,
}
"""What a plateau knows, and what checks each of it."""
