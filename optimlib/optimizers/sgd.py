"""Gradient descent with a velocity: the heavy ball.

Nouns: the *velocity* is the state array ``b``, a fading sum of gradients; the *momentum* is the factor
by which it fades in every step.
"""

from __future__ import annotations

from typing import Any, ClassVar

from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.settings import setting
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class SGD(Optimizer):
    r"""Gradient descent with momentum; *stochastic* once the gradients come from random minibatches.

    .. math::

        b_t &= \mu b_{t-1} + g_t, \qquad b_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t b_t

    Parameters
    ----------
    params
        The parameters: a tree of float arrays of any shapes, changed in place by every step.
    learning_rate
        The step size :math:`\eta`, in units of the parameters over those of the gradient, or a
        schedule.
    momentum
        The decay rate :math:`\mu` of the velocity, in [0, 1), without units. With 0, the default, the
        step is plain gradient descent.
    **options
        The keywords of `Optimizer`. A number given as `weight_decay` is L2.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Polyak, 1964, with the learning rate outside the velocity, as in PyTorch and Optax.
    `SGDRateInside` has it inside, as the paper does. A constant gradient ends in steps of
    :math:`\eta g / (1 - \mu)`.

    Examples
    --------
    >>> import numpy as np
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = SGD(theta, learning_rate=0.5, momentum=0.5)
    >>> for _ in range(2):
    ...     optimizer.step(np.array([2.0, 0.0]))
    >>> theta
    array([-1.5, -2. ])
    """

    slots = ("b",)
    momentum: float = setting(below=1.0)
    hints_for_keywords: ClassVar[dict[str, str]] = {
        "nesterov": "use the class Nesterov",
        "dampening": "use the class SGDRunningMean, which damps the first gradient too",
        "average": "use the class SGDRunningMean",
        "rate_in_velocity": "use the class SGDRateInside or NesterovRateInside",
    }

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule,
        momentum: float = 0.0,
        **options: Any,
    ) -> None:
        self.momentum = momentum
        super().__init__(params, learning_rate, **options)

    def rule(self, g, b):
        b = self.momentum * b + g  # velocity
        return self.learning_rate * b, (b,)


class SGDRateInside(SGD):
    r"""The heavy ball with the learning rate inside the velocity, which is then the last step.

    .. math::

        b_t &= \mu b_{t-1} + \eta_t g_t, \qquad b_0 = 0 \\
        \theta_t &= \theta_{t-1} - b_t

    Parameters
    ----------
    params, learning_rate, momentum, **options
        Those of `SGD`. The velocity has the units of the parameters.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Polyak, 1964; Keras, scikit-learn and CS231n follow it. At a constant learning rate the steps are
    those of `SGD`. Once the rate changes they differ, because this velocity remembers the old rates.

    Examples
    --------
    >>> import numpy as np
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = SGDRateInside(theta, learning_rate=lambda done: 0.5**done, momentum=0.5)
    >>> for _ in range(2):
    ...     optimizer.step(np.array([2.0, 0.0]))  # 2, then 1/2 * 2 + 1/2 * 2
    >>> theta
    array([-3., -2.])
    """

    def rule(self, g, b):
        b = self.momentum * b + self.learning_rate * g  # last step
        return b, (b,)


class SGDRunningMean(SGD):
    r"""Gradient descent along a running mean of the gradients.

    .. math::

        b_t &= \mu b_{t-1} + (1 - \mu) g_t, \qquad b_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t b_t

    Parameters
    ----------
    params, learning_rate, **options
        Those of `SGD`.
    momentum
        The decay rate :math:`\mu` of the mean, in [0, 1), without units.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    The velocity is the first moment of `Adam` without bias correction. Autograd has this form. At a
    constant learning rate it is `SGD` with :math:`1 - \mu` times that rate; a constant gradient ends
    in steps of :math:`\eta g`.

    Examples
    --------
    >>> import numpy as np
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = SGDRunningMean(theta, learning_rate=0.5, momentum=0.5)
    >>> optimizer.step(np.array([2.0, 0.0]))
    >>> theta
    array([ 0.5, -2. ])
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
        b = self.momentum * b + (1 - self.momentum) * g  # mean
        return self.learning_rate * b, (b,)
