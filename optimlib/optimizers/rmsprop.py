"""RMSProp: a step size for every coordinate, from the gradients it has had lately.

Nouns: the *second moment* ``v`` is a running mean of the squared gradients, the *mean* ``a`` one of the
gradients; the *velocity* ``b`` is a fading sum of the steps that they make.

The classes differ in three ways. *Centered* ones divide by the standard deviation, not by the root mean
square. Those with *RateInside* have the learning rate inside the velocity. Those with *TF* have it there
too, and epsilon under the root, as TensorFlow did.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.division import nonzero
from optimlib.optimizers.settings import first_value, setting
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class RMSProp(Optimizer):
    r"""Divide every coordinate by the root of the running mean of its squared gradients.

    .. math::

        v_t &= \rho v_{t-1} + (1 - \rho) g_t^2, \qquad v_0 = a \\
        b_t &= \mu b_{t-1} + g_t / (\sqrt{v_t} + \varepsilon), \qquad b_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t b_t

    Parameters
    ----------
    params
        The parameters: a tree of float arrays of any shapes, changed in place by every step.
    learning_rate
        The step size :math:`\eta`, in the units of the parameters, or a schedule.
    rho
        The decay rate of the second moment, in [0, 1), without units.
    eps
        The number :math:`\varepsilon`, in the units of the gradient, from 0 on. With 0, a coordinate
        whose gradient has always been zero takes no step.
    momentum
        The decay rate :math:`\mu` of the velocity, in [0, 1), without units. With 0, the default, the
        velocity is the newest quotient alone.
    initial_accumulator
        The start :math:`a` of the second moment, in the units of a squared gradient, from 0 on. It
        shortens the first steps.
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
    Tieleman and Hinton, 2012, who have neither epsilon nor momentum and give `rho` as 0.9; the other
    defaults are common ones. PyTorch has this form. Autograd starts the second moment from 1, and
    Optax from its ``initial_scale``.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = RMSProp(theta, learning_rate=0.5, rho=0.75)
    >>> optimizer.step(np.array([3.0, -0.25]))
    >>> theta.round(6)
    array([ 0., -1.])
    """

    slots: tuple[str, ...] = ("v", "b")
    rho: float = setting(below=1.0)
    eps: float = setting()
    momentum: float = setting(below=1.0)
    initial_accumulator: float = first_value()
    hints_for_keywords: ClassVar[dict[str, str]] = {
        "centered": "use the class RMSPropCentered",
        "eps_inside": "use the class RMSPropTF",
        "rate_in_velocity": "use the class RMSPropRateInside",
    }

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-3,
        rho: float = 0.9,
        eps: float = 1e-8,
        momentum: float = 0.0,
        initial_accumulator: float = 0.0,
        **options: Any,
    ) -> None:
        self.rho, self.eps, self.momentum, self.initial_accumulator = (
            rho,
            eps,
            momentum,
            initial_accumulator,
        )
        super().__init__(params, learning_rate, **options)

    def initial(self, name: str, array: np.ndarray) -> np.ndarray:
        """The second moment before the first step; everything else starts from 0."""
        return np.full_like(array, self.initial_accumulator if name == "v" else 0.0)

    def rule(self, g, v, b):
        v = self.rho * v + (1 - self.rho) * g**2  # size, squared
        b = self.momentum * b + g / nonzero(np.sqrt(v) + self.eps)  # velocity
        return self.learning_rate * b, (v, b)


class RMSPropRateInside(RMSProp):
    r"""RMSProp with the learning rate inside the velocity, which is then the last step.

    .. math::

        v_t &= \rho v_{t-1} + (1 - \rho) g_t^2, \qquad v_0 = a \\
        b_t &= \mu b_{t-1} + \eta_t g_t / (\sqrt{v_t} + \varepsilon), \qquad b_0 = 0 \\
        \theta_t &= \theta_{t-1} - b_t

    Parameters
    ----------
    params, learning_rate, rho, eps, momentum, initial_accumulator, **options
        Those of `RMSProp`. The velocity has the units of the parameters.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Optax has this form where its ``eps_in_sqrt`` is off. At a constant learning rate the steps are
    those of `RMSProp`.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> rate = lambda done: 0.5 / (1 + done)
    >>> optimizer = RMSPropRateInside(theta, rate, rho=0.75, eps=0.0, momentum=0.5)
    >>> for g in (4.0, 2.0):  # 1/2 * 4/2, then half of that and 1/4 * 2/2
    ...     optimizer.step(np.array([g, 0.0]))
    >>> theta
    array([-0.75, -2.  ])
    """

    def rule(self, g, v, b):
        v = self.rho * v + (1 - self.rho) * g**2  # size, squared
        b = self.momentum * b + self.learning_rate * (g / nonzero(np.sqrt(v) + self.eps))
        return b, (v, b)


class RMSPropTF(RMSProp):
    r"""RMSProp with epsilon under the root and the learning rate inside the velocity.

    .. math::

        v_t &= \rho v_{t-1} + (1 - \rho) g_t^2, \qquad v_0 = a \\
        b_t &= \mu b_{t-1} + \eta_t g_t / \sqrt{v_t + \varepsilon}, \qquad b_0 = 0 \\
        \theta_t &= \theta_{t-1} - b_t

    Parameters
    ----------
    params, learning_rate, rho, momentum, initial_accumulator, **options
        Those of `RMSProp`. The velocity has the units of the parameters.
    eps
        The number :math:`\varepsilon`, in the units of a *squared* gradient, from 0 on.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    TensorFlow had this form; Keras and Optax still have it. Where gradients are small an epsilon
    under the root does far more than one outside: 1e-8 there is 1e-4 here.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = RMSPropTF(theta, learning_rate=0.5, rho=0.75, eps=5.0)
    >>> optimizer.step(np.array([4.0, 0.0]))  # the root of 16/4 + 5
    >>> theta.round(6)
    array([ 0.333333, -2.      ])
    """

    def rule(self, g, v, b):
        v = self.rho * v + (1 - self.rho) * g**2  # size, squared
        b = self.momentum * b + self.learning_rate * (g / nonzero(np.sqrt(v + self.eps)))
        return b, (v, b)


class RMSPropCentered(RMSProp):
    r"""RMSProp that divides by the standard deviation of the recent gradients.

    .. math::

        v_t &= \rho v_{t-1} + (1 - \rho) g_t^2, \qquad v_0 = a \\
        a_t &= \rho a_{t-1} + (1 - \rho) g_t, \qquad a_0 = 0 \\
        b_t &= \mu b_{t-1} + g_t / (\sqrt{v_t - a_t^2} + \varepsilon), \qquad b_0 = 0 \\
        \theta_t &= \theta_{t-1} - \eta_t b_t

    Parameters
    ----------
    params, learning_rate, rho, momentum, initial_accumulator, **options
        Those of `RMSProp`.
    eps
        The number :math:`\varepsilon`, in the units of the gradient, from 0 on. With 0, a constant
        gradient ends up divided by 0.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Graves, 2013. PyTorch has this form. Rounding may make the difference under the root negative; it
    then counts as 0, where PyTorch and Optax return NaN.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = RMSPropCentered(theta, learning_rate=0.5, rho=0.5)
    >>> optimizer.step(np.array([4.0, 0.0]))  # the root of 8 - 2 * 2
    >>> theta.round(6)
    array([ 0., -2.])
    """

    slots = ("v", "a", "b")

    def rule(self, g, v, a, b):
        v = self.rho * v + (1 - self.rho) * g**2  # size, squared
        a = self.rho * a + (1 - self.rho) * g  # mean
        variance = np.maximum(v - a**2, 0)
        b = self.momentum * b + g / (np.sqrt(variance) + self.eps)  # velocity
        return self.learning_rate * b, (v, a, b)


class RMSPropCenteredRateInside(RMSPropCentered):
    r"""Centered RMSProp with the learning rate inside the velocity, which is then the last step.

    .. math::

        b_t &= \mu b_{t-1} + \eta_t g_t / (\sqrt{v_t - a_t^2} + \varepsilon), \qquad b_0 = 0 \\
        \theta_t &= \theta_{t-1} - b_t

    with :math:`v_t` and :math:`a_t` of `RMSPropCentered`.

    Parameters
    ----------
    params, learning_rate, rho, eps, momentum, initial_accumulator, **options
        Those of `RMSPropCentered`. The velocity has the units of the parameters.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Optax has this form where ``centered`` is on and ``eps_in_sqrt`` off.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = RMSPropCenteredRateInside(theta, learning_rate=0.5, rho=0.5)
    >>> optimizer.step(np.array([4.0, 0.0]))  # the root of 8 - 2 * 2
    >>> theta.round(6)
    array([ 0., -2.])
    """

    def rule(self, g, v, a, b):
        v = self.rho * v + (1 - self.rho) * g**2  # size, squared
        a = self.rho * a + (1 - self.rho) * g  # mean
        variance = np.maximum(v - a**2, 0)
        b = self.momentum * b + self.learning_rate * (g / (np.sqrt(variance) + self.eps))
        return b, (v, a, b)


class RMSPropCenteredTF(RMSPropCentered):
    r"""Centered RMSProp with epsilon under the root and the learning rate inside the velocity.

    .. math::

        b_t &= \mu b_{t-1} + \eta_t g_t / \sqrt{v_t - a_t^2 + \varepsilon}, \qquad b_0 = 0 \\
        \theta_t &= \theta_{t-1} - b_t

    with :math:`v_t` and :math:`a_t` of `RMSPropCentered`.

    Parameters
    ----------
    params, learning_rate, rho, momentum, initial_accumulator, **options
        Those of `RMSPropCentered`. The velocity has the units of the parameters.
    eps
        The number :math:`\varepsilon`, in the units of a *squared* gradient, from 0 on.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    TensorFlow had this form; Keras and Optax still have it.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = RMSPropCenteredTF(theta, learning_rate=0.5, rho=0.5, eps=12.0)
    >>> optimizer.step(np.array([4.0, 0.0]))  # the root of 8 - 2 * 2 + 12
    >>> theta
    array([ 0.5, -2. ])
    """

    def rule(self, g, v, a, b):
        v = self.rho * v + (1 - self.rho) * g**2  # size, squared
        a = self.rho * a + (1 - self.rho) * g  # mean
        variance = np.maximum(v - a**2, 0)
        b = self.momentum * b + self.learning_rate * (g / np.sqrt(variance + self.eps))
        return b, (v, a, b)
