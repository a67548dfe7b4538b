"""Adam: a step size for every coordinate, from two running means that know their own age.

Nouns: the *first moment* ``m`` is a running mean of the gradients, the *second moment* ``v`` is one of
their squares. A mean that started from 0 is too small by the factor ``1 - beta**t``; dividing by that is
the *bias correction*, which adds a hat.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from optimlib.optimizers.base import Optimizer
from optimlib.optimizers.settings import setting
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class Adam(Optimizer):
    r"""Adaptive moment estimation: the mean of the gradients over their root mean square.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad m_0 = 0 \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \qquad v_0 = 0 \\
        \hat m_t &= m_t / (1 - \beta_1^t) \\
        \hat v_t &= v_t / (1 - \beta_2^t) \\
        \theta_t &= \theta_{t-1} - \eta_t \hat m_t / (\sqrt{\hat v_t} + \varepsilon)

    Parameters
    ----------
    params
        The parameters: a tree of float arrays of any shapes, changed in place by every step.
    learning_rate
        The step size :math:`\eta`, in the units of the parameters, or a schedule.
    beta1, beta2
        The decay rates of the first and of the second moment, in [0, 1), without units.
    eps
        The number :math:`\varepsilon`, in the units of the gradient, from 0 on. With 0, a coordinate
        whose gradient has always been zero divides 0 by 0, and the step is refused.
    **options
        The keywords of `Optimizer`. A number given as `weight_decay` is L2; `AdamW` decouples it.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Kingma and Ba, 2015, algorithm 1; the defaults are the paper's. PyTorch and Optax have this form.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = Adam(theta, learning_rate=0.125)
    >>> optimizer.step(np.array([3.0, -0.5]))
    >>> theta.round(6)
    array([ 0.875, -1.875])
    """

    slots = ("m", "v")
    beta1: float = setting(below=1.0)
    beta2: float = setting(below=1.0)
    eps: float = setting()
    hints_for_keywords: ClassVar[dict[str, str]] = {
        "amsgrad": "use the class AMSGradRaw, or AMSGrad.like with the name of the library",
        "eps_hat": "use the class AdamEpsHat",
        "eps_root": "use the class AdamEpsRoot",
        "nesterov": "use the class Nadam",
        "decoupled": "give weight_decay=Decoupled(strength), or use the class AdamW",
    }

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        **options: Any,
    ) -> None:
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        super().__init__(params, learning_rate, **options)

    def rule(self, g, m, v):
        m = self.beta1 * m + (1 - self.beta1) * g  # mean
        v = self.beta2 * v + (1 - self.beta2) * g**2  # size, squared
        m_hat = m / (1 - self.beta1**self.t)  # bias correction
        v_hat = v / (1 - self.beta2**self.t)
        return self.learning_rate * m_hat / (np.sqrt(v_hat) + self.eps), (m, v)


class AdamEpsHat(Adam):
    r"""Adam with epsilon added to the root of the uncorrected second moment.

    .. math::

        \theta_t = \theta_{t-1} - \eta_t \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}
            \frac{m_t}{\sqrt{v_t} + \hat\varepsilon}

    with the moments of `Adam`.

    Parameters
    ----------
    params, learning_rate, beta1, beta2, **options
        Those of `Adam`.
    eps
        The number :math:`\hat\varepsilon`, in the units of the gradient, from 0 on.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Kingma and Ba, 2015, just before section 2.1. Keras, TensorFlow and scikit-learn have this form. It
    is `Adam` with an epsilon that starts larger, at :math:`\hat\varepsilon / \sqrt{1 - \beta_2}`, and
    falls to :math:`\hat\varepsilon`.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = AdamEpsHat(theta, learning_rate=0.125, beta1=0.5, beta2=0.75, eps=2.0)
    >>> optimizer.step(np.array([4.0, 0.0]))  # half of 4 over half of 4 plus 2
    >>> theta
    array([ 0.9375, -2.    ])
    """

    def rule(self, g, m, v):
        m = self.beta1 * m + (1 - self.beta1) * g  # mean
        v = self.beta2 * v + (1 - self.beta2) * g**2  # size, squared
        rate = self.learning_rate * math.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t)
        return rate * m / (np.sqrt(v) + self.eps), (m, v)


class AdamEpsRoot(Adam):
    r"""Adam with a second epsilon, under the root.

    .. math::

        \theta_t = \theta_{t-1} - \eta_t \hat m_t / (\sqrt{\hat v_t + \varepsilon'} + \varepsilon)

    with the corrected moments of `Adam`.

    Parameters
    ----------
    params, learning_rate, beta1, beta2, eps, **options
        Those of `Adam`.
    eps_root
        The number :math:`\varepsilon'`, in the units of a *squared* gradient, from 0 on.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Optax has this form. Above 0, `eps_root` keeps the derivative of a step finite where the gradient
    is zero, for those who differentiate through the steps.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = AdamEpsRoot(theta, learning_rate=0.125, eps=0.0, eps_root=9.0)
    >>> optimizer.step(np.array([4.0, 0.0]))  # 4 over the root of 16 + 9
    >>> theta.round(6)
    array([ 0.9, -2. ])
    """

    eps_root: float = setting()

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        eps_root: float = 1e-8,
        **options: Any,
    ) -> None:
        self.eps_root = eps_root
        super().__init__(params, learning_rate, beta1, beta2, eps, **options)

    def rule(self, g, m, v):
        m = self.beta1 * m + (1 - self.beta1) * g  # mean
        v = self.beta2 * v + (1 - self.beta2) * g**2  # size, squared
        m_hat = m / (1 - self.beta1**self.t)  # bias correction
        v_hat = v / (1 - self.beta2**self.t)
        return self.learning_rate * m_hat / (np.sqrt(v_hat + self.eps_root) + self.eps), (m, v)
