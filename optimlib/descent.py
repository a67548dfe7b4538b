"""Gradient descent, with and without momentum (chapters 6 and 7)."""

from __future__ import annotations

import numpy as np

from optimlib.optimizer import Optimizer, Schedule, hyperparameter
from optimlib.trees import Tree


class SGD(Optimizer):
    r"""Gradient descent; *stochastic* once the gradients come from random minibatches.

    .. math::

        b_t &= \mu b_{t-1} + g_t, \qquad b_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t b_t

    Parameters
    ----------
    params
        The parameters, changed in place by every step.
    learning_rate
        The step size :math:`\eta`, or a schedule.
    momentum
        The decay :math:`\mu` of the velocity :math:`b`, in [0, 1). With 0, the default, the step is
        plain gradient descent and there is no state.
    nesterov
        Look ahead: subtract :math:`\eta_t (g_t + \mu b_t)` instead of :math:`\eta_t b_t`.
    average
        Make the velocity a running mean, :math:`b_t = \mu b_{t-1} + (1 - \mu) g_t`, so that a
        constant gradient ends in steps of :math:`\eta g` and not of :math:`\eta g / (1 - \mu)`.

    Raises
    ------
    TypeError, ValueError
        As `Optimizer`; also if `momentum` is outside [0, 1), or `nesterov` and `average` are asked
        for together or without momentum.

    Notes
    -----
    Heavy ball: Polyak, 1964. Nesterov's form as in Sutskever, Martens, Dahl and Hinton, 2013.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = SGD(theta, learning_rate=0.5)
    >>> optimizer.step(np.array([2.0, 0.0]))
    >>> theta
    array([ 0., -2.])
    """

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule,
        momentum: float = 0.0,
        nesterov: bool = False,
        average: bool = False,
    ) -> None:
        self.momentum = hyperparameter("momentum", momentum, below=1.0)
        if nesterov and average:
            raise ValueError("nesterov and average are both True; expected at most one of them")
        if (nesterov or average) and not self.momentum:
            raise ValueError("momentum is 0; expected more than 0 with nesterov or average")
        self.nesterov = nesterov
        self.average = average
        self.slots = ("b",) if self.momentum else ()
        super().__init__(params, learning_rate)

    def rule(self, g: np.ndarray, *state: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """One line for each of the equations above."""
        if not state:
            return self.learning_rate * g, ()
        (b,) = state
        b = self.momentum * b + ((1 - self.momentum) * g if self.average else g)
        direction = g + self.momentum * b if self.nesterov else b
        return self.learning_rate * direction, (b,)
