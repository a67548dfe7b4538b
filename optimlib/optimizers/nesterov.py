"""Nesterov's momentum: the gradient is taken where the velocity is about to lead.

Nouns: the *velocity* ``b`` and the *momentum* are those of `optimlib.optimizers.sgd`.
"""

from __future__ import annotations

from typing import Any

from optimlib.optimizers.sgd import SGD
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class Nesterov(SGD):
    r"""Momentum that looks ahead: this step's velocity is used as if one step older.

    .. math::

        b_t &= \mu b_{t-1} + g_t, \qquad b_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t (g_t + \mu b_t)

    Parameters
    ----------
    params, learning_rate, **options
        Those of `SGD`.
    momentum
        The decay rate :math:`\mu` of the velocity, in [0, 1), without units.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Nesterov, 1983, in the form of Sutskever, Martens, Dahl and Hinton, 2013, seen from the point at
    which it looks: the parameters here are their :math:`\theta + \mu v`. The learning rate is outside
    the velocity, as in PyTorch and Optax; the paper has it inside (`NesterovRateInside`).

    Examples
    --------
    >>> import numpy as np
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = Nesterov(theta, learning_rate=0.5, momentum=0.5)
    >>> optimizer.step(np.array([2.0, 0.0]))
    >>> theta
    array([-0.5, -2. ])
    """

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule,
        momentum: float = 0.9,
        **options: Any,
    ) -> None:
        super().__init__(params, learning_rate, momentum, **options)

    def rule(self, g, b):
        b = self.momentum * b + g  # velocity
        return self.learning_rate * (g + self.momentum * b), (b,)


class NesterovRateInside(Nesterov):
    r"""Nesterov's momentum with the learning rate inside the velocity.

    .. math::

        b_t &= \mu b_{t-1} + \eta_t g_t, \qquad b_0 = 0 \\
        \theta_t &= \theta_{t-1} - (\eta_t g_t + \mu b_t)

    Parameters
    ----------
    params, learning_rate, momentum, **options
        Those of `Nesterov`. The velocity has the units of the parameters.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Sutskever, Martens, Dahl and Hinton, 2013, equations 3 and 4; Keras, scikit-learn and CS231n follow
    it. At a constant learning rate the steps are those of `Nesterov`.

    Examples
    --------
    >>> import numpy as np
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = NesterovRateInside(theta, learning_rate=0.5, momentum=0.5)
    >>> optimizer.step(np.array([2.0, 0.0]))
    >>> theta
    array([-0.5, -2. ])
    """

    def rule(self, g, b):
        g = self.learning_rate * g
        b = self.momentum * b + g  # last step of the heavy ball
        return g + self.momentum * b, (b,)
