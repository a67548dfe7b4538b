"""Adamax: Adam that divides by the largest of the fading gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from optimlib.optimizers.adam import Adam
from optimlib.optimizers.division import nonzero
from optimlib.schedules import Schedule
from optimlib.trees import Tree


class Adamax(Adam):
    r"""Adam with a fading maximum in the place of the root mean square.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad m_0 = 0 \\
        u_t &= \max(\beta_2 u_{t-1}, |g_t|), \qquad u_0 = 0 \\
        \theta_t &= \theta_{t-1} - \frac{\eta_t}{1 - \beta_1^t} \frac{m_t}{u_t + \varepsilon}

    Parameters
    ----------
    params, learning_rate, **options
        Those of `Adam`.
    beta1, beta2
        The decay rates of the mean and of the maximum, in [0, 1), without units.
    eps
        The number :math:`\varepsilon`, in the units of the gradient, from 0 on. With 0, as in the
        paper, a coordinate whose gradient has always been zero takes no step.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    Kingma and Ba, 2015, algorithm 2, which has no epsilon; the other defaults are the paper's. Keras
    has epsilon here.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = Adamax(theta, learning_rate=0.125)
    >>> optimizer.step(np.array([3.0, -0.5]))
    >>> theta.round(6)
    array([ 0.875, -1.875])
    """

    slots = ("m", "u")
    hints_for_keywords = Adam.hints_for_keywords | {"eps_inside": "use the class AdamaxEpsInside"}

    def __init__(
        self,
        params: Tree,
        learning_rate: float | Schedule = 2e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        **options: Any,
    ) -> None:
        super().__init__(params, learning_rate, beta1, beta2, eps, **options)

    def rule(self, g, m, u):
        m = self.beta1 * m + (1 - self.beta1) * g  # mean
        u = np.maximum(self.beta2 * u, np.abs(g))  # fading maximum
        return self.learning_rate / (1 - self.beta1**self.t) * m / nonzero(u + self.eps), (m, u)


class AdamaxEpsInside(Adamax):
    r"""Adamax with epsilon inside the maximum, where it fades.

    .. math::

        u_t &= \max(\beta_2 u_{t-1}, |g_t| + \varepsilon), \qquad u_0 = 0 \\
        \theta_t &= \theta_{t-1} - \frac{\eta_t}{1 - \beta_1^t} \frac{m_t}{u_t}

    with :math:`m_t` of `Adamax`.

    Parameters
    ----------
    params, learning_rate, beta1, beta2, eps, **options
        Those of `Adamax`.

    Raises
    ------
    TypeError
        If a hyperparameter is not a number, or a keyword is unknown.
    ValueError
        If a hyperparameter lies outside its interval.

    Notes
    -----
    PyTorch and Optax have this form.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> optimizer = AdamaxEpsInside(theta, learning_rate=0.125, eps=1.0)
    >>> optimizer.step(np.array([3.0, -1.0]))  # 3/4 and 1/2 of the learning rate
    >>> theta
    array([ 0.90625, -1.9375 ])
    """

    def rule(self, g, m, u):
        m = self.beta1 * m + (1 - self.beta1) * g  # mean
        u = np.maximum(self.beta2 * u, np.abs(g) + self.eps)  # fading maximum
        return self.learning_rate / (1 - self.beta1**self.t) * m / nonzero(u), (m, u)
