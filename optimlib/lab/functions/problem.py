r"""What a test problem is: a loss with its gradient, a start, and the minima that are to be found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import numpy as np

from optimlib.arguments import check_generator

Value = Callable[[np.ndarray], float]
"""The loss at a point."""

Gradient = Callable[[np.ndarray], np.ndarray]
"""The gradient at a point."""

NoisyGradient = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""An estimate of the gradient at a point, from random examples."""


@dataclass(frozen=True, eq=False)
class Problem:
    r"""A loss :math:`L(\theta)` with its gradient, a place to start from and the place to find.

    Its functions take :math:`\theta` as an array of float64 with the shape of `start`, raise a
    TypeError for another dtype and a ValueError for another shape, and return new arrays.

    Attributes
    ----------
    name : str
        What to call it in a table or a legend.
    value : callable
        ``value(theta)`` is the loss, a float.
    gradient : callable
        ``gradient(theta)`` is its exact gradient, an array like `theta`.
    start : numpy.ndarray
        Where to start. It is read-only, since optimizers work in place: take ``start.copy()``.
    minimizers : tuple of numpy.ndarray
        All places where the loss is least.
    minimum : float
        The loss there.
    noisy_gradient : callable or None
        ``noisy_gradient(theta, rng)`` is the gradient of a random minibatch of examples, drawn with
        the `numpy.random.Generator`. Its expectation is ``gradient(theta)``. `None` where the loss
        is not a mean over examples.

    Examples
    --------
    >>> from optimlib import SGD
    >>> from optimlib.lab.functions import quadratic
    >>> problem = quadratic([1.0, 4.0])
    >>> theta = problem.start.copy()
    >>> optimizer = SGD(theta, learning_rate=0.25)
    >>> for _ in range(2):
    ...     optimizer.step(problem.gradient(theta))
    >>> theta
    array([0.5625, 0.    ])
    >>> problem.value(theta) - problem.minimum, problem.distance(theta)
    (0.158203125, 0.5625)
    """

    name: str
    value: Value = field(repr=False)
    gradient: Gradient = field(repr=False)
    start: np.ndarray
    minimizers: tuple[np.ndarray, ...]
    minimum: float
    noisy_gradient: NoisyGradient | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        start, minimizers = _read_only(self.start), tuple(map(_read_only, self.minimizers))
        for minimizer in minimizers:
            if minimizer.shape != start.shape:
                raise ValueError(
                    f"minimizers has a point of shape {minimizer.shape};"
                    f" expected {start.shape}, the shape of start"
                )
        checked: dict[str, Any] = {
            "start": start,
            "minimizers": minimizers,
            "value": self._checked("value", self.value),
            "gradient": self._checked("gradient", self.gradient),
        }
        if self.noisy_gradient is not None:
            checked["noisy_gradient"] = self._checked("noisy_gradient", self.noisy_gradient)
        for name, attribute in checked.items():
            object.__setattr__(self, name, attribute)  # as one does where a dataclass is frozen

    def _checked(self, name: str, function: Callable) -> Callable:
        """The function, for arguments of the right types and shapes only."""
        if not callable(function):
            raise TypeError(f"{name} is {function!r}; expected a function")

        @wraps(function)
        def checked(theta: np.ndarray, *rng: np.random.Generator) -> float | np.ndarray:
            for generator in rng:
                check_generator("rng", generator)
            return function(self._point(theta), *rng)

        return checked

    def _point(self, theta: np.ndarray) -> np.ndarray:
        theta = np.asarray(theta)
        if theta.dtype != np.float64:
            raise TypeError(f"theta has dtype {theta.dtype}; {self.name} expects float64")
        if theta.shape != self.start.shape:
            raise ValueError(f"theta has shape {theta.shape}; {self.name} expects {self.start.shape}")
        return theta

    def distance(self, theta: np.ndarray) -> float:
        """How far it is to the nearest minimizer, in a straight line.

        Raises
        ------
        TypeError, ValueError
            If `theta` has another dtype than float64 or another shape than `start`.
        """
        theta = self._point(theta)
        return min(float(np.linalg.norm(theta - minimizer)) for minimizer in self.minimizers)


def _read_only(point: np.ndarray) -> np.ndarray:
    """A copy of a point that nothing can move."""
    point = np.array(point, dtype=float)
    point.flags.writeable = False
    return point
