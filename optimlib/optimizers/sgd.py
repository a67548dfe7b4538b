"""Gradient descent, plain and with momentum (chapters 6 and 7)."""

from __future__ import annotations

from typing import Any

import numpy as np

from optimlib.arguments import flag, hyperparameter
from optimlib.optimizers.conventions import WeightDecay
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class SGD(WeightDecay):
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
    rate_in_velocity
        Put the learning rate into the velocity: every :math:`g_t` above becomes
        :math:`\eta_t g_t`, and :math:`\eta_t` is gone from the last line. It makes a difference
        once the rate changes: then the velocity remembers the old one.
    **options
        `weight_decay`, `mask`, `decoupled`, `decay_form` as for `WeightDecay`, and the keywords of
        `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        As `Optimizer`; also if `momentum` is outside [0, 1), or `nesterov` and `average` are asked
        for together or without momentum.

    Notes
    -----
    Heavy ball: Polyak, 1964. Nesterov's form as in Sutskever, Martens, Dahl and Hinton, 2013. Both
    have the learning rate in the velocity, as Keras, scikit-learn and CS231n do; PyTorch and Optax
    have it outside. Running means, with the rate outside: Autograd.

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
        rate_in_velocity: bool = False,
        **options: Any,
    ) -> None:
        self.momentum = hyperparameter("momentum", momentum, below=1.0)
        self.nesterov = flag("nesterov", nesterov)
        self.average = flag("average", average)
        self.rate_in_velocity = flag("rate_in_velocity", rate_in_velocity)
        if self.nesterov and self.average:
            raise ValueError("nesterov and average are both True; expected at most one of them")
        if (self.nesterov or self.average) and not self.momentum:
            raise ValueError("momentum is 0; expected more than 0 with nesterov or average")
        self.slots = ("b",) if self.momentum else ()
        super().__init__(params, learning_rate, **options)

    def rule(self, g: np.ndarray, *state: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """One line for each of the equations above."""
        if not state:
            return self.learning_rate * g, ()
        (b,) = state
        if self.rate_in_velocity:
            g = self.learning_rate * g
        b = self.momentum * b + ((1 - self.momentum) * g if self.average else g)
        direction = g + self.momentum * b if self.nesterov else b
        return direction if self.rate_in_velocity else self.learning_rate * direction, (b,)
